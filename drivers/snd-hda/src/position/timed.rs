//! A place at the link with a time of the system's clock, for publication.

use super::cadence::Cadence;
use super::clock::LinkClock;
use super::link::LinkCount;

/// Fraction of a tick that is the unit of time.
const TICK_PARTS: u64 = 256;

/// Half a link frame. Within it the count leaves the straight line by at most half of the
/// cadence's ripple, which the error already includes.
const FOLLOWED_NS: u64 = 1_000_000_000 / 2 / 48_000;

/// A frame at the link, and its time in nanoseconds of the system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TimedCount {
    /// See [`LinkCount::frames`].
    pub frames: u64,
    /// The frame's time.
    pub time_ns: u64,
    /// The length of a frame, with 32 fractional bits.
    pub ns_per_frame_q32: u64,
    /// Half width of the window around `time_ns`. It also holds for predictions until the next
    /// poll within 100 ms.
    pub error_ns: u64,
    /// Ticks from the start of a period of the stream's cadence to `time_ns`, if known within half
    /// a link frame.
    ///
    /// A reader that follows the cadence from there stays within `error_ns`. Its error is that of
    /// the clocks, without the cadence's.
    pub cadence_ticks: Option<u64>,
    /// The counter keeps to the clock, and the error is at most a frame.
    ///
    /// If the cadence alone exceeds that, the limit is half of the ripple and a quarter of a
    /// frame.
    pub is_locked: bool,
}

impl TimedCount {
    /// Converts `count` to the time of `clock`, whose wall clock is `shift` ahead of the count's:
    /// a multiple of 2^32 ticks.
    ///
    /// `None` if the clock has never been read.
    pub fn new(count: &LinkCount, cadence: Cadence, clock: &LinkClock, shift: u64) -> Option<Self> {
        let tick_parts = count.tick_parts.wrapping_add(shift.wrapping_mul(TICK_PARTS));
        let span = clock.span_of(tick_parts)?;
        let tick_q32 = clock.ns_per_tick_q32();
        // 2^38 and 2^21: within 64 bits.
        let frame = tick_q32.saturating_mul(cadence.parts_per_frame());
        let ns_per_frame_q32 = frame.checked_div(cadence.parts_per_tick()).unwrap_or(0);
        let clock_error_ns = span.half_width_ns().saturating_add(clock.error_ahead_ns());
        let error_ns = ns_of_ticks(count.error_ticks, tick_q32).saturating_add(clock_error_ns);
        let frame_ns = ns_per_frame_q32 >> 32;
        let allowed_ns = frame_ns.max(ns_of_ticks(count.ripple_ticks, tick_q32).saturating_add(frame_ns / 4));
        Some(Self {
            frames: count.frames,
            time_ns: span.middle_ns(),
            ns_per_frame_q32,
            error_ns,
            cadence_ticks: count
                .cadence_ticks
                .filter(|_| clock_error_ns <= FOLLOWED_NS)
                .and_then(|ticks| ticks.checked_rem(cadence.period_ticks())),
            is_locked: count.is_held && error_ns <= allowed_ns,
        })
    }
}

/// Nanoseconds in `ticks`, rounded up.
fn ns_of_ticks(ticks: u64, tick_q32: u64) -> u64 {
    // 2^25 and 2^38: within 64 bits. That is more than a second, the limit of distinct errors.
    let ticks = ticks.min(1 << 25);
    (ticks.saturating_mul(tick_q32) >> 32).saturating_add(1)
}
