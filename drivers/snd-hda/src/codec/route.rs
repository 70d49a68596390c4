//! A route: the path between a converter and a pin.

use core::fmt;

use heapless::Vec;

use super::graph::PATH_MAX;
use super::pin::{PinDevice, PinName};
use crate::dma::Direction;
use crate::spec::format::{Format, PcmCapabilities};
use crate::spec::parameters::AmplifierCapabilities;
use crate::spec::verbs::{CodecAddress, NodeId, amplifier};

/// Kinds of widgets on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HopKind {
    Converter,
    Pin,
    Mixer,
    Selector,
}

/// A widget on a route, and its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    pub(crate) node: NodeId,
    pub(crate) kind: HopKind,
    /// The input that the route uses; none at the source.
    pub(crate) input: Option<u8>,
    /// Number of inputs.
    pub(crate) inputs: u8,
    pub(crate) has_power_control: bool,
    /// Its amplifiers on the route; [`AmplifierCapabilities::NONE`] if absent or fixed.
    pub(crate) input_amplifier: AmplifierCapabilities,
    pub(crate) output_amplifier: AmplifierCapabilities,
}

impl Hop {
    /// The widget's node.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

/// From sink to source: pin first for output, converter first for input.
pub(crate) type Hops = Vec<Hop, PATH_MAX>;

/// A route's part in a surround group: pins in one association of the board's maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The group's number in the codec.
    pub(crate) group: u8,
    /// The pair of stream channels: 0 leads the group.
    pub(crate) place: u8,
}

/// A jack that reports plugs.
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
    /// The first stream channel of the converter.
    pub(crate) channel: u8,
    /// The index of the route that owns the stream.
    pub(crate) owner: u8,
    /// The owner uses this route because of a plug in its jack.
    pub(crate) is_jack: bool,
    /// The index of the route whose jack took over from this one.
    pub(crate) moved_to: Option<u8>,
}

impl Connection {
    /// Words of its stream in a link frame: none for a follower of another route's stream.
    pub(crate) fn words(&self) -> u32 {
        if self.is_jack || self.channel != 0 { 0 } else { self.format.words_per_link_frame() }
    }
}

/// A path between a converter and a pin, for playback or capture.
#[derive(Clone, Debug)]
pub struct Route {
    pub(crate) codec: CodecAddress,
    pub(crate) device: PinDevice,
    pub(crate) name: PinName,
    pub(crate) pcm: PcmCapabilities,
    /// The converter's own, not the surround group's.
    pub(crate) converter_channels: u8,
    pub(crate) delay_frames: u8,
    pub(crate) is_digital: bool,
    pub(crate) is_built_in: bool,
    /// A display's pin with DisplayPort but no HDMI.
    pub(crate) is_display_port: bool,
    pub(crate) pin_control: u8,
    pub(crate) has_eapd: bool,
    pub(crate) hops: Hops,
    pub(crate) converter: NodeId,
    pub(crate) pin: NodeId,
    /// Index among its codec's routes.
    pub(crate) order: u8,
    /// It shares nothing with another such route.
    pub(crate) is_alone: bool,
    pub(crate) pair: Option<Pair>,
    pub(crate) jack: Option<Jack>,
    pub(crate) levels: Levels,
    pub(crate) connection: Option<Connection>,
}

impl Route {
    /// Its codec.
    pub fn codec(&self) -> CodecAddress {
        self.codec
    }

    /// Direction of the samples.
    pub fn direction(&self) -> Direction {
        self.device.direction()
    }

    /// The device at the pin.
    pub fn device(&self) -> PinDevice {
        self.device
    }

    /// The device's name for users, unique among the controller's routes.
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

    /// The converter's formats.
    ///
    /// The first route of a surround group has the channels of all its converters. For the link's
    /// limits see [`Controller::supports`](crate::Controller::supports).
    pub fn pcm(&self) -> PcmCapabilities {
        self.pcm
    }

    /// Frames that the converter holds between link and pin (7.3.4.6, "delay"); 0 if unknown.
    pub fn delay_frames(&self) -> u8 {
        self.delay_frames
    }

    /// All widgets on the path, from sink to source.
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Whether it can be in use together with all other such routes of its direction.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Whether something is plugged; `None` if the pin is built in or can't detect plugs.
    pub fn is_plugged(&self) -> Option<bool> {
        self.jack.map(|jack| jack.is_plugged)
    }

    /// Whether the pin reports plug changes by itself.
    ///
    /// The driver checks other pins only when a stream might move there;
    /// [`is_plugged`](Self::is_plugged) then keeps that state.
    pub fn tells_plugs(&self) -> bool {
        self.jack.is_some_and(|jack| jack.is_unsolicited)
    }

    /// Whether a stream is connected.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether both use a widget.
    pub(crate) fn shares_widget_with(&self, other: &Self) -> bool {
        self.codec == other.codec
            && self.hops.iter().any(|mine| other.hops.iter().any(|theirs| mine.node == theirs.node))
    }

    /// Whether other sources may sound at its end: a mixer on the path can't mute its other
    /// inputs.
    pub(crate) fn leaks(&self) -> bool {
        // An amplifier can address no more inputs than this.
        let is_open = |hop: &Hop| {
            hop.inputs > amplifier::INPUTS_MAX || (hop.inputs > 1 && !hop.input_amplifier.can_mute())
        };
        self.hops.iter().any(|hop| hop.kind == HopKind::Mixer && is_open(hop))
    }

    /// Whether only one of both can be connected at a time.
    ///
    /// They share a converter or a pin, or reach one widget by different inputs. A selector would
    /// have to choose twice. A mixer would let each sound at the other's end.
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
    /// Name, place, path in sample order, channels; and whether it has to take turns with another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: codec {}, pin {:#x}, path", self.name, self.codec.get(), self.pin.get())?;
        for hop in self.hops.iter().rev() {
            write!(f, " {:#x}", hop.node.get())?;
        }
        write!(f, ", {} channels", self.pcm.channels_max())?;
        if self.is_alone { Ok(()) } else { f.write_str(", takes turns") }
    }
}
