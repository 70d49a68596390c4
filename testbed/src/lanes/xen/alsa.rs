//! ALSA's programs by ALSA's plug-in, with no sound driver in the guest's kernel.

use super::scenario::{GuestFiles, HostCheck, Scenario};
use super::sessions::{TAIL_FRAMES, heard, ramp, with_silence};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::Finding;
use crate::lanes::qemu::noise;
use crate::rig::Iommu;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "alsa",
    script: include_str!("../../../rig/scenarios/alsa.sh"),
    iommu: Iommu::Amd,
    codec_rates_hz: &[RATE_HZ],
    microphone: Microphone::Hears(Source::Ramp),
    files,
    host_checks: HOST_CHECKS,
};

const RATE_HZ: u32 = 48_000;

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("what_is_written_comes_out_exactly", |outcome| heard(outcome, 0, &short(1))),
    ("what_is_mapped_comes_out_exactly", |outcome| heard(outcome, 0, &short(2))),
    ("periods_of_64_frames_come_out_exactly", |outcome| heard(outcome, 0, &short(3))),
    ("what_is_converted_comes_out_exactly", |outcome| heard(outcome, 0, &short(4))),
    ("the_next_after_a_kill_is_exact", |outcome| heard(outcome, 0, &short(5))),
    ("the_next_after_an_interrupt_is_exact", |outcome| heard(outcome, 0, &short(6))),
    ("a_ramp_has_no_break", |outcome| ramp(outcome, "ramp.wav")),
    ("a_mapped_ramp_has_no_break", |outcome| ramp(outcome, "mapped.wav")),
];

fn short(seed: u64) -> Pcm {
    noise(RATE_HZ, RATE_HZ as usize / 2, seed)
}

fn files() -> Result<GuestFiles, Finding> {
    let mut files = vec![
        ("long.wav".to_owned(), with_silence(noise(RATE_HZ, 10 * RATE_HZ as usize, 9))?),
        ("wide.wav".to_owned(), wide(&short(4))),
    ];
    for seed in [1, 2, 3, 5, 6] {
        files.push((format!("{seed}.wav"), with_silence(short(seed))?));
    }
    Ok(files)
}

/// The same in 32 bit, which the card isn't set up for, with some silence behind it.
fn wide(pcm: &Pcm) -> Vec<u8> {
    let samples = pcm.bytes.chunks(2).flat_map(|sample| [0, 0, sample[0], sample[1]]);
    let silence = std::iter::repeat_n(0, TAIL_FRAMES * 8);
    let data: Vec<u8> = samples.chain(silence).collect();
    let length = data.len() as u32;
    let mut file = Vec::new();
    // RIFF WAVE: a format chunk of 16 bytes (PCM, 2 channels, rate, bytes a second, bytes a frame, bits), then the data.
    file.extend(b"RIFF");
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1, 0, 2, 0]);
    file.extend(RATE_HZ.to_le_bytes());
    file.extend((RATE_HZ * 8).to_le_bytes());
    file.extend([8, 0, 32, 0]);
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(data);
    file
}
