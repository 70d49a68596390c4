//! Converts a deadline to a count of the local APIC's timer.

/// The timer's initial count for `ns`, rounded up, at `timer_hz` counts a second.
///
/// At least 1, because 0 stops the timer. At most 32 bits: a longer sleep ends early and the caller
/// arms the timer again.
pub fn count_for(ns: u64, timer_hz: u64) -> u32 {
    // A product of two 64-bit factors fits into 128 bits.
    let count = (u128::from(ns) * u128::from(timer_hz)).div_ceil(1_000_000_000);
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

/// Counts a second, from the counts that passed in `ns`. `None` if the timer stood still or no time
/// passed.
pub fn rate_hz(counts: u32, ns: u64) -> Option<u64> {
    let hz = (u128::from(counts) * 1_000_000_000).checked_div(u128::from(ns))?;
    // A 32-bit value times 10^9 fits into 64 bits.
    u64::try_from(hz).ok().filter(|&hz| hz > 0)
}
