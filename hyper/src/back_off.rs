//! The wait before the next try, longer after each failure.

use crate::clock::Nanos;

/// Doublings after which a wait is the longest that there is.
const DOUBLINGS_MAX: u8 = 63;

/// The wait before the next try: it doubles with each failure, between two bounds.
///
/// ```
/// use hyper::{BackOff, Nanos};
///
/// let mut tries = BackOff::new(Nanos(100), Nanos(300));
/// tries.failed(Nanos(1_000));
/// assert_eq!(tries.due(Nanos(1_000)), Some(Nanos(1_100)));
/// tries.failed(Nanos(1_100));
/// tries.failed(Nanos(1_300));
/// assert_eq!(tries.due(Nanos(1_300)), Some(Nanos(1_600)));
/// assert!(tries.is_over(Nanos(1_600)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    shortest: Nanos,
    longest: Nanos,
    failures: u8,
    until: Nanos,
}

impl BackOff {
    /// No failure so far. The wait after the first one is the shortest.
    pub const fn new(shortest: Nanos, longest: Nanos) -> Self {
        Self { shortest, longest, failures: 0, until: Nanos(0) }
    }

    /// Counts a failure: the next try waits.
    pub fn failed(&mut self, now: Nanos) {
        let doubled = self.shortest.0.saturating_mul(1u64.wrapping_shl(self.failures.into()));
        self.until = Nanos(now.0.saturating_add(doubled.min(self.longest.0)));
        self.failures = self.failures.saturating_add(1).min(DOUBLINGS_MAX);
    }

    /// Forgets all failures.
    pub fn succeeded(&mut self) {
        *self = Self::new(self.shortest, self.longest);
    }

    /// Whether the next try may be made.
    pub fn is_over(&self, now: Nanos) -> bool {
        now >= self.until
    }

    /// The time of the next try, if it is later than `now`.
    pub fn due(&self, now: Nanos) -> Option<Nanos> {
        (self.until > now).then_some(self.until)
    }
}
