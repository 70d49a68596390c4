//! Computes the TSC's frequency from readings of the interval timer.

use crate::clock::frequency::TscFrequency;

/// A reading of the interval timer's 16-bit down counter, between two readings of the TSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountSample {
    /// The TSC before the count was latched.
    pub not_before: u64,
    /// The TSC after the count was latched.
    pub not_after: u64,
    /// The count.
    pub count: u16,
}

/// The interval timer's clock is a twelfth of four times the NTSC colour subcarrier: 105/88 MHz, or
/// 13125000/11 Hz.
const PIT_HZ_TIMES_11: u64 = 13_125_000;

/// Computes the frequency from early and late samples of the interval timer's count. They lie less
/// than one turn of the counter apart.
///
/// Each pair of an early and a late sample bounds the length of a count from both sides. The ticks
/// between are known within the samples' spread, the counts within one. All bounds must hold, so
/// more samples narrow the result. The remaining width is the error, not an estimate of it. A stop
/// of the processor (SMI, hypervisor, busy host) widens one sample and spoils nothing.
///
/// `None` if no length fits all samples, or if the result isn't plausible.
pub fn from_counts(first: &[CountSample], last: &[CountSample]) -> Option<TscFrequency> {
    /// Fraction bits of a length in ticks.
    const FRACTION: u32 = 20;
    let (mut least, mut most) = (0u64, u64::MAX);
    for early in first {
        for late in last {
            // A late sample one turn off yields a length that contradicts every other pair.
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
    // Each factor has at most 64 bits, so neither product overflows 128 bits.
    let middle = u128::from(least + (most - least) / 2);
    let hz = u64::try_from((middle * u128::from(PIT_HZ_TIMES_11) / 11) >> FRACTION).ok()?;
    let error_ppb = (u128::from(most) - middle) * 1_000_000_000 / middle + 1;
    let error_ppb = u32::try_from(error_ppb).ok()?;
    TscFrequency::new(hz, error_ppb, "the interval timer")
}
