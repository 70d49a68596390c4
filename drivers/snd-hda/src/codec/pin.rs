//! Pins: the board maker's defaults (specification 1.0a, 7.3.3.31), and names for users.

use core::fmt;

use super::graph::Widget;
use crate::dma::Direction;
use crate::spec::parameters::{ConfigurationDefault, Connectivity};

/// The device at a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PinDevice {
    /// Line out.
    LineOut,
    /// Loudspeaker; a built-in line out counts as one.
    Speaker,
    /// Headphones.
    Headphone,
    /// S/PDIF, or another digital output.
    SpdifOut,
    /// HDMI or DisplayPort.
    Display,
    /// Microphone, analogue or digital.
    Microphone,
    /// Line in.
    LineIn,
    /// Auxiliary input.
    Aux,
    /// CD.
    Cd,
    /// Telephone.
    Telephone,
    /// S/PDIF input.
    SpdifIn,
    /// Another digital input.
    DigitalIn,
}

impl PinDevice {
    /// The device that a pin's defaults name.
    ///
    /// # Errors
    /// Why this driver can't serve the pin.
    pub(crate) fn of(pin: &Widget) -> Result<Self, Unserved> {
        let configuration = pin.configuration;
        if configuration.connectivity() == Connectivity::None {
            return Err(Unserved::NotConnected);
        }
        let location = Location::of(configuration);
        let device = match configuration.device() {
            0x0 if location == Location::Internal => Self::Speaker,
            0x0 => Self::LineOut,
            0x1 => Self::Speaker,
            0x2 => Self::Headphone,
            0x4 | 0x5 if pin.pin.is_display() => Self::Display,
            0x4 | 0x5 => Self::SpdifOut,
            0x3 => Self::Cd,
            0x8 => Self::LineIn,
            0x9 => Self::Aux,
            0xa => Self::Microphone,
            0xb => Self::Telephone,
            0xc => Self::SpdifIn,
            0xd => Self::DigitalIn,
            code => return Err(Unserved::OtherDevice(code)),
        };
        let is_able = match device.direction() {
            Direction::Output => pin.pin.is_output(),
            Direction::Input => pin.pin.is_input(),
        };
        if is_able { Ok(device) } else { Err(Unserved::WrongWay(device)) }
    }

    /// Direction of the samples.
    pub const fn direction(self) -> Direction {
        match self {
            Self::LineOut | Self::Speaker | Self::Headphone | Self::SpdifOut | Self::Display => {
                Direction::Output
            }
            _ => Direction::Input,
        }
    }

    /// A name for users.
    pub const fn name(self) -> &'static str {
        self.names().0
    }

    /// A name for programs: a fixed word.
    pub const fn kind(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::LineOut => ("Line Out", "line_out"),
            Self::Speaker => ("Speaker", "speaker"),
            Self::Headphone => ("Headphone", "headphone"),
            Self::SpdifOut => ("SPDIF Out", "spdif_out"),
            Self::Display => ("HDMI/DP", "hdmi"),
            Self::Microphone => ("Microphone", "microphone"),
            Self::LineIn => ("Line In", "line_in"),
            Self::Aux => ("Aux", "aux"),
            Self::Cd => ("CD", "cd"),
            Self::Telephone => ("Telephone", "telephone"),
            Self::SpdifIn => ("SPDIF In", "spdif_in"),
            Self::DigitalIn => ("Digital In", "digital_in"),
        }
    }
}

/// Why a pin has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Unserved {
    /// Its defaults say that it isn't connected.
    NotConnected,
    /// Its default device is a modem's, reserved, or "other": the code (7.3.3.31, table 109).
    OtherDevice(u8),
    /// Its capabilities contradict the device in its defaults.
    WrongWay(PinDevice),
    /// Its connection list is empty. Some processors' graphics codecs report this for disabled
    /// pins.
    NoConnections(PinDevice),
    /// No path to a converter: the lists lead elsewhere or in circles.
    NoPath(PinDevice),
    /// More routes than fit.
    TooMany(PinDevice),
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, reason) = match self {
            Self::NotConnected => return f.write_str("nothing is connected"),
            Self::OtherDevice(code) => return write!(f, "default device {code:#x} is no output or input"),
            Self::WrongWay(device) => (device, "the pin's capabilities say that it can't be one"),
            Self::NoConnections(device) => (device, "its connection list is empty"),
            Self::NoPath(device) => (device, "connection lists lead to no converter"),
            Self::TooMany(device) => (device, "more routes than there is room for"),
        };
        write!(f, "{}: {reason}", device.name())
    }
}

/// Location of a pin's jack, as used in names (7.3.3.31, "location" and "port connectivity").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Location {
    /// Built in.
    Internal,
    /// On a docking station, which is a separate chassis.
    Dock,
    /// At the back.
    Rear,
    /// At the front.
    Front,
    /// Anywhere else.
    Elsewhere,
}

impl Location {
    pub(crate) fn of(configuration: ConfigurationDefault) -> Self {
        let location = configuration.location();
        if matches!(configuration.connectivity(), Connectivity::Fixed | Connectivity::Both) {
            return Self::Internal;
        }
        match (location >> 4, location & 0xf) {
            (1, _) => Self::Internal,
            (2, _) => Self::Dock,
            (0, 1) => Self::Rear,
            (0, 2) => Self::Front,
            _ => Self::Elsewhere,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Internal => "Internal ",
            Self::Dock => "Dock ",
            Self::Rear => "Rear ",
            Self::Front => "Front ",
            Self::Elsewhere => "",
        }
    }
}

/// Positions in a surround group: stereo pairs in stream order, front first.
const PAIRS: [&str; 4] = [" Front", " Surround", " CLFE", " Side"];

/// A user's name for the jack, speaker or microphone, unique on the card.
///
/// It has a location, a device, a pair in a surround group, and a number from the second of that
/// name on: `Rear Line Out`, `Internal Microphone`, `Line Out Surround`, `HDMI/DP 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PinName {
    pub(crate) location: Location,
    pub(crate) device: PinDevice,
    /// The pair in a surround group.
    pub(crate) pair: Option<u8>,
    /// From 1.
    pub(crate) number: u8,
}

impl PinName {
    /// The name of a pin outside of surround groups.
    ///
    /// It includes a location only if that helps. A speaker is clearly built in, and a jack's side
    /// says little.
    pub(crate) fn new(location: Location, device: PinDevice) -> Self {
        let is_said = match device {
            PinDevice::Microphone | PinDevice::LineOut => true,
            PinDevice::LineIn => location != Location::Rear && location != Location::Front,
            PinDevice::Headphone => location != Location::Internal && location != Location::Rear,
            _ => location == Location::Dock,
        };
        Self { location: if is_said { location } else { Location::Elsewhere }, device, pair: None, number: 1 }
    }

    /// Whether both differ only in their number.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        Self { number: 1, ..*self } == Self { number: 1, ..*other }
    }
}

impl fmt::Display for PinName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = self.pair.and_then(|pair| PAIRS.get(usize::from(pair)));
        write!(f, "{}{}{}", self.location.name(), self.device.name(), pair.unwrap_or(&""))?;
        if self.number > 1 { write!(f, " {}", self.number) } else { Ok(()) }
    }
}
