//! The driver domain ends in mid-stream, in each way, and another takes its place.

use super::scenario::{GuestFiles, HostCheck, Scenario};
use super::sessions::{heard, with_silence};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::Finding;
use crate::lanes::qemu::noise;
use crate::rig::Iommu;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "restart",
    script: include_str!("../../../rig/scenarios/restart.sh"),
    iommu: Iommu::Amd,
    codec_rates_hz: &[RATE_HZ],
    microphone: Microphone::Hears(Source::Silence),
    files,
    host_checks: HOST_CHECKS,
};

const RATE_HZ: u32 = 48_000;

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("the_first_is_exact", |outcome| heard(outcome, 0, &short(1))),
    ("the_second_is_exact", |outcome| heard(outcome, 0, &short(2))),
    ("the_third_is_exact", |outcome| heard(outcome, 0, &short(3))),
];

fn short(seed: u64) -> Pcm {
    noise(RATE_HZ, RATE_HZ as usize, seed)
}

fn files() -> Result<GuestFiles, Finding> {
    let mut files = vec![("long.wav".to_owned(), with_silence(noise(RATE_HZ, 30 * RATE_HZ as usize, 9))?)];
    for seed in 1..=3 {
        files.push((format!("{seed}.wav"), with_silence(short(seed))?));
    }
    Ok(files)
}
