//! The microphone's signal arrives in the front end's pages, with no break.

use echo_check::signal;

use super::bench::{Bench, Case, recording};
use crate::harness::{Room, Source};
use crate::judge::compare::Alignment;
use crate::judge::verdict::{Finding, ensure};
use crate::judge::{room, summary};
use crate::qemu::Controller;
use crate::qemu::machine_line::Direction;
use crate::qemu::session::{CAPTURE_RATE_HZ, Capture, Outcome, Session};
use crate::wav::Pcm;

pub(super) const CASES: &[(&str, Case)] = &[
    ("a_ramp_has_no_break", |bench| ramp(bench, Controller::Ich9)),
    ("a_ramp_has_no_break_ich6", |bench| ramp(bench, Controller::Ich6)),
    ("silence_is_silence", silence_is_silence),
    ("playback_and_capture_at_once", playback_and_capture_at_once),
    ("two_runs_are_identical", two_runs_are_identical),
    ("a_room_returns_what_is_played_to_the_frame", |bench| room(bench, &[0, 5, 50, 200])),
];

/// Two seconds: many times around any buffer.
const FRAMES: u64 = 96_000;

fn fed_with(source: Source) -> Option<Capture> {
    Some(Capture { frames: FRAMES, source })
}

fn judge(outcome: &Outcome, source: &Source) -> Result<Alignment, Finding> {
    let aligned = summary::judge_capture(source, FRAMES, outcome)?;
    let done = outcome
        .done_of(Direction::Capture, 0)
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
    if let Some(at) = outcome.recorded.iter().position(|byte| *byte != 0) {
        return Err(Finding::failure(format!("byte {at} isn't silent")));
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

/// The room that echo tests are made in: the delay is what was asked for, and the harness's own 1024 frames.
fn room(bench: &Bench, delays_ms: &[usize]) -> Result<String, Finding> {
    let signal = signal::mls(signal::MLS_ORDER)?;
    let lead = FRAMES as usize / 4;
    let bytes = |frame: [i16; 2]| frame.map(i16::to_le_bytes).concat();
    let bytes = signal::frames(&signal, lead, lead).into_iter().flat_map(bytes).collect();
    let pcm = Pcm { rate_hz: CAPTURE_RATE_HZ, bytes };
    for delay_ms in delays_ms {
        let delay = delay_ms * CAPTURE_RATE_HZ as usize / 1000;
        let session = Session {
            playback: vec![pcm.clone()],
            capture: fed_with(Source::Silence),
            room: Some(Room::with_delay(delay)),
            ..bench.session()
        };
        let outcome = bench.pass(&session)?;
        let arrival = room::came_back(&session, &outcome)?;
        let off = arrival.first_frames - (Room::OWN_DELAY_FRAMES + delay) as f64;
        let is_there = off.abs() < 0.5;
        ensure!(is_there, "at {delay_ms} ms it is {off:.2} frames off");
        // A single frame that is missing, or at another place, is a floor.
        let is_clean = arrival.peak_to_floor > 1000.0;
        ensure!(is_clean, "at {delay_ms} ms there is noise: {arrival:?}");
    }
    Ok(format!("at {delays_ms:?} ms, {} frames later", Room::OWN_DELAY_FRAMES))
}

fn two_runs_are_identical(bench: &Bench) -> Result<String, Finding> {
    let session = Session { capture: fed_with(Source::Ramp), ..bench.session() };
    let [one, other] = [bench.pass(&session)?, bench.pass(&session)?];
    judge(&one, &Source::Ramp)?;
    ensure!(one.recorded == other.recorded, "the recordings differ");
    ensure!(one.log.console == other.log.console, "the logs differ");
    Ok("recording and log, byte by byte".to_owned())
}
