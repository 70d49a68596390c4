//! What the microphone hears arrives in the front end's pages, with no break.

use super::{Bench, Case, recording};
use crate::compare::Alignment;
use crate::harness::Source;
use crate::machine_line::Direction;
use crate::qemu::Controller;
use crate::session::{Capture, Outcome, Session};
use crate::summary;
use crate::verdict::{Finding, ensure};

pub(super) const CASES: &[(&str, Case)] = &[
    ("a_ramp_has_no_break", |bench| ramp(bench, Controller::Ich9)),
    ("a_ramp_has_no_break_ich6", |bench| ramp(bench, Controller::Ich6)),
    ("silence_is_silence", silence_is_silence),
    ("playback_and_capture_at_once", playback_and_capture_at_once),
    ("two_runs_are_identical", two_runs_are_identical),
];

/// Two seconds: many times around any buffer.
const FRAMES: u64 = 96_000;

fn fed_with(source: Source) -> Option<Capture> {
    Some(Capture { frames: FRAMES, source })
}

fn judge(outcome: &Outcome, source: &Source) -> Result<Alignment, Finding> {
    let aligned = summary::judge_capture(source, FRAMES, outcome)?;
    let done = outcome
        .done()
        .find(|done| done.direction == Direction::Capture)
        .ok_or_else(|| Finding::failure("the capture stream never says that it's done"))?;
    ensure!(done.fifo_errors == 0, "{} FIFO errors", done.fifo_errors);
    ensure!(done.underruns == 0, "{} overruns", done.underruns);
    // The emulator is asked as soon as the stream runs, so silence ahead of the feed is short: a tenth of a second.
    ensure!(aligned.silent_frames < 4800, "{} frames of silence ahead of the feed", aligned.silent_frames);
    Ok(aligned)
}

fn said(aligned: &Alignment) -> String {
    format!("{}, from frame {} of the feed on", aligned.comparison, aligned.missed_frames)
}

fn ramp(bench: &Bench, controller: Controller) -> Result<String, Finding> {
    let session = Session { controller, capture: fed_with(Source::Ramp), ..bench.session() };
    let outcome = bench.pass(&session)?;
    Ok(said(&judge(&outcome, &Source::Ramp)?))
}

fn silence_is_silence(bench: &Bench) -> Result<String, Finding> {
    let session = Session { capture: fed_with(Source::Silence), ..bench.session() };
    let outcome = bench.pass(&session)?;
    ensure!(outcome.recorded_frames() == FRAMES, "{} frames, not {FRAMES}", outcome.recorded_frames());
    if let Some(at) = outcome.recorded.iter().position(|octet| *octet != 0) {
        return Err(Finding::failure(format!("octet {at} isn't silent")));
    }
    Ok(format!("{FRAMES} frames"))
}

fn playback_and_capture_at_once(bench: &Bench) -> Result<String, Finding> {
    let pcm = recording("Front_Center.wav")?;
    let session = Session { playback: vec![pcm], capture: fed_with(Source::Ramp), ..bench.session() };
    let outcome = bench.pass(&session)?;
    for pcm in &session.playback {
        summary::judge_playback(pcm, &outcome, 0)?;
    }
    let aligned = judge(&outcome, &Source::Ramp)?;
    let times = |direction| outcome.positions(direction, 0).map(|position| position.t_ns);
    let together = times(Direction::Playback).min() <= times(Direction::Capture).max()
        && times(Direction::Capture).min() <= times(Direction::Playback).max()
        && times(Direction::Playback).next().is_some();
    ensure!(together, "one came after the other");
    Ok(format!("played: all frames; recorded: {}", said(&aligned)))
}

fn two_runs_are_identical(bench: &Bench) -> Result<String, Finding> {
    let session = Session { capture: fed_with(Source::Ramp), ..bench.session() };
    let [one, other] = [bench.pass(&session)?, bench.pass(&session)?];
    judge(&one, &Source::Ramp)?;
    ensure!(one.recorded == other.recorded, "the recordings differ");
    ensure!(one.log.console == other.log.console, "the logs differ");
    Ok("recording and log, octet by octet".to_owned())
}
