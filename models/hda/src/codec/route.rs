//! Routes of sound through a codec, to a pin or a capture converter.

use std::collections::{BTreeSet, HashSet};

use super::amplifier::Gain;
use super::graph::Graph;
use super::group::Inherited;
use super::widget::{Widget, WidgetKind, capability, pin_capability};

/// Sound that arrives at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// The origin: an output converter or an input pin.
    pub from: u8,
    /// Total gain of all amplifiers on the way, in quarters of a decibel.
    pub gain_quarter_db: i32,
}

/// The same, with left and right apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) from: u8,
    pub(crate) sides: Sides,
}

/// Gain of the origin's left and right side, in quarters of a decibel; `None` if muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sides {
    pub(crate) left: Option<i32>,
    pub(crate) right: Option<i32>,
}

/// Most widgets on one route. Real codecs have about five.
const LONGEST_ROUTE: usize = 10;

/// Output enable and input enable of the pin control (7.3.3.13).
const PIN_OUT: u8 = 0x40;
const PIN_IN: u8 = 0x20;

impl Graph {
    /// The sound that an output pin plays, or an input converter records.
    ///
    /// It includes every route that is powered, selected, enabled and unmuted on both sides. Tags
    /// of converters don't matter.
    pub(crate) fn arrivals(&self, node: u8) -> Vec<Arrival> {
        let heard = self.ways(node).into_iter().filter_map(|way| {
            let (left, right) = way.sides.left.zip(way.sides.right)?;
            Some(Arrival { from: way.from, gain_quarter_db: left.min(right) })
        });
        let mut arrivals: Vec<Arrival> = heard.collect();
        arrivals.sort();
        arrivals
    }

    /// The same, plus routes muted on one side. Routes with the same origin and gains count once.
    pub(crate) fn ways(&self, node: u8) -> Vec<Way> {
        let mut search = Search {
            graph: self,
            inherited: self.group.inherited(),
            dark: self.dark(),
            been: HashSet::new(),
            ways: BTreeSet::new(),
        };
        if self.group.power == 0 {
            search.listen(node);
        }
        search.ways.into_iter().collect()
    }

    /// Nodes without power: they or their power widget are off.
    fn dark(&self) -> HashSet<u8> {
        let off = || self.widgets.iter().filter(|(_, widget)| widget.power != 0);
        let fed = off().filter(|(_, widget)| widget.kind == WidgetKind::Power);
        off().map(|(&node, _)| node).chain(fed.flat_map(|(_, widget)| widget.connections.nodes())).collect()
    }
}

/// A walk against the direction of sound.
struct Search<'a> {
    graph: &'a Graph,
    inherited: Inherited,
    dark: HashSet<u8>,
    /// Visited nodes with gain and hops left. This ends cycles and meshes.
    been: HashSet<(u8, Sides, usize)>,
    ways: BTreeSet<Way>,
}

