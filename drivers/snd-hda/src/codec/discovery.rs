//! Asking a codec what it has (specification 1.0a, 4.3 and 7.3.4), and choosing routes.

use heapless::Vec;

use super::graph::{Graph, Path, WIDGET_CONNECTIONS_MAX, WIDGETS_MAX, Widget};
use super::route::{Hop, HopKind, PinDevice, Route, UnityStep};
use super::{Codec, CodecLink};
use crate::MAX_ROUTES;
use crate::command::CommandError;
use crate::dma::Direction;
use crate::sort::insertion_sort;
use crate::spec::format::PcmCapabilities;
use crate::spec::parameters::{
    self as parameter, AmplifierCapabilities, ConfigurationDefault, PinCapabilities, WidgetCapabilities,
    WidgetKind,
};
use crate::spec::verbs::{self, CodecAddress, NodeId, pin_control};

/// Audio function groups that are looked at; codecs have one.
const FUNCTION_GROUPS_MAX: usize = 4;
/// A function group or widget that wakes up gets so many polls.
const POWER_POLLS: u32 = 10;
/// And so long between two.
const POWER_POLL_US: u32 = 1_000;

/// What widgets without parameters of their own inherit.
#[derive(Default)]
struct FunctionGroup {
    pcm: u32,
    formats: u32,
    input_amplifier: u32,
    output_amplifier: u32,
}

/// Asks the codec at `address` for all that it has, silences its converters (tag 0) and adds its routes.
///
/// The number of verbs is bounded, whatever it answers; the first verb without an answer ends it.
pub(crate) fn discover(
    link: &mut dyn CodecLink,
    address: CodecAddress,
    routes: &mut Vec<Route, MAX_ROUTES>,
) -> Result<Codec, CommandError> {
    let vendor_id = get(link, NodeId::ROOT, parameter::VENDOR_ID)?;
    let mut codec = Codec { address, vendor_id, widgets: 0 };
    let groups = get(link, NodeId::ROOT, parameter::SUBORDINATE_NODES)?;
    let mut explored = 0_usize;
    for group in nodes(groups) {
        let kind = get(link, group, parameter::FUNCTION_GROUP_TYPE)? & 0xff;
        if kind != u32::from(parameter::AUDIO_FUNCTION_GROUP) {
            log::debug!("codec {} node {:#x}: function group type {kind}", address.get(), group.get());
            continue;
        }
        if explored == FUNCTION_GROUPS_MAX {
            break;
        }
        explored = explored.saturating_add(1);
        let mut graph = Graph::default();
        let inherited = explore(link, group, &mut graph)?;
        codec.widgets = codec.widgets.saturating_add(graph.len() as u16);
        find_routes(link, address, &graph, &inherited, routes)?;
    }
    Ok(codec)
}

fn get(link: &mut dyn CodecLink, node: NodeId, parameter: u8) -> Result<u32, CommandError> {
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
        match capabilities.kind() {
            WidgetKind::Pin => {
                pin = PinCapabilities(get(link, node, parameter::PIN_CAPABILITIES)?);
                configuration = ConfigurationDefault(link.ask(node, verbs::GET_CONFIGURATION_DEFAULT)?);
            }
            // A converter keeps its tag through a reset of the link. On tag 0 it listens to nobody.
            WidgetKind::AudioOutput | WidgetKind::AudioInput => {
                link.ask(node, verbs::set_stream(0, 0))?;
            }
            WidgetKind::Mixer | WidgetKind::Selector | WidgetKind::Other => {}
        }
        let mut connections = Vec::new();
        if capabilities.has_connection_list() {
            read_connections(link, node, &mut connections)?;
        }
        graph.push(node, capabilities, pin, configuration, &connections);
    }
    Ok(inherited)
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

