//! Bounds of an event's time by the wall clock.

use super::TICKS_PER_LINK_FRAME;

/// Time that must remain in a link frame when a write must fall into it: 8 us.
const SPARE_TICKS: u64 = 200;
/// Longest time that a write travels to the controller after the processor has moved on: 2 us. PCI
/// Express writes are posted, and take a fraction of that.
const POSTED_TICKS: u64 = 48;

/// Two readings of the wall clock, extended to 64 bits, around an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bracket {
    /// The wall clock before.
    pub before: u64,
    /// The wall clock after.
    pub after: u64,
}

impl Bracket {
    /// Bounds of the first link frame boundary after the event: specification 1.0a, 3.3.17 and
    /// 4.5.3.
    pub(super) fn next_link_frames(self, is_on_grid: bool) -> (u64, u64) {
        if !is_on_grid {
            return (self.before, self.after.saturating_add(TICKS_PER_LINK_FRAME));
        }
        let next = |ticks: u64| {
            (ticks / TICKS_PER_LINK_FRAME).saturating_add(1).saturating_mul(TICKS_PER_LINK_FRAME)
        };
        (next(self.before), next(self.after))
    }

    /// Ticks to wait, at this wall clock reading, until a write surely takes effect with the next
    /// link frame, and this is one of each `every` link frames, counted from 0.
    ///
    /// 0: now, as far as is known.
    pub fn ticks_until_early(self, every: u64) -> u64 {
        let period = every.max(1).saturating_mul(TICKS_PER_LINK_FRAME);
        // From the link frame before one that is wanted.
        let into = self.before.saturating_add(TICKS_PER_LINK_FRAME).checked_rem(period).unwrap_or(0);
        let latest = into.saturating_add(self.after.saturating_sub(self.before)).saturating_add(SPARE_TICKS);
        if latest < TICKS_PER_LINK_FRAME { 0 } else { period.saturating_sub(into) }
    }

    /// Narrows the bounds by a clock's readings right before and after a write, with the write's
    /// travel time.
    ///
    /// Contradictory readings change nothing.
    pub fn around_write(self, before: Self, after: Self) -> Self {
        let both = Self {
            before: self.before.max(before.before),
            after: self.after.min(after.after.saturating_add(POSTED_TICKS)),
        };
        if both.before <= both.after { both } else { self }
    }
}
