//! Sound at a codec's pins and converters: the truth about a driver's routes.

use crate::codec::{Codec, Graph, Way, WidgetKind};
use crate::model::Model;

/// A converter that plays a stream and is audible at a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The output pin.
    pub pin: u8,
    /// The output converter.
    pub converter: u8,
    /// The converter's stream tag, 1 to 15.
    pub tag: u8,
    /// The stream's channel that is the converter's first, 0 to 15.
    pub channel: u8,
    /// Total gain of the amplifiers on the way, in quarters of a decibel, for the quieter audible
    /// channel.
    pub gain_quarter_db: i32,
    /// The same for the converter's left channel; `None` if muted.
    pub left_quarter_db: Option<i32>,
    /// The same for its right channel.
    pub right_quarter_db: Option<i32>,
}

/// An input pin that a converter with a stream records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// The input converter.
    pub converter: u8,
    /// The input pin.
    pub pin: u8,
    /// The converter's stream tag, 1 to 15.
    pub tag: u8,
    /// The stream's channel that is the converter's first, 0 to 15.
    pub channel: u8,
    /// Total gain of the amplifiers on the way, in quarters of a decibel, for the quieter recorded
    /// channel.
    pub gain_quarter_db: i32,
    /// The same for the pin's left channel; `None` if muted.
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

/// A route and its end.
struct Arrived {
    to: u8,
    way: Way,
}

impl Arrived {
    fn gain_quarter_db(&self) -> i32 {
        let sides = self.way.sides;
        sides.left.into_iter().chain(sides.right).min().unwrap_or(0)
    }
}

impl Model {
    /// The converters with a stream that are audible at a codec's pins, ordered by pin.
    ///
    /// Every driver setting counts: power, selectors, amplifiers, pin control, EAPD, digital
    /// enables. A converter with several routes to a pin appears once for each gain. A converter
    /// with one audible side appears too.
    #[must_use]
    pub fn audible(&self, codec: usize) -> Vec<Heard> {
        self.with_graph(codec, |graph| {
            let heard = graph.arrived(WidgetKind::Pin).into_iter().filter_map(|arrived| {
                let (tag, channel) = graph.stream_of(arrived.way.from)?;
                Some(Heard {
                    pin: arrived.to,
                    converter: arrived.way.from,
                    tag,
                    channel,
                    gain_quarter_db: arrived.gain_quarter_db(),
                    left_quarter_db: arrived.way.sides.left,
                    right_quarter_db: arrived.way.sides.right,
                })
            });
            heard.collect()
        })
    }

    /// The input pins that converters with a stream record, ordered by converter. The same
    /// settings count.
    #[must_use]
    pub fn recorded(&self, codec: usize) -> Vec<Recorded> {
        self.with_graph(codec, |graph| {
            let recorded = graph.arrived(WidgetKind::Input).into_iter().filter_map(|arrived| {
                let (tag, channel) = graph.stream_of(arrived.to)?;
                let pin = graph.widgets.get(&arrived.way.from).filter(|from| from.kind == WidgetKind::Pin)?;
                Some(Recorded {
                    converter: arrived.to,
                    pin: arrived.way.from,
                    tag,
                    channel,
                    gain_quarter_db: arrived.gain_quarter_db(),
                    left_quarter_db: arrived.way.sides.left,
                    right_quarter_db: arrived.way.sides.right,
                    vref: pin.pin_control & 7,
                })
            });
            recorded.collect()
        })
    }

    /// Sound that passes from inputs to outputs, or back, inside a codec.
    /// A driver that plays and records should cause none.
    #[must_use]
    pub fn looped_back(&self, codec: usize) -> Vec<LoopedBack> {
        self.with_graph(codec, |graph| {
            let is = |node: u8, kind| graph.widgets.get(&node).is_some_and(|widget| widget.kind == kind);
            let played = graph.arrived(WidgetKind::Pin).into_iter();
            let played = played.filter(|arrived| !is(arrived.way.from, WidgetKind::Output));
            let recorded = graph.arrived(WidgetKind::Input).into_iter().filter(|arrived| {
                let from = arrived.way.from;
                let plays = !is(from, WidgetKind::Output) || graph.stream_of(from).is_some();
                graph.stream_of(arrived.to).is_some() && plays && !is(from, WidgetKind::Pin)
            });
            let looped = played.chain(recorded).map(|arrived| LoopedBack {
                to: arrived.to,
                from: arrived.way.from,
                gain_quarter_db: arrived.gain_quarter_db(),
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
    /// Everything that arrives at widgets of a kind.
    fn arrived(&self, kind: WidgetKind) -> Vec<Arrived> {
        let ends = self.widgets.iter().filter(|(_, widget)| widget.kind == kind);
        ends.flat_map(|(&to, _)| self.ways(to).into_iter().map(move |way| Arrived { to, way })).collect()
    }

    /// A converter's tag and lowest channel, if it has a stream.
    fn stream_of(&self, node: u8) -> Option<(u8, u8)> {
        let converter = self.widgets.get(&node)?.converter.as_ref()?;
        (converter.tag != 0).then_some((converter.tag, converter.channel))
    }
}
