//! Why bring-up, or connecting a route, failed: one enum an operation.

use core::fmt;

use crate::command::CommandError;
use crate::deadline::Deadline;
use crate::kind::ErrorKind;

/// Why a controller couldn't be brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BringUpError {
    /// Every register reads as ones: the controller is absent or asleep.
    NoController,
    /// The link's reset didn't end.
    Reset(Deadline),
    /// No codec made itself known (STATESTS reads 0).
    NoCodec,
    /// It has no stream descriptor.
    NoStream,
    /// No DMA memory for this.
    NoMemory(&'static str),
    /// DMA memory beyond what the controller reaches: 4 GiB, or what its traits say.
    MemoryTooHigh {
        /// Its address.
        address: u64,
    },
    /// A codec didn't answer, and no other has a route.
    NoAnswer(CommandError),
    /// Codecs answered, but there is no way from a converter to a pin.
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

/// Why a converter couldn't be connected to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConnectError {
    /// There is no such route.
    NoSuchRoute,
    /// The route leads the other way.
    WrongDirection,
    /// The converter can't do the format, or the link can't carry it.
    Unsupported,
    /// The route, or a part of it, is in use.
    Taken,
    /// All streams together would take more than a link frame has room for (OUTPAY, INPAY).
    NoBandwidth {
        /// 16-bit words in a link frame that there are.
        available_words: u32,
        /// That there would have to be.
        needed_words: u32,
    },
    /// The codec didn't answer.
    Command(CommandError),
}

impl ConnectError {
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
