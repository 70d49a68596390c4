//! The TSC's frequency computed from readings of the interval timer.

use crate::clock::TickScale;
use crate::clock::frequency::{Source, TscFrequency};

/// A reading of the interval timer's 16-bit count, which goes down, between two readings of the TSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountSample {
    /// The TSC before the count was latched.
    pub not_before: u64,
    /// The TSC after that.
    pub not_after: u64,
    /// The count.
    pub count: u16,
}

/// The interval timer's clock is a twelfth of four times the NTSC colour subcarrier: 105/88 MHz, or 13125000/11 Hz.
const PIT_HZ_TIMES_11: u64 = 13_125_000;

/// The frequency from samples of the interval timer's count: some, and some that came later, by less than a turn of
/// the counter.
///
/// Each pair of an early and a late sample bounds the length of a count from below and above: the ticks that went by
/// are known within the samples' own spread, the counts within one. All bounds must hold, so the more samples the
/// narrower it gets, and what is left is the error, not an estimate of it. Somebody who stops the processor in between
/// (SMI, hypervisor, a busy host) widens a sample and spoils nothing. `None` if no length fits all samples, or if what
/// fits isn't plausible.
pub fn from_counts(first: &[CountSample], last: &[CountSample]) -> Option<TscFrequency> {
    /// Fraction bits of a length in ticks.
    const FRACTION: u32 = 20;
    let (mut least, mut most) = (0u64, u64::MAX);
    for early in first {
        for late in last {
            // A late sample that is one turn ahead or behind makes a length that no other pair agrees with.
            let counts = u64::from(early.count.wrapping_sub(late.count));
            let shortest = late.not_before.checked_sub(early.not_after)?;
            let longest = late.not_after.checked_sub(early.not_before)?;
            if counts < 2 || longest >= 1 << (64 - FRACTION) {
                return None;
            }
            least = least.max((shortest << FRACTION) / (counts + 1));
            most = most.min((longest << FRACTION).div_ceil(counts - 1));
        }
    }
    if least == 0 || least > most || most == u64::MAX {
        return None;
    }
    // Up to 64 bits each: in 128 bits neither product overflows.
    let middle = u128::from(least + (most - least) / 2);
    let hz = u64::try_from((middle * u128::from(PIT_HZ_TIMES_11) / 11) >> FRACTION).ok()?;
    let error_ppb = (u128::from(most) - middle) * 1_000_000_000 / middle + 1;
    let error_ppb = u32::try_from(error_ppb).ok()?;
    TickScale::from_hz(hz).map(|_| TscFrequency { hz, error_ppb, source: Source::IntervalTimer })
}
