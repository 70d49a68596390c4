//! Guests on one output and one input that are shared: what is heard is what a mixer in doubles makes of what they play.

use super::scenario::{GuestFiles, Scenario};
use super::sounds::{self, RATE_HZ, heard, long, ramp_of, ramp_with_break, short};
use crate::harness::{Microphone, Source};
use crate::judge::mix::{self, Mix, Sound};
use crate::judge::verdict::{Finding, ensure};
use crate::lanes::qemu::noise;
use crate::rig::Outcome;
use crate::wav::FRAME_BYTES;

pub(super) const AMD: Scenario = Scenario {
    name: "mixed",
    script: include_str!("../../../rig/scenarios/mixed.sh"),
    microphone: Microphone::Hears(Source::Ramp),
    files,
    host_checks: &[
        ("one_alone_is_exact", |outcome| heard(outcome, 0, &short(ALONE_SEED))),
        ("each_alone_is_what_the_reference_makes_of_it", each_alone),
        ("three_at_once_are_their_sum", three_at_once),
        ("one_is_exact_while_others_are_stopped_paused_and_destroyed", untouched),
        ("a_program_that_is_stopped_repeats_nothing", |outcome| disturbed(outcome, &WHISPER)),
        ("a_guest_that_is_paused_repeats_nothing", |outcome| disturbed(outcome, &MURMUR)),
        ("the_direct_one_goes_on_behind_its_gap", handed_over),
        ("the_joining_one_is_exact", joining),
        ("the_first_recorder_loses_frames_once_at_most", |outcome| {
            ramp_with_break(outcome, "guest1", "auto.wav", 3)
        }),
        ("the_joining_recorder_has_no_break", |outcome| ramp_of(outcome, "guest2", "joining.wav")),
        ("the_first_records_a_ramp_without_a_break", |outcome| ramp_of(outcome, "guest1", "ramp.wav")),
        ("the_second_records_the_same_ramp", |outcome| ramp_of(outcome, "guest2", "ramp.wav")),
    ],
    ..Scenario::ONE_CODEC
};

const ALONE_SEED: u64 = 1;

/// The furthest that a sample may be from the reference, in steps of 16 bits: half a step of rounding, once for all voices
/// together, and what the converter's integers are beside the filter's formula.
const BOUND: f64 = 0.51;

/// A kind of recording.
#[derive(Clone, Copy)]
struct Kind {
    rate_hz: u32,
    bits: u16,
}

/// Those that the three guests play. A bus of 48 kHz gets two of them converted.
const KINDS: [Kind; 3] = [
    Kind { rate_hz: 44_100, bits: 16 },
    Kind { rate_hz: 48_000, bits: 8 },
    Kind { rate_hz: 96_000, bits: 32 },
];

/// A recording of one of these kinds.
struct Recording {
    kind: Kind,
    samples: Vec<[i32; 2]>,
}

impl Recording {
    /// A second of noise, a sixth of full scale, so that three of them don't clip. It begins with a loud frame.
    fn new(kind: Kind, seed: u64) -> Recording {
        let high = noise(kind.rate_hz, kind.rate_hz as usize, seed).bytes;
        let low = noise(kind.rate_hz, kind.rate_hz as usize, seed + 100).bytes;
        let mut samples: Vec<[i32; 2]> = high
            .as_chunks::<FRAME_BYTES>()
            .0
            .iter()
            .zip(low.as_chunks::<FRAME_BYTES>().0)
            .map(|([a, b, c, d], [e, f, g, h])| {
                [i32::from_le_bytes([*e, *f, *a, *b]) / 6, i32::from_le_bytes([*g, *h, *c, *d]) / 6]
            })
            .collect();
        samples[0] = [i32::MAX / 6, -(i32::MAX / 6)];
        let shift = 32 - u32::from(kind.bits);
        for frame in &mut samples {
            *frame = frame.map(|sample| sample >> shift);
        }
        Recording { kind, samples }
    }

