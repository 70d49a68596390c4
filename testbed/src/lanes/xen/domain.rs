//! What the driver domain takes of the machine, how it treats guests that come, go and may not.

use super::scenario::{GuestFiles, HostCheck, Scenario};
use super::sessions::{heard, with_silence};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::Finding;
use crate::lanes::qemu::noise;
use crate::rig::Iommu;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "domain",
    script: include_str!("../../../rig/scenarios/domain.sh"),
    iommu: Iommu::Amd,
    codec_rates_hz: &[RATE_HZ, RATE_HZ],
    microphone: Microphone::Hears(Source::Silence),
    files,
    host_checks: HOST_CHECKS,
};

const RATE_HZ: u32 = 48_000;

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("periods_of_10_ms_are_exact", |outcome| heard(outcome, 0, &long())),
    ("the_new_card_is_exact", |outcome| heard(outcome, 1, &short(2))),
    ("who_may_not_record_plays_exactly", |outcome| heard(outcome, 1, &short(3))),
];

fn short(seed: u64) -> Pcm {
    noise(RATE_HZ, RATE_HZ as usize, seed)
}

fn long() -> Pcm {
    noise(RATE_HZ, 10 * RATE_HZ as usize, 1)
}

fn files() -> Result<GuestFiles, Finding> {
    Ok(vec![
        ("long.wav".to_owned(), with_silence(long())?),
        ("second.wav".to_owned(), with_silence(short(2))?),
        ("third.wav".to_owned(), with_silence(short(3))?),
    ])
}
