//! The largest set of paths between pins and converters that share no widget.
//!
//! A path is a flow of one unit through the graph, and a widget passes one unit. So the outputs
//! that can play together are a maximum flow (Ford and Fulkerson 1956), of least cost (Busacker
//! and Gowen 1960). Pins are added by priority. Each takes the cheapest remaining path, and
//! earlier pins are rerouted to make room. No pin loses its path again.
//!
//! A codec may report any connections: every loop here has its own bound.

use heapless::Vec;

use super::graph::{Graph, PATH_MAX, WIDGETS_MAX, Widget};
use crate::dma::Direction;
use crate::spec::parameters::WidgetKind;
use crate::spec::verbs::NodeId;

/// A step from widget to widget: the fewest win.
const STEP: i32 = 256;
/// A mixer with pins as inputs is for monitoring: a path through it is a last resort.
const LOOP_BACK: i32 = 16 * STEP;
/// Converter and pin, one digital and the other not.
const UNLIKE: i32 = 2 * STEP;
/// More than any cost.
const FAR: i32 = i32::MAX / 2;
/// Limit of rounds until costs settle: the widgets on the longest detour. Real codecs take six.
const ROUNDS_MAX: u32 = 32;
/// No widget.
const NONE: u8 = u8::MAX;

/// The cost of one side of a widget, and the widget before it.
#[derive(Clone, Copy)]
struct Label {
    cost: i32,
    /// The widget before; the same one if its other side comes before.
    from: u8,
}

impl Label {
    fn improve(&mut self, cost: i32, from: usize) -> bool {
        let is_better = cost < self.cost;
        if is_better {
            // There are fewer widgets than `NONE`.
            *self = Self { cost, from: from as u8 };
        }
        is_better
    }
}

/// Both sides of all widgets: a path's entry from the pin's side, and its exit.
struct Labels {
    enter: [Label; WIDGETS_MAX],
    leave: [Label; WIDGETS_MAX],
}

/// A change to the paths.
enum Change {
    /// `.0` leads to `.1` from now on.
    Join(usize, usize),
    /// It leads nowhere any more.
    Part(usize, usize),
}

/// Paths found in a graph, all in one direction.
pub(crate) struct RouteFlow<'a> {
    graph: &'a Graph,
    direction: Direction,
    /// By widget: the next one on the path from pin to converter, and the previous one.
    next: [u8; WIDGETS_MAX],
    previous: [u8; WIDGETS_MAX],
}

impl<'a> RouteFlow<'a> {
    pub(crate) fn new(graph: &'a Graph, direction: Direction) -> Self {
        Self { graph, direction, next: [NONE; WIDGETS_MAX], previous: [NONE; WIDGETS_MAX] }
    }

