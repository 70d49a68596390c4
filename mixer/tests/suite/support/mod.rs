//! Parts that the tests share.

pub mod fake_card;
pub mod guest;
pub mod memory;
pub mod rig;
pub mod silent_card;
pub mod traces;

/// Cases of a property test: a few, or as many as `MIXER_CASES` says.
pub fn cases(few: u32) -> u32 {
    std::env::var("MIXER_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few)
}

/// Noise that is the same in each run: 32 bits for each number.
pub fn noise(seed: u64, index: u64) -> u32 {
    let mut word =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(index.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word >> 32) as u32
}
