//! Driver for Intel High Definition Audio controllers and their codecs.
//!
//! It is for kernels, hypervisors and drivers in user space: no `std`, no heap, no `unsafe`, no thread, no interrupt
//! handler. A platform gives it three things: [`Registers`] to reach the controller (BAR 0), [`DmaMemory`] for its rings
//! and lists, and a delay ([`embedded_hal::delay::DelayNs`]). Samples never pass through it: a stream plays from, or
//! records into, pages that the caller names by their device addresses ([`DmaBuffer`]).
//!
//! # From reset to sound
//!
//! 1. [`Controller::bring_up`] resets the link, asks every codec what it has, and finds [`Route`]s: ways between a
//!    converter and a pin that something is connected to. Whatever is missing has an error of its own.
//! 2. [`Controller::take_stream`] hands out a stream descriptor: a [`Stream`] in state [`Reset`](stream::Reset).
//! 3. [`configure`](Stream::configure) gives it a [`Format`] and a buffer. From here on the stream owns the buffer.
//! 4. [`Controller::connect`] opens a route and makes its converter listen.
//! 5. [`start`](Stream::start), or [`start_together`](stream::start_together) for several in the same link frame.
//! 6. [`poll`](Stream::poll), at least once a buffer: where the stream is, and what went wrong.
//! 7. [`stop`](Stream::stop) and [`release`](Stream::release): the buffer comes back when RUN has read back 0, not before.
//! 8. [`Controller::disconnect`] and [`Controller::give_back`].
//!
//! ```
//! use snd_hda::{Controller, Direction, DmaBuffer, Format, RouteIndex, SampleBits};
//! # use snd_hda_model::{Bench, Codec, DmaAccess, Profile};
//!
//! /// Two pages, anywhere in memory.
//! struct Pages([u64; 2]);
//! impl DmaBuffer for Pages {
//!     fn page_addresses(&self) -> &[u64] { &self.0 }
//!     fn size_bytes(&self) -> u32 { 8192 }
//! }
//!
//! # let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
//! # let (registers, mut memory, delay) = (model.registers(), model.memory(), model.delay());
//! # let pages = [memory.allocate_page().0, memory.allocate_page().0];
//! # pages.map(|page| memory.allow_dma(page, DmaAccess::Read));
//! let mut controller = Controller::bring_up(registers, &mut memory, delay)?;
//! let route = RouteIndex(0); // outputs come first
//! let format = Format::new(48_000, SampleBits::Bits16, 2)?;
//! assert!(controller.supports(route, format));
//!
//! let stream = controller.take_stream(Direction::Output).ok_or("every stream descriptor is taken")?;
//! let stream = stream.configure(format, Pages(pages)).map_err(|rejected| rejected.error)?;
//! controller.connect(route, &stream)?;
//! let mut stream = stream.start().map_err(|refused| refused.deadline)?;
//! # model.advance_ns(10_000_000);
//! let status = stream.poll();
//! assert!(status.position.bytes > 0 && status.fifo_errors == 0);
//!
//! let (stream, last) = stream.stop().map_err(|still_running| still_running.deadline)?;
//! let (stream, _pages) = stream.release().map_err(|still_running| still_running.deadline)?;
//! controller.disconnect(route)?;
//! controller.give_back(stream);
//! # assert!(last.position.bytes >= status.position.bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds, whatever hardware does
//!
//! - **Every wait is bounded**, and its error, a [`Deadline`], names the register, what was waited for and what was read.
//! - **Nothing that a codec says is trusted.** Counts, lists and capabilities are bounded and judged; no answer leads to
//!   a panic or an endless loop.
//! - **Memory stays where DMA may go.** The buffer of a stream whose RUN sticks stays with it
//!   ([`StillRunning`](stream::StillRunning)); if that is dropped, the buffer is leaked rather than freed.
//! - **A position never goes back** and is never further ahead than the wall clock allows, plus a stated slack.
//! - **After bring-up nothing is allocated.**
//!
//! # Interrupts
//!
//! The driver works without. Periods are no interrupts here: the link clock says when one ends. What can't be foreseen,
//! unsolicited responses and stream errors, raises an interrupt; the platform calls [`Controller::handle_interrupt`] when
//! it suits, from a thread or a loop.
//!
//! # Loss of power
//!
//! After suspend to RAM, or whatever else has made controller and codecs forget everything, [`Controller::restore`] makes
//! routes what they were, and streams can go on.
//!
//! # What isn't here yet
//!
//! Stripes over several output lines, 384 kHz (the format word can't say it).
//!
//! # Sources
//!
//! Numbers in parentheses are sections of the High Definition Audio Specification, revision 1.0a (Intel, 2010).
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
mod patchbay;
pub mod position;
pub mod registers;
mod reset;
mod sort;
pub mod spec;
pub mod stream;
mod traits;

pub use codec::{Codec, GainRange, MAX_ROUTES, Route};
pub use command::{CommandError, Unsolicited};
pub use controller::{Controller, InterruptReport};
pub use deadline::Deadline;
pub use dma::{Direction, DmaBuffer, DmaMemory, DmaRegion};
pub use error::{BringUpError, ConnectError};
pub use patchbay::{JackPolicy, RouteIndex};
pub use position::{LinkClock, LinkCount, Position};
pub use registers::Registers;
pub use spec::format::{Format, FormatError, PcmCapabilities, Rate, SampleBits};
pub use spec::verbs::{CodecAddress, NodeId, Verb};
pub use stream::Stream;
pub use traits::{ControllerTraits, SyncRegister};

/// Pages in the largest buffer: one descriptor each, of which a list has 256 at most (specification 1.0a, 3.3.39).
pub const MAX_BUFFER_PAGES: usize = stream::LIST_ENTRIES_MAX;
