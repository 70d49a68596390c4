//! Guests play and record, alone and together, each exactly; with either IOMMU.

use super::scenario::{GuestFiles, HostCheck, Scenario};
use crate::harness::{Microphone, Source};
use crate::judge::compare;
use crate::judge::verdict::{Finding, ensure};
use crate::lanes::qemu::{noise, recording};
use crate::rig::{Iommu, Outcome};
use crate::wav::{self, FRAME_BYTES, Pcm};

pub(super) const AMD: Scenario = Scenario {
    name: "sessions",
    script: include_str!("../../../rig/scenarios/sessions.sh"),
    iommu: Iommu::Amd,
    codec_rates_hz: &[48_000, 44_100],
    microphone: Microphone::Hears(Source::Ramp),
    files,
    host_checks: HOST_CHECKS,
};

pub(super) const INTEL: Scenario = Scenario { name: "sessions_vtd", iommu: Iommu::Intel, ..AMD };

/// The input hears the output, by a cable.
pub(super) const LOOP_BACK: Scenario = Scenario {
    name: "loop_back",
    script: include_str!("../../../rig/scenarios/loop_back.sh"),
    microphone: Microphone::HearsTheOutput,
    codec_rates_hz: &[48_000],
    files: || Ok(Vec::new()),
    host_checks: &[],
    ..AMD
};

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("a_voice_comes_out_exactly", |outcome| heard(outcome, 0, &voice()?)),
    ("noise_at_44_1_khz_comes_out_exactly", |outcome| heard(outcome, 1, &noise_44_1())),
    ("a_ramp_has_no_break", |outcome| ramp(outcome, "ramp.wav")),
    ("noise_played_while_recording_comes_out_exactly", |outcome| heard(outcome, 0, &noise_48())),
    ("a_ramp_recorded_while_playing_has_no_break", |outcome| ramp(outcome, "both.wav")),
];

/// Frames that `arecord -d 1` records.
const RECORDED_FRAMES: u64 = 48_000;

/// Silence behind what is played: the emulator keeps the last of it to itself.
pub(super) const TAIL_FRAMES: usize = 12_000;

pub(super) fn voice() -> Result<Pcm, Finding> {
    recording("Front_Center.wav")
}

fn noise_48() -> Pcm {
    noise(48_000, 72_000, 1)
}

fn noise_44_1() -> Pcm {
    noise(44_100, 44_100, 2)
}

fn files() -> Result<GuestFiles, Finding> {
    Ok(vec![
        ("voice.wav".to_owned(), with_silence(voice()?)?),
        ("noise-48.wav".to_owned(), with_silence(noise_48())?),
        ("noise-44.1.wav".to_owned(), with_silence(noise_44_1())?),
    ])
}

/// A file of a recording with some silence behind it.
pub(super) fn with_silence(mut pcm: Pcm) -> Result<Vec<u8>, Finding> {
    pcm.bytes.resize(pcm.bytes.len() + TAIL_FRAMES * FRAME_BYTES, 0);
    Ok(pcm.to_wav()?)
}

/// All that a codec played has to have a recording in it, whole.
pub(super) fn heard(outcome: &Outcome, codec: usize, played: &Pcm) -> Result<String, Finding> {
    let heard = outcome.heard(codec);
    match compare::find(&played.bytes, heard, FRAME_BYTES) {
        Some(frame) => Ok(format!("all {} frames, from frame {frame} of codec {codec} on", played.frames())),
        None => Err(Finding::failure(format!(
            "the {} frames are not, as they are, among the {} of codec {codec}",
            played.frames(),
            heard.len() / FRAME_BYTES
        ))),
    }
}

/// What the first guest recorded has to be a part of the ramp.
pub(super) fn ramp(outcome: &Outcome, name: &str) -> Result<String, Finding> {
    let folder = match outcome.handed_out.get("guest1") {
        Some(Ok(folder)) => folder,
        Some(Err(why)) => return Err(Finding::failure(why.clone())),
        None => return Err(Finding::failure("guest1 handed out nothing")),
    };
    let recorded = wav::load(&folder.join(name))?.pcm;
    ensure!(recorded.frames() == RECORDED_FRAMES, "{} frames, not {RECORDED_FRAMES}", recorded.frames());
    let aligned = compare::align(&recorded.bytes, 60 * RECORDED_FRAMES, |frame| Source::Ramp.frame(frame))
        .ok_or_else(|| Finding::failure("nothing of the ramp is in it"))?;
    ensure!(aligned.comparison.is_exact(), "it {} from the ramp", aligned.comparison);
    Ok(format!("{}, behind {} of silence", aligned.comparison, aligned.silent_frames))
}
