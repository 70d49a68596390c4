//! The wait before the next try, longer after each failure.

use hyper::Nanos;

use crate::due::after;

/// The wait after the first failure; it doubles with each further one.
const RETRY_NS_MIN: u64 = 50_000_000;

/// The longest wait.
const RETRY_NS_MAX: u64 = 5_000_000_000;

/// The wait before the next try, longer after each failure.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BackOff {
    failures: u8,
    until: Nanos,
}

impl BackOff {
    /// Counts a failure: the next try waits.
    pub(crate) fn failed(&mut self, now: Nanos) {
        let doubled = RETRY_NS_MIN.saturating_mul(1u64.wrapping_shl(self.failures.min(20).into()));
        self.until = after(now, doubled.min(RETRY_NS_MAX));
        self.failures = self.failures.saturating_add(1);
    }

    /// Forgets all failures.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Whether the next try may be made.
    pub(crate) fn is_over(&self, now: Nanos) -> bool {
        now >= self.until
    }

    /// The time of the next try, if it is later than `now`.
    pub(crate) fn due(&self, now: Nanos) -> Option<Nanos> {
        (self.until > now).then_some(self.until)
    }
}
