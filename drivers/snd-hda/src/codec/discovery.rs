//! Asking a codec what it has (specification 1.0a, 4.3 and 7.3.4).

use heapless::Vec;

use super::graph::{Graph, WIDGET_CONNECTIONS_MAX, WIDGETS_MAX};
use super::routing::{Finder, Findings};
use super::{Codec, CodecLink};
use crate::command::CommandError;
use crate::spec::parameters::{
    self as parameter, ConfigurationDefault, PinCapabilities, WidgetCapabilities, WidgetKind,
};
use crate::spec::verbs::{self, CodecAddress, NodeId};

/// Audio function groups that are looked at; codecs have one.
pub(super) const FUNCTION_GROUPS_MAX: usize = 4;
/// A function group or widget that wakes up gets so many polls.
const POWER_POLLS: u32 = 10;
/// And so long between two.
const POWER_POLL_US: u32 = 1_000;

/// What widgets without parameters of their own inherit.
#[derive(Default)]
pub(super) struct FunctionGroup {
    pub(super) pcm: u32,
    pub(super) formats: u32,
    pub(super) input_amplifier: u32,
    pub(super) output_amplifier: u32,
}

/// Asks the codec at `address` for all that it has, silences its converters (tag 0) and its pins, and adds its routes.
///
/// The number of verbs is bounded, whatever it answers; the first verb without an answer ends it.
pub(crate) fn discover(
    link: &mut dyn CodecLink,
    address: CodecAddress,
    findings: &mut Findings,
) -> Result<Codec, CommandError> {
    let vendor_id = get(link, NodeId::ROOT, parameter::VENDOR_ID)?;
    let mut codec = Codec { address, vendor_id, widgets: 0, groups: [None; FUNCTION_GROUPS_MAX] };
    let groups = get(link, NodeId::ROOT, parameter::SUBORDINATE_NODES)?;
    for group in nodes(groups) {
        let kind = get(link, group, parameter::FUNCTION_GROUP_TYPE)? & 0xff;
        if kind != u32::from(parameter::AUDIO_FUNCTION_GROUP) {
            log::debug!("codec {} node {:#x}: function group type {kind}", address.get(), group.get());
            continue;
        }
        let Some(place) = codec.groups.iter_mut().find(|place| place.is_none()) else { break };
        *place = Some(group);
        let mut graph = Graph::default();
        let inherited = explore(link, group, &mut graph)?;
        codec.widgets = codec.widgets.saturating_add(graph.len() as u16);
        Finder { link, codec: address, graph: &graph, inherited: &inherited }.find(findings)?;
    }
    Ok(codec)
}

pub(super) fn get(link: &mut dyn CodecLink, node: NodeId, parameter: u8) -> Result<u32, CommandError> {
    link.ask(node, verbs::get_parameter(parameter))
}

/// The nodes that a "subordinate node count" names, as far as they can exist.
fn nodes(response: u32) -> impl Iterator<Item = NodeId> {
    let first = (response >> 16) as u8;
    let count = response as u8;
    (0..count).filter_map(move |n| first.checked_add(n).and_then(NodeId::new)).filter(|n| *n != NodeId::ROOT)
}

/// Powers a function group up and reads all of its widgets.
fn explore(
    link: &mut dyn CodecLink,
    group: NodeId,
    graph: &mut Graph,
) -> Result<FunctionGroup, CommandError> {
    power_up(link, group)?;
    let inherited = FunctionGroup {
        pcm: get(link, group, parameter::PCM)?,
        formats: get(link, group, parameter::STREAM_FORMATS)?,
        input_amplifier: get(link, group, parameter::INPUT_AMPLIFIER)?,
        output_amplifier: get(link, group, parameter::OUTPUT_AMPLIFIER)?,
    };
    let widgets = get(link, group, parameter::SUBORDINATE_NODES)?;
    for node in nodes(widgets).take(WIDGETS_MAX) {
        let capabilities = WidgetCapabilities(get(link, node, parameter::WIDGET_CAPABILITIES)?);
        let mut pin = PinCapabilities::default();
        let mut configuration = ConfigurationDefault::default();
        if capabilities.kind() == WidgetKind::Pin {
            pin = PinCapabilities(get(link, node, parameter::PIN_CAPABILITIES)?);
            configuration = ConfigurationDefault(link.ask(node, verbs::GET_CONFIGURATION_DEFAULT)?);
        }
        settle(link, node, capabilities)?;
        let mut connections = Vec::new();
        if capabilities.has_connection_list() {
            read_connections(link, node, &mut connections)?;
        }
        graph.push(node, capabilities, pin, configuration, &connections);
    }
    Ok(inherited)
}