    fn wav(&self) -> anyhow::Result<Vec<u8>> {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: self.kind.rate_hz,
            bits_per_sample: self.kind.bits,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec)?;
        // The emulator keeps the last of it to itself.
        let tail = self.kind.rate_hz as usize / 4;
        for sample in self.samples.iter().chain(std::iter::repeat_n(&[0; 2], tail)).flatten() {
            writer.write_sample(*sample)?;
        }
        writer.finalize()?;
        Ok(file.into_inner())
    }

    /// As it has to be heard at 48 kHz, with what the filter leaves behind its end.
    fn sound(&self, name: &str) -> Sound {
        let full_scale = f64::from(1u32 << (self.kind.bits - 1));
        let steps = |sample: i32| f64::from(sample) / full_scale * 32_768.0;
        let mut frames: Vec<[f64; 2]> = self.samples.iter().map(|frame| frame.map(steps)).collect();
        frames.resize(frames.len() + self.kind.rate_hz as usize / 100, [0.0; 2]);
        Sound { name: name.to_owned(), frames: mix::resample(&frames, self.kind.rate_hz, RATE_HZ) }
    }
}

const NAMES: [&str; 3] = ["first", "second", "third"];

/// What the guests play each for itself, or all at once.
fn recordings(seed: u64) -> impl Iterator<Item = Recording> {
    KINDS.into_iter().zip(seed..).map(|(kind, seed)| Recording::new(kind, seed))
}

fn sounds_of(seed: u64) -> Vec<Sound> {
    recordings(seed).zip(NAMES).map(|(recording, name)| recording.sound(name)).collect()
}

const EACH_SEED: u64 = 10;
const TOGETHER_SEED: u64 = 20;

/// Sounds of levels that don't overlap: multiples of a step, none of them 0. Whatever the guests do, their sum says what
/// each of them is heard with.
struct Level {
    name: &'static str,
    step: i16,
    most: u8,
    seconds: usize,
    seed: u64,
}

const UNTOUCHED: Level = Level { name: "untouched", step: 256, most: 100, seconds: 8, seed: 31 };
const MURMUR: Level = Level { name: "murmur", step: 8, most: 6, seconds: 20, seed: 32 };
const WHISPER: Level = Level { name: "whisper", step: 1, most: 3, seconds: 20, seed: 33 };
const DIRECT: Level = Level { name: "direct", step: 256, most: 100, seconds: 3, seed: 34 };
const JOINING: Level = Level { name: "joining", step: 8, most: 6, seconds: 1, seed: 35 };

/// The steps of all levels.
const STEPS: [i16; 3] = [256, 8, 1];

/// The longest gap of a hand-over, in frames: 50 ms.
const LONGEST_GAP_FRAMES: usize = 2_400;

/// Frames that the emulated codec has fetched and not played yet. It throws them away when its stream stops: its buffer has
/// 8192 bytes (QEMU's hw/audio/hda-codec.c).
const EMULATOR_FRAMES: usize = 8_192 / FRAME_BYTES;

/// Frames by which a place in a sound is certain.
const CERTAIN_FRAMES: usize = 16;

#[cfg(test)]
const LEVELS: [&Level; 3] = [&UNTOUCHED, &MURMUR, &WHISPER];

impl Level {
    fn frames(&self) -> Vec<[i16; 2]> {
        let sample = |low: u8, high: u8| {
            let value = i16::from(low % self.most + 1) * self.step;
            if high & 1 == 0 { value } else { -value }
        };
        let bytes = long(self.seconds, self.seed).bytes;
        bytes
            .as_chunks::<FRAME_BYTES>()
            .0
            .iter()
            .map(|[a, b, c, d]| [sample(*a, *b), sample(*c, *d)])
            .collect()
    }

    /// Its part of a sum.
    fn part(&self, frame: [i16; 2]) -> [i16; 2] {
        let mut rest = frame;
        for step in STEPS {
            // The nearest multiple: what has smaller steps is less than half a step, all together.
            let part = rest.map(|sample| (sample + step / 2).div_euclid(step) * step);
            if step == self.step {
                return part;
            }
            rest = [rest[0] - part[0], rest[1] - part[1]];
        }
        [0; 2]
    }
}

fn pcm(frames: &[[i16; 2]]) -> crate::wav::Pcm {
    let bytes = frames.iter().flatten().flat_map(|sample| sample.to_le_bytes()).collect();
    crate::wav::Pcm { rate_hz: RATE_HZ, bytes }
}

fn files() -> Result<GuestFiles, Finding> {
    let mut files = sounds::files([("alone", short(ALONE_SEED))])?;
    files.push(("positions".to_owned(), include_str!("../../../rig/guest/positions").into()));
    for (recording, name) in recordings(EACH_SEED).zip(NAMES) {
        files.push((format!("{name}.wav"), recording.wav()?));
    }
    for (recording, guest) in recordings(TOGETHER_SEED).zip(1..) {
        files.push((format!("together-{guest}.wav"), recording.wav()?));
    }
    for level in [&UNTOUCHED, &MURMUR, &WHISPER, &DIRECT, &JOINING] {
        files.extend(sounds::files([(level.name, pcm(&level.frames()))])?);
    }
    Ok(files)
}

