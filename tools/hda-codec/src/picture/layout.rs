//! Where widgets stand in the picture: outputs above, inputs below, and sound goes from left to right in both, in columns.
//! What is on a route stands before what isn't, so that routes are nearly straight. What has nothing to do with sound
//! stands at the foot.

use snd_hda::Direction;
use snd_hda_model::codec::WidgetKind;
use snd_hda_model::dump::Node;

use super::super::specimen::way;
use super::super::{Specimen, words};

pub(super) const BOX_WIDTH: i32 = 196;
/// Of a box with a name, what it is, and its amplifiers.
const TALL: i32 = 46;
/// Of a box with a name.
const LOW: i32 = 20;
const COLUMN_STEP: i32 = BOX_WIDTH + 104;
const ROW_GAP: i32 = 10;
pub(super) const MARGIN: i32 = 48;
/// For file and codec.
const HEAD: i32 = 50;
/// For a part's name.
const PART_HEAD: i32 = 30;
/// Columns of widgets between converters and pins, at most. A route has five.
const PASSAGES_MAX: usize = 6;
/// Boxes beside each other at the foot.
const FOOT_COLUMNS: i32 = 4;

/// A part of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Outputs,
    Inputs,
    Foot,
}

/// A widget with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) node: u8,
    pub(super) part: Part,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) height: i32,
}

impl Placed {
    pub(super) fn middle(&self) -> i32 {
        self.y + self.height / 2
    }

    pub(super) fn is_tall(&self) -> bool {
        self.height == TALL
    }
}

/// The picture without its lines.
pub(super) struct Layout {
    pub(super) boxes: Vec<Placed>,
    /// Parts that there are, with the places of their names.
    pub(super) heads: Vec<(&'static str, i32)>,
    pub(super) width: i32,
    /// Down to the last box.
    pub(super) height: i32,
}

impl Layout {
    pub(super) fn of(specimen: &Specimen) -> Layout {
        let mut layout = Layout { boxes: Vec::new(), heads: Vec::new(), width: 0, height: HEAD };
        for (part, head) in [(Part::Outputs, "Outputs"), (Part::Inputs, "Inputs"), (Part::Foot, "Others")] {
            let nodes = specimen.dump.nodes.iter().filter(|node| part_of(specimen, node) == part);
            let nodes: Vec<&Node> = nodes.collect();
            if nodes.is_empty() {
                continue;
            }
            let head_y = layout.height + PART_HEAD - 10;
            layout.heads.push((head, head_y));
            let top = layout.height + PART_HEAD;
            let placed = match part {
                Part::Foot => foot(&nodes, top),
                Part::Outputs | Part::Inputs => in_columns(specimen, part, &nodes, top),
            };
            layout.height = placed.iter().map(|placed| placed.y + placed.height).fold(top, i32::max);
            layout.boxes.extend(placed);
        }
        let right = layout.boxes.iter().map(|placed| placed.x + BOX_WIDTH).fold(3 * COLUMN_STEP, i32::max);
        layout.width = right + MARGIN;
        layout
    }

