//! Gain in thousandths of a decibel.

use core::ops::Add;

include!(concat!(env!("OUT_DIR"), "/gain_table.rs"));

/// A level or a ratio of amplitudes in thousandths of a decibel: `20_000 * log10(ratio)`.
///
/// Sums saturate at the ends of `i32`, so that volumes of any origin can be added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MilliDb(pub i32);

impl MilliDb {
    /// 0 dB: unity.
    pub const UNITY: Self = Self(0);
    /// The highest gain: 24 dB, 15.85 times.
    pub const MAX: Self = Self(24_000);
    /// The lowest gain above mute: -193 dB. It takes a full-scale sample below half a step of 32 bits.
    pub const MIN: Self = Self(-193_000);
}

impl Add for MilliDb {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// A factor for samples, from 0 (mute) to 24 dB.
///
/// ```
/// use pcm::{Gain, MilliDb};
///
/// assert_eq!(Gain::from(MilliDb(0)), Gain::UNITY);
/// assert_eq!(Gain::from(MilliDb(i32::MIN)), Gain::MUTE);
/// assert!(Gain::from(MilliDb(-6_021)) < Gain::from(MilliDb(-6_020)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gain(i64);

impl Gain {
    /// Bits of a gain below 1.
    pub(crate) const FRACTION_BITS: u32 = 58;

    /// Silence.
    pub const MUTE: Self = Self(0);
    /// Factor 1: samples pass bit for bit.
    pub const UNITY: Self = Self(1 << Self::FRACTION_BITS);

    /// The factor in steps of 2^-58, from 0 to less than 2^62.
    pub const fn bits(self) -> i64 {
        self.0
    }

    /// A gain of these steps of 2^-58. The caller keeps to the range.
    pub(crate) const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// The level of a factor in steps of 2^-58, rounded down. Below [`MilliDb::MIN`] there is none.
    pub(crate) fn level(bits: i64) -> Option<MilliDb> {
        let (mut low, mut high) = (MilliDb::MIN.0, MilliDb::MAX.0 + 1);
        if bits < Self::from(MilliDb::MIN).0 {
            return None;
        }
        // Gains rise strictly with their steps, so halving finds the last that isn't above.
        while low.saturating_add(1) < high {
            let middle = low.midpoint(high);
            if Self::from(MilliDb(middle)).0 <= bits {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(MilliDb(low))
    }
}

impl From<MilliDb> for Gain {
    /// `10^(level / 20_000)`, exactly 1 at 0 dB.
    ///
    /// The error is at most 2^-46 of the gain and 2^-57 besides. A level below [`MilliDb::MIN`] is mute; one above
    /// [`MilliDb::MAX`] is that.
    fn from(level: MilliDb) -> Self {
        if level < MilliDb::MIN {
            return Self::MUTE;
        }
        let level = level.min(MilliDb::MAX).0;
        // The factor of a sum of levels is the product of their factors: three short tables serve all levels.
        let coarse = table(&COARSE, (level >> 10).saturating_sub(COARSE_FIRST));
        let middle = table(&MIDDLE, level >> 5 & 31);
        let fine = table(&FINE, level & 31);
        Self(product(product(coarse, middle), fine))
    }
}

/// The entry at an index that is in the table by the limits of [`MilliDb`].
fn table(entries: &[i64], index: i32) -> i64 {
    usize::try_from(index).ok().and_then(|index| entries.get(index).copied()).unwrap_or_default()
}

/// A gain times a factor in steps of 2^-62, rounded to the nearest.
fn product(gain: i64, factor: i64) -> i64 {
    // Gains are below 2^62, and factors below 2^63: the product fits, and the result is below 2^63.
    let product = i128::from(gain).wrapping_mul(i128::from(factor));
    (product.wrapping_add(1 << 61) >> 62) as i64
}
