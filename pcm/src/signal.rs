//! The two fixed-point words that samples are in, between decoding and encoding.

use crate::gain::Gain;

/// A decoded sample: full scale is 2^31, so that the range is -1.0 to 1.0 - 2^-31.
///
/// Every linear format fits without loss.
pub type Sample = i32;

/// A sample with headroom, and a sum of samples: full scale is 2^47.
///
/// The 16 bits below a [`Sample`]'s last keep the rounding of gains and filters out of the result. The 16 bits above
/// full scale hold sums: of 65,536 voices at 0 dB, or of 4,096 at the highest gain.
pub type Wide = i64;

/// Bits of a [`Wide`] below full scale.
pub(crate) const WIDE_BITS: u32 = 47;

/// Bits of a [`Wide`] below those of a [`Sample`].
pub(crate) const GUARD_BITS: u32 = 16;

/// A word that holds a sample: [`Sample`] or [`Wide`].
pub trait Signal: Copy + sealed::Sealed {
    /// The same value with headroom. Exact.
    fn to_wide(self) -> Wide;

    /// The value times the gain, rounded to the nearest [`Wide`], ties up.
    ///
    /// A result that a [`Wide`] can't hold saturates. A [`Sample`]'s product always fits.
    fn scaled(self, gain: Gain) -> Wide;
}

impl Signal for Sample {
    #[inline]
    fn to_wide(self) -> Wide {
        // 31 bits and 16 are 47.
        i64::from(self) << GUARD_BITS
    }

    #[inline]
    fn scaled(self, gain: Gain) -> Wide {
        const SHIFT: u32 = Gain::FRACTION_BITS - GUARD_BITS;
        // A product of 31 and 62 bits leaves 51 after the shift.
        let product = i128::from(self).wrapping_mul(i128::from(gain.bits()));
        (product.wrapping_add(1 << (SHIFT - 1)) >> SHIFT) as Wide
    }
}

impl Signal for Wide {
    #[inline]
    fn to_wide(self) -> Wide {
        self
    }

    #[inline]
    fn scaled(self, gain: Gain) -> Wide {
        const SHIFT: u32 = Gain::FRACTION_BITS;
        // A product of 63 and 62 bits has 125.
        let product = i128::from(self).wrapping_mul(i128::from(gain.bits()));
        let rounded = product.wrapping_add(1 << (SHIFT - 1)) >> SHIFT;
        rounded.clamp(i128::from(Wide::MIN), i128::from(Wide::MAX)) as Wide
    }
}

mod sealed {
    /// Only this crate's two words hold samples.
    pub trait Sealed {}
    impl Sealed for i32 {}
    impl Sealed for i64 {}
}