fn explain(outcome: &Outcome, from: usize, sounds: &[Sound], bound: f64) -> Result<Mix, Finding> {
    mix::explain(outcome.heard(0), from, sounds, bound).map_err(Finding::failure)
}

/// The sounds that are played one after the other, with the bound of each: the reference is exact where nothing is converted.
fn alone(outcome: &Outcome) -> Result<(usize, f64), Finding> {
    let plain = Sound { name: "alone".to_owned(), frames: mix::frames(&short(ALONE_SEED).bytes).collect() };
    let mut from = explain(outcome, 0, &[plain], 0.0)?.end;
    let mut worst = 0f64;
    for (sound, kind) in sounds_of(EACH_SEED).into_iter().zip(KINDS) {
        let bound = if kind.rate_hz == RATE_HZ { 0.0 } else { BOUND };
        let mix = explain(outcome, from, &[sound], bound)?;
        (from, worst) = (mix.end, worst.max(mix.worst));
    }
    Ok((from, worst))
}

fn each_alone(outcome: &Outcome) -> Result<String, Finding> {
    let (_, worst) = alone(outcome)?;
    Ok(format!("8 bits to the bit, 44.1 and 96 kHz within {worst:.4} steps of 16 bits"))
}

fn together(outcome: &Outcome) -> Result<Mix, Finding> {
    explain(outcome, alone(outcome)?.0, &sounds_of(TOGETHER_SEED), BOUND)
}

fn three_at_once(outcome: &Outcome) -> Result<String, Finding> {
    let Mix { starts, worst, .. } = together(outcome)?;
    let (first, last) = (starts.iter().min().copied(), starts.iter().max().copied());
    let shared = first.zip(last).map_or(0, |(first, last)| (first + RATE_HZ as usize).saturating_sub(last));
    ensure!(shared > RATE_HZ as usize / 4, "all three are heard together for {shared} frames only");
    Ok(format!("within {worst:.4} steps of 16 bits, from frames {starts:?} on, {shared} frames of all three"))
}

/// Frames of silence that part what is played before a change of the mode from what is played after it.
const PAUSE_FRAMES: usize = 4_800;

/// What was heard behind the sums: while the port was shared, and from its mode `auto` on.
fn halves(outcome: &Outcome) -> Result<[Vec<[i16; 2]>; 2], Finding> {
    let from = together(outcome)?.end;
    let frames = outcome.heard(0).as_chunks::<FRAME_BYTES>().0.iter().skip(from);
    let mut shared: Vec<[i16; 2]> = frames
        .map(|[a, b, c, d]| [i16::from_le_bytes([*a, *b]), i16::from_le_bytes([*c, *d])])
        .skip_while(|frame| *frame == [0; 2])
        .collect();
    let pause = shared.windows(PAUSE_FRAMES).position(|frames| frames.iter().all(|frame| *frame == [0; 2]));
    let pause = pause.ok_or_else(|| Finding::failure("what plays on is never silent"))?;
    let auto = shared.split_off(pause);
    Ok([shared, auto])
}

/// A sound in its part of the sum: runs of its frames in their order, with silence between.
#[derive(Debug, PartialEq)]
struct Walk {
    /// Frames of it until the last that was heard.
    frames: usize,
    /// Lengths of the gaps within it.
    gaps: Vec<usize>,
    /// Frames that are missing, at each place where some are.
    lost: Vec<usize>,
}

/// Follows a sound through what was heard. Nothing else may be in its part, no frame twice, and at no place more than
/// `most_lost` frames may be missing.
fn walk(heard: &[[i16; 2]], level: &Level, most_lost: usize) -> Result<Walk, Finding> {
    let played = level.frames();
    let parts: Vec<[i16; 2]> = heard.iter().map(|frame| level.part(*frame)).collect();
    let (mut walk, mut gap) = (Walk { frames: 0, gaps: Vec::new(), lost: Vec::new() }, 0);
    for (at, part) in parts.iter().enumerate() {
        if *part == [0; 2] {
            gap += 1;
            continue;
        }
        if gap > 0 && walk.frames > 0 {
            walk.gaps.push(gap);
        }
        gap = 0;
        let lost = (0..=most_lost).find(|lost| {
            let here = parts[at..].iter().take(if *lost == 0 { 1 } else { CERTAIN_FRAMES });
            played
                .get(walk.frames + lost..)
                .is_some_and(|played| here.zip(played).all(|(part, frame)| part == frame))
                && walk.frames + lost < played.len()
        });
        let Some(lost) = lost else {
            return Err(Finding::failure(format!(
                "{}: frame {at} of this part is not its frame {}, but {part:?}; gaps before it: {:?} frames",
                level.name, walk.frames, walk.gaps
            )));
        };
        if lost > 0 {
            walk.lost.push(lost);
        }
        walk.frames += lost + 1;
    }
    Ok(walk)
}

