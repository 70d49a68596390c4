//! Floating-point samples by their bits (IEEE 754-2019, 3.4), without floating-point arithmetic.

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
struct Fields {
    is_negative: bool,
    exponent: u32,
    fraction: u64,
    fraction_bits: u32,
    bias: u32,
}

impl Fields {
    /// The nearest sample, ties up, and whether it saturated. NaN is silence.
    fn sample(&self) -> (Sample, bool) {
        let end = if self.is_negative { Sample::MIN } else { Sample::MAX };
        if self.exponent > 2 * self.bias {
            return if self.fraction == 0 { (end, true) } else { (0, false) };
        }
        if self.exponent >= self.bias {
            // Full scale itself isn't clipped, though +1.0 becomes the sample below it.
            return (end, self.exponent > self.bias || self.fraction != 0);
        }
        // A number of exponent 0 has no hidden bit, and the scale of exponent 1.
        let hidden = u64::from(self.exponent != 0) << self.fraction_bits;
        let magnitude = (self.fraction | hidden) as i64;
        let value = if self.is_negative { magnitude.wrapping_neg() } else { magnitude };
        // The value is below 1. Its last bit weighs 2^(exponent - bias - fraction_bits), and a sample's weighs 2^-31.
        let below = (self.fraction_bits + self.bias).saturating_sub(31 + self.exponent.max(1));
        let above = (31 + self.exponent).saturating_sub(self.fraction_bits + self.bias);
        let rounded = if below == 0 {
            // At most 7 bits up, of 24: only singles have fewer bits than samples.
            value << above.min(7)
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
    Fields {
        is_negative: bits >> 31 != 0,
        exponent: bits >> SINGLE_FRACTION & 0xff,
        fraction: u64::from(bits & ((1 << SINGLE_FRACTION) - 1)),
        fraction_bits: SINGLE_FRACTION,
        bias: SINGLE_BIAS,
    }
    .sample()
}

/// Decodes a double.
pub fn decode_double(bits: u64) -> (Sample, bool) {
    Fields {
        is_negative: bits >> 63 != 0,
        exponent: (bits >> DOUBLE_FRACTION & 0x7ff) as u32,
        fraction: bits & ((1 << DOUBLE_FRACTION) - 1),
        fraction_bits: DOUBLE_FRACTION,
        bias: DOUBLE_BIAS,
    }
    .sample()
}

/// Holds a value from -1.0 to 1.0, both included: its sign, its magnitude in steps of 2^-47, and whether it saturated.
fn hold(wide: Wide) -> (bool, u64, bool) {
    let magnitude = wide.unsigned_abs();
    let held = magnitude.min(1 << WIDE_BITS);
    (wide < 0, held, held != magnitude)
}

/// Encodes a single: the nearest, ties to the even one.
pub fn encode_single(wide: Wide) -> (u32, bool) {
    let (is_negative, magnitude, is_clipped) = hold(wide);
    let sign = u32::from(is_negative) << 31;
    let Some(top) = magnitude.checked_ilog2() else { return (0, is_clipped) };
    let significand = if top <= SINGLE_FRACTION {
        magnitude << (SINGLE_FRACTION - top)
    } else {
        // The top bit is below 48, so 1 to 24 bits go.
        let shift = top - SINGLE_FRACTION;
        let is_odd = magnitude >> shift & 1;
        (magnitude + (1 << (shift - 1)) - 1 + is_odd) >> shift
    };
    // The significand's hidden bit adds one to the exponent, and a carry of the rounding another.
    let exponent = top + SINGLE_BIAS - WIDE_BITS - 1;
    (sign | ((exponent << SINGLE_FRACTION) + significand as u32), is_clipped)
}

/// Encodes a double. Exact.
pub fn encode_double(wide: Wide) -> (u64, bool) {
    let (is_negative, magnitude, is_clipped) = hold(wide);
    let sign = u64::from(is_negative) << 63;
    let Some(top) = magnitude.checked_ilog2() else { return (0, is_clipped) };
    // The top bit is below 48.
    let significand = magnitude << (DOUBLE_FRACTION - top);
    let exponent = u64::from(top + DOUBLE_BIAS - WIDE_BITS - 1);
    (sign | ((exponent << DOUBLE_FRACTION) + significand), is_clipped)
}

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
    fn ends_are_encoded_as_one() {
        assert_eq!(encode_single(i64::MIN), ((-1.0f32).to_bits(), true));
        assert_eq!(encode_single(1 << 47), (1.0f32.to_bits(), false));
        assert_eq!(encode_double(i64::MAX), (1.0f64.to_bits(), true));
        assert_eq!(encode_double(0), (0, false));
        assert_eq!(encode_single(1), (2f32.powi(-47).to_bits(), false));
    }
}
