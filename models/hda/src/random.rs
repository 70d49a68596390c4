//! Deterministic numbers that look random.

/// The distance of two seeds in a sequence.
pub(crate) const SCRAMBLE_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number that looks random (the finaliser of SplitMix64).
pub(crate) fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(SCRAMBLE_STEP);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
