//! From a deadline to a count for the local APIC's timer.

/// The timer's initial count for `ns`, rounded up, for a timer that counts `timer_hz` a second.
///
/// At least 1, for 0 stops the timer; at most what 32 bits hold: who sleeps longer is woken early, and asks again.
pub fn count_for(ns: u64, timer_hz: u64) -> u32 {
    // 64 by 64 bits fit into 128.
    let count = (u128::from(ns) * u128::from(timer_hz)).div_ceil(1_000_000_000);
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

/// How fast the timer counts, from the counts that went by in `ns`. `None` where it stood still, or no time went by.
pub fn rate_hz(counts: u32, ns: u64) -> Option<u64> {
    let hz = (u128::from(counts) * 1_000_000_000).checked_div(u128::from(ns))?;
    // 32 bits times 10^9 fit into 64.
    u64::try_from(hz).ok().filter(|&hz| hz > 0)
}
