//! One stream, treated badly by its own guest.

use super::scenario::{GuestFiles, Scenario};
use super::sounds::{self, RATE_HZ, heard, long, short};
use crate::judge::verdict::Finding;
use crate::lanes::qemu::noise;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "torture",
    script: include_str!("../../../rig/scenarios/torture.sh"),
    files,
    host_checks: &[
        ("exact_after_a_hundred_starts", |outcome| heard(outcome, 0, &short(1))),
        ("exact_after_the_wrap", |outcome| heard(outcome, 0, &short(2))),
        ("exact_after_draining", |outcome| heard(outcome, 0, &short(3))),
        ("short_ones_are_drained_whole", |outcome| heard(outcome, 0, &blip())),
    ],
    ..Scenario::ONE_CODEC
};

fn blip() -> Pcm {
    noise(RATE_HZ, 1_000, 4)
}

fn files() -> Result<GuestFiles, Finding> {
    let mut files = sounds::files([
        ("long", long(20, 9)),
        ("first", short(1)),
        ("second", short(2)),
        ("third", short(3)),
    ])?;
    files.push(("short.wav".to_owned(), blip().to_wav()?));
    let scripts = [
        ("positions", include_str!("../../../rig/guest/positions")),
        ("starve", include_str!("../../../rig/guest/starve")),
        ("doze", include_str!("../../../rig/guest/doze")),
        ("run-dry", include_str!("../../../rig/guest/run-dry")),
    ];
    files.extend(scripts.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())));
    Ok(files)
}
