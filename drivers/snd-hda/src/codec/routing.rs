//! Route selection: the converter for each pin.

use heapless::Vec;

use super::graph::{Graph, Widget};
use super::pin::{Location, PinDevice, PinName, Unserved};
use super::route::{Hop, HopKind, Hops, Jack, Pair, Route};
use super::route_flow::{Path, RouteFlow};
use crate::dma::Direction;
use crate::spec::parameters::{Connectivity, WidgetKind};
use crate::spec::verbs::{CodecAddress, NodeId, pin_control};

/// Limit of routes of all codecs together.
pub const MAX_ROUTES: usize = 32;
/// Limit of detours for recordings that follow a plug.
pub(crate) const MAX_DETOURS: usize = 4;
/// Limit of recorded pins without a route.
pub(crate) const MAX_UNSERVED: usize = 16;

/// Stereo pairs in a surround group (7.3.3.31: the sequence of an association).
const PAIRS_MAX: usize = 4;

/// Results of the search, of all codecs.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) routes: Vec<Route, MAX_ROUTES>,
    /// Detours from microphone jacks to the converters of built-in microphones.
    pub(crate) detours: Vec<Route, MAX_DETOURS>,
    pub(crate) unserved: Vec<UnservedPin, MAX_UNSERVED>,
}

/// A connected pin without a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnservedPin {
    /// Its codec.
    pub codec: CodecAddress,
    /// The pin.
    pub pin: NodeId,
    /// The reason.
    pub reason: Unserved,
}

/// A pin that needs a route.
#[derive(Clone, Copy)]
struct Wanted<'g> {
    pin: &'g Widget,
    device: PinDevice,
    is_alone: bool,
}

/// Adds the routes of a function group of `codec` to the findings. A pure computation.
pub(super) fn routes(codec: CodecAddress, graph: &Graph, findings: &mut Findings) {
    Finder { codec, graph }.find(findings);
}

struct Finder<'a> {
    codec: CodecAddress,
    graph: &'a Graph,
}

