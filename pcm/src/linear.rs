//! Samples that are whole numbers of 8 to 32 bits.

use core::ops::RangeInclusive;

use crate::signal::{Sample, WIDE_BITS, Wide};

/// Widens a number of this many bits, in the low bits of a word, to full scale. Bits above them are ignored.
pub fn widen<const BITS: u32>(word: u32) -> Sample {
    // Numbers have 8 to 32 bits, so the shift is below 32.
    (word << (32 - BITS)).cast_signed()
}

/// The values that round to a number of this many bits.
pub const fn range<const BITS: u32>() -> RangeInclusive<Wide> {
    let half = half_step::<BITS>();
    -(1 << WIDE_BITS) - half..=(1 << WIDE_BITS) - half - 1
}

/// Rounds to a number of this many bits, ties up. The value is in [`range`].
pub fn narrow<const BITS: u32>(wide: Wide) -> i32 {
    // The range ends below 2^48.
    (wide.wrapping_add(half_step::<BITS>()) >> (WIDE_BITS + 1 - BITS)) as i32
}

/// Half of the last bit of a number. Numbers have 8 to 32 bits, so that it is 2^15 to 2^39.
const fn half_step<const BITS: u32>() -> Wide {
    1 << (WIDE_BITS - BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_above_a_number_are_ignored() {
        assert_eq!(widen::<24>(0xff00_0001), 0x100);
        assert_eq!(widen::<24>(0x0080_0000), i32::MIN);
        assert_eq!(widen::<8>(0x7f), 0x7f00_0000);
    }

    #[test]
    fn ties_go_up_and_the_ends_hold() {
        let half = 1 << 31;
        assert_eq!(narrow::<16>(half), 1);
        assert_eq!(narrow::<16>(half - 1), 0);
        assert_eq!(narrow::<16>(-half), 0);
        assert_eq!(narrow::<16>(-half - 1), -1);
        assert_eq!(narrow::<16>(*range::<16>().end()), 32767);
        assert_eq!(narrow::<16>(*range::<16>().start()), -32768);
        assert_eq!(narrow::<16>(*range::<16>().end() + 1), 32768);
        assert_eq!(narrow::<32>(*range::<32>().end()), i32::MAX);
        assert_eq!(narrow::<32>(*range::<32>().start()), i32::MIN);
        assert_eq!(narrow::<8>(*range::<8>().start()), -128);
    }
}
