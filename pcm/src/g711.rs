//! The logarithmic companding laws of ITU-T G.711 (11/88).

use core::ops::RangeInclusive;

use crate::signal::{Sample, WIDE_BITS, Wide};

/// Magnitude bits of mu-law's uniform code (G.711, table 2): full scale is 8192.
const MU_BITS: u32 = 13;
/// Added to a magnitude, it makes every segment of mu-law begin at a power of two.
const MU_BIAS: u32 = 33;
/// The virtual decision value at mu-law's end (table 2a).
const MU_END: u32 = 8159;
/// Magnitude bits of A-law's uniform code (table 1): full scale is 4096.
const A_BITS: u32 = 12;
/// The virtual decision value at A-law's end (table 1a): full scale.
const A_END: u32 = 1 << A_BITS;
/// Even bits are inverted on A-law's line (table 1, note 1).
const A_INVERTED: u8 = 0x55;
/// The sign bit of both laws: set for positive values.
const SIGN: u8 = 0x80;

/// The value of a mu-law code.
pub fn decode_mu(code: u8) -> Sample {
    // All bits are inverted on the line (table 2, note 2).
    let code = !code;
    let (segment, interval) = (u32::from(code >> 4 & 7), u32::from(code & 15));
    // At most 63 << 7: 13 bits.
    let magnitude = ((2 * interval + MU_BIAS) << segment) - MU_BIAS;
    signed(code & SIGN != 0, magnitude, MU_BITS)
}

/// The value of an A-law code.
pub fn decode_a(code: u8) -> Sample {
    let code = code ^ A_INVERTED;
    let (segment, interval) = (u32::from(code >> 4 & 7), u32::from(code & 15));
    // Segments 0 and 1 have the same step. At most 63 << 6: 12 bits.
    let magnitude = if segment == 0 { 2 * interval + 1 } else { (2 * interval + 33) << (segment - 1) };
    signed(code & SIGN == 0, magnitude, A_BITS)
}

/// The values between mu-law's last decision values.
pub const MU_RANGE: RangeInclusive<Wide> = -end(MU_END, MU_BITS)..=end(MU_END, MU_BITS);

/// The values between A-law's last decision values.
pub const A_RANGE: RangeInclusive<Wide> = -end(A_END, A_BITS)..=end(A_END, A_BITS);

/// The mu-law code of a value in [`MU_RANGE`].
pub fn encode_mu(wide: Wide) -> u8 {
    // From 33 to 8191: the top bit is 5 to 12.
    let biased = magnitude(wide, MU_BITS).min(MU_END - 1) + MU_BIAS;
    let segment = biased.ilog2().saturating_sub(5);
    let interval = biased >> (segment + 1) & 15;
    let sign = if wide < 0 { SIGN } else { 0 };
    !(sign | (segment << 4 | interval) as u8)
}

/// The A-law code of a value in [`A_RANGE`].
pub fn encode_a(wide: Wide) -> u8 {
    // Below 4096: the top bit is 11 at most, and the segment 7.
    let magnitude = magnitude(wide, A_BITS).min(A_END - 1);
    let segment = magnitude.max(1).ilog2().saturating_sub(4);
    let interval = magnitude >> segment.max(1) & 15;
    let sign = if wide < 0 { 0 } else { SIGN };
    (sign | (segment << 4 | interval) as u8) ^ A_INVERTED
}

/// A magnitude in steps of a uniform code as a sum's.
const fn end(magnitude: u32, bits: u32) -> Wide {
    (magnitude as Wide) << (WIDE_BITS - bits)
}

/// A decoded magnitude of so many bits as a sample.
fn signed(is_negative: bool, magnitude: u32, bits: u32) -> Sample {
    // Magnitudes are below full scale.
    let sample = (magnitude << (31 - bits)).cast_signed();
    if is_negative { sample.wrapping_neg() } else { sample }
}

/// The magnitude in steps of the uniform code, rounded down.
///
/// Decision values are whole numbers, so that the rest below a step decides nothing.
fn magnitude(wide: Wide, bits: u32) -> u32 {
    u32::try_from(wide.unsigned_abs() >> (WIDE_BITS - bits)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_tables_have_their_values() {
        // G.711, tables 2a, 2b, 1a and 1b: the ends of the tables, and values where segments begin.
        for (code, value) in
            [(0x80, 8031), (0x8f, 4191), (0x9f, 2079), (0xef, 33), (0xfe, 2), (0xff, 0), (0x00, -8031)]
        {
            assert_eq!(decode_mu(code), value << (31 - MU_BITS), "{code:#x}");
        }
        for (code, value) in [(0xaa, 4032), (0xa5, 2112), (0xd5, 1), (0x55, -1), (0x2a, -4032)] {
            assert_eq!(decode_a(code), value << (31 - A_BITS), "{code:#x}");
        }
    }

    #[test]
    fn every_code_comes_back_but_minus_zero() {
        for code in 0..=u8::MAX {
            let back = encode_mu(i64::from(decode_mu(code)) << 16);
            assert_eq!(back, if code == 0x7f { 0xff } else { code });
            assert_eq!(encode_a(i64::from(decode_a(code)) << 16), code);
        }
    }

    #[test]
    fn the_last_decision_values_have_the_last_codes() {
        assert_eq!([encode_mu(*MU_RANGE.end()), encode_mu(*MU_RANGE.start())], [0x80, 0x00]);
        assert_eq!([encode_a(*A_RANGE.end()), encode_a(*A_RANGE.start())], [0xaa, 0x2a]);
    }
}