impl Finder<'_> {
    /// Finds a route for every connected pin.
    ///
    /// As many as possible share nothing, by priority; the rest take turns with others.
    fn find(&self, findings: &mut Findings) {
        let before = findings.routes.len();
        let mut wanted: Vec<Wanted<'_>, MAX_ROUTES> = Vec::new();
        let graph = self.graph;
        for pin in graph.widgets().filter(|widget| widget.capabilities.kind() == WidgetKind::Pin) {
            match PinDevice::of(pin) {
                Ok(device) => {
                    if wanted.push(Wanted { pin, device, is_alone: false }).is_err() {
                        self.leave_out(pin, Unserved::TooMany(device), findings);
                    }
                }
                Err(Unserved::NotConnected) => {}
                Err(reason) => self.leave_out(pin, reason, findings),
            }
        }
        // No two keys are equal.
        wanted.sort_unstable_by_key(|wanted| (rank(wanted.pin, wanted.device), wanted.pin.node));

        for direction in [Direction::Output, Direction::Input] {
            let is_converter = |widget: &Widget| widget.capabilities.kind() == converter_kind(direction);
            let mut flow = RouteFlow::new(graph, direction);
            for wanted in wanted.iter_mut().filter(|wanted| wanted.device.direction() == direction) {
                wanted.is_alone = flow.add(wanted.pin.node, &is_converter);
            }
            for wanted in wanted.iter().filter(|wanted| wanted.device.direction() == direction) {
                let path = if wanted.is_alone {
                    flow.path(wanted.pin.node)
                } else {
                    way_of_one(graph, direction, wanted.pin.node, &is_converter)
                };
                let Some(path) = path else {
                    let has_no_input = direction == Direction::Output && wanted.pin.inputs() == 0;
                    let reason = if has_no_input { Unserved::NoConnections } else { Unserved::NoPath };
                    self.leave_out(wanted.pin, reason(wanted.device), findings);
                    continue;
                };
                let mut route = self.assemble(wanted, &path);
                // Below `MAX_ROUTES`.
                route.order = findings.routes.len() as u8;
                if findings.routes.push(route).is_err() {
                    self.leave_out(wanted.pin, Unserved::TooMany(wanted.device), findings);
                }
            }
        }
        if let Some(found) = findings.routes.get_mut(before..) {
            name(found);
            group(found, graph);
        }
        self.find_detours(before, findings);
    }

    fn leave_out(&self, pin: &Widget, reason: Unserved, findings: &mut Findings) {
        log::info!("codec {} pin {:#x}: {reason}", self.codec.get(), pin.node.get());
        // Only the log has any more than these.
        let _ = findings.unserved.push(UnservedPin { codec: self.codec, pin: pin.node, reason });
    }

    /// Finds, for every microphone jack, paths to the converters of built-in microphones.
    ///
    /// A recording can follow a plug only if its converter stays the same.
    fn find_detours(&self, before: usize, findings: &mut Findings) {
        let Findings { routes, detours, .. } = findings;
        let microphones = || routes.iter().skip(before).filter(|route| route.device == PinDevice::Microphone);
        for built_in in microphones().filter(|route| route.is_built_in) {
            for jack in microphones().filter(|route| route.jack.is_some()) {
                if jack.converter == built_in.converter {
                    continue;
                }
                let is_meant = |widget: &Widget| widget.node == built_in.converter;
                let path = way_of_one(self.graph, Direction::Input, jack.pin, &is_meant);
                let (Some(path), Some(pin)) = (path, self.graph.widget(jack.pin)) else { continue };
                let wanted = Wanted { pin, device: jack.device, is_alone: false };
                let detour = self.assemble(&wanted, &path);
                if detours.push(detour).is_err() {
                    return;
                }
            }
        }
    }

    fn assemble(&self, wanted: &Wanted<'_>, path: &Path) -> Route {
        let Wanted { pin, device, is_alone } = *wanted;
        let mut hops = Hops::new();
        for step in path {
            let Some(widget) = self.graph.widget(step.node) else { continue };
            let capabilities = widget.capabilities;
            let kind = match capabilities.kind() {
                WidgetKind::Pin => HopKind::Pin,
                WidgetKind::Mixer => HopKind::Mixer,
                WidgetKind::Selector => HopKind::Selector,
                _ => HopKind::Converter,
            };
            // A path is no longer than there are places.
            let _ = hops.push(Hop {
                node: step.node,
                kind,
                input: step.input,
                inputs: widget.inputs(),
                has_power_control: capabilities.has_power_control(),
                input_amplifier: widget.input_amplifier,
                output_amplifier: widget.output_amplifier,
            });
        }
        let end = match device.direction() {
            Direction::Output => path.last(),
            Direction::Input => path.first(),
        };
        // A path has two ends.
        let converter = end.map_or(pin.node, |step| step.node);
        let widget = self.graph.widget(converter).unwrap_or(pin);
        let (capabilities, pcm) = (widget.capabilities, widget.pcm);
        let can_tell = pin.pin.detects_presence()
            && !pin.configuration.overrides_detection()
            && pin.configuration.connectivity() == Connectivity::Jack;
        Route {
            codec: self.codec,
            device,
            name: PinName::new(Location::of(pin.configuration), device),
            pcm,
            converter_channels: pcm.channels_max(),
            delay_frames: capabilities.delay_frames(),
            is_digital: capabilities.is_digital(),
            is_built_in: Location::of(pin.configuration) == Location::Internal,
            is_display_port: pin.pin.is_display_port(),
            pin_control: pin_control_bits(pin, device),
            has_eapd: pin.pin.has_eapd() && device.direction() == Direction::Output,
            hops,
            converter,
            pin: pin.node,
            order: 0,
            is_alone,
            pair: None,
            jack: can_tell.then(|| Jack {
                is_unsolicited: pin.capabilities.is_unsolicited(),
                needs_trigger: pin.pin.needs_trigger(),
                is_plugged: false,
            }),
            levels: Default::default(),
            connection: None,
        }
    }
}

/// A path for one pin, regardless of the others.
fn way_of_one(
    graph: &Graph,
    direction: Direction,
    pin: NodeId,
    is_wanted: &dyn Fn(&Widget) -> bool,
) -> Option<Path> {
    let mut flow = RouteFlow::new(graph, direction);
    if flow.add(pin, is_wanted) { flow.path(pin) } else { None }
}

const fn converter_kind(direction: Direction) -> WidgetKind {
    match direction {
        Direction::Output => WidgetKind::AudioOutput,
        Direction::Input => WidgetKind::AudioInput,
    }
}

/// Priority of pins: by device; then built-in ones; then the maker's order.
///
/// That order is association, then sequence (7.3.3.31), of which 0 is reserved.
fn rank(pin: &Widget, device: PinDevice) -> (PinDevice, bool, u8, u8) {
    let configuration = pin.configuration;
    let is_elsewhere = Location::of(configuration) != Location::Internal;
    (device, is_elsewhere, configuration.association().wrapping_sub(1), configuration.sequence())
}