    /// Finds a path for a pin to a converter that `is_wanted`. Returns whether one exists.
    pub(crate) fn add(&mut self, pin: NodeId, is_wanted: &dyn Fn(&Widget) -> bool) -> bool {
        let Some(start) = self.graph.index(pin) else { return false };
        let Some(labels) = self.settle(start, is_wanted) else { return false };
        let is_digital = self.graph.at(start).is_some_and(|pin| pin.capabilities.is_digital());
        let mut best: Option<(i32, usize)> = None;
        for (at, widget) in self.graph.widgets().enumerate() {
            let Some(label) = labels.enter.get(at).filter(|label| label.cost < FAR) else { continue };
            if is_passage(widget) || at_of(&self.previous, at) != NONE {
                continue;
            }
            let unlike = if widget.capabilities.is_digital() == is_digital { 0 } else { UNLIKE };
            // Among equal costs take the first: it is the usual one.
            let cost = label.cost.saturating_add(unlike).saturating_add(widget.node.get().into());
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, at));
            }
        }
        let Some((_, end)) = best else { return false };
        if !labels.walk(start, end, &mut |_| {}) {
            return false;
        }
        labels.walk(start, end, &mut |change| {
            if let Change::Part(from, to) = change {
                set(&mut self.next, from, NONE);
                set(&mut self.previous, to, NONE);
            }
        });
        labels.walk(start, end, &mut |change| {
            if let Change::Join(from, to) = change {
                set(&mut self.next, from, to as u8);
                set(&mut self.previous, to, from as u8);
            }
        });
        true
    }

    /// Costs from a pin to all widgets, by Bellman-Ford: freed steps have negative cost.
    fn settle(&self, start: usize, is_wanted: &dyn Fn(&Widget) -> bool) -> Option<Labels> {
        let far = Label { cost: FAR, from: NONE };
        let mut labels = Labels { enter: [far; WIDGETS_MAX], leave: [far; WIDGETS_MAX] };
        labels.leave.get_mut(start)?.cost = 0;
        for _ in 0..ROUNDS_MAX {
            let mut has_changed = false;
            for (listener, widget) in self.graph.widgets().enumerate() {
                for source in self.graph.inputs(widget) {
                    let Some(source) = self.graph.index(*source) else { continue };
                    let (from, to) = match self.direction {
                        Direction::Output => (listener, source),
                        Direction::Input => (source, listener),
                    };
                    let cost = labels.leave.get(from)?.cost;
                    let target = self.graph.at(to)?;
                    let is_way_on = (is_passage(target) || is_wanted(target)) && from != to;
                    if cost < FAR && is_way_on && usize::from(at_of(&self.next, from)) != to {
                        has_changed |= labels.enter.get_mut(to)?.improve(cost.saturating_add(STEP), from);
                    }
                }
            }
            for (at, widget) in self.graph.widgets().enumerate() {
                let (enter, leave) = (labels.enter.get(at)?.cost, labels.leave.get(at)?.cost);
                let passing = passing_cost(self.graph, widget);
                let before = at_of(&self.previous, at);
                if before == NONE {
                    if enter < FAR && is_passage(widget) {
                        has_changed |= labels.leave.get_mut(at)?.improve(enter.saturating_add(passing), at);
                    }
                    continue;
                }
                // Reroute the path that leads to this widget; then no path passes here.
                if enter < FAR {
                    let cost = enter.saturating_sub(STEP);
                    has_changed |= labels.leave.get_mut(usize::from(before))?.improve(cost, at);
                }
                if leave < FAR && is_passage(widget) {
                    let cost = leave.saturating_sub(passing);
                    has_changed |= labels.enter.get_mut(at)?.improve(cost, at);
                }
            }
            if !has_changed {
                break;
            }
        }
        Some(labels)
    }

    /// The path of an added pin, from sink to source. Each widget has the input for the next.
    pub(crate) fn path(&self, pin: NodeId) -> Option<Path> {
        let mut path = Path::new();
        let mut at = self.graph.index(pin)?;
        loop {
            path.push(Step { node: self.graph.at(at)?.node, input: None }).ok()?;
            match at_of(&self.next, at) {
                NONE => break,
                next => at = usize::from(next),
            }
        }
        if path.len() < 2 {
            return None;
        }
        if self.direction == Direction::Input {
            path.reverse();
        }
        for listener in 0..path.len().saturating_sub(1) {
            let source = path.get(listener.saturating_add(1))?.node;
            let step = path.get_mut(listener)?;
            let inputs = self.graph.inputs(self.graph.widget(step.node)?);
            // At most as many as a widget has connections.
            step.input = inputs.iter().position(|input| *input == source).map(|place| place as u8);
        }
        Some(path)
    }
}

impl Labels {
    /// Goes back from `end` to `start` and reports each change on the way. Returns whether it got
    /// there.
    fn walk(&self, start: usize, end: usize, see: &mut dyn FnMut(Change)) -> bool {
        let mut at = end;
        for _ in 0..2 * WIDGETS_MAX {
            // At the entry side.
            let Some(enter) = self.enter.get(at) else { return false };
            let from = usize::from(enter.from);
            if from != at {
                see(Change::Join(from, at));
                at = from;
            }
            // At the exit side.
            let Some(leave) = self.leave.get(at) else { return false };
            if at == start && leave.from == NONE {
                return true;
            }
            let from = usize::from(leave.from);
            if from != at {
                see(Change::Part(at, from));
                at = from;
            }
        }
        false
    }
}

/// From sink to source.
pub(crate) type Path = Vec<Step, PATH_MAX>;

/// A widget on a path, and the input that takes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) node: NodeId,
    pub(crate) input: Option<u8>,
}

/// Whether sound enters at one side and leaves at another.
fn is_passage(widget: &Widget) -> bool {
    matches!(widget.capabilities.kind(), WidgetKind::Mixer | WidgetKind::Selector)
}

/// The cost of passing a widget, besides the step to it.
fn passing_cost(graph: &Graph, widget: &Widget) -> i32 {
    if widget.capabilities.kind() != WidgetKind::Mixer || widget.inputs() < 2 {
        return 0;
    }
    let is_pin =
        |node: &NodeId| graph.widget(*node).is_some_and(|w| w.capabilities.kind() == WidgetKind::Pin);
    let hears_pins = graph.inputs(widget).iter().any(is_pin);
    // An unmutable input is audible.
    let is_shut = widget.capabilities.has_input_amplifier();
    let loop_back = if hears_pins { LOOP_BACK } else { 0 };
    if is_shut { loop_back } else { loop_back.saturating_add(STEP) }
}

fn at_of(of: &[u8; WIDGETS_MAX], at: usize) -> u8 {
    of.get(at).copied().unwrap_or(NONE)
}

