//! Samples that are whole numbers of 8 to 32 bits.

use crate::signal::{Sample, WIDE_BITS, Wide};

/// Widens a number of this many bits, in the low bits of a word, to full scale. Bits above them are ignored.
pub fn widen<const BITS: u32>(word: u32) -> Sample {
    // Numbers have 8 to 32 bits, so the shift is below 32.
    (word << (32 - BITS)).cast_signed()
}

/// Rounds to a number of this many bits, ties up, and whether it saturated.
pub fn narrow<const BITS: u32>(wide: Wide) -> (i32, bool) {
    // Numbers have 8 to 32 bits, so the shift is 16 to 40.
    let shift = WIDE_BITS + 1 - BITS;
    let most = i64::from(i32::MAX >> (32 - BITS));
    let rounded = wide.saturating_add(1 << (shift - 1)) >> shift;
    let held = rounded.clamp(!most, most);
    (held as i32, held != rounded)
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
        assert_eq!(narrow::<16>(half), (1, false));
        assert_eq!(narrow::<16>(half - 1), (0, false));
        assert_eq!(narrow::<16>(-half), (0, false));
        assert_eq!(narrow::<16>(-half - 1), (-1, false));
        assert_eq!(narrow::<16>(1 << 47), (32767, true));
        assert_eq!(narrow::<16>(-(1 << 47)), (-32768, false));
        assert_eq!(narrow::<32>(i64::MAX), (i32::MAX, true));
        assert_eq!(narrow::<32>(i64::MIN), (i32::MIN, true));
        assert_eq!(narrow::<8>(i64::MIN), (-128, true));
    }
}