impl<'a> Search<'a> {
    fn widget(&self, node: u8) -> Option<&'a Widget> {
        self.graph.widgets.get(&node).filter(|_| !self.dark.contains(&node))
    }

    /// Walks from an output pin or an input converter.
    fn listen(&mut self, node: u8) {
        let Some(widget) = self.widget(node) else { return };
        let open = Sides { left: Some(0), right: Some(0) };
        match widget.kind {
            WidgetKind::Pin => {
                let needs_eapd = widget.pin_capabilities & pin_capability::EAPD != 0;
                if widget.pin_control & PIN_OUT != 0 && (!needs_eapd || widget.eapd & 2 != 0) {
                    self.enter_pin(widget, open, LONGEST_ROUTE);
                }
            }
            WidgetKind::Input if is_enabled(widget) => {
                self.enter_selected(widget, open, LONGEST_ROUTE);
            }
            // `follow` handles the outputs of other widgets.
            WidgetKind::Input => {}
            _ => self.follow(node, open, LONGEST_ROUTE),
        }
    }

    /// Walks on from a node in another node's connection list.
    fn follow(&mut self, node: u8, sides: Sides, hops: usize) {
        let Some(widget) = self.widget(node) else { return };
        let Some(hops) = hops.checked_sub(1) else { return };
        if sides.are_silent() || !self.been.insert((node, sides, hops)) {
            return;
        }
        match widget.kind {
            WidgetKind::Pin => self.out_of_pin(node, widget, sides, hops),
            WidgetKind::Output if is_enabled(widget) => {
                let sides = self.through_output(widget, sides);
                self.arrive(node, sides);
            }
            WidgetKind::Beep if widget.beep != 0 => {
                let sides = self.through_output(widget, sides);
                self.arrive(node, sides);
            }
            WidgetKind::Selector => {
                let sides = self.through_output(widget, sides).swapped_by(widget);
                self.enter_selected(widget, sides, hops);
            }
            WidgetKind::Mixer => {
                let sides = self.through_output(widget, sides).swapped_by(widget);
                for (index, source) in widget.connections.nodes().into_iter().enumerate() {
                    self.follow(source, self.through_input(widget, sides, index), hops);
                }
            }
            // Converters' inputs have no output. The insides of vendor-defined widgets are
            // unknown.
            _ => {}
        }
    }

    /// Enters the codec by a pin: the sound at its jack, and the pin's own playback.
    fn out_of_pin(&mut self, node: u8, pin: &'a Widget, sides: Sides, hops: usize) {
        if pin.pin_control & PIN_IN == 0 {
            return;
        }
        let mut sides = self.through_input(pin, sides, 0);
        // The output amplifier of a pin that can't play is on the way in.
        if pin.pin_capabilities & pin_capability::OUTPUT == 0 {
            sides = self.through_output(pin, sides);
        }
        self.arrive(node, sides);
        if pin.pin_control & PIN_OUT != 0 {
            self.enter_pin(pin, sides, hops);
        }
    }

    /// Leaves the codec by a pin. The pin's input amplifier isn't on this way.
    fn enter_pin(&mut self, pin: &'a Widget, sides: Sides, hops: usize) {
        let sides = self.through_output(pin, sides).swapped_by(pin);
        if let Some(&source) = pin.connections.nodes().get(usize::from(pin.selected)) {
            self.follow(source, sides, hops);
        }
    }

    /// Enters a widget that uses one of its connections.
    fn enter_selected(&mut self, widget: &'a Widget, sides: Sides, hops: usize) {
        let selected = usize::from(widget.selected);
        if let Some(&source) = widget.connections.nodes().get(selected) {
            self.follow(source, self.through_input(widget, sides, selected), hops);
        }
    }

    fn arrive(&mut self, from: u8, sides: Sides) {
        if !sides.are_silent() {
            self.ways.insert(Way { from, sides });
        }
    }

    fn through_output(&self, widget: &Widget, sides: Sides) -> Sides {
        if !widget.has(capability::AMP_OUT) {
            return sides;
        }
        let (_, amplifier) = widget.amplifiers(&self.inherited);
        sides.through(widget.gain_out, amplifier, widget)
    }

    fn through_input(&self, widget: &Widget, sides: Sides, connection: usize) -> Sides {
        match widget.input_amplifier(connection) {
            Some(index) if widget.has(capability::AMP_IN) => {
                let (amplifier, _) = widget.amplifiers(&self.inherited);
                sides.through(widget.gain_in[index], amplifier, widget)
            }
            _ => sides,
        }
    }
}

impl Sides {
    /// The gain of the quieter audible side.
    pub(crate) fn quieter(self) -> i32 {
        self.left.into_iter().chain(self.right).min().unwrap_or(0)
    }

    fn are_silent(self) -> bool {
        self.left.is_none() && self.right.is_none()
    }

    /// Passes an amplifier. A mono widget has only the left setting.
    fn through(self, gain: Gain, amplifier: u32, widget: &Widget) -> Self {
        let right = if widget.has(capability::STEREO) { gain.right } else { gain.left };
        let with = |side: Option<i32>, setting| Some(side? + quarter_db(setting, amplifier)?);
        Self { left: with(self.left, gain.left), right: with(self.right, right) }
    }

    fn swapped_by(self, widget: &Widget) -> Self {
        let swaps = widget.has(capability::SWAP) && widget.eapd & 4 != 0;
        if swaps { Self { left: self.right, right: self.left } } else { self }
    }
}

/// Whether a converter is connected to the outside. A digital one must be enabled (7.3.3.9,
/// DigEn).
fn is_enabled(converter: &Widget) -> bool {
    !converter.has(capability::DIGITAL) || converter.digital & 1 != 0
}

/// The gain of a setting in quarters of a decibel; `None` if muted.
fn quarter_db(setting: u8, amplifier: u32) -> Option<i32> {
    if setting & 0x80 != 0 && amplifier >> 31 != 0 {
        return None;
    }
    let zero = (amplifier & 0x7f) as i32;
    let size = (amplifier >> 16 & 0x7f) as i32 + 1;
    Some((i32::from(setting & 0x7f) - zero) * size)
}