/// A sound was heard whole, without a gap.
fn whole(heard: &[[i16; 2]], level: &Level) -> Result<String, Finding> {
    let Walk { frames, gaps, .. } = walk(heard, level, 0)?;
    let all = level.frames().len();
    ensure!(frames == all, "{}: {frames} of {all} frames were heard", level.name);
    ensure!(gaps.is_empty(), "{}: gaps of {gaps:?} frames are in it", level.name);
    Ok(format!("all {all} frames, to the bit"))
}

fn untouched(outcome: &Outcome) -> Result<String, Finding> {
    let [shared, _] = halves(outcome)?;
    whole(&shared, &UNTOUCHED)
}

fn disturbed(outcome: &Outcome, level: &Level) -> Result<String, Finding> {
    let [shared, _] = halves(outcome)?;
    let Walk { frames, gaps, .. } = walk(&shared, level, 0)?;
    ensure!(!gaps.is_empty(), "it was never silent");
    Ok(format!("{frames} frames in their order, each once, with silence of {gaps:?} frames between"))
}

fn handed_over(outcome: &Outcome) -> Result<String, Finding> {
    let [_, auto] = halves(outcome)?;
    let Walk { frames, gaps, lost } = walk(&auto, &DIRECT, EMULATOR_FRAMES)?;
    let all = DIRECT.frames().len();
    ensure!(frames == all, "{frames} of {all} frames were heard");
    let is_one = gaps.len() <= 1 && lost.len() <= 1 && gaps.iter().all(|gap| *gap <= LONGEST_GAP_FRAMES);
    ensure!(is_one, "silence of {gaps:?} frames, and {lost:?} are missing");
    Ok(format!("all {all} frames, to the bit, with silence of {gaps:?} frames; the emulator lost {lost:?}"))
}

fn joining(outcome: &Outcome) -> Result<String, Finding> {
    let [_, auto] = halves(outcome)?;
    whole(&auto, &JOINING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_told_apart() {
        let [untouched, murmur, whisper] = LEVELS.map(Level::frames);
        for ((untouched, murmur), whisper) in untouched.into_iter().zip(murmur).zip(whisper) {
            let sum = [untouched[0] + murmur[0] + whisper[0], untouched[1] + murmur[1] + whisper[1]];
            assert_eq!(LEVELS.map(|level| level.part(sum)), [untouched, murmur, whisper]);
            assert_eq!(WHISPER.part(whisper), whisper);
        }
    }

    #[test]
    fn a_walk_sees_what_is_repeated_and_what_is_missing() {
        let frames = WHISPER.frames();
        let with_gap = [&frames[..10], &[[0; 2]; 7], &frames[10..20]].concat();
        let in_order = Walk { frames: 20, gaps: vec![7], lost: vec![] };
        assert_eq!(walk(&with_gap, &WHISPER, 0).expect("in order"), in_order);
        let (twice, without) =
            ([&frames[..10], &frames[9..40]].concat(), [&frames[..10], &frames[12..40]].concat());
        assert!(walk(&twice, &WHISPER, 0).is_err());
        assert!(walk(&twice, &WHISPER, 100).is_err());
        assert!(walk(&without, &WHISPER, 1).is_err());
        let lost = Walk { frames: 40, gaps: vec![], lost: vec![2] };
        assert_eq!(walk(&without, &WHISPER, 2).expect("some are missing"), lost);
        assert!(walk(&[&frames[..], &frames[..1]].concat(), &WHISPER, 2).is_err());
    }

    #[test]
    fn sounds_begin_loud() {
        for sound in sounds_of(EACH_SEED).iter().chain(&sounds_of(TOGETHER_SEED)) {
            assert!(sound.frames[0][0].abs() > 1_000.0, "{}: {:?}", sound.name, sound.frames[0]);
        }
    }
}
