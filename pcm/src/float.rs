//! Floating-point samples by their bits (IEEE 754-2019, 3.4), without floating-point arithmetic.

use core::ops::RangeInclusive;

use crate::signal::{Sample, WIDE_BITS, Wide};

/// Bits of a single's fraction.
const SINGLE_FRACTION: u32 = 23;
/// The exponent field of a single in [1, 2).
const SINGLE_BIAS: u32 = 127;
/// Bits of a double's fraction.
const DOUBLE_FRACTION: u32 = 52;
/// The exponent field of a double in [1, 2).
const DOUBLE_BIAS: u32 = 1023;

/// A binary number's fields.
struct Fields<const FRACTION_BITS: u32, const BIAS: u32> {
    is_negative: bool,
    exponent: u32,
    fraction: u64,
}

impl<const FRACTION_BITS: u32, const BIAS: u32> Fields<FRACTION_BITS, BIAS> {
    /// The exponent field of a number whose last bit is that of a sample, 2^-31.
    const SAMPLE_EXPONENT: u32 = BIAS + FRACTION_BITS - 31;

    /// The nearest sample, ties up, and whether it saturated. NaN is silence.
    fn sample(&self) -> (Sample, bool) {
        let end = if self.is_negative { Sample::MIN } else { Sample::MAX };
        if self.exponent > 2 * BIAS {
            return if self.fraction == 0 { (end, true) } else { (0, false) };
        }
        if self.exponent >= BIAS {
            // Full scale itself isn't clipped, though +1.0 becomes the sample below it.
            return (end, self.exponent > BIAS || self.fraction != 0);
        }
        // A number of exponent 0 has no hidden bit, and the scale of exponent 1.
        let hidden = u64::from(self.exponent != 0) << FRACTION_BITS;
        let magnitude = (self.fraction | hidden) as i64;
        let value = if self.is_negative { magnitude.wrapping_neg() } else { magnitude };
        let below = Self::SAMPLE_EXPONENT.saturating_sub(self.exponent.max(1));
        let rounded = if below == 0 {
            // Below 1, only a single has fewer bits than a sample: 24, and at most 7 up.
            value << self.exponent.saturating_sub(Self::SAMPLE_EXPONENT).min(7)
        } else {
            // Values have at most 53 bits. All of them round to 0 when they are shifted by 62.
            let shift = below.min(62);
            value.wrapping_add(1 << (shift - 1)) >> shift
        };
        // Rounding up can reach full scale.
        (rounded.min(i64::from(Sample::MAX)) as Sample, false)
    }
}

/// Decodes a single.
pub fn decode_single(bits: u32) -> (Sample, bool) {
    Fields::<SINGLE_FRACTION, SINGLE_BIAS> {
        is_negative: bits >> 31 != 0,
        exponent: bits >> SINGLE_FRACTION & 0xff,
        fraction: u64::from(bits & ((1 << SINGLE_FRACTION) - 1)),
    }
    .sample()
}

/// Decodes a double.
pub fn decode_double(bits: u64) -> (Sample, bool) {
    Fields::<DOUBLE_FRACTION, DOUBLE_BIAS> {
        is_negative: bits >> 63 != 0,
        exponent: (bits >> DOUBLE_FRACTION & 0x7ff) as u32,
        fraction: bits & ((1 << DOUBLE_FRACTION) - 1),
    }
    .sample()
}

/// The range of floating-point samples: from -1.0 to 1.0, both included.
pub const RANGE: RangeInclusive<Wide> = -(1 << WIDE_BITS)..=1 << WIDE_BITS;

/// Encodes a single: the nearest, ties to the even one. The value is in [`RANGE`].
pub fn encode_single(wide: Wide) -> u32 {
    let magnitude = wide.unsigned_abs() & MASK;
    let Some(top) = magnitude.checked_ilog2() else { return 0 };
    let significand = if top <= SINGLE_FRACTION {
        magnitude << (SINGLE_FRACTION - top)
    } else {
        // The top bit is below 48, so 1 to 24 bits go.
        let shift = top - SINGLE_FRACTION;
        let is_odd = magnitude >> shift & 1;
        (magnitude + (1 << (shift - 1)) - 1 + is_odd) >> shift
    };
    // The significand's hidden bit adds one to the exponent, and a carry of the rounding another: 175 at most.
    let exponent = top + SINGLE_BIAS - WIDE_BITS - 1;
    let sign = u32::from(wide < 0) << 31;
    sign | (exponent << SINGLE_FRACTION).wrapping_add(significand as u32)
}

/// Encodes a double. Exact. The value is in [`RANGE`].
pub fn encode_double(wide: Wide) -> u64 {
    let magnitude = wide.unsigned_abs() & MASK;
    let Some(top) = magnitude.checked_ilog2() else { return 0 };
    // The top bit is below 48.
    let significand = magnitude << (DOUBLE_FRACTION - top);
    let exponent = u64::from(top + DOUBLE_BIAS - WIDE_BITS - 1);
    let sign = u64::from(wide < 0) << 63;
    sign | (exponent << DOUBLE_FRACTION).wrapping_add(significand)
}

/// The bits of a magnitude in [`RANGE`]: no shift below goes beyond a word.
const MASK: u64 = (1 << (WIDE_BITS + 1)) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_is_no_clipping_and_more_is() {
        assert_eq!(decode_single(1.0f32.to_bits()), (i32::MAX, false));
        assert_eq!(decode_single((-1.0f32).to_bits()), (i32::MIN, false));
        assert_eq!(decode_single(1.0f32.next_up().to_bits()), (i32::MAX, true));
        assert_eq!(decode_double((-1.0f64).next_down().to_bits()), (i32::MIN, true));
        assert_eq!(decode_double(1.0f64.next_down().to_bits()), (i32::MAX, false));
    }

    #[test]
    fn what_is_no_number_is_silence_and_infinities_clip() {
        for nan in [f32::NAN.to_bits(), 0x7f80_0001, 0xffc0_0000, u32::MAX] {
            assert_eq!(decode_single(nan), (0, false));
        }
        assert_eq!(decode_double(f64::NAN.to_bits()), (0, false));
        assert_eq!(decode_double(f64::INFINITY.to_bits()), (i32::MAX, true));
        assert_eq!(decode_single(f32::NEG_INFINITY.to_bits()), (i32::MIN, true));
        for tiny in [1, 0x8000_0001, 0x007f_ffff, 0x8000_0000] {
            assert_eq!(decode_single(tiny), (0, false));
        }
    }

    #[test]
    fn ends_and_small_values_are_encoded() {
        assert_eq!(encode_single(*RANGE.start()), (-1.0f32).to_bits());
        assert_eq!(encode_single(*RANGE.end()), 1.0f32.to_bits());
        assert_eq!(encode_double(*RANGE.end()), 1.0f64.to_bits());
        assert_eq!(encode_double(0), 0);
        assert_eq!(encode_single(1), 2f32.powi(-47).to_bits());
        // Three quarters of a step above 1 - 2^-24 round to 1.
        assert_eq!(encode_single((1 << 47) - (1 << 21)), 1.0f32.to_bits());
    }
}
