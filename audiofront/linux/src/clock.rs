//! This guest's clock, read without a system call, and Xen's system time by it.

mod anchor;

use std::time::Duration;

use crate::sys::{monotonic_raw_ns, ticks};
use anchor::{Anchor, Shared};
use audiofront::{Bounded, ClockMap};

/// CLOCK_MONOTONIC_RAW and Xen's system time, both read by the processor's time stamp counter.
///
/// Where the guest's clock source isn't `tsc`, the kernel's own way to read CLOCK_MONOTONIC_RAW without a system call (the
/// vDSO) may be closed, and often is in Xen's guests. So the counter is measured against it once, and from then on the clock
/// is the counter. Its rate is taken as constant, and as the same on all processors: so it is on every processor that Xen
/// calls its TSC reliable on. The map to system time bounds what is left of the difference.
#[derive(Debug)]
pub struct Clock {
    anchor_ticks: u64,
    anchor_ns: u64,
    ns_per_tick_q32: u64,
    system: Shared,
}

/// How long the counter is measured: the error of two readings, a microsecond or so, is then 50 ppm.
const MEASURED: Duration = Duration::from_millis(20);

/// A reading of both clocks is tried this often, for the closest.
const PAIRS: usize = 8;

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Measures the counter, which takes 20 ms.
    pub fn new() -> Self {
        let (first_ticks, first_ns) = pair();
        let measured_ns = MEASURED.as_nanos() as u64;
        let (mut last_ticks, mut last_ns) = pair();
        while last_ns.saturating_sub(first_ns) < measured_ns {
            (last_ticks, last_ns) = pair();
        }
        let ns = u128::from(last_ns - first_ns) << 32;
        let ticks = u128::from(last_ticks.wrapping_sub(first_ticks).max(1));
        Self {
            anchor_ticks: last_ticks,
            anchor_ns: last_ns,
            ns_per_tick_q32: u64::try_from(ns / ticks).unwrap_or(u64::MAX),
            system: Shared::default(),
        }
    }

    /// This guest's time: nanoseconds of CLOCK_MONOTONIC_RAW, as the counter has counted them since the card was connected.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        // Two virtual processors' counters may differ by a little: never before the anchor by a wrap.
        let since = ticks().wrapping_sub(self.anchor_ticks).cast_signed();
        let ns = (i128::from(since) * i128::from(self.ns_per_tick_q32)) >> 32;
        self.anchor_ns.wrapping_add(ns as u64)
    }

    /// Xen's system time at a time of this guest's, with its bound; `None` until the back end has echoed a request.
    #[inline]
    pub fn to_system(&self, guest_ns: u64) -> Option<Bounded> {
        self.system.read().map(|anchor| anchor.to_system(guest_ns))
    }

    /// This guest's time at a time of Xen's, such as the time at which a frame was at the link.
    pub fn to_guest(&self, system_ns: u64) -> Option<Bounded> {
        self.system.read().map(|anchor| anchor.to_guest(system_ns))
    }

    /// By how much Xen's clock is faster than this guest's, parts in 10^9: at least, and at most.
    pub fn drift_ppb(&self) -> Option<(i32, i32)> {
        self.system.read().map(|anchor| anchor.drift_ppb())
    }

    /// Publishes the map to readers, as of a time of this guest's. Only one thread may call it: two writers at once would mix
    /// their values.
    pub fn publish(&self, map: &ClockMap, guest_ns: u64) {
        if let Some(system) = map.to_system(guest_ns) {
            self.system.write(Anchor::new(guest_ns, system, map.drift_ppb()));
        }
    }
}

/// Both clocks at one time.
fn pair() -> (u64, u64) {
    let pairs = (0..PAIRS).map(|_| {
        let before = ticks();
        let ns = monotonic_raw_ns();
        let span = ticks().wrapping_sub(before);
        (span, before.wrapping_add(span / 2), ns)
    });
    let closest = pairs.min_by_key(|(span, ..)| *span);
    closest.map_or((0, 0), |(_, ticks, ns)| (ticks, ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_shows_what_the_kernel_shows() {
        let clock = Clock::new();
        let before = monotonic_raw_ns();
        let shown = clock.now_ns();
        let after = monotonic_raw_ns();
        // The calibration's error, and no more: this holds however long the test was kept from running in between.
        let slack = 10_000 + (after - clock.anchor_ns) / 1_000;
        assert!(shown + slack >= before && shown <= after + slack, "{shown} {before} {after}");
    }

    #[test]
    fn system_time_is_unknown_before_the_first_echo() {
        let clock = Clock::new();
        assert_eq!(clock.to_system(clock.now_ns()), None);
    }
}
