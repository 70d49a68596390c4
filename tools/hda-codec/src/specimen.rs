//! A codec, and the driver's routes through it.

use snd_hda::codec::UnservedPin;
use snd_hda::{BringUpError, CodecAddress, Controller, Direction, Route};
use snd_hda_model::{Bench, Codec, Dump, Profile};

use super::{ignored, plain};

/// A dump, and the routes that the driver found on a model made from it.
pub(crate) struct Specimen {
    /// The file's content.
    pub(crate) dump: Dump,
    /// The routes, in the driver's order.
    pub(crate) routes: Vec<Route>,
    /// Pins that something is connected to and that have no route, with the driver's reason.
    pub(crate) unserved: Vec<Unserved>,
}

/// A pin without a route.
pub(crate) struct Unserved {
    /// The pin.
    pub(crate) pin: u8,
    /// Why.
    pub(crate) reason: String,
}

/// Where the codec is on the model's link.
const ADDRESS: usize = 0;

impl Specimen {
    /// Reads a dump, makes a model from it and brings the driver up on that.
    ///
    /// # Errors
    /// The fault of the text, or of the driver, in words.
    pub(crate) fn of(text: &str) -> Result<Specimen, String> {
        let dump = Dump::parse(text).map_err(|error| plain::error(&error))?;
        let (routes, unserved) = match bring_up(&dump, None) {
            // What isn't an error on a link with another codec isn't one here: there is nothing to be served. That other
            // one's routes come later than all of this one's of their kind, so that no name changes.
            Err(BringUpError::NoRoute) => bring_up(&dump, Some(Codec::duplex())),
            result => result,
        }
        .map_err(|error| format!("the driver can't serve it: {error}"))?;
        let unserved = reasons(&dump, &routes, &unserved);
        Ok(Specimen { dump, routes, unserved })
    }

    /// The routes of a direction.
    pub(crate) fn routes(&self, direction: Direction) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |route| route.direction() == direction)
    }

    /// Outputs that can play at once, each something of its own.
    pub(crate) fn simultaneous_outputs(&self) -> usize {
        self.routes(Direction::Output).filter(|route| route.is_alone()).count()
    }

    /// Whether a route leads from one node to another.
    pub(crate) fn is_on_a_route(&self, source: u8, listener: u8) -> bool {
        self.routes.iter().any(|route| way(route).windows(2).any(|step| step == [source, listener]))
    }

    /// The routes of the same direction that have to wait while this one is in use. Two that have a widget in common go on
    /// from there to one end, or come from two.
    pub(crate) fn rivals<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = &'a Route> {
        let meets = |other: &&Route| {
            other.pin() != route.pin() && nodes(other).any(|theirs| nodes(route).any(|mine| mine == theirs))
        };
        self.routes(route.direction()).filter(meets)
    }
}

/// The nodes on a route in the order in which sound passes them.
pub(crate) fn way(route: &Route) -> Vec<u8> {
    let mut way: Vec<u8> = nodes(route).collect();
    way.reverse();
    way
}

fn nodes(route: &Route) -> impl Iterator<Item = u8> {
    route.hops().iter().map(|hop| hop.node().get())
}

/// The driver's routes on a model of the codec, and the pins that it leaves out.
fn bring_up(dump: &Dump, beside: Option<Codec>) -> Result<(Vec<Route>, Vec<UnservedPin>), BringUpError> {
    let mut bench = Bench::new(Profile::hardware()).codec(ADDRESS, dump.codec()).without_recording();
    if let Some(codec) = beside {
        bench = bench.codec(ADDRESS + 1, codec);
    }
    let model = bench.build();
    let result = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    ignored(
        model.take_violations(),
        "rules that a strange codec has the driver break are for the driver's tests",
    );
    let controller = result?;
    let is_ours = |address: CodecAddress| usize::from(address.get()) == ADDRESS;
    let routes = controller.routes().iter().filter(|route| is_ours(route.codec())).cloned().collect();
    let unserved = controller.unserved().iter().filter(|pin| is_ours(pin.codec)).copied().collect();
    Ok((routes, unserved))
}

/// Why pins have no route, in their order. The driver keeps a limited number of reasons.
fn reasons(dump: &Dump, routes: &[Route], unserved: &[UnservedPin]) -> Vec<Unserved> {
    let is_connected = |default: Option<u32>| default.unwrap_or(0) >> 30 != 1;
    let pins = dump.nodes.iter().filter(|node| node.pincap.is_some() && is_connected(node.pin_default));
    let without = pins.filter(|pin| routes.iter().all(|route| route.pin().get() != pin.id));
    without
        .map(|pin| {
            let told = unserved.iter().find(|unserved| unserved.pin.get() == pin.id);
            let reason = told.map_or("one of more than the driver keeps reasons of".to_owned(), |unserved| {
                unserved.reason.to_string()
            });
            Unserved { pin: pin.id, reason }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_codec_that_has_nothing_to_serve_is_no_error() {
        let modem = "Codec: LSI ID 1040\nAddress: 1\nMFG Function Id: 0x2 (unsol 1)\nVendor Id: 0x11c11040\n\
                     Subsystem Id: 0x11790001\nRevision Id: 0x100200\nModem Function Group: 0x1\n";
        let specimen = Specimen::of(modem).expect("a dump");
        assert!(specimen.routes.is_empty() && specimen.unserved.is_empty());
    }

    #[test]
    fn pins_are_told_with_their_reasons_where_no_pin_has_a_route() {
        let text = samples::text("alc282--hp-14-notebook-pc-ccert-201401-14516.0.txt");
        let specimen = Specimen::of(&text).expect("a dump");
        assert!(specimen.routes.is_empty());
        let reasons: Vec<_> = specimen.unserved.iter().map(|pin| (pin.pin, pin.reason.as_str())).collect();
        let reason = "HDMI/DP: its connection list is empty";
        assert_eq!(reasons, [(5, reason), (6, reason), (7, reason)]);
    }

    #[test]
    fn more_pins_than_the_driver_remembers_are_told_all_the_same() {
        let head = samples::text("alc269-acer-timeline-3810t.0.txt");
        let head = head.split("Node ").next().expect("a header");
        let pin = |n: u8| {
            format!(
                "Node {n:#04x} [Pin Complex] wcaps 0x400001: Stereo\n  Pincap 0x00000010: OUT\n  \
                 Pin Default 0x01014010: [Jack] Line Out at Ext Rear\n    Conn = 1/8, Color = Green\n    \
                 DefAssociation = 0x1, Sequence = 0x0\n  Pin-ctls: 0x00:\n"
            )
        };
        let text: String = std::iter::once(head.to_owned()).chain((2..30).map(pin)).collect();
        let specimen = Specimen::of(&text).expect("a dump");
        assert_eq!(specimen.unserved.len(), 28);
        assert!(specimen.unserved[0].reason.contains("list is empty"));
        assert!(specimen.unserved[27].reason.contains("more than the driver keeps"));
    }
}