    pub(super) fn get(&self, node: u8) -> Option<&Placed> {
        self.boxes.iter().find(|placed| placed.node == node)
    }
}

fn is_passage(node: &Node) -> bool {
    matches!(node.kind, WidgetKind::Mixer | WidgetKind::Selector)
}

/// The direction of a route through a node, the outputs' first.
fn route_direction(specimen: &Specimen, node: u8) -> Option<Direction> {
    let through = |direction| specimen.routes(direction).any(|route| way(route).contains(&node));
    [Direction::Output, Direction::Input].into_iter().find(|direction| through(*direction))
}

fn part_of(specimen: &Specimen, node: &Node) -> Part {
    let by_route = route_direction(specimen, node.id).map(|direction| match direction {
        Direction::Output => Part::Outputs,
        Direction::Input => Part::Inputs,
    });
    match node.kind {
        WidgetKind::Output => Part::Outputs,
        WidgetKind::Input => Part::Inputs,
        WidgetKind::Pin => by_route.unwrap_or_else(|| {
            // By default device, or else by what it can.
            let is_output = match words::is_connected(node) {
                true => node.pin_default.unwrap_or(0) >> 20 & 15 < 6,
                false => !node.connections.is_empty(),
            };
            if is_output { Part::Outputs } else { Part::Inputs }
        }),
        WidgetKind::Mixer | WidgetKind::Selector => by_route.unwrap_or_else(|| {
            let is_pin = |id: &u8| specimen.dump.node(*id).is_some_and(|node| node.kind == WidgetKind::Pin);
            // A mixer of pins is for hearing inputs at outputs; a selector of pins is for recording.
            let is_choice = node.kind == WidgetKind::Selector && node.connections.iter().all(is_pin);
            let records = |other: &&Node| {
                let is_on_way = is_choice && route_direction(specimen, other.id) == Some(Direction::Input);
                other.kind == WidgetKind::Input || is_on_way
            };
            let listeners = specimen.dump.nodes.iter().filter(|other| other.connections.contains(&node.id));
            let is_recorded = listeners.filter(records).count() > 0;
            if is_recorded { Part::Inputs } else { Part::Outputs }
        }),
        WidgetKind::Power | WidgetKind::VolumeKnob | WidgetKind::Beep | WidgetKind::Vendor => Part::Foot,
    }
}

/// Columns of a part's widgets, in the order of `nodes`: where sound comes in is 0.
fn columns(specimen: &Specimen, part: Part, nodes: &[&Node]) -> Vec<usize> {
    let (first, last) = match part {
        Part::Inputs => (WidgetKind::Pin, WidgetKind::Input),
        Part::Outputs | Part::Foot => (WidgetKind::Output, WidgetKind::Pin),
    };
    let at = |id: u8| nodes.iter().position(|node| node.id == id);
    // As few steps as possible from the first column. What hears nothing of it stands there itself.
    let mut steps: Vec<Option<usize>> = nodes.iter().map(|node| (node.kind == first).then_some(0)).collect();
    for column in 1..=PASSAGES_MAX {
        for (index, node) in nodes.iter().enumerate().filter(|(_, node)| is_passage(node)) {
            let hears = |source: &u8| at(*source).is_some_and(|source| steps[source] == Some(column - 1));
            if steps[index].is_none() && node.connections.iter().any(hears) {
                steps[index] = Some(column);
            }
        }
    }
    let mut columns: Vec<usize> = steps.into_iter().map(|steps| steps.unwrap_or(0)).collect();
    // But a route goes on to the right with each step.
    for _ in 0..PASSAGES_MAX {
        for way in specimen.routes.iter().map(way) {
            for step in way.windows(2) {
                if let (Some(from), Some(to)) = (at(step[0]), at(step[1])) {
                    columns[to] = columns[to].max(columns[from] + 1).min(PASSAGES_MAX);
                }
            }
        }
    }
    let passages = nodes.iter().zip(&columns).filter(|(node, _)| is_passage(node));
    let right = passages.map(|(_, column)| *column).max().unwrap_or(0) + 1;
    for (node, column) in nodes.iter().zip(&mut columns) {
        if node.kind == last {
            *column = right;
        }
    }
    columns
}

fn in_columns(specimen: &Specimen, part: Part, nodes: &[&Node], top: i32) -> Vec<Placed> {
    let columns = columns(specimen, part, nodes);
    let last = columns.iter().copied().max().unwrap_or(0);
    let mut placed: Vec<Placed> = Vec::new();
    let mut below_routes = top;
    // Pins stand in the driver's order; from there on each column by its neighbours in those before.
    let from_pins: Vec<usize> = match part {
        Part::Inputs => (0..=last).collect(),
        Part::Outputs | Part::Foot => (0..=last).rev().collect(),
    };
    for column in from_pins {
        let in_column = nodes.iter().zip(&columns).filter(|(_, of)| **of == column).map(|(node, _)| *node);
        let mut wishes: Vec<Wish> = in_column.map(|node| Wish::of(specimen, node, part, &placed)).collect();
        wishes.sort_by_key(|wish| (wish.is_unrouted, wish.middle, wish.node));
        let x = MARGIN + column as i32 * COLUMN_STEP;
        let routed = wishes.iter().rposition(|wish| !wish.is_unrouted);
        let mut y = top;
        for (index, wish) in wishes.into_iter().enumerate() {
            if wish.is_unrouted && routed.is_none_or(|last| last + 1 == index) {
                // Out of the way of routes.
                y = y.max(below_routes);
            }
            let wanted = if wish.is_unrouted { y } else { (wish.middle - wish.height / 2).max(y) };
            if !wish.is_unrouted {
                below_routes = below_routes.max(wanted + wish.height + ROW_GAP);
            }
            placed.push(Placed { node: wish.node, part, x, y: wanted, height: wish.height });
            y = wanted + wish.height + ROW_GAP;
        }
    }
    placed
}

/// Where in its column a widget wants to be.
struct Wish {
    node: u8,
    is_unrouted: bool,
    middle: i32,
    height: i32,
}

impl Wish {
    fn of(specimen: &Specimen, node: &Node, part: Part, placed: &[Placed]) -> Wish {
        let is_unrouted = route_direction(specimen, node.id).is_none();
        let is_idle_pin = node.kind == WidgetKind::Pin && is_unrouted && !words::is_connected(node);
        let height = if is_idle_pin { LOW } else { TALL };
        let rank = |wanted: &dyn Fn(&u8) -> bool| -> Option<i32> {
            let of_routes = specimen.routes.iter().position(|route| wanted(&route.pin().get()));
            of_routes.map(|place| place as i32)
        };
        let middle = if node.kind == WidgetKind::Pin {
            // Their own order, far above all places.
            let place = rank(&|pin| *pin == node.id).unwrap_or(if is_idle_pin { 300 } else { 200 });
            place - 1000
        } else {
            let is_neighbour = |other: &&Placed| match part {
                Part::Inputs => specimen.is_on_a_route(other.node, node.id),
                Part::Outputs | Part::Foot => specimen.is_on_a_route(node.id, other.node),
            };
            let middles: Vec<i32> = placed.iter().filter(is_neighbour).map(Placed::middle).collect();
            middles.iter().sum::<i32>() / (middles.len() as i32).max(1)
        };
        Wish { node: node.id, is_unrouted, middle, height }
    }
}

fn foot(nodes: &[&Node], top: i32) -> Vec<Placed> {
    let place = |(index, node): (usize, &&Node)| {
        let (row, column) = (index as i32 / FOOT_COLUMNS, index as i32 % FOOT_COLUMNS);
        let (x, y) = (MARGIN + column * (BOX_WIDTH + 24), top + row * (LOW + ROW_GAP));
        Placed { node: node.id, part: Part::Foot, x, y, height: LOW }
    };
    nodes.iter().enumerate().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn every_widget_has_a_place_of_its_own_and_routes_go_to_the_right() {
        for report in samples::all() {
            let specimen = report.specimen.expect("a dump");
            let layout = Layout::of(&specimen);
            assert_eq!(layout.boxes.len(), specimen.dump.nodes.len(), "{}", report.file);
            for (index, one) in layout.boxes.iter().enumerate() {
                assert!(one.x >= MARGIN && one.x + BOX_WIDTH <= layout.width - MARGIN, "{}", report.file);
                for other in &layout.boxes[index + 1..] {
                    let apart = one.x + BOX_WIDTH < other.x
                        || other.x + BOX_WIDTH < one.x
                        || one.y + one.height < other.y
                        || other.y + other.height < one.y;
                    assert!(apart, "{}: {one:?} {other:?}", report.file);
                }
            }
            for way in specimen.routes.iter().map(way) {
                for step in way.windows(2) {
                    let [from, to] = [step[0], step[1]].map(|node| layout.get(node).expect("placed"));
                    assert!(from.x < to.x || from.part != to.part, "{}: {from:?} {to:?}", report.file);
                }
            }
        }
    }
}
