//! Driver for Intel High Definition Audio controllers and their codecs.
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

pub mod codec;
mod command;
mod controller;
mod deadline;
pub mod dma;
mod position;
pub mod registers;
pub mod spec;
pub mod stream;

pub use codec::{Codec, Route};
pub use command::{CommandError, Unsolicited};
pub use controller::{BringUpError, ConnectError, Controller, InterruptReport, RouteIndex};
pub use deadline::Deadline;
pub use dma::{Direction, DmaBuffer, DmaMemory, DmaRegion};
pub use position::Position;
pub use registers::Registers;
pub use spec::format::{Format, FormatError, PcmCapabilities, Rate, SampleBits};
pub use spec::verbs::{CodecAddress, NodeId, Verb};
pub use stream::Stream;

/// Routes of all codecs together.
pub const MAX_ROUTES: usize = 24;

/// Pages in the largest buffer: one descriptor each, of which a list has 256 at most (specification 1.0a, 3.3.39).
pub const MAX_BUFFER_PAGES: usize = stream::LIST_ENTRIES_MAX;