/// Powers a function group up and settles its widgets once more, after the codec has lost all state.
pub(crate) fn wake(link: &mut dyn CodecLink, group: NodeId) -> Result<(), CommandError> {
    power_up(link, group)?;
    let widgets = get(link, group, parameter::SUBORDINATE_NODES)?;
    for node in nodes(widgets).take(WIDGETS_MAX) {
        let capabilities = WidgetCapabilities(get(link, node, parameter::WIDGET_CAPABILITIES)?);
        settle(link, node, capabilities)?;
    }
    Ok(())
}

/// Makes a widget as no route has to set it: nothing is heard of it, and nothing that it powers is off.
fn settle(
    link: &mut dyn CodecLink,
    node: NodeId,
    capabilities: WidgetCapabilities,
) -> Result<(), CommandError> {
    match capabilities.kind() {
        // Whoever had the codec before may have left it on.
        WidgetKind::Pin => link.ask(node, verbs::set_pin_control(0)).map(|_| ()),
        // A converter keeps its tag through a reset of the link. On tag 0 it listens to nobody.
        WidgetKind::AudioOutput | WidgetKind::AudioInput => {
            link.ask(node, verbs::set_stream(0, 0)).map(|_| ())
        }
        // What hangs on it may be on any route.
        WidgetKind::Power if capabilities.has_power_control() => power_up(link, node),
        WidgetKind::Mixer | WidgetKind::Selector | WidgetKind::Power | WidgetKind::Other => Ok(()),
    }
}

/// Asks for D0 and gives the node a moment to get there (7.3.3.10: actual state in bits 7:4).
pub(super) fn power_up(link: &mut dyn CodecLink, node: NodeId) -> Result<(), CommandError> {
    link.ask(node, verbs::SET_POWER_STATE_D0)?;
    for _ in 0..POWER_POLLS {
        if (link.ask(node, verbs::GET_POWER_STATE)? >> 4) & 0xf == 0 {
            return Ok(());
        }
        link.sleep_us(POWER_POLL_US);
    }
    log::warn!("node {:#x} does not say that it is in D0", node.get());
    Ok(())
}

/// Reads a connection list (7.1.2, "connection lists"): short entries are octets, long ones 16 bits; the top bit of
/// an entry makes it the end of a range that starts after the entry before.
fn read_connections(
    link: &mut dyn CodecLink,
    node: NodeId,
    connections: &mut Vec<NodeId, WIDGET_CONNECTIONS_MAX>,
) -> Result<(), CommandError> {
    let length = get(link, node, parameter::CONNECTION_LIST_LENGTH)?;
    let is_long = length & 0x80 != 0;
    let entries = (length & 0x7f) as u8;
    let (bits, per_response) = if is_long { (16_u32, 2_usize) } else { (8, 4) };
    let top_bit = 1_u32 << (bits.wrapping_sub(1));
    let mut previous: Option<u8> = None;
    for first in (0..entries).step_by(per_response) {
        let mut response = link.ask(node, verbs::get_connection_list(first))?;
        let left = usize::from(entries.saturating_sub(first));
        for _ in 0..per_response.min(left) {
            let entry = response & (top_bit | top_bit.wrapping_sub(1));
            response = response.wrapping_shr(bits);
            let value = entry & !top_bit;
            // A node that can't exist keeps its place, for the places are the inputs' numbers; node 0 is nobody.
            let last = u8::try_from(value).ok().filter(|n| *n < 128).unwrap_or(0);
            let start = match previous {
                Some(before) if entry & top_bit != 0 && before < last => before.saturating_add(1),
                _ => last,
            };
            for n in start..=last {
                let Some(n) = NodeId::new(n) else { continue };
                if connections.push(n).is_err() {
                    return Ok(());
                }
            }
            previous = Some(last);
        }
    }
    Ok(())
}
