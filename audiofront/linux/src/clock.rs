//! This guest's clock, read without a system call, and Xen's system time derived from it.

mod anchor;

use std::time::Duration;

use crate::sys::{monotonic_raw_ns, ticks};
use anchor::{Anchor, Shared};
use audiofront::{Bounded, ClockMap};

/// CLOCK_MONOTONIC_RAW and Xen's system time, both read by the processor's time stamp counter.
///
/// If the guest's clock source isn't `tsc`, the kernel may disable its vDSO, and often does in Xen's
/// guests. Reading CLOCK_MONOTONIC_RAW then needs a system call. So this clock measures the counter
/// against it once, and from then on only uses the counter.
///
/// Its rate is assumed constant and the same on all processors. That holds on every processor whose
/// TSC Xen calls reliable. The map to system time bounds the remaining difference.
#[derive(Debug)]
pub struct Clock {
    anchor_ticks: u64,
    anchor_ns: u64,
    ns_per_tick_q32: u64,
    system: Shared,
}

/// Duration of the counter's measurement. Two readings err by about a microsecond, which is then 50
/// ppm.
const MEASURED: Duration = Duration::from_millis(20);

/// Attempts to read both clocks; the closest pair counts.
const PAIRS: usize = 8;

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// Measures the counter. This takes 20 ms.
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

    /// This guest's time: nanoseconds of CLOCK_MONOTONIC_RAW, counted by the counter since the card
    /// was connected.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        // The counters of two virtual processors may differ slightly. A reading before the anchor
        // must not wrap.
        let since = ticks().wrapping_sub(self.anchor_ticks).cast_signed();
        let ns = (i128::from(since) * i128::from(self.ns_per_tick_q32)) >> 32;
        self.anchor_ns.wrapping_add(ns as u64)
    }

    /// Xen's system time at a guest's time, with its bound. `None` until the back end has echoed a
    /// request.
    #[inline]
    pub fn to_system(&self, guest_ns: u64) -> Option<Bounded> {
        self.system.read().map(|anchor| anchor.to_system(guest_ns))
    }

    /// This guest's time at a time of Xen's, such as the time of a frame at the link.
    pub fn to_guest(&self, system_ns: u64) -> Option<Bounded> {
        self.system.read().map(|anchor| anchor.to_guest(system_ns))
    }

    /// Least and greatest rate by which Xen's clock is faster than this guest's, in parts per 10^9.
    pub fn drift_ppb(&self) -> Option<(i32, i32)> {
        self.system.read().map(|anchor| anchor.drift_ppb())
    }

    /// Publishes the map to readers, as of a guest's time. Only one thread may call it: two writers
    /// would mix their values.
    pub fn publish(&self, map: &ClockMap, guest_ns: u64) {
        if let Some(system) = map.to_system(guest_ns) {
            self.system.write(Anchor::new(guest_ns, system, map.drift_ppb()));
        }
    }
}

/// Reads both clocks at one time.
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
        // Only the calibration's error counts, so a preempted test still passes.
        let slack = 10_000 + (after - clock.anchor_ns) / 1_000;
        assert!(shown + slack >= before && shown <= after + slack, "{shown} {before} {after}");
    }

    #[test]
    fn system_time_is_unknown_before_the_first_echo() {
        let clock = Clock::new();
        assert_eq!(clock.to_system(clock.now_ns()), None);
    }
}
