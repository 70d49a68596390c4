//! When something happened, by the wall clock.

use super::TICKS_PER_LINK_FRAME;

/// Time that must be left of a link frame when a write begins that has to fall into it: 8 us.
const SPARE_TICKS: u64 = 200;
/// How long a write is under way to the controller at the most, when the processor has gone on already: 2 us. A write of PCI Express is
/// posted, and takes a fraction of that.
const POSTED_TICKS: u64 = 48;

/// Two readings of the wall clock, extended to 64 bits, between which something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bracket {
    /// The wall clock before.
    pub before: u64,
    /// The wall clock after.
    pub after: u64,
}

impl Bracket {
    /// The link frame boundaries between which the first after it is: specification 1.0a, 3.3.17 and 4.5.3.
    pub(super) fn next_link_frames(self, is_on_grid: bool) -> (u64, u64) {
        if !is_on_grid {
            return (self.before, self.after.saturating_add(TICKS_PER_LINK_FRAME));
        }
        let next = |ticks: u64| {
            (ticks / TICKS_PER_LINK_FRAME).saturating_add(1).saturating_mul(TICKS_PER_LINK_FRAME)
        };
        (next(self.before), next(self.after))
    }

    /// Ticks to wait, if this is what the wall clock reads now, until a write is sure to take effect with the very next link frame.
    /// 0: it is now, as far as can be told.
    pub fn ticks_until_early(self) -> u64 {
        let into = self.before % TICKS_PER_LINK_FRAME;
        let latest = into.saturating_add(self.after.saturating_sub(self.before)).saturating_add(SPARE_TICKS);
        if latest < TICKS_PER_LINK_FRAME { 0 } else { TICKS_PER_LINK_FRAME.saturating_sub(into) }
    }

    /// Cut down by what a clock told right before a write and right after it, with the time that the write is under way.
    /// Stays as it is where they contradict each other.
    pub fn around_write(self, before: Self, after: Self) -> Self {
        let both = Self {
            before: self.before.max(before.before),
            after: self.after.min(after.after.saturating_add(POSTED_TICKS)),
        };
        if both.before <= both.after { both } else { self }
    }
}
