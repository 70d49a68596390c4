//! The lines that a complete node must have.
//!
//! A dump has no end mark. But Linux prints the same lines for all nodes with the same
//! capabilities. A node that lacks such a line was cut short.

use std::collections::BTreeSet;

use super::node::Node;
use crate::codec::WidgetKind;

/// A line of a node, named by its first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    AmpInCaps,
    AmpInValues,
    AmpOutCaps,
    AmpOutValues,
    Converter,
    SdiSelect,
    Delay,
    Digital,
    DigitalCategory,
    Pcm,
    PinCapabilities,
    PinDefault,
    PinDefaultConnection,
    PinDefaultAssociation,
    PinControl,
    Eapd,
    Unsolicited,
    PowerStates,
    Power,
    Processing,
    VolumeKnob,
    Devices,
    Connections,
    InDriverConnections,
}

/// The versions of Linux that print a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Every version.
    Always,
    /// Every version that prints general-purpose pins, and some earlier ones.
    Modern,
    /// The same, but in older files some nodes have the line without need.
    ModernOnly,
    /// All nodes that call for the line have it, if any node in the file has it.
    AsOthers,
}

/// The lines that a node's capabilities call for.
fn called_for(node: &Node) -> Vec<(Line, Need)> {
    use Need::{Always, AsOthers, Modern, ModernOnly};
    let has = |bit: u32| node.wcaps >> bit & 1 != 0;
    let is_knob = node.kind == WidgetKind::VolumeKnob;
    let is_pin = node.kind == WidgetKind::Pin;
    let is_input = node.kind == WidgetKind::Input;
    let is_converter = is_input || node.kind == WidgetKind::Output;
    [
        (has(1), Line::AmpInCaps, Always),
        (has(1), Line::AmpInValues, Always),
        (has(2), Line::AmpOutCaps, Always),
        (has(2), Line::AmpOutValues, Always),
        (is_pin, Line::PinCapabilities, Always),
        (is_pin, Line::PinDefault, Always),
        (is_pin, Line::PinDefaultConnection, Always),
        (is_pin, Line::PinDefaultAssociation, AsOthers),
        (is_pin, Line::PinControl, Always),
        (is_pin && node.pincap.is_some_and(|pincap| pincap >> 16 & 1 != 0), Line::Eapd, Modern),
        (is_converter, Line::Converter, Modern),
        (is_input, Line::SdiSelect, Modern),
        (is_converter && has(9), Line::Digital, Modern),
        (is_converter && has(9), Line::DigitalCategory, Modern),
        (is_converter && has(4), Line::Pcm, Always),
        (node.wcaps >> 16 & 15 != 0, Line::Delay, Modern),
        (has(6), Line::Processing, Modern),
        (has(7), Line::Unsolicited, Modern),
        (has(10), Line::PowerStates, AsOthers),
        (has(10), Line::Power, Modern),
        (is_knob, Line::VolumeKnob, Modern),
        (is_knob, Line::Connections, ModernOnly),
        (has(8), Line::Connections, Always),
    ]
    .into_iter()
    .filter_map(|(called_for, line, need)| called_for.then_some((line, need)))
    .collect()
}

/// Checks all nodes, given each node's lines and the number of its last line.
///
/// `modern`: the file has a line about general-purpose pins.
pub(super) fn missing(nodes: &[(Node, BTreeSet<Line>, usize)], modern: bool) -> Option<(usize, String)> {
    let anywhere: BTreeSet<Line> = nodes.iter().flat_map(|(_, lines, _)| lines).copied().collect();
    nodes.iter().find_map(|(node, lines, last_line)| {
        let missing = called_for(node).into_iter().find(|(line, need)| {
            let needed = match need {
                Need::Always => true,
                Need::Modern => modern || anywhere.contains(line),
                Need::ModernOnly => modern,
                Need::AsOthers => anywhere.contains(line),
            };
            needed && !lines.contains(line)
        });
        missing.map(|(line, _)| {
            (*last_line, format!("node {:#04x} ends here and its line {line:?} is missing", node.id))
        })
    })
}
