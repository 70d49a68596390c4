//! Reading a codec (specification 1.0a, 4.3 and 7.3.4).

use heapless::Vec;

use super::graph::{Graph, WIDGET_CONNECTIONS_MAX, WIDGETS_MAX, Widget};
use super::link::CodecLink;
use super::pin::PinDevice;
use super::routing::{self, Findings};
use crate::command::CommandError;
use crate::dma::Direction;
use crate::spec::format::PcmCapabilities;
use crate::spec::parameters::{
    self as parameter, AmplifierCapabilities, ConfigurationDefault, PinCapabilities, WidgetCapabilities,
    WidgetKind,
};
use crate::spec::verbs::{self, CodecAddress, NodeId};

/// Limit of audio function groups; codecs have one.
const FUNCTION_GROUPS_MAX: usize = 4;
/// A codec that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Codec {
    /// Its address on the link.
    pub address: CodecAddress,
    /// Vendor in bits 31:16, device in 15:0.
    pub vendor_id: u32,
    /// Widgets in its audio function groups.
    pub widgets: u16,
    /// Its audio function groups.
    pub(crate) groups: [Option<NodeId>; FUNCTION_GROUPS_MAX],
}

/// Parameters for widgets that have none of their own.
struct FunctionGroup {
    pcm: u32,
    formats: u32,
    input_amplifier: u32,
    output_amplifier: u32,
}

/// Reads the codec at `address`, silences its converters (tag 0) and its pins, and adds its
/// routes.
///
/// The number of verbs is bounded for any answer. The first verb without an answer ends the read.
pub(crate) fn discover(
    link: &mut CodecLink<'_>,
    address: CodecAddress,
    findings: &mut Findings,
) -> Result<Codec, CommandError> {
    let vendor_id = link.parameter(NodeId::ROOT, parameter::VENDOR_ID)?;
    let mut codec = Codec { address, vendor_id, widgets: 0, groups: [None; FUNCTION_GROUPS_MAX] };
    let groups = link.parameter(NodeId::ROOT, parameter::SUBORDINATE_NODES)?;
    for group in nodes(groups) {
        let kind = link.parameter(group, parameter::FUNCTION_GROUP_TYPE)? & 0xff;
        if kind != u32::from(parameter::AUDIO_FUNCTION_GROUP) {
            log::debug!("codec {} node {:#x}: function group type {kind}", address.get(), group.get());
            continue;
        }
        let Some(place) = codec.groups.iter_mut().find(|place| place.is_none()) else { break };
        *place = Some(group);
        let mut graph = Graph::default();
        explore(link, group, &mut graph)?;
        codec.widgets = codec.widgets.saturating_add(graph.len() as u16);
        routing::routes(address, &graph, findings);
    }
    Ok(codec)
}

/// The valid nodes in a "subordinate node count".
fn nodes(response: u32) -> impl Iterator<Item = NodeId> {
    let first = (response >> 16) as u8;
    let count = response as u8;
    (0..count).filter_map(move |n| first.checked_add(n).and_then(NodeId::new)).filter(|n| *n != NodeId::ROOT)
}

/// Powers up a function group and reads all of its widgets.
fn explore(link: &mut CodecLink<'_>, group: NodeId, graph: &mut Graph) -> Result<(), CommandError> {
    link.power_up(group)?;
    let inherited = FunctionGroup {
        pcm: link.parameter(group, parameter::PCM)?,
        formats: link.parameter(group, parameter::STREAM_FORMATS)?,
        input_amplifier: link.parameter(group, parameter::INPUT_AMPLIFIER)?,
        output_amplifier: link.parameter(group, parameter::OUTPUT_AMPLIFIER)?,
    };
    let widgets = link.parameter(group, parameter::SUBORDINATE_NODES)?;
    for node in nodes(widgets).take(WIDGETS_MAX) {
        let capabilities = WidgetCapabilities(link.parameter(node, parameter::WIDGET_CAPABILITIES)?);
        let kind = capabilities.kind();
        let mut widget = Widget::new(node, capabilities);
        if kind == WidgetKind::Pin {
            widget.pin = PinCapabilities(link.parameter(node, parameter::PIN_CAPABILITIES)?);
            widget.configuration = ConfigurationDefault(link.ask(node, verbs::GET_CONFIGURATION_DEFAULT)?);
        }
        settle(link, node, capabilities)?;
        if matches!(kind, WidgetKind::AudioOutput | WidgetKind::AudioInput) {
            widget.pcm = read_pcm(link, node, capabilities, &inherited)?;
        }
        let (hears, speaks) = amplifier_sides(&widget);
        let mut amplifier = |has_one: bool, parameter, inherited| {
            let overrides = has_one && capabilities.overrides_amplifiers();
            let own = if overrides { link.parameter(node, parameter)? } else { 0 };
            let all = if own != 0 { own } else { inherited };
            Ok(if has_one { AmplifierCapabilities(all) } else { AmplifierCapabilities::NONE })
        };
        let (has_input, has_output) =
            (hears && capabilities.has_input_amplifier(), speaks && capabilities.has_output_amplifier());
        widget.input_amplifier = amplifier(has_input, parameter::INPUT_AMPLIFIER, inherited.input_amplifier)?;
        widget.output_amplifier =
            amplifier(has_output, parameter::OUTPUT_AMPLIFIER, inherited.output_amplifier)?;
        let mut connections = Vec::new();
        // No route ends at this pin, so its list isn't read.
        let is_unused = kind == WidgetKind::Pin && PinDevice::of(&widget).is_err();
        if capabilities.has_connection_list() && !is_unused {
            read_connections(link, node, &mut connections)?;
        }
        graph.push(widget, &connections);
    }
    Ok(())
}

