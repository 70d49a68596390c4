//! The link clock: 24 MHz, derived from virtual system time with a drift of its own.

/// Ticks of the wall clock in a link frame: 24 MHz / 48 kHz.
pub(crate) const TICKS_PER_LINK_FRAME: u64 = 500;

/// Parts of a tick in the phase. They make `ns * 24 * (10^6 + ppm)` a whole number.
const PARTS_PER_TICK: u128 = 1_000_000_000;

/// Counts 24 MHz ticks since power-on.
#[derive(Clone, Debug)]
pub(crate) struct LinkClock {
    /// Parts of a tick that pass in a nanosecond.
    parts_per_ns: u128,
}

impl LinkClock {
    pub(crate) fn new(drift_ppm: i32) -> Self {
        let scale = 1_000_000_i64 + i64::from(drift_ppm);
        Self { parts_per_ns: 24 * u128::try_from(scale).expect("a drift under a million ppm") }
    }

    /// Whole ticks since power-on.
    pub(crate) fn ticks(&self, now_ns: u64) -> u64 {
        (u128::from(now_ns) * self.parts_per_ns / PARTS_PER_TICK) as u64
    }

    /// The first nanosecond of `tick`.
    pub(crate) fn ns_of_tick(&self, tick: u64) -> u64 {
        (u128::from(tick) * PARTS_PER_TICK).div_ceil(self.parts_per_ns) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_at_plus_500_ppm_is_exact() {
        let clock = LinkClock::new(500);
        let day_ns = 86_400_000_000_000;
        assert_eq!(clock.ticks(day_ns), 86_400 * 24_012_000);
    }

    #[test]
    fn ns_of_tick_is_the_first_nanosecond_of_the_tick() {
        let clock = LinkClock::new(-321);
        for tick in [1, 499, 500, 501, 123_456_789] {
            let ns = clock.ns_of_tick(tick);
            assert_eq!(clock.ticks(ns), tick);
            assert_eq!(clock.ticks(ns - 1), tick - 1);
        }
    }
}
