#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

#[cfg(test)]
extern crate std;

mod capabilities;
pub mod codec;
mod command;
mod controller;
mod deadline;
pub mod dma;
mod error;
mod interrupt;
mod kind;
mod patchbay;
pub mod position;
pub mod registers;
mod reset;
pub mod spec;
pub mod stream;
mod timer;
mod traits;

pub use codec::{Codec, GainRange, MAX_ROUTES, Route};
pub use command::{CommandError, NoResponse, Unsolicited};
pub use controller::Controller;
pub use deadline::Deadline;
pub use dma::{Direction, DmaBuffer, DmaMemory, DmaRegion};
pub use error::{BringUpError, ConnectError};
pub use interrupt::InterruptReport;
pub use kind::ErrorKind;
pub use patchbay::{JackPolicy, RouteIndex};
pub use position::{LinkClock, LinkCount, Position};
pub use registers::Registers;
pub use reset::{InReset, cut_off, hold_in_reset};
pub use spec::format::{Format, FormatError, PcmCapabilities, Rate, SampleBits};
pub use spec::verbs::{CodecAddress, NodeId, Verb};
pub use stream::Stream;
pub use timer::Timer;
pub use traits::{ControllerTraits, SyncRegister};

/// Pages in the largest buffer. Each takes one of a list's 256 descriptors (specification 1.0a,
/// 3.3.39).
pub const MAX_BUFFER_PAGES: usize = stream::LIST_ENTRIES_MAX;
