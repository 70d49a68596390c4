//! Errors of bring-up and of connecting a route: one enum for each operation.

use core::fmt;

use crate::command::{CommandError, NoResponse};
use crate::deadline::Deadline;
use crate::kind::ErrorKind;

/// Why bring-up failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BringUpError {
    /// Every register reads as ones: the controller is absent or asleep.
    NoController,
    /// The link's reset didn't end.
    Reset(Deadline),
    /// No codec reported its presence (STATESTS reads 0).
    NoCodec,
    /// The controller has no stream descriptor.
    NoStream,
    /// No DMA memory for this structure.
    NoMemory(&'static str),
    /// DMA memory beyond the controller's reach: 4 GiB, or the limit in its traits.
    MemoryTooHigh {
        /// Its address.
        address: u64,
    },
    /// A codec didn't answer, and no other has a route.
    NoAnswer(CommandError),
    /// Codecs answered, but no path joins a converter to a pin.
    NoRoute,
}

impl BringUpError {
    /// The kind of failure.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NoController | Self::NoCodec | Self::NoStream | Self::NoRoute => ErrorKind::Missing,
            Self::Reset(_) | Self::NoAnswer(_) => ErrorKind::Timeout,
            Self::NoMemory(_) | Self::MemoryTooHigh { .. } => ErrorKind::Memory,
        }
    }
}

impl fmt::Display for BringUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoController => f.write_str("no controller: GCAP reads as ones"),
            Self::Reset(deadline) => write!(f, "link reset did not end: {deadline}"),
            Self::NoCodec => f.write_str("no codec on the link: STATESTS reads 0"),
            Self::NoStream => f.write_str("no stream descriptor: GCAP names none"),
            Self::NoMemory(what) => write!(f, "no DMA memory for the {what}"),
            Self::MemoryTooHigh { address } => {
                write!(f, "DMA memory at {address:#x} is beyond the controller's reach")
            }
            Self::NoAnswer(error) => error.fmt(f),
            Self::NoRoute => f.write_str("no route: no codec has a way between a converter and a pin"),
        }
    }
}

impl core::error::Error for BringUpError {}

/// Why a converter didn't connect to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConnectError {
    /// The route doesn't exist.
    NoSuchRoute,
    /// The route has the other direction.
    WrongDirection,
    /// The converter doesn't support the format, or the link can't carry it.
    Unsupported,
    /// The route, or a part of it, is in use.
    Taken,
    /// All streams together would exceed a link frame (OUTPAY, INPAY).
    NoBandwidth {
        /// 16-bit words available in a link frame.
        available_words: u32,
        /// 16-bit words needed.
        needed_words: u32,
    },
    /// The codec didn't answer.
    Command(CommandError),
}

impl ConnectError {
    /// Whether nothing was sent, because the codec has missed an answer a short time ago.
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::Command(CommandError { cause: NoResponse::Absent { .. }, .. }))
    }

    /// The kind of failure.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchRoute | Self::WrongDirection => ErrorKind::Invalid,
            Self::Unsupported => ErrorKind::Unsupported,
            Self::Taken | Self::NoBandwidth { .. } => ErrorKind::Busy,
            Self::Command(_) => ErrorKind::Timeout,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchRoute => f.write_str("no such route"),
            Self::WrongDirection => f.write_str("route leads the other way"),
            Self::Unsupported => f.write_str("format is not supported"),
            Self::Taken => f.write_str("route is taken"),
            Self::NoBandwidth { available_words, needed_words } => {
                write!(f, "link has {available_words} words a frame, {needed_words} needed")
            }
            Self::Command(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConnectError {}

impl From<CommandError> for ConnectError {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}