/// Names microphones. The location is omitted if all their jacks share it.
fn name(routes: &mut [Route]) {
    let external = |route: &&Route| route.device == PinDevice::Microphone && !route.is_built_in;
    let mut places = routes.iter().filter(external).map(|route| route.name.location);
    let first = places.next();
    let are_apart = places.any(|place| Some(place) != first);
    for route in routes.iter_mut().filter(|route| route.device == PinDevice::Microphone) {
        if matches!(route.name.location, Location::Rear | Location::Front) && !are_apart {
            route.name.location = Location::Elsewhere;
        }
    }
}

/// Finds surround groups: stereo outputs of one kind and association, each with its own converter.
fn group(routes: &mut [Route], graph: &Graph) {
    let configuration = |route: &Route| graph.widget(route.pin).map(|w| w.configuration).unwrap_or_default();
    for at in 0..routes.len() {
        let Some(first) = routes.get(at) else { break };
        let association = configuration(first).association();
        let is_one = |route: &Route| {
            route.is_alone
                && matches!(route.device, PinDevice::LineOut | PinDevice::Speaker)
                && route.converter_channels == 2
                && route.pair.is_none()
                && route.device == first.device
                && route.pcm == first.pcm
                && configuration(route).association() == association
        };
        // 0 is reserved, and pins in 15 are independent.
        if !is_one(first) || matches!(association, 0 | 15) {
            continue;
        }
        // They are in sequence order.
        let members: Vec<usize, PAIRS_MAX> = routes
            .iter()
            .enumerate()
            .filter(|(_, route)| is_one(route))
            .map(|(at, _)| at)
            .take(PAIRS_MAX)
            .collect();
        if members.len() < 2 {
            continue;
        }
        // Sequence order: front, centre and subwoofer, surround, side. Stream order: front,
        // surround, centre and subwoofer, side.
        let places: [u8; PAIRS_MAX] = if members.len() == 2 { [0, 1, 2, 3] } else { [0, 2, 1, 3] };
        let channels = (members.len() as u8).saturating_mul(2);
        for (member, place) in members.iter().zip(places) {
            let Some(route) = routes.get_mut(*member) else { continue };
            // At most `MAX_ROUTES`.
            route.pair = Some(Pair { group: at as u8, place });
            route.name.pair = Some(place);
            if route.name.location != Location::Dock {
                route.name.location = Location::Elsewhere;
            }
            if place == 0 {
                route.pcm = route.pcm.with_channels(channels);
            }
        }
    }
}

fn pin_control_bits(pin: &Widget, device: PinDevice) -> u8 {
    match device {
        PinDevice::Headphone if pin.pin.drives_headphones() => pin_control::OUT | pin_control::HEADPHONE,
        PinDevice::Microphone if pin.pin.has_vref_80() => pin_control::IN | pin_control::VREF_80,
        PinDevice::Microphone if pin.pin.has_vref_50() => pin_control::IN | pin_control::VREF_50,
        _ if device.direction() == Direction::Output => pin_control::OUT,
        _ => pin_control::IN,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::spec::parameters::{ConfigurationDefault, PinCapabilities, WidgetCapabilities};

    #[test]
    fn routes_are_computed_from_a_graph_alone() {
        let node = |n| NodeId::new(n).unwrap();
        let mut graph = Graph::default();
        graph.push(Widget::new(node(2), WidgetCapabilities(1)), &[]);
        // Jacks for line out at the rear: the first has a way, the second none.
        for (n, inputs) in [(3, &[node(2)][..]), (4, &[])] {
            let mut pin = Widget::new(node(n), WidgetCapabilities(4 << 20));
            pin.pin = PinCapabilities(1 << 4);
            pin.configuration = ConfigurationDefault(0x0101_4010);
            graph.push(pin, inputs);
        }
        let codec = CodecAddress::new(1).unwrap();
        let mut findings = Findings::default();
        routes(codec, &graph, &mut findings);
        let [route] = &findings.routes[..] else { panic!("one route") };
        assert_eq!((route.codec, route.converter, route.pin), (codec, node(2), node(3)));
        assert_eq!((route.device, route.is_alone), (PinDevice::LineOut, true));
        let reason = Unserved::NoConnections(PinDevice::LineOut);
        assert_eq!(findings.unserved[..], [UnservedPin { codec, pin: node(4), reason }]);
    }
}
