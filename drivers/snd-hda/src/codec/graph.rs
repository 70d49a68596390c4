//! A function group's widgets, and which listens to which.
//!
//! All of this is what a codec says of itself: counts lie, lists name nodes that aren't there, and loops are legal.
//! The graph is bounded, so is every search in it, and nothing recurses.

use heapless::Vec;

use crate::spec::parameters::{ConfigurationDefault, PinCapabilities, WidgetCapabilities, WidgetKind};
use crate::spec::verbs::NodeId;

/// Widgets of a function group: as many as there are node numbers.
pub(crate) const WIDGETS_MAX: usize = 128;
/// Connections of all widgets together. The largest codec in the collection that this was sized by has 300.
const CONNECTIONS_MAX: usize = 1024;
/// Connections of one widget.
pub(crate) const WIDGET_CONNECTIONS_MAX: usize = 64;
/// Widgets on a path, both ends included.
pub(crate) const PATH_MAX: usize = 8;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Widget {
    pub(crate) node: NodeId,
    pub(crate) capabilities: WidgetCapabilities,
    pub(crate) pin: PinCapabilities,
    pub(crate) configuration: ConfigurationDefault,
    first_connection: u16,
    connections: u16,
}

impl Widget {
    /// How many inputs it has to choose from or to sum.
    pub(crate) fn inputs(&self) -> u8 {
        // At most `WIDGET_CONNECTIONS_MAX`.
        self.connections as u8
    }
}

/// A widget on a path, and the input through which the next one is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) node: NodeId,
    pub(crate) input: Option<u8>,
}

/// From the listener back to the source.
pub(crate) type Path = Vec<Step, PATH_MAX>;

