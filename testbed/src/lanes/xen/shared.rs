//! Guests on one output: what is heard is the sum of what they play, to the bit.

use super::scenario::Scenario;
use super::sounds::{self, heard, long, short};
use crate::judge::compare;
use crate::judge::verdict::{Finding, ensure};
use crate::rig::Outcome;
use crate::wav::{FRAME_BYTES, Pcm};

pub(super) const AMD: Scenario = Scenario {
    name: "shared",
    script: include_str!("../../../rig/scenarios/shared.sh"),
    files: || {
        sounds::files([
            ("alone", short(1)),
            ("first", quiet(short(2))),
            ("second", quiet(short(3))),
            ("beside", quiet(short(4))),
            ("long", quiet(long(10, 5))),
        ])
    },
    host_checks: &[
        ("one_alone_is_exact", |outcome| heard(outcome, 0, &short(1))),
        ("two_at_once_are_their_sum", |outcome| both(outcome, &quiet(short(2)), &quiet(short(3)))),
        ("one_is_exact_while_another_is_destroyed", |outcome| {
            cut_short(outcome, &quiet(long(10, 5)), &quiet(short(4)))
        }),
    ],
    ..Scenario::ONE_CODEC
};

/// Frames by which a sound is recognised.
const SIGNATURE_FRAMES: usize = 16;

/// A quarter as loud: sums of three don't clip.
fn quiet(pcm: Pcm) -> Pcm {
    let bytes = samples(&pcm.bytes).flat_map(|sample| (sample / 4).to_le_bytes()).collect();
    Pcm { bytes, ..pcm }
}

fn samples(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes))
}

/// The place of a sound's first frames, in bytes.
fn begin(sound: &[u8], heard: &[u8]) -> Option<usize> {
    let signature = sound.get(..SIGNATURE_FRAMES * FRAME_BYTES)?;
    Some(compare::find(signature, heard, FRAME_BYTES)? as usize * FRAME_BYTES)
}

/// What is left of `heard` without a sound that begins there.
fn without(heard: &[u8], sound: &[u8], start: usize) -> Vec<u8> {
    let mut rest = heard.to_vec();
    for (rest, sound) in
        rest.get_mut(start..).unwrap_or_default().as_chunks_mut().0.iter_mut().zip(samples(sound))
    {
        *rest = i16::from_le_bytes(*rest).wrapping_sub(sound).to_le_bytes();
    }
    rest
}

/// Both sounds are in it whole, and begin at different frames; where they overlap, as a sum.
fn both(outcome: &Outcome, one: &Pcm, other: &Pcm) -> Result<String, Finding> {
    let (one, other, heard) = (&one.bytes, &other.bytes, outcome.heard(0));
    // The one that begins first is alone for some frames.
    let found = [(one, other), (other, one)].into_iter().find_map(|(first, second)| {
        let start = begin(first, heard)?;
        let second =
            compare::find(second, &without(heard, first, start), FRAME_BYTES)? as usize * FRAME_BYTES;
        (start <= second && second < start + first.len()).then_some((start, second))
    });
    let (first, second) = found.ok_or_else(|| Finding::failure("their sum was not heard"))?;
    let (first, second) = (first / FRAME_BYTES, second / FRAME_BYTES);
    Ok(format!("exact, one from frame {first} on and the other from frame {second} on"))
}

/// A sound is in it whole, over another one that breaks off meanwhile.
fn cut_short(outcome: &Outcome, cut: &Pcm, whole: &Pcm) -> Result<String, Finding> {
    let heard = outcome.heard(0);
    let start = begin(&cut.bytes, heard).ok_or_else(|| Finding::failure("the long one was not heard"))?;
    let alone = without(heard, &cut.bytes, start);
    let from =
        begin(&whole.bytes, &alone).ok_or_else(|| Finding::failure("the other was not heard beside it"))?;
    let rest = without(heard, &whole.bytes, from);
    let place = from.saturating_sub(start);
    let (Some(rest), Some(cut)) = (rest.get(from..from + whole.bytes.len()), cut.bytes.get(place..)) else {
        return Err(Finding::failure("one of them was not heard whole"));
    };
    let overlap = rest.iter().zip(cut).take_while(|(rest, cut)| rest == cut).count();
    let silent = rest.iter().rev().take_while(|byte| **byte == 0).count();
    // A sample of the sound that breaks off can be 0.
    ensure!(
        overlap + silent >= rest.len(),
        "{} bytes are neither the sum nor the one alone",
        rest.len() - overlap - silent
    );
    ensure!(overlap > 0 && silent > 0, "the other did not end meanwhile");
    Ok(format!("exact, for {} frames beside the one that is destroyed", overlap / FRAME_BYTES))
}
