//! Information on the card for users: nodes below `snddom/state` and their values.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use snd_hda::Timer;
use snd_hda::codec::UnservedPin;
use snd_hda::{Controller, Direction, DmaRegion, Registers};

/// Codecs, outputs and inputs, and the connected pins without a route.
///
/// The numbers of outputs and inputs are those in the names of the ports.
pub fn of_card<R, D, G>(card: &Controller<R, D, G>) -> Vec<(String, String)>
where
    R: Registers + Clone,
    D: Timer + Clone,
    G: DmaRegion,
{
    let mut nodes = Vec::new();
    for codec in card.codecs() {
        nodes.push((format!("codec/{}", codec.address.get()), format!("{:08x}", codec.vendor_id)));
    }
    let (mut outputs, mut inputs, mut outputs_at_once) = (0, 0, 0);
    for route in card.routes() {
        let (name, number) = match route.direction() {
            Direction::Output => {
                outputs_at_once = u32::saturating_add(outputs_at_once, route.is_alone().into());
                ("output", &mut outputs)
            }
            Direction::Input => ("input", &mut inputs),
        };
        nodes.push((format!("port/{name}-{number}"), route.to_string()));
        *number = u32::saturating_add(*number, 1);
    }
    nodes.push((String::from("outputs-at-once"), outputs_at_once.to_string()));
    for UnservedPin { codec, pin, reason } in card.unserved() {
        nodes.push((format!("unserved/{}-{:#x}", codec.get(), pin.get()), reason.to_string()));
    }
    nodes
}
