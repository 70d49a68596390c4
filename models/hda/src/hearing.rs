//! Sound at a codec's pins and converters: the truth about a driver's routes.

use crate::codec::{Codec, Graph, Way, WidgetKind};
use crate::model::Model;

/// A converter with a stream and a pin: it is audible there, or records from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The pin.
    pub pin: u8,
    /// The converter.
    pub converter: u8,
    /// The converter's stream tag, 1 to 15.
    pub tag: u8,
    /// The stream's channel that is the converter's first, 0 to 15.
    pub channel: u8,
    /// Total gain of the amplifiers on the way, in quarters of a decibel, for the quieter audible
    /// channel.
    pub gain_quarter_db: i32,
    /// The same for the source's left channel; `None` if muted.
    pub left_quarter_db: Option<i32>,
    /// The same for its right channel.
    pub right_quarter_db: Option<i32>,
    /// The pin's bias voltage, as in pin control (7.3.3.13).
    /// 0 is high impedance, 1 is 50 %, 2 is ground, 4 is 80 %, 5 is 100 %.
    pub vref: u8,
}

/// Sound that bypasses the streams in a codec, from an input to an output or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoopedBack {
    /// The destination: an output pin, or an input converter with a stream.
    pub to: u8,
    /// The origin: an input pin, a beep generator, or an output converter with a stream.
    pub from: u8,
    /// Total gain of the amplifiers on the way, in quarters of a decibel, for the quieter channel
    /// that passes.
    pub gain_quarter_db: i32,
}

impl Model {
    /// The converters with a stream that are audible at a codec's pins, ordered by pin.
    ///
    /// Every driver setting counts: power, selectors, amplifiers, pin control, EAPD, digital
    /// enables. A converter with several routes to a pin appears once for each gain. A converter
    /// with one audible side appears too.
    pub fn audible(&self, codec: usize) -> Vec<Heard> {
        self.with_graph(codec, |graph| {
            let arrived = graph.arrived(WidgetKind::Pin);
            arrived.filter_map(|(pin, way)| graph.heard(pin, way.from, &way)).collect()
        })
    }

    /// The input pins that converters with a stream record, ordered by converter. The same
    /// settings count.
    pub fn recorded(&self, codec: usize) -> Vec<Heard> {
        self.with_graph(codec, |graph| {
            let arrived = graph.arrived(WidgetKind::Input);
            arrived.filter_map(|(converter, way)| graph.heard(way.from, converter, &way)).collect()
        })
    }

    /// Sound that passes from inputs to outputs, or back, inside a codec.
    /// A driver that plays and records should cause none.
    pub fn looped_back(&self, codec: usize) -> Vec<LoopedBack> {
        self.with_graph(codec, |graph| {
            let is = |node: u8, kind| graph.widgets.get(&node).is_some_and(|widget| widget.kind == kind);
            let played = graph.arrived(WidgetKind::Pin).filter(|(_, way)| !is(way.from, WidgetKind::Output));
            let recorded = graph.arrived(WidgetKind::Input).filter(|(to, way)| {
                let plays = !is(way.from, WidgetKind::Output) || graph.stream_of(way.from).is_some();
                graph.stream_of(*to).is_some() && plays && !is(way.from, WidgetKind::Pin)
            });
            let looped = played.chain(recorded).map(|(to, way)| LoopedBack {
                to,
                from: way.from,
                gain_quarter_db: way.sides.quieter(),
            });
            looped.collect()
        })
    }

    fn with_graph<R: Default>(&self, codec: usize, ask: impl FnOnce(&Graph) -> R) -> R {
        let mut machine = self.machine.borrow_mut();
        machine.link.codec(codec).and_then(Codec::graph).map_or_else(R::default, |graph| ask(graph))
    }
}

impl Graph {
    /// Everything that arrives at widgets of a kind: the widget and the way to it.
    fn arrived(&self, kind: WidgetKind) -> impl Iterator<Item = (u8, Way)> {
        let ends = self.widgets.iter().filter(move |(_, widget)| widget.kind == kind);
        ends.flat_map(|(&to, _)| self.ways(to).into_iter().map(move |way| (to, way)))
    }

    /// A way between a pin and a converter. `None` if the converter has no stream, or the pin isn't
    /// one.
    fn heard(&self, pin: u8, converter: u8, way: &Way) -> Option<Heard> {
        let (tag, channel) = self.stream_of(converter)?;
        let widget = self.widgets.get(&pin).filter(|widget| widget.kind == WidgetKind::Pin)?;
        Some(Heard {
            pin,
            converter,
            tag,
            channel,
            gain_quarter_db: way.sides.quieter(),
            left_quarter_db: way.sides.left,
            right_quarter_db: way.sides.right,
            vref: widget.pin_control & 7,
        })
    }

    /// A converter's tag and lowest channel, if it has a stream.
    fn stream_of(&self, node: u8) -> Option<(u8, u8)> {
        let converter = self.widgets.get(&node)?.converter.as_ref()?;
        (converter.tag != 0).then_some((converter.tag, converter.channel))
    }
}
