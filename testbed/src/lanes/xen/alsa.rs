//! ALSA's programs by ALSA's plug-in, with no sound driver in the guest's kernel.

use anyhow::{Context, Result};

use super::scenario::{GuestFiles, Scenario};
use super::sounds::{self, RATE_HZ, TAIL_FRAMES, heard, long, ramp};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::Finding;
use crate::lanes::qemu::noise;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "alsa",
    script: include_str!("../../../rig/scenarios/alsa.sh"),
    microphone: Microphone::Hears(Source::Ramp),
    files,
    host_checks: &[
        ("what_is_written_comes_out_exactly", |outcome| heard(outcome, 0, &half(1))),
        ("what_is_mapped_comes_out_exactly", |outcome| heard(outcome, 0, &half(2))),
        ("periods_of_64_frames_come_out_exactly", |outcome| heard(outcome, 0, &half(3))),
        ("what_is_converted_comes_out_exactly", |outcome| heard(outcome, 0, &half(4))),
        ("the_next_after_a_kill_is_exact", |outcome| heard(outcome, 0, &half(5))),
        ("the_next_after_an_interrupt_is_exact", |outcome| heard(outcome, 0, &half(6))),
        ("a_ramp_has_no_break", |outcome| ramp(outcome, "ramp.wav")),
        ("a_mapped_ramp_has_no_break", |outcome| ramp(outcome, "mapped.wav")),
    ],
    ..Scenario::ONE_CODEC
};

/// Half a second of noise.
fn half(seed: u64) -> Pcm {
    noise(RATE_HZ, RATE_HZ as usize / 2, seed)
}

fn files() -> Result<GuestFiles, Finding> {
    let mut files = sounds::files([
        ("long", long(10, 9)),
        ("1", half(1)),
        ("2", half(2)),
        ("3", half(3)),
        ("5", half(5)),
        ("6", half(6)),
    ])?;
    files.push(("wide.wav".to_owned(), wide(&half(4)).context("wide.wav")?));
    Ok(files)
}

/// The same in 32 bit, which the card isn't set up for, with some silence behind it.
fn wide(pcm: &Pcm) -> Result<Vec<u8>> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: pcm.rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec)?;
    let samples =
        pcm.bytes.as_chunks::<2>().0.iter().map(|sample| i32::from(i16::from_le_bytes(*sample)) << 16);
    for sample in samples.chain(std::iter::repeat_n(0, 2 * TAIL_FRAMES)) {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}