fn set(of: &mut [u8; WIDGETS_MAX], at: usize, value: u8) {
    if let Some(place) = of.get_mut(at) {
        *place = value;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]
mod tests {
    use super::super::graph::WIDGET_CONNECTIONS_MAX;
    use super::*;
    use crate::spec::parameters::WidgetCapabilities;

    /// Stereo: capabilities of 0 mean no widget.
    const OUTPUT: u32 = 1;
    const INPUT: u32 = 1 << 20;
    const MIXER: u32 = 2 << 20 | 2;
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
            graph.push(Widget::new(node(*n), WidgetCapabilities(*capabilities)), &list);
        }
        graph
    }

    fn is_output(widget: &Widget) -> bool {
        widget.capabilities.kind() == WidgetKind::AudioOutput
    }

    fn is_input(widget: &Widget) -> bool {
        widget.capabilities.kind() == WidgetKind::AudioInput
    }

    /// Adds pins one after another; the way of each, if it has one, as nodes.
    fn ways(graph: &Graph, direction: Direction, pins: &[u8]) -> std::vec::Vec<std::vec::Vec<u8>> {
        let mut flow = RouteFlow::new(graph, direction);
        for pin in pins {
            match direction {
                Direction::Output => flow.add(node(*pin), &is_output),
                Direction::Input => flow.add(node(*pin), &is_input),
            };
        }
        let path = |pin: &u8| flow.path(node(*pin)).unwrap_or_default();
        pins.iter().map(|pin| path(pin).iter().map(|step| step.node.get()).collect()).collect()
    }

    #[test]
    fn the_shortest_way_wins_and_names_its_inputs() {
        let graph = graph(&[
            (2, OUTPUT, &[]),
            (3, OUTPUT, &[]),
            (4, MIXER, &[9, 2]),
            (5, SELECTOR, &[6, 4, 3]),
            (6, SELECTOR, &[4]),
            (7, PIN, &[6, 5]),
        ]);
        let mut flow = RouteFlow::new(&graph, Direction::Output);
        assert!(flow.add(node(7), &is_output));
        let path = flow.path(node(7)).unwrap();
        let steps: std::vec::Vec<_> = path.iter().map(|step| (step.node.get(), step.input)).collect();
        assert_eq!(steps, [(7, Some(1)), (5, Some(2)), (3, None)]);
    }

    #[test]
    fn a_pin_makes_room_for_one_that_has_no_choice() {
        let graph = graph(&[
            (2, OUTPUT, &[]),
            (3, OUTPUT, &[]),
            (4, SELECTOR, &[2, 3]),
            (5, SELECTOR, &[2]),
            (6, PIN, &[4]),
            (7, PIN, &[5]),
        ]);
        assert_eq!(
            ways(&graph, Direction::Output, &[6]),
            [[6, 4, 2]],
            "the first converter, as long as it can"
        );
        assert_eq!(ways(&graph, Direction::Output, &[6, 7]), [[6, 4, 3], [7, 5, 2]]);
    }

    #[test]
    fn a_mixer_that_hears_pins_is_the_last_resort() {
        let graph = graph(&[
            (2, OUTPUT, &[]),
            (3, MIXER, &[2, 8]),
            (4, SELECTOR, &[6]),
            (5, SELECTOR, &[4]),
            (6, SELECTOR, &[2]),
            (7, PIN, &[3, 5]),
            (8, PIN, &[]),
            (9, PIN, &[3]),
        ]);
        assert_eq!(ways(&graph, Direction::Output, &[7]), [[7, 5, 4, 6, 2]]);
        assert_eq!(ways(&graph, Direction::Output, &[9]), [[9, 3, 2]], "and a way all the same");
    }

    #[test]
    fn inputs_go_from_pin_to_converter_and_are_told_from_the_listener_on() {
        let graph = graph(&[
            (2, INPUT, &[4]),
            (3, INPUT, &[5]),
            (4, SELECTOR, &[6, 7]),
            (5, SELECTOR, &[6]),
            (6, PIN, &[]),
            (7, PIN, &[]),
        ]);
        assert_eq!(ways(&graph, Direction::Input, &[6, 7]), [[3, 5, 6], [2, 4, 7]]);
        let mut flow = RouteFlow::new(&graph, Direction::Input);
        flow.add(node(7), &is_input);
        let inputs: std::vec::Vec<_> = flow.path(node(7)).unwrap().iter().map(|step| step.input).collect();
        assert_eq!(inputs, [Some(0), Some(1), None]);
    }

    #[test]
    fn loops_and_dangling_nodes_end_in_no_way() {
        let graph = graph(&[(2, MIXER, &[3, 2, 99]), (3, MIXER, &[2, 127]), (4, PIN, &[2, 4])]);
        assert_eq!(ways(&graph, Direction::Output, &[4, 100]), [[0_u8; 0], [0_u8; 0]]);
    }

    #[test]
    fn a_pin_is_no_way_through() {
        let graph = graph(&[(2, OUTPUT, &[]), (3, PIN, &[2]), (4, PIN, &[3])]);
        assert_eq!(ways(&graph, Direction::Output, &[4]), [[0_u8; 0]]);
    }
}
