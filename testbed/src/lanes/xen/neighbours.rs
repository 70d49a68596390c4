//! Guests beside one another: two play at once, a third waits its turn, and one plays on however the others end.

use super::scenario::{GuestFiles, HostCheck, Scenario};
use super::sessions::{heard, with_silence};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::Finding;
use crate::lanes::qemu::noise;
use crate::rig::Iommu;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "neighbours",
    script: include_str!("../../../rig/scenarios/neighbours.sh"),
    iommu: Iommu::Amd,
    codec_rates_hz: &[RATE_HZ, RATE_HZ],
    microphone: Microphone::Hears(Source::Silence),
    files,
    host_checks: HOST_CHECKS,
};

pub(super) const INTEL: Scenario = Scenario { name: "neighbours_vtd", iommu: Iommu::Intel, ..AMD };

const RATE_HZ: u32 = 48_000;

/// Longer than all that happens beside it takes.
const LONG_FRAMES: usize = 30 * RATE_HZ as usize;

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("the_first_is_exact", |outcome| heard(outcome, 0, &short(1))),
    ("the_second_beside_it_is_exact", |outcome| heard(outcome, 1, &short(2))),
    ("the_third_is_exact", |outcome| heard(outcome, 0, &short(3))),
    ("the_long_one_has_no_gap", |outcome| heard(outcome, 1, &long())),
];

fn short(seed: u64) -> Pcm {
    noise(RATE_HZ, RATE_HZ as usize, seed)
}

fn long() -> Pcm {
    noise(RATE_HZ, LONG_FRAMES, 4)
}

fn files() -> Result<GuestFiles, Finding> {
    Ok(vec![
        ("first.wav".to_owned(), with_silence(short(1))?),
        ("second.wav".to_owned(), with_silence(short(2))?),
        ("third.wav".to_owned(), with_silence(short(3))?),
        ("long.wav".to_owned(), with_silence(long())?),
    ])
}
