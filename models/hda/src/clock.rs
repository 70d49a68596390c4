//! The link clock: 24 MHz, derived from virtual system time with a drift of its own.

/// Ticks of the wall clock in a link frame: 24 MHz / 48 kHz.
pub(crate) const TICKS_PER_LINK_FRAME: u64 = 500;

/// Parts of a tick in the phase. They make `ns * 24 * (10^6 + ppm)` a whole number.
const PARTS_PER_TICK: u128 = 1_000_000_000;

/// Counts 24 MHz ticks since power-on.
///
/// The phase is computed from the last change of drift, not summed, so no error accumulates.
#[derive(Clone, Debug)]
pub(crate) struct LinkClock {
    drift_ppm: i32,
    since_ns: u64,
    phase_at_since: u128,
}

impl LinkClock {
    pub(crate) fn new(drift_ppm: i32) -> Self {
        Self { drift_ppm, since_ns: 0, phase_at_since: 0 }
    }

    /// Parts of a tick that pass in a nanosecond.
    fn parts_per_ns(&self) -> u128 {
        let scale = 1_000_000_i64 + i64::from(self.drift_ppm);
        24 * u128::try_from(scale).expect("a drift under a million ppm")
    }

    fn phase(&self, now_ns: u64) -> u128 {
        self.phase_at_since + u128::from(now_ns - self.since_ns) * self.parts_per_ns()
    }

    /// Whole ticks since power-on.
    pub(crate) fn ticks(&self, now_ns: u64) -> u64 {
        (self.phase(now_ns) / PARTS_PER_TICK) as u64
    }

    /// The first nanosecond of `tick`.
    pub(crate) fn ns_of_tick(&self, tick: u64) -> u64 {
        let phase = u128::from(tick) * PARTS_PER_TICK;
        let ahead = phase.saturating_sub(self.phase_at_since);
        self.since_ns + ahead.div_ceil(self.parts_per_ns()) as u64
    }

    /// Changes the drift from `now_ns` on.
    pub(crate) fn set_drift(&mut self, now_ns: u64, drift_ppm: i32) {
        self.phase_at_since = self.phase(now_ns);
        self.since_ns = now_ns;
        self.drift_ppm = drift_ppm;
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
    fn a_change_of_drift_neither_jumps_nor_loses_parts() {
        let mut clock = LinkClock::new(0);
        for step in 1..=1000_u64 {
            // 24 ticks a microsecond; 7 ns steps never end on a whole tick.
            clock.set_drift(step * 7, 0);
        }
        assert_eq!(clock.ticks(7000), 168);
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