/// Finds a route for every pin that something is connected to. Converters that no route has yet are preferred.
fn find_routes(
    link: &mut dyn CodecLink,
    codec: CodecAddress,
    graph: &Graph,
    inherited: &FunctionGroup,
    routes: &mut Vec<Route, MAX_ROUTES>,
) -> Result<(), CommandError> {
    let mut pins: Vec<&Widget, WIDGETS_MAX> = Vec::new();
    for widget in graph.widgets().filter(|widget| widget.capabilities.kind() == WidgetKind::Pin) {
        // There are no more widgets than places.
        let _ = pins.push(widget);
    }
    // The maker's order: association, then sequence (7.3.3.31). Stable, so equal ones stay in the order of nodes.
    insertion_sort(&mut pins, |pin| pin.configuration.order());

    for pin in pins {
        let Some(device) = connected_device(pin) else { continue };
        let taken = |node: NodeId, routes: &[Route]| {
            routes.iter().any(|route| route.codec == codec && route.converter == node)
        };
        let free = find_path(graph, pin, device, &|node| !taken(node, routes));
        let Some((path, converter)) = free.or_else(|| find_path(graph, pin, device, &|_| true)) else {
            log::debug!("codec {} pin {:#x}: no route", codec.get(), pin.node.get());
            continue;
        };
        let mut route = assemble(link, codec, graph, inherited, pin, device, &path, converter)?;
        log::info!(
            "codec {}: {} at pin {:#x}, converter {:#x}, {} channels",
            codec.get(),
            device.name(),
            pin.node.get(),
            converter.get(),
            route.pcm.channels_max()
        );
        // Below `MAX_ROUTES`.
        route.order = routes.len() as u8;
        if routes.push(route).is_err() {
            log::warn!("more than {MAX_ROUTES} routes: the rest is left out");
            break;
        }
    }
    Ok(())
}

/// What is at a pin, if it is something that this driver can serve.
fn connected_device(pin: &Widget) -> Option<PinDevice> {
    if !pin.configuration.is_connected() {
        return None;
    }
    if pin.pin.is_display() {
        log::debug!("pin {:#x} is a display's: left alone", pin.node.get());
        return None;
    }
    let device = PinDevice::from_code(pin.configuration.device())?;
    let able = match device.direction() {
        Direction::Output => pin.pin.is_output(),
        Direction::Input => pin.pin.is_input(),
    };
    able.then_some(device)
}