/// Widgets in the order of their nodes, without gaps.
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

    /// Adds the next node's widget. Connections beyond what fits are dropped: the graph stays usable without them.
    pub(crate) fn push(
        &mut self,
        node: NodeId,
        capabilities: WidgetCapabilities,
        pin: PinCapabilities,
        configuration: ConfigurationDefault,
        connections: &[NodeId],
    ) {
        // At most `CONNECTIONS_MAX`, which fits.
        let first_connection = self.connections.len() as u16;
        for connection in connections.iter().take(WIDGET_CONNECTIONS_MAX) {
            if self.connections.push(*connection).is_err() {
                log::debug!("more than {CONNECTIONS_MAX} connections: the rest is left out");
                break;
            }
        }
        let connections = (self.connections.len() as u16).saturating_sub(first_connection);
        let widget = Widget { node, capabilities, pin, configuration, first_connection, connections };
        if self.widgets.push(widget).is_err() {
            log::debug!("more than {WIDGETS_MAX} widgets: node {:#x} is left out", node.get());
        }
    }

    pub(crate) fn widget(&self, node: NodeId) -> Option<&Widget> {
        self.index(node).and_then(|index| self.widgets.get(index))
    }

    fn index(&self, node: NodeId) -> Option<usize> {
        let first = self.widgets.first()?.node.get();
        let index = usize::from(node.get().checked_sub(first)?);
        (index < self.widgets.len()).then_some(index)
    }

    fn inputs(&self, widget: &Widget) -> &[NodeId] {
        let first = usize::from(widget.first_connection);
        self.connections.get(first..first.saturating_add(usize::from(widget.connections))).unwrap_or(&[])
    }

    /// The shortest path from the listener `sink` back to a widget that `is_source` accepts, through mixers and
    /// selectors only. Breadth first: each widget is looked at once, so a loop ends by itself.
    pub(crate) fn path(&self, sink: NodeId, is_source: &dyn Fn(&Widget) -> bool) -> Option<Path> {
        /// How the search came to a widget.
        #[derive(Clone, Copy)]
        struct Visit {
            /// The listener's place in the list of visits, and the input; none for the sink.
            heard_by: Option<(u8, u8)>,
            widget: u8,
            depth: u8,
        }
        let mut visits: Vec<Visit, WIDGETS_MAX> = Vec::new();
        let mut seen = [false; WIDGETS_MAX];
        let start = self.index(sink)?;
        *seen.get_mut(start)? = true;
        visits.push(Visit { heard_by: None, widget: start as u8, depth: 1 }).ok()?;

        let mut next = 0_usize;
        let found = 'search: loop {
            let visit = *visits.get(next)?;
            let widget = self.widgets.get(usize::from(visit.widget))?;
            let passes =
                next == 0 || matches!(widget.capabilities.kind(), WidgetKind::Mixer | WidgetKind::Selector);
            if passes && usize::from(visit.depth) < PATH_MAX {
                for (input, source) in self.inputs(widget).iter().enumerate() {
                    let Some(index) = self.index(*source) else { continue };
                    let (Some(seen), Some(source)) = (seen.get_mut(index), self.widgets.get(index)) else {
                        continue;
                    };
                    if core::mem::replace(seen, true) {
                        continue;
                    }
                    let visit = Visit {
                        heard_by: Some((next as u8, input as u8)),
                        widget: index as u8,
                        depth: visit.depth.saturating_add(1),
                    };
                    visits.push(visit).ok()?;
                    if is_source(source) {
                        break 'search visit;
                    }
                }
            }
            next = next.saturating_add(1);
        };

        // Back from the source to the sink, then turned round.
        let mut path = Path::new();
        let mut at = found;
        let mut input = None;
        loop {
            let node = self.widgets.get(usize::from(at.widget))?.node;
            path.push(Step { node, input }).ok()?;
            let Some((listener, through)) = at.heard_by else { break };
            input = Some(through);
            at = *visits.get(usize::from(listener))?;
        }
        path.reverse();
        Some(path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::*;

    /// Stereo: capabilities of 0 are nobody's.
    const OUTPUT: u32 = 1;
    const MIXER: u32 = 2 << 20;
    const SELECTOR: u32 = 3 << 20;
    const PIN: u32 = 4 << 20;

    fn node(n: u8) -> NodeId {
        NodeId::new(n).unwrap()
    }

    fn graph(widgets: &[(u8, u32, &[u8])]) -> Graph {
        let mut graph = Graph::default();
        for (n, capabilities, inputs) in widgets {
            let mut list: Vec<NodeId, WIDGET_CONNECTIONS_MAX> = Vec::new();
            for input in *inputs {
                list.push(node(*input)).unwrap();
            }
            graph.push(
                node(*n),
                WidgetCapabilities(*capabilities),
                PinCapabilities::default(),
                ConfigurationDefault::default(),
                &list,
            );
        }
        graph
    }

    fn is_output(widget: &Widget) -> bool {
        widget.capabilities.kind() == WidgetKind::AudioOutput
    }

    #[test]
    fn the_shortest_path_wins_and_names_its_inputs() {
        let graph = graph(&[
            (2, OUTPUT, &[]),
            (3, OUTPUT, &[]),
            (4, MIXER, &[9, 2]),
            (5, SELECTOR, &[6, 4, 3]),
            (6, SELECTOR, &[4]),
            (7, PIN, &[6, 5]),
        ]);
        let path = graph.path(node(7), &is_output).unwrap();
        let steps: std::vec::Vec<_> = path.iter().map(|step| (step.node.get(), step.input)).collect();
        assert_eq!(steps, [(7, Some(1)), (5, Some(2)), (3, None)]);
    }

    #[test]
    fn loops_and_dangling_nodes_end_in_no_path() {
        let graph = graph(&[(2, MIXER, &[3, 2, 99]), (3, MIXER, &[2, 127]), (4, PIN, &[2, 4])]);
        assert!(graph.path(node(4), &is_output).is_none());
        assert!(graph.path(node(100), &is_output).is_none());
    }

    #[test]
    fn a_pin_is_no_way_through() {
        let graph = graph(&[(2, OUTPUT, &[]), (3, PIN, &[2]), (4, PIN, &[3])]);
        assert!(graph.path(node(4), &is_output).is_none());
    }
}
