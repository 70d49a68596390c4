//! The processor's time stamp counter, and the kernel's clock that calibrates it.
#![allow(unsafe_code, reason = "leaf: RDTSC has no safe name")]

use rustix::time::{ClockId, clock_gettime};

/// Reads the time stamp counter. No system call, and no exit unless the hypervisor emulates it.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has it, and it accesses no memory. A process that requested a
    // fault instead (PR_TSC_SIGSEGV) ends here.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// CLOCK_MONOTONIC_RAW in nanoseconds, through the vDSO if the kernel supports that.
pub(crate) fn monotonic_raw_ns() -> u64 {
    let now = clock_gettime(ClockId::MonotonicRaw);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
