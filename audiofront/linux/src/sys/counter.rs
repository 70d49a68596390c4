//! The processor's time stamp counter, and the kernel's clock that it is measured by.
#![allow(unsafe_code, reason = "leaf: RDTSC has no safe name, nor has the C library's clock_gettime")]

/// The time stamp counter. No system call, no exit unless the hypervisor emulates it.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has it, and it touches nothing. Where a process has asked for it to fault (PR_TSC_SIGSEGV)
    // it ends the process, which is no matter of memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// CLOCK_MONOTONIC_RAW, nanoseconds: by the C library, which knows whether the kernel has a way without a system call.
pub(crate) fn monotonic_raw_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes a `timespec` to where one is. Every kernel that this runs on has the clock, so it doesn't fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_RAW, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
