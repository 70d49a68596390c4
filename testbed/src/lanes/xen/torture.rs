//! One stream, treated badly by its own guest.

use super::scenario::{GuestFiles, HostCheck, Scenario};
use super::sessions::{heard, with_silence};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::Finding;
use crate::lanes::qemu::noise;
use crate::rig::Iommu;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "torture",
    script: include_str!("../../../rig/scenarios/torture.sh"),
    iommu: Iommu::Amd,
    codec_rates_hz: &[RATE_HZ],
    microphone: Microphone::Hears(Source::Silence),
    files,
    host_checks: HOST_CHECKS,
};

const RATE_HZ: u32 = 48_000;

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("exact_after_a_hundred_starts", |outcome| heard(outcome, 0, &noise(RATE_HZ, RATE_HZ as usize, 1))),
    ("exact_after_the_wrap", |outcome| heard(outcome, 0, &noise(RATE_HZ, RATE_HZ as usize, 2))),
    ("exact_after_draining", |outcome| heard(outcome, 0, &noise(RATE_HZ, RATE_HZ as usize, 3))),
    ("short_ones_are_drained_whole", |outcome| heard(outcome, 0, &short())),
];

fn short() -> Pcm {
    noise(RATE_HZ, 1_000, 4)
}

fn files() -> Result<GuestFiles, Finding> {
    let own = |seed| with_silence(noise(RATE_HZ, RATE_HZ as usize, seed));
    let script = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    Ok(vec![
        script("positions", include_str!("../../../rig/guest/positions")),
        script("starve", include_str!("../../../rig/guest/starve")),
        script("doze", include_str!("../../../rig/guest/doze")),
        script("run-dry", include_str!("../../../rig/guest/run-dry")),
        ("long.wav".to_owned(), with_silence(noise(RATE_HZ, 20 * RATE_HZ as usize, 9))?),
        ("short.wav".to_owned(), short().to_wav()?),
        ("first.wav".to_owned(), own(1)?),
        ("second.wav".to_owned(), own(2)?),
        ("third.wav".to_owned(), own(3)?),
    ])
}
