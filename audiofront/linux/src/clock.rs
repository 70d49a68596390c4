//! A clock of this guest's that costs no system call.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::sys::ticks;

/// CLOCK_MONOTONIC_RAW, read by the processor's time stamp counter.
///
/// Where the guest's clock source isn't `tsc`, the kernel's own way to read that clock without a system call (the vDSO)
/// may be closed, and often is in Xen's guests. So the counter is measured against it once, and from then on the clock
/// is the counter.
#[derive(Debug)]
pub struct Clock {
    anchor_ticks: u64,
    anchor_ns: u64,
    ns_per_tick_q32: u64,
}

/// How long the counter is measured: the error of two readings, a microsecond or so, is then 50 ppm.
const MEASURED: Duration = Duration::from_millis(20);

/// A reading of both clocks is tried this often, for the closest.
const PAIRS: usize = 8;

impl Clock {
    pub(crate) fn new() -> Self {
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
        }
    }

    /// Nanoseconds of CLOCK_MONOTONIC_RAW.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        // Two virtual processors' counters may differ by a little: never before the anchor by a wrap.
        let since = ticks().wrapping_sub(self.anchor_ticks).cast_signed();
        let ns = (i128::from(since) * i128::from(self.ns_per_tick_q32)) >> 32;
        self.anchor_ns.wrapping_add(ns as u64)
    }
}

/// Both clocks at one time.
fn pair() -> (u64, u64) {
    let pairs = (0..PAIRS).map(|_| {
        let before = ticks();
        let now = clock_gettime(ClockId::MonotonicRaw);
        let span = ticks().wrapping_sub(before);
        let ns = now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned();
        (span, before.wrapping_add(span / 2), ns)
    });
    let closest = pairs.min_by_key(|(span, ..)| *span);
    closest.map_or((0, 0), |(_, ticks, ns)| (ticks, ns))
}
