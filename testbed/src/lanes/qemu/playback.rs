//! Played sound comes out of the codec as it went in.

use super::bench::{Bench, Case, noise, recording};
use crate::judge::summary;
use crate::judge::verdict::{Finding, ensure};
use crate::qemu::Controller;
use crate::qemu::machine_line::Direction;
use crate::qemu::session::{Outcome, Session};
use crate::wav::{FRAME_BYTES, Pcm};
use crate::workspace::Scratch;

pub(super) const CASES: &[(&str, Case)] = &[
    ("a_real_recording_is_exact", a_real_recording_is_exact),
    ("three_runs_are_identical", three_runs_are_identical),
    ("rate_44100", |bench| exact(bench, vec![noise(44_100, 66_150, 1)])),
    ("rate_96000", |bench| exact(bench, vec![noise(96_000, 96_000, 2)])),
    ("controller_ich6", |bench| with_controller(bench, Controller::Ich6)),
    ("controller_ich9", |bench| with_controller(bench, Controller::Ich9)),
    ("four_streams_at_once", four_streams_at_once),
    ("shorter_than_a_period", |bench| exact(bench, vec![noise(48_000, 100, 3)])),
    ("ends_inside_a_page", |bench| exact(bench, vec![noise(48_000, 50_001, 4)])),
    ("bars_placed_by_the_image", bars_placed_by_the_image),
];

/// Plays a session and compares every output.
fn play(bench: &Bench, session: &Session) -> Result<(Outcome, String), Finding> {
    let outcome = bench.pass(session)?;
    let mut frames = 0;
    for (output, pcm) in session.playback.iter().enumerate() {
        summary::judge_playback(pcm, &outcome, output)?;
        let done = outcome
            .done_of(Direction::Playback, output)
            .ok_or_else(|| Finding::failure(format!("output {output} never says that it's done")))?;
        ensure!(
            done.frames >= pcm.frames(),
            "output {output} played {} of {} frames",
            done.frames,
            pcm.frames()
        );
        ensure!(done.underruns == 0, "output {output}: {} underruns", done.underruns);
        ensure!(done.fifo_errors == 0, "output {output}: {} FIFO errors", done.fifo_errors);
        frames += pcm.frames();
    }
    Ok((outcome, format!("bit-exact, {frames} frames")))
}

fn exact(bench: &Bench, playback: Vec<Pcm>) -> Result<String, Finding> {
    let session = Session { playback, ..bench.session() };
    Ok(play(bench, &session)?.1)
}

fn a_real_recording_is_exact(bench: &Bench) -> Result<String, Finding> {
    exact(bench, vec![recording("Front_Center.wav")?])
}

fn with_controller(bench: &Bench, controller: Controller) -> Result<String, Finding> {
    let session = Session { controller, playback: vec![noise(48_000, 48_000, 5)], ..bench.session() };
    Ok(play(bench, &session)?.1)
}

fn bars_placed_by_the_image(bench: &Bench) -> Result<String, Finding> {
    let mut session = Session { playback: vec![noise(48_000, 48_000, 6)], ..bench.session() };
    session.words.push("pci=assign".to_owned());
    Ok(play(bench, &session)?.1)
}

fn four_streams_at_once(bench: &Bench) -> Result<String, Finding> {
    let playback = vec![
        recording("Front_Left.wav")?,
        recording("Rear_Center.wav")?,
        recording("Noise.wav")?,
        noise(48_000, 72_000, 7),
    ];
    let session = Session { playback, ..bench.session() };
    let (outcome, said) = play(bench, &session)?;
    // At once: every stream has moved before any is done.
    let console = String::from_utf8_lossy(&outcome.log.console);
    let first_done = console.find("\n@done").unwrap_or(console.len());
    for stream in 0..4 {
        let moved = console
            .get(..first_done)
            .is_some_and(|before| before.contains(&format!("\n@position dir=playback stream={stream} ")));
        ensure!(moved, "stream {stream} did not play beside the others");
    }
    Ok(said)
}

fn three_runs_are_identical(bench: &Bench) -> Result<String, Finding> {
    let session = Session { playback: vec![recording("Front_Right.wav")?], ..bench.session() };
    let mut first: Option<(Vec<u8>, Vec<u8>)> = None;
    for run in 1..=3 {
        let scratch: Scratch = bench.scratch()?;
        let outcome = session.run(&scratch, |_, _| ())?;
        outcome.judge()?;
        let wav =
            std::fs::read(scratch.file("heard-0.wav")).map_err(|error| Finding::error(error.to_string()))?;
        ensure!(wav.len() > FRAME_BYTES * 48_000, "run {run}: nothing was heard");
        let Some((wav_of_first, log_of_first)) = &first else {
            first = Some((wav, outcome.log.console));
            continue;
        };
        ensure!(wav == *wav_of_first, "the WAV of run {run} is not the one of run 1");
        if let Some(line) = different_line(log_of_first, &outcome.log.console) {
            return Err(Finding::failure(format!(
                "the log of run {run} is not the one of run 1, from line {line} on"
            )));
        }
    }
    Ok("WAV and log, byte by byte".to_owned())
}

/// The number of the first line that differs, from 1.
fn different_line(one: &[u8], other: &[u8]) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    Some(1 + one.iter().take(same).filter(|byte| **byte == b'\n').count())
}

#[cfg(test)]
mod tests {
    use super::different_line;

    #[test]
    fn logs_differ_at_a_line() {
        assert_eq!(different_line(b"a\nb\nc", b"a\nb\nc"), None);
        assert_eq!(different_line(b"a\nb\nc", b"a\nx\nc"), Some(2));
        assert_eq!(different_line(b"a\n", b"a\nb\n"), Some(2));
    }
}
