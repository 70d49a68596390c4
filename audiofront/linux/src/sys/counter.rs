//! The processor's time stamp counter.
#![allow(unsafe_code, reason = "leaf: RDTSC has no safe name")]

/// The time stamp counter. No system call, no exit unless the hypervisor emulates it.
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has it, and it touches nothing. Where a process has asked for it to fault (PR_TSC_SIGSEGV)
    // it ends the process, which is no matter of memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}
