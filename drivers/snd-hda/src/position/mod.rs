//! Stream positions: in the buffer by the controller's counters, and at the link by its clock.
//!
//! ```text
//! LPIB or DMA position buffer --> counter.rs: bytes since START, never wrapped
//!                                     |
//! 24 MHz wall clock --------------> link.rs: frames at the link, at a wall clock tick, with a bound
//!                                     |      (cadence.rs: which link frame carries which frames)
//! the system's clock ------------> clock.rs: that tick in nanoseconds, and the length of a frame
//! ```
//!
//! This module only computes; it touches no hardware. A bound is never a guess. Each reading
//! limits the true value. The code intersects the limits and reports the middle of the rest.

mod bracket;
mod cadence;
mod clock;
mod counter;
mod link;
mod timed;

pub use bracket::Bracket;
pub use cadence::Cadence;
pub use clock::{ClockSpan, LinkClock};
pub use counter::Position;
pub(crate) use counter::{Reading, Tracker};
pub use link::{LinkCount, LinkSource, LinkTracker};
pub use timed::TimedCount;

/// Ticks of the wall clock in a link frame: 24 MHz by 48 kHz (specification 1.0a, 3.3.16 and 5.4.1).
pub const TICKS_PER_LINK_FRAME: u64 = 500;
