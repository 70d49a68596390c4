//! How much is mixed in one go, and how far ahead.

use hyper::Nanos;

use crate::layout::Layout;

/// The longest quantum, for long periods.
const LONGEST: Nanos = Nanos(10_000_000);

/// The quantum of voices that told no period.
const USUAL: Nanos = Nanos(5_000_000);

/// The shortest quantum in frames.
const SHORTEST_FRAMES: u64 = 64;

/// Ahead of a bus that starts, before its first look: more than a FIFO holds.
pub(crate) const FIRST_FETCH: Nanos = Nanos(2_000_000);

/// The span of a period; `None` for an unknown one.
pub(crate) fn period(period_frames: u32, rate_hz: u32) -> Option<Nanos> {
    let span_ns = u64::from(period_frames).saturating_mul(1_000_000_000).checked_div(rate_hz.into())?;
    Some(Nanos(span_ns)).filter(|span| span.0 > 0)
}

/// The quantum of a bus: half the shortest of its voices' periods.
pub(crate) fn quantum(bus: &Layout, periods: impl Iterator<Item = Option<Nanos>>) -> Nanos {
    let halves = periods.map(|period| period.map_or(USUAL, |period| Nanos(period.0 / 2)));
    let shortest =
        SHORTEST_FRAMES.saturating_mul(1_000_000_000).checked_div(bus.rate_hz.into()).map_or(USUAL, Nanos);
    halves.min().unwrap_or(LONGEST).clamp(shortest.min(LONGEST), LONGEST)
}
