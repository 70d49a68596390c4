//! Parts that the tests share.
//!
//! `MIXER_CASES` says how many cases each property test draws, instead of a few. `MIXER_SEED` is the seed of the first case: processes
//! whose seeds are a number of cases apart share out the cases.

use std::ops::Range;
use std::str::FromStr;

use proptest::test_runner::{Config, RngSeed};

pub mod fake_card;
pub mod filter;
pub mod guest;
pub mod memory;
pub mod recorder;
pub mod rig;
pub mod silent_card;
pub mod traces;

/// The number in a variable of the environment, if it is set.
fn asked<T: FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Cases of a property test: a few, or as many as `MIXER_CASES` says.
pub fn cases(few: u32) -> u32 {
    asked("MIXER_CASES").unwrap_or(few)
}

/// The seeds of as many cases, from 0 or `MIXER_SEED` on.
pub fn seeds(few: u32) -> Range<u64> {
    let first: u64 = asked("MIXER_SEED").unwrap_or_default();
    first..first + u64::from(cases(few))
}

/// A property test of as many cases. Without `MIXER_SEED` each run draws others.
pub fn property(few: u32) -> Config {
    let rng_seed = asked("MIXER_SEED").map_or(RngSeed::Random, RngSeed::Fixed);
    Config { rng_seed, ..Config::with_cases(cases(few)) }
}

/// Noise that is the same in each run: 32 bits for each number.
pub fn noise(seed: u64, index: u64) -> u32 {
    let mut word =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(index.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word >> 32) as u32
}