/// The amplifiers of a widget that a route can use: input, output.
fn amplifier_sides(widget: &Widget) -> (bool, bool) {
    match widget.capabilities.kind() {
        WidgetKind::Mixer | WidgetKind::Selector => (true, true),
        // An output's converter takes input only from the link; an input's sends only to it.
        WidgetKind::AudioOutput => (false, true),
        WidgetKind::AudioInput => (true, false),
        // A pin's input amplifier serves incoming signals, its output amplifier outgoing ones. On
        // a pin without output, the output amplifier is on the way in.
        WidgetKind::Pin => match PinDevice::of(widget).map(PinDevice::direction) {
            Ok(Direction::Output) => (false, true),
            Ok(Direction::Input) => (true, !widget.pin.is_output()),
            Err(_) => (false, false),
        },
        WidgetKind::Power | WidgetKind::Other => (false, false),
    }
}

/// Reads a converter's abilities from its own parameters or the function group's (7.3.4.7,
/// 7.3.4.8).
fn read_pcm(
    link: &mut CodecLink<'_>,
    converter: NodeId,
    capabilities: WidgetCapabilities,
    inherited: &FunctionGroup,
) -> Result<PcmCapabilities, CommandError> {
    let (mut pcm, mut formats) = (inherited.pcm, inherited.formats);
    if capabilities.overrides_formats() {
        let own_pcm = link.parameter(converter, parameter::PCM)?;
        let own_formats = link.parameter(converter, parameter::STREAM_FORMATS)?;
        if own_pcm != 0 {
            pcm = own_pcm;
        }
        if own_formats != 0 {
            formats = own_formats;
        }
    }
    let parameter = if formats & parameter::FORMAT_PCM != 0 { pcm } else { 0 };
    Ok(PcmCapabilities::new(parameter, capabilities.channels()))
}

/// Powers up a function group and resets its widgets after the codec has lost all state.
pub(crate) fn wake(link: &mut CodecLink<'_>, group: NodeId) -> Result<(), CommandError> {
    link.power_up(group)?;
    let widgets = link.parameter(group, parameter::SUBORDINATE_NODES)?;
    for node in nodes(widgets).take(WIDGETS_MAX) {
        let capabilities = WidgetCapabilities(link.parameter(node, parameter::WIDGET_CAPABILITIES)?);
        settle(link, node, capabilities)?;
    }
    Ok(())
}

/// Puts a widget in the state outside of routes: silent, and everything that it powers is on.
fn settle(
    link: &mut CodecLink<'_>,
    node: NodeId,
    capabilities: WidgetCapabilities,
) -> Result<(), CommandError> {
    match capabilities.kind() {
        // The codec's last owner may have left it on.
        WidgetKind::Pin => link.tell(node, verbs::set_pin_control(0)),
        // A converter keeps its tag through a link reset. Tag 0 disconnects it from all streams.
        WidgetKind::AudioOutput | WidgetKind::AudioInput => link.tell(node, verbs::set_stream(0, 0)),
        // Any route may use widgets that it powers.
        WidgetKind::Power if capabilities.has_power_control() => link.power_up(node),
        WidgetKind::Mixer | WidgetKind::Selector | WidgetKind::Power | WidgetKind::Other => Ok(()),
    }
}

/// Reads a connection list (7.1.2, "connection lists").
///
/// Short entries are bytes, long ones 16 bits. An entry's top bit marks the end of a range that
/// starts after the entry before.
fn read_connections(
    link: &mut CodecLink<'_>,
    node: NodeId,
    connections: &mut Vec<NodeId, WIDGET_CONNECTIONS_MAX>,
) -> Result<(), CommandError> {
    let length = link.parameter(node, parameter::CONNECTION_LIST_LENGTH)?;
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
            // An impossible node keeps its place, because places are input numbers; node 0 is no
            // widget.
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
