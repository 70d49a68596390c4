//! A function group's widgets and their connections.
//!
//! All of this is the codec's own claim. Counts can be wrong, lists can name missing nodes, and
//! loops are legal. The graph and every search in it are bounded, and nothing recurses.

use heapless::Vec;

use crate::spec::format::PcmCapabilities;
use crate::spec::parameters::{
    AmplifierCapabilities, ConfigurationDefault, PinCapabilities, WidgetCapabilities,
};
use crate::spec::verbs::NodeId;

/// Widgets of a function group: one for each node number.
pub(crate) const WIDGETS_MAX: usize = 128;
/// Connections of all widgets together. The largest codec in the reference collection has 300.
const CONNECTIONS_MAX: usize = 1024;
/// Connections of one widget.
pub(crate) const WIDGET_CONNECTIONS_MAX: usize = 64;
/// Widgets on a path, both ends included.
pub(crate) const PATH_MAX: usize = 7;

/// A widget's parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Widget {
    pub(crate) node: NodeId,
    pub(crate) capabilities: WidgetCapabilities,
    pub(crate) pin: PinCapabilities,
    pub(crate) configuration: ConfigurationDefault,
    /// Its amplifiers: its own capabilities, or the function group's.
    pub(crate) input_amplifier: AmplifierCapabilities,
    pub(crate) output_amplifier: AmplifierCapabilities,
    /// A converter's formats: its own, or the function group's.
    pub(crate) pcm: PcmCapabilities,
    first_connection: u16,
    connections: u16,
}

impl Widget {
    /// A widget with known capabilities and nothing else.
    pub(crate) fn new(node: NodeId, capabilities: WidgetCapabilities) -> Self {
        Self {
            node,
            capabilities,
            pin: PinCapabilities::default(),
            configuration: ConfigurationDefault::default(),
            input_amplifier: AmplifierCapabilities::NONE,
            output_amplifier: AmplifierCapabilities::NONE,
            pcm: PcmCapabilities::new(0, 0),
            first_connection: 0,
            connections: 0,
        }
    }

    /// Number of inputs to select or sum.
    pub(crate) fn inputs(&self) -> u8 {
        // At most `WIDGET_CONNECTIONS_MAX`.
        self.connections as u8
    }
}

/// Widgets in node order, without gaps.
#[derive(Default)]
pub(crate) struct Graph {
    widgets: Vec<Widget, WIDGETS_MAX>,
    connections: Vec<NodeId, CONNECTIONS_MAX>,
}

impl Graph {
    pub(crate) fn widgets(&self) -> impl Iterator<Item = &Widget> {
        self.widgets.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.widgets.len()
    }

    /// Adds the next node's widget. Excess connections are dropped: the graph stays usable without
    /// them.
    pub(crate) fn push(&mut self, mut widget: Widget, connections: &[NodeId]) {
        // At most `CONNECTIONS_MAX`, which fits.
        widget.first_connection = self.connections.len() as u16;
        for connection in connections.iter().take(WIDGET_CONNECTIONS_MAX) {
            if self.connections.push(*connection).is_err() {
                log::debug!("more than {CONNECTIONS_MAX} connections: the rest is left out");
                break;
            }
        }
        widget.connections = (self.connections.len() as u16).saturating_sub(widget.first_connection);
        if self.widgets.push(widget).is_err() {
            log::debug!("more than {WIDGETS_MAX} widgets: node {:#x} is left out", widget.node.get());
        }
    }

    pub(crate) fn widget(&self, node: NodeId) -> Option<&Widget> {
        self.index(node).and_then(|index| self.widgets.get(index))
    }

    /// The widget's index in [`widgets`](Self::widgets).
    pub(crate) fn index(&self, node: NodeId) -> Option<usize> {
        let first = self.widgets.first()?.node.get();
        let index = usize::from(node.get().checked_sub(first)?);
        (index < self.widgets.len()).then_some(index)
    }

    /// The widget at an index.
    pub(crate) fn at(&self, index: usize) -> Option<&Widget> {
        self.widgets.get(index)
    }

    /// The sources of a widget, by input number.
    pub(crate) fn inputs(&self, widget: &Widget) -> &[NodeId] {
        let first = usize::from(widget.first_connection);
        self.connections.get(first..first.saturating_add(usize::from(widget.connections))).unwrap_or(&[])
    }
}
