//! A route: the way between a converter and a pin.

use heapless::Vec;

use super::graph::PATH_MAX;
use crate::dma::Direction;
use crate::spec::format::PcmCapabilities;
use crate::spec::verbs::{CodecAddress, NodeId};

/// What the board's maker says is at a pin (specification 1.0a, 7.3.3.31, "default device").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinDevice {
    /// Line out.
    LineOut,
    /// Loudspeaker.
    Speaker,
    /// Headphones.
    Headphones,
    /// S/PDIF or another digital output.
    DigitalOut,
    /// Line in.
    LineIn,
    /// Microphone.
    Microphone,
    /// CD, auxiliary input or telephone.
    OtherIn,
    /// S/PDIF or another digital input.
    DigitalIn,
}

impl PinDevice {
    /// From the field's code; `None` for modems and what isn't defined.
    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0x0 => Self::LineOut,
            0x1 => Self::Speaker,
            0x2 => Self::Headphones,
            0x4 | 0x5 => Self::DigitalOut,
            0x3 | 0x9 | 0xb => Self::OtherIn,
            0x8 => Self::LineIn,
            0xa => Self::Microphone,
            0xc | 0xd => Self::DigitalIn,
            _ => return None,
        })
    }

    /// Which way samples go.
    pub const fn direction(self) -> Direction {
        match self {
            Self::LineOut | Self::Speaker | Self::Headphones | Self::DigitalOut => Direction::Output,
            Self::LineIn | Self::Microphone | Self::OtherIn | Self::DigitalIn => Direction::Input,
        }
    }

    /// For the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LineOut => "line out",
            Self::Speaker => "speaker",
            Self::Headphones => "headphones",
            Self::DigitalOut => "digital out",
            Self::LineIn => "line in",
            Self::Microphone => "microphone",
            Self::OtherIn => "other in",
            Self::DigitalIn => "digital in",
        }
    }
}

/// What kind of widget a route leads through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HopKind {
    Converter,
    Pin,
    Mixer,
    Selector,
}

/// An amplifier's step for 0 dB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnityStep(pub(crate) u8);

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
    pub(crate) input_amplifier: Option<UnityStep>,
    pub(crate) output_amplifier: Option<UnityStep>,
}

impl Hop {
    /// The widget's node.
    pub fn node(&self) -> NodeId {
        self.node
    }
}

/// A way between a converter and a pin: what a stream needs to be heard, or to hear.
#[derive(Clone, Debug)]
pub struct Route {
    pub(crate) codec: CodecAddress,
    pub(crate) device: PinDevice,
    pub(crate) pcm: PcmCapabilities,
    pub(crate) delay_frames: u8,
    pub(crate) is_digital: bool,
    pub(crate) pin_control: u8,
    pub(crate) has_eapd: bool,
    /// From the listener back to the source: pin first for output, converter first for input.
    pub(crate) hops: Vec<Hop, PATH_MAX>,
    pub(crate) converter: NodeId,
    pub(crate) pin: NodeId,
    /// Place among its codec's routes.
    pub(crate) order: u8,
    /// While a stream is connected: the words that it takes in a link frame.
    pub(crate) connected_words: Option<u32>,
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

    /// What is at the pin.
    pub fn device(&self) -> PinDevice {
        self.device
    }

    /// The converter between link and analogue, or between link and digital line.
    pub fn converter(&self) -> NodeId {
        self.converter
    }

    /// The pin.
    pub fn pin(&self) -> NodeId {
        self.pin
    }

    /// What the converter can do. See [`Controller::supports`](crate::Controller::supports) for what the link adds.
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

    /// Whether a stream is connected.
    pub fn is_connected(&self) -> bool {
        self.connected_words.is_some()
    }

    /// Whether what this route's converter plays can be heard at the pin of `other`.
    pub(crate) fn is_heard_by(&self, other: &Self) -> bool {
        self.direction() == Direction::Output
            && self.codec == other.codec
            && self.converter == other.converter
            && self.pin != other.pin
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