/// A path from pin to converter or back, with a converter that `wanted` accepts.
fn find_path(
    graph: &Graph,
    pin: &Widget,
    device: PinDevice,
    wanted: &dyn Fn(NodeId) -> bool,
) -> Option<(Path, NodeId)> {
    let digital = pin.capabilities.is_digital();
    let usable = |widget: &Widget, kind: WidgetKind| {
        widget.capabilities.kind() == kind
            && widget.capabilities.is_digital() == digital
            && wanted(widget.node)
    };
    match device.direction() {
        Direction::Output => {
            let path = graph.path(pin.node, &|widget| usable(widget, WidgetKind::AudioOutput))?;
            let converter = path.last()?.node;
            Some((path, converter))
        }
        Direction::Input => {
            // The nearest converter that can hear the pin.
            let mut best: Option<(Path, NodeId)> = None;
            for widget in graph.widgets().filter(|widget| usable(widget, WidgetKind::AudioInput)) {
                let Some(path) = graph.path(widget.node, &|source| source.node == pin.node) else { continue };
                if best.as_ref().is_none_or(|(shortest, _)| path.len() < shortest.len()) {
                    best = Some((path, widget.node));
                }
            }
            best
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "a private constructor: each is one field's source")]
fn assemble(
    link: &mut dyn CodecLink,
    codec: CodecAddress,
    graph: &Graph,
    inherited: &FunctionGroup,
    pin: &Widget,
    device: PinDevice,
    path: &Path,
    converter: NodeId,
) -> Result<Route, CommandError> {
    let mut hops = Vec::new();
    for step in path {
        let Some(widget) = graph.widget(step.node) else { continue };
        let capabilities = widget.capabilities;
        let kind = match capabilities.kind() {
            WidgetKind::Pin => HopKind::Pin,
            WidgetKind::Mixer => HopKind::Mixer,
            WidgetKind::Selector => HopKind::Selector,
            WidgetKind::AudioOutput | WidgetKind::AudioInput | WidgetKind::Other => HopKind::Converter,
        };
        let input_amplifier = if capabilities.has_input_amplifier() && kind_hears(kind, device, step.input) {
            Some(unity(link, widget, parameter::INPUT_AMPLIFIER, inherited.input_amplifier)?)
        } else {
            None
        };
        let output_amplifier = if capabilities.has_output_amplifier() {
            Some(unity(link, widget, parameter::OUTPUT_AMPLIFIER, inherited.output_amplifier)?)
        } else {
            None
        };
        let hop = Hop {
            node: step.node,
            kind,
            input: step.input,
            inputs: widget.inputs(),
            has_power_control: capabilities.has_power_control(),
            input_amplifier,
            output_amplifier,
        };
        // A path is no longer than there are places.
        let _ = hops.push(hop);
    }
    let capabilities = graph.widget(converter).map(|widget| widget.capabilities).unwrap_or_default();
    Ok(Route {
        codec,
        device,
        pcm: pcm(link, converter, capabilities, inherited)?,
        delay_frames: capabilities.delay_frames(),
        is_digital: capabilities.is_digital(),
        pin_control: pin_control_bits(pin, device),
        has_eapd: pin.pin.has_eapd() && device.direction() == Direction::Output,
        hops,
        converter,
        pin: pin.node,
        order: 0,
        connected_words: None,
    })
}

/// Whether an input amplifier of this widget is on the way: everywhere but at an output's converter, which hears
/// the link only.
fn kind_hears(kind: HopKind, device: PinDevice, input: Option<u8>) -> bool {
    input.is_some() || (kind == HopKind::Pin && device.direction() == Direction::Input)
}

/// An amplifier's 0 dB, from its own parameter or from the function group's.
fn unity(
    link: &mut dyn CodecLink,
    widget: &Widget,
    parameter: u8,
    inherited: u32,
) -> Result<UnityStep, CommandError> {
    let own = if widget.capabilities.overrides_amplifiers() { get(link, widget.node, parameter)? } else { 0 };
    let capabilities = AmplifierCapabilities(if own != 0 { own } else { inherited });
    Ok(UnityStep(capabilities.unity_step()))
}

/// What a converter can do, by its own parameters or by the function group's (7.3.4.7, 7.3.4.8).
fn pcm(
    link: &mut dyn CodecLink,
    converter: NodeId,
    capabilities: WidgetCapabilities,
    inherited: &FunctionGroup,
) -> Result<PcmCapabilities, CommandError> {
    let (mut pcm, mut formats) = (inherited.pcm, inherited.formats);
    if capabilities.overrides_formats() {
        let (own_pcm, own_formats) =
            (get(link, converter, parameter::PCM)?, get(link, converter, parameter::STREAM_FORMATS)?);
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

fn pin_control_bits(pin: &Widget, device: PinDevice) -> u8 {
    match device {
        PinDevice::Headphones if pin.pin.drives_headphones() => pin_control::OUT | pin_control::HEADPHONE,
        PinDevice::LineOut | PinDevice::Speaker | PinDevice::Headphones | PinDevice::DigitalOut => {
            pin_control::OUT
        }
        PinDevice::Microphone if pin.pin.has_vref_80() => pin_control::IN | pin_control::VREF_80,
        PinDevice::Microphone if pin.pin.has_vref_50() => pin_control::IN | pin_control::VREF_50,
        PinDevice::Microphone | PinDevice::LineIn | PinDevice::OtherIn | PinDevice::DigitalIn => {
            pin_control::IN
        }
    }
}
