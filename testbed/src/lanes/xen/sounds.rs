//! Sounds that guests play and record in scenarios, and the questions whether they came through.

use super::scenario::GuestFiles;
use crate::harness::Source;
use crate::judge::compare;
use crate::judge::pieces::Pieces;
use crate::judge::verdict::{Finding, ensure};
use crate::lanes::qemu::{noise, recording};
use crate::rig::Outcome;
use crate::wav::{self, FRAME_BYTES, Pcm};

/// The usual rate.
pub(super) const RATE_HZ: u32 = 48_000;

/// The furthest into the ramp at which a recording begins: a minute.
const LONGEST_MISS_FRAMES: u64 = 60 * RATE_HZ as u64;

/// Silence behind each sound: the emulator keeps the last of it to itself.
pub(super) const TAIL_FRAMES: usize = 12_000;

/// A real recording.
pub(super) fn voice() -> Result<Pcm, Finding> {
    recording("Front_Center.wav")
}

/// A second of noise.
pub(super) fn short(seed: u64) -> Pcm {
    long(1, seed)
}

/// Some seconds of noise.
pub(super) fn long(seconds: usize, seed: u64) -> Pcm {
    noise(RATE_HZ, seconds * RATE_HZ as usize, seed)
}

/// WAV files of sounds, with silence behind each.
pub(super) fn files<const N: usize>(sounds: [(&str, Pcm); N]) -> Result<GuestFiles, Finding> {
    let file = |(name, mut pcm): (&str, Pcm)| {
        pcm.bytes.resize(pcm.bytes.len() + TAIL_FRAMES * FRAME_BYTES, 0);
        Ok((format!("{name}.wav"), pcm.to_wav()?))
    };
    sounds.into_iter().map(file).collect()
}

/// All that a codec played has to have a sound in it, whole.
pub(super) fn heard(outcome: &Outcome, codec: usize, played: &Pcm) -> Result<String, Finding> {
    let heard = outcome.heard(codec);
    match compare::find(&played.bytes, heard, FRAME_BYTES) {
        Some(frame) => Ok(format!("all {} frames, from frame {frame} of codec {codec} on", played.frames())),
        None => Err(Finding::failure(format!(
            "the {} frames are not, as they are, among the {} of codec {codec}, but: {}",
            played.frames(),
            heard.len() / FRAME_BYTES,
            Pieces::of::<FRAME_BYTES>(&played.bytes, heard)
        ))),
    }
}

/// The first guest's recording has to be a part of the ramp.
pub(super) fn ramp(outcome: &Outcome, name: &str) -> Result<String, Finding> {
    ramp_of(outcome, "guest1", name)
}

/// A guest's recording of a second has to be a part of the ramp.
pub(super) fn ramp_of(outcome: &Outcome, guest: &str, name: &str) -> Result<String, Finding> {
    ramp_of_seconds(outcome, guest, name, 1)
}

/// A guest's recording, which has to have this length.
fn recorded(outcome: &Outcome, guest: &str, name: &str, seconds: u64) -> Result<Pcm, Finding> {
    let frames = seconds * u64::from(RATE_HZ);
    let recorded = wav::load(&outcome.handed_out(guest)?.join(name))?.pcm;
    ensure!(recorded.frames() == frames, "{} frames, not {frames}", recorded.frames());
    Ok(recorded)
}

/// The longest part of the ramp that a break may cost: what a hand-over of a recording loses on the emulator's controller, and
/// what the emulator keeps to itself.
const LONGEST_BREAK_FRAMES: u32 = RATE_HZ / 20 + 2_048;

/// A guest's recording of this length has to be the ramp, with a single break at most in which frames are missing.
pub(super) fn ramp_with_break(
    outcome: &Outcome,
    guest: &str,
    name: &str,
    seconds: u64,
) -> Result<String, Finding> {
    let recorded = recorded(outcome, guest, name, seconds)?;
    let counts = recorded.bytes.as_chunks::<FRAME_BYTES>().0.iter().map(|frame| u32::from_le_bytes(*frame));
    let heard: Vec<u32> = counts.skip_while(|count| *count == 0).collect();
    let is_next = |pair: &[u32]| pair[0].wrapping_add(1) == pair[1];
    let breaks: Vec<(usize, u32)> = (1..heard.len())
        .filter(|at| !is_next(&heard[at - 1..=*at]))
        .map(|at| (at, heard[at].wrapping_sub(heard[at - 1]).wrapping_sub(1)))
        .collect();
    let is_one = breaks.len() <= 1 && breaks.iter().all(|(_, lost)| *lost <= LONGEST_BREAK_FRAMES);
    ensure!(is_one, "breaks and the frames that are missing: {breaks:?}");
    let behind = recorded.frames() - heard.len() as u64;
    ensure!(behind < u64::from(RATE_HZ / 4), "{} frames only, behind {behind} of silence", heard.len());
    Ok(format!("{} frames, missing are {breaks:?}, behind {behind} of silence", heard.len()))
}

/// A guest's recording of this length has to be a part of the ramp.
pub(super) fn ramp_of_seconds(
    outcome: &Outcome,
    guest: &str,
    name: &str,
    seconds: u64,
) -> Result<String, Finding> {
    let recorded = recorded(outcome, guest, name, seconds)?;
    let aligned = compare::align(&recorded.bytes, LONGEST_MISS_FRAMES, |frame| Source::Ramp.frame(frame))
        .ok_or_else(|| Finding::failure("nothing of the ramp is in it"))?;
    ensure!(aligned.comparison.is_exact(), "it {} from the ramp", aligned.comparison);
    Ok(format!("{}, behind {} of silence", aligned.comparison, aligned.silent_frames))
}
