//! Telling a codec to let samples through a route.

use super::CodecLink;
use super::discovery::power_up;
use super::route::{Hop, HopKind, Route};
use crate::command::CommandError;
use crate::dma::Direction;
use crate::spec::format::Format;
use crate::spec::verbs::{self, NodeId, amplifier};

/// An amplifier's index has 4 bits (7.3.3.7).
const AMPLIFIER_INPUTS_MAX: u8 = 16;

/// Shuts a route that nobody has connected yet, whatever state the codec was left in.
pub(crate) fn shut(link: &mut dyn CodecLink, route: &Route) -> Result<(), CommandError> {
    if route.direction() == Direction::Output {
        link.ask(route.pin, verbs::set_pin_control(0))?;
    }
    mute_mixers(link, route)
}

/// Mutes every input of the mixers on a route: a mixer sums all that it hears, so what isn't wanted must be shut.
fn mute_mixers(link: &mut dyn CodecLink, route: &Route) -> Result<(), CommandError> {
    for hop in route.hops.iter().filter(|hop| hop.kind == HopKind::Mixer && hop.input_amplifier.is_some()) {
        for input in 0..hop.inputs.min(AMPLIFIER_INPUTS_MAX) {
            let payload = amplifier::INPUT | amplifier::LEFT_AND_RIGHT | amplifier::MUTE | index_bits(input);
            link.ask(hop.node, verbs::set_amplifier(payload))?;
        }
    }
    Ok(())
}

/// Powers the route's widgets, selects its inputs, opens its amplifiers at 0 dB, switches its pin on and sets the
/// converter: format first, then tag, for some converters stand still when the format comes while they listen.
///
/// Of `routes`, all that there are, those from the same converter to other pins are shut first: they were left open.
pub(crate) fn connect(
    link: &mut dyn CodecLink,
    routes: &[Route],
    route: &Route,
    format: Format,
    tag: u8,
) -> Result<(), CommandError> {
    for other in routes.iter().filter(|other| route.is_heard_by(other)) {
        link.ask(other.pin, verbs::set_pin_control(0))?;
    }
    for hop in &route.hops {
        if hop.has_power_control {
            power_up(link, hop.node)?;
        }
        if let Some(input) = hop.input {
            // A mixer hears all of its inputs; a single input needs no choice.
            if hop.kind != HopKind::Mixer && hop.inputs > 1 {
                link.ask(hop.node, verbs::set_connection_select(input))?;
            }
        }
        open_amplifiers(link, hop)?;
    }
    link.ask(route.pin, verbs::set_pin_control(route.pin_control))?;
    if route.has_eapd {
        let bits = link.ask(route.pin, verbs::GET_EAPD)? as u8;
        link.ask(route.pin, verbs::set_eapd(bits | verbs::EAPD_ON))?;
    }
    if route.is_digital {
        link.ask(route.converter, verbs::set_digital_control(verbs::DIGITAL_ENABLE))?;
    }
    link.ask(route.converter, verbs::set_converter_format(format.encode()))?;
    link.ask(route.converter, verbs::set_stream(tag, 0))?;
    Ok(())
}

/// Takes the converter off its stream and shuts the mixers' inputs again: with one left open, whoever gets the converter
/// or the mixer next, by another route, would be heard at this one's end too. Other amplifiers and the pin stay as they
/// are, for switching them would click, until [`connect`] gives the converter to another pin.
pub(crate) fn disconnect(link: &mut dyn CodecLink, route: &Route) -> Result<(), CommandError> {
    link.ask(route.converter, verbs::set_stream(0, 0))?;
    mute_mixers(link, route)
}

fn open_amplifiers(link: &mut dyn CodecLink, hop: &Hop) -> Result<(), CommandError> {
    if let Some(step) = hop.input_amplifier {
        let input = hop.input.unwrap_or(0);
        // A pin has one input amplifier, index 0. Converters differ: some have one, some one for each input.
        let index = if hop.kind == HopKind::Pin { 0 } else { input };
        if hop.kind == HopKind::Converter && index != 0 {
            set_input_amplifier(link, hop.node, 0, step.0)?;
        }
        if index < AMPLIFIER_INPUTS_MAX {
            set_input_amplifier(link, hop.node, index, step.0)?;
        }
    }
    if let Some(step) = hop.output_amplifier {
        let payload = amplifier::OUTPUT | amplifier::LEFT_AND_RIGHT | u16::from(step.0);
        link.ask(hop.node, verbs::set_amplifier(payload))?;
    }
    Ok(())
}

fn set_input_amplifier(
    link: &mut dyn CodecLink,
    node: NodeId,
    index: u8,
    step: u8,
) -> Result<(), CommandError> {
    let payload = amplifier::INPUT | amplifier::LEFT_AND_RIGHT | index_bits(index) | u16::from(step);
    link.ask(node, verbs::set_amplifier(payload)).map(|_| ())
}

fn index_bits(index: u8) -> u16 {
    u16::from(index & 0xf) << 8
}
