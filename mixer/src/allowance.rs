//! What a bus is mixed ahead beyond its quantum: as much as the hardware needed lately.
//!
//! Between two turns the hardware may fetch more than a quantum: the turn came late, or the hardware fetches in large steps.
//! Nobody knows beforehand how late turns come on a machine. So a bus begins with the largest allowance, and after a window of
//! time it follows what was measured.

use hyper::Nanos;

/// The span over which the largest excess is kept, at least. It is kept for two of them at most.
const WINDOW: Nanos = Nanos(20_000_000_000);

/// The smallest allowance.
const LEAST: Nanos = Nanos(1_000_000);

/// The allowance of one bus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    limit: Nanos,
    /// The largest excess in the window before, and in this one.
    before: Nanos,
    now: Nanos,
    /// The end of this window. `None`: there was no turn yet.
    ends: Option<Nanos>,
}

impl Allowance {
    /// The largest allowance, as nothing is known yet.
    pub(crate) fn new(limit: Nanos) -> Self {
        Self { limit, before: limit, now: Nanos(0), ends: None }
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Notes how much more than a quantum the hardware fetched between two turns.
    pub(crate) fn note(&mut self, excess: Nanos) {
        self.now = self.now.max(excess);
    }

    /// Notes that the allowance was too small. The largest one holds for a window or two.
    pub(crate) fn note_late(&mut self) {
        self.now = self.limit;
    }

    /// Notes the time of a turn. Windows end by it.
    pub(crate) fn turn(&mut self, at: Nanos) {
        let next = Nanos(at.0.saturating_add(WINDOW.0));
        if *self.ends.get_or_insert(next) <= at {
            self.ends = Some(next);
            self.before = core::mem::take(&mut self.now);
        }
    }

    /// Half as much again as was needed.
    pub(crate) fn get(&self) -> Nanos {
        let needed = self.now.max(self.before).0;
        Nanos(needed.saturating_add(needed / 2).max(LEAST.0).min(self.limit.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn it_follows_what_was_needed() {
        let mut allowance = Allowance::new(Nanos(30_000_000));
        assert_eq!(allowance.get(), Nanos(30_000_000), "nothing is known");
        allowance.turn(Nanos(SECOND));
        allowance.note(Nanos(2_000_000));
        allowance.turn(Nanos(20 * SECOND));
        assert_eq!(allowance.get(), Nanos(30_000_000), "the first window goes on");
        allowance.turn(Nanos(21 * SECOND));
        assert_eq!(allowance.get(), Nanos(3_000_000));
        allowance.turn(Nanos(41 * SECOND));
        assert_eq!(allowance.get(), Nanos(1_000_000), "two milliseconds are forgotten");
        allowance.note(Nanos(7_000_000));
        assert_eq!(allowance.get(), Nanos(10_500_000), "at once");
        allowance.note_late();
        allowance.turn(Nanos(61 * SECOND));
        assert_eq!(allowance.get(), Nanos(30_000_000));
        allowance.turn(Nanos(81 * SECOND));
        assert_eq!(allowance.get(), Nanos(1_000_000));
    }
}
