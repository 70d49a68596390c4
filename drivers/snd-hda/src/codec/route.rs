//! A route: the way between a converter and a pin.

use core::fmt;

use heapless::Vec;

use super::graph::PATH_MAX;
use super::pin::{PinDevice, PinName};
use crate::dma::Direction;
use crate::spec::format::{Format, PcmCapabilities};
use crate::spec::parameters::AmplifierCapabilities;
use crate::spec::verbs::{CodecAddress, NodeId, amplifier};

/// Kinds of widgets that a route leads through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HopKind {
    Converter,
    Pin,
    Mixer,
    Selector,
}

/// A widget on a route, and how it has to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    pub(crate) node: NodeId,
    pub(crate) kind: HopKind,
    /// The input that the route comes through; none at the source.
    pub(crate) input: Option<u8>,
    /// How many inputs there are.
    pub(crate) inputs: u8,
    pub(crate) has_power_control: bool,
    /// Its amplifiers on the way; [`AmplifierCapabilities::NONE`] where there is none, or nothing of it can be set.
    pub(crate) input_amplifier: AmplifierCapabilities,
    pub(crate) output_amplifier: AmplifierCapabilities,
}

impl Hop {
    /// The widget's node.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

/// From the listener back to the source: pin first for output, converter first for input.
pub(crate) type Hops = Vec<Hop, PATH_MAX>;

/// A route's part in a surround group: pins that the board's maker put into one association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Which group of the codec.
    pub(crate) group: u8,
    /// Which two of the stream's channels, counted in pairs: 0 leads the group.
    pub(crate) place: u8,
}

/// A jack that says whether something is plugged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jack {
    pub(crate) is_unsolicited: bool,
    pub(crate) needs_trigger: bool,
    pub(crate) is_plugged: bool,
}

/// Volume and mute of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) mdb: i32,
    pub(crate) is_muted: bool,
}

/// Left and right.
pub(crate) type Levels = [Level; 2];

/// A route's connection to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) format: Format,
    pub(crate) tag: u8,
    /// The first of the stream's channels that the converter takes.
    pub(crate) channel: u8,
    /// The words that its stream takes in a link frame: none if the stream is another route's, which this one goes with.
    pub(crate) words: u32,
    /// The place of the route whose stream it is.
    pub(crate) owner: u8,
    /// It is the owner's because something was plugged into its jack.
    pub(crate) is_jack: bool,
    /// The place of the route whose jack has taken over from this one.
    pub(crate) moved_to: Option<u8>,
}

/// A way between a converter and a pin: what a stream needs to be heard, or to hear.
#[derive(Clone, Debug)]
pub struct Route {
    pub(crate) codec: CodecAddress,
    pub(crate) device: PinDevice,
    pub(crate) name: PinName,
    pub(crate) pcm: PcmCapabilities,
    /// Of the converter, not of its surround group.
    pub(crate) converter_channels: u8,
    pub(crate) delay_frames: u8,
    pub(crate) is_digital: bool,
    pub(crate) is_built_in: bool,
    /// A display's pin that can do DisplayPort and no HDMI.
    pub(crate) is_display_port: bool,
    pub(crate) pin_control: u8,
    pub(crate) has_eapd: bool,
    pub(crate) hops: Hops,
    pub(crate) converter: NodeId,
    pub(crate) pin: NodeId,
    /// Place among its codec's routes.
    pub(crate) order: u8,
    /// It has nothing in common with any other of this kind.
    pub(crate) is_alone: bool,
    pub(crate) pair: Option<Pair>,
    pub(crate) jack: Option<Jack>,
    pub(crate) levels: Levels,
    pub(crate) connection: Option<Connection>,
}

impl Route {
    /// The codec that it is in.
    pub fn codec(&self) -> CodecAddress {
        self.codec
    }

    /// Which way samples go.
    pub fn direction(&self) -> Direction {
        self.device.direction()
    }

    /// The device at the pin.
    pub fn device(&self) -> PinDevice {
        self.device
    }

    /// The name, for people, of the device at the pin. No other route of the controller has it.
    pub fn name(&self) -> PinName {
        self.name
    }

    /// The converter between link and analogue, or between link and digital line.
    pub fn converter(&self) -> NodeId {
        self.converter
    }

    /// The pin.
    pub fn pin(&self) -> NodeId {
        self.pin
    }

    /// The converter's formats. The first route of a surround group has the channels of all of them together. See
    /// [`Controller::supports`](crate::Controller::supports) for what the link adds.
    pub fn pcm(&self) -> PcmCapabilities {
        self.pcm
    }

    /// Frames that the converter holds between link and pin (7.3.4.6, "delay"); 0: it doesn't say.
    pub fn delay_frames(&self) -> u8 {
        self.delay_frames
    }

    /// All widgets on the way, from the one that listens back to the source.
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Whether it can be in use together with every other route of its direction of which this is said.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Whether something is plugged; `None`: the pin can't tell, or is built in.
    pub fn is_plugged(&self) -> Option<bool> {
        self.jack.map(|jack| jack.is_plugged)
    }

    /// Whether the pin says so by itself when something is plugged or unplugged. The others are looked at when a stream might move
    /// there, and [`is_plugged`](Self::is_plugged) is as it was then.
    pub fn tells_plugs(&self) -> bool {
        self.jack.is_some_and(|jack| jack.is_unsolicited)
    }

    /// Whether a stream is connected.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether both lead through a widget.
    pub(crate) fn shares_widget_with(&self, other: &Self) -> bool {
        self.codec == other.codec
            && self.hops.iter().any(|mine| other.hops.iter().any(|theirs| mine.node == theirs.node))
    }

    /// Whether more may be heard at its end than its own converter: a mixer on the way can't mute its other inputs.
    pub(crate) fn leaks(&self) -> bool {
        // An amplifier can tell so many inputs apart, and no more.
        let is_open = |hop: &Hop| {
            hop.inputs > amplifier::INPUTS_MAX || (hop.inputs > 1 && !hop.input_amplifier.can_mute())
        };
        self.hops.iter().any(|hop| hop.kind == HopKind::Mixer && is_open(hop))
    }

    /// Whether only one of both can be connected at a time: they have a converter or a pin in common, or they come to
    /// one widget by different inputs. A selector would have to choose twice; a mixer would let each be heard at the
    /// other's end.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.codec == other.codec
            && self.hops.iter().any(|mine| {
                other.hops.iter().any(|theirs| {
                    mine.node == theirs.node
                        && (matches!(mine.kind, HopKind::Converter | HopKind::Pin)
                            || mine.input != theirs.input)
                })
            })
    }
}

impl fmt::Display for Route {
    /// Name, place, the way as samples go, channels; and whether it has to take turns with another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: codec {}, pin {:#x}, path", self.name, self.codec.get(), self.pin.get())?;
        for hop in self.hops.iter().rev() {
            write!(f, " {:#x}", hop.node.get())?;
        }
        write!(f, ", {} channels", self.pcm.channels_max())?;
        if self.is_alone { Ok(()) } else { f.write_str(", takes turns") }
    }
}
