//! `cargo xtask run`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::harness::{Room, Source};
use crate::image::{Bin, Image};
#[cfg(feature = "plot")]
use crate::judge::plot;
use crate::judge::summary;
use crate::judge::verdict::Finding;
use crate::qemu::machine_line::{Direction, MachineLine};
use crate::qemu::session::{CAPTURE_RATE_HZ, Capture, Outcome, STREAMS, Session};
use crate::qemu::{self, Pace};
use crate::wav::{self, FRAME_BYTES, Pcm, Recording};
use crate::workspace::{self, Scratch};
use crate::{BadInput, provision};

/// Runs the command.
pub fn execute(given: xtask::Run) -> Result<ExitCode> {
    Run { given }.execute()
}

struct Run {
    given: xtask::Run,
}

impl Run {
    fn execute(self) -> Result<ExitCode> {
        // Input is judged first: nothing is installed or built for a file that can't be played.
        let mut recordings = self.given.wav.iter().map(|path| wav::load(path)).collect::<Result<Vec<_>>>()?;
        let capture_frames = self.capture_frames()?;
        self.judge_usage(&recordings)?;
        let room = self.room(&recordings)?;

        provision::qemu()?;
        let mut names = self.given.wav.clone();
        if self.given.wav.is_empty() && self.given.record.is_none() {
            let path = provision::recording()?;
            recordings.push(wav::load(&path)?);
            names.push(path);
        }
        for (name, recording) in names.iter().zip(&recordings) {
            println!("{}", describe(name, recording));
        }
        let outputs = self.outputs(recordings.len());

        let image = Image::build(Bin::Bare)?;
        let mut session = Session::new(&image.path);
        session.playback = recordings.into_iter().map(|recording| recording.pcm).collect();
        session.room = room;
        if self.given.realtime {
            session.pace = Pace::Real;
            session.host_sound = host_sound(self.given.record.is_some())?;
        }
        if let Some(frames) = capture_frames {
            session.capture =
                Some(Capture { frames, source: self.microphone(session.host_sound.as_deref())? });
        }
        session.words.extend(self.given.log.iter().map(|level| format!("log={level}")));

        let scratch = Scratch::new(self.given.keep)?;
        let machine = session.machine(&scratch)?;
        if machine.memory_mib() > qemu::IMAGE_MEMORY >> 20 {
            println!(
                "memory: {} MiB, of which the image needs 16; the rest holds the recording",
                machine.memory_mib()
            );
        }
        if self.given.keep {
            println!("files of this run: {}", scratch.path().display());
        }
        let outcome = self.follow(&session, &scratch)?;
        let result = self.write(&session, &outcome, &outputs);
        print!("\n{}", summary::summary(&session, &image, &outcome));
        result?;
        self.draw(&session, &outcome)?;
        Ok(verdict(&session, &outcome))
    }

    fn capture_frames(&self) -> Result<Option<u64>, BadInput> {
        const LONGEST_SECONDS: f64 = 3600.0;
        let Some(seconds) = self.given.record else { return Ok(None) };
        // Not a number is in no range.
        let frames = (seconds * f64::from(CAPTURE_RATE_HZ)).round();
        if !(1.0..=LONGEST_SECONDS * f64::from(CAPTURE_RATE_HZ)).contains(&frames) {
            return Err(BadInput(format!(
                "--record {seconds}: more than 0 and at most {LONGEST_SECONDS} seconds"
            )));
        }
        Ok(Some(frames as u64))
    }

    fn room(&self, recordings: &[Recording]) -> Result<Option<Room>> {
        let Some(text) = &self.given.room else { return Ok(None) };
        if let Some(recording) = recordings.first().filter(|first| first.pcm.rate_hz != CAPTURE_RATE_HZ) {
            return Err(BadInput(format!(
                "--room {text}: it's a room at {CAPTURE_RATE_HZ} Hz, and the first --wav is played at {} Hz",
                recording.pcm.rate_hz
            ))
            .into());
        }
        Ok(Some(Room::parse(text, CAPTURE_RATE_HZ)?))
    }

    fn judge_usage(&self, recordings: &[Recording]) -> Result<(), BadInput> {
        if recordings.len() > STREAMS {
            return Err(BadInput(format!(
                "--wav is given {} times: the card has {STREAMS} streams",
                recordings.len()
            )));
        }
        let plays =
            if self.given.record.is_some() { self.given.wav.len() } else { self.given.wav.len().max(1) };
        let most = plays + usize::from(self.given.record.is_some());
        if self.given.out.len() > most {
            return Err(BadInput(format!("--out is given {} times, for {most} files", self.given.out.len())));
        }
        for path in self.given.out.iter().chain(&self.given.plot) {
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            if !directory.is_dir() || path.is_dir() {
                return Err(BadInput(format!("{}: can't be written there", path.display())));
            }
        }
        Ok(())
    }

    /// Where each played stream goes, and the recording behind them.
    fn outputs(&self, plays: usize) -> Vec<PathBuf> {
        let in_target = |name: String| workspace::target_dir().join("xtask").join(name);
        let mut outputs: Vec<PathBuf> = (0..plays)
            .map(|output| match output {
                0 => in_target("heard.wav".to_owned()),
                _ => in_target(format!("heard-{}.wav", output + 1)),
            })
            .collect();
        if self.given.record.is_some() {
            outputs.push(in_target("recorded.wav".to_owned()));
        }
        let first =
            if self.given.record.is_some() && self.given.out.len() == 1 { outputs.len() - 1 } else { 0 };
        for (output, given) in outputs.iter_mut().skip(first).zip(&self.given.out) {
            output.clone_from(given);
        }
        outputs
    }

    fn microphone(&self, host_sound: Option<&str>) -> Result<Source> {
        if let Some(driver) = host_sound {
            println!("the microphone is the host's ({driver})");
            return Ok(Source::Silence);
        }
        let path = provision::recording()?;
        let recording = wav::load(&path)?;
        println!("the microphone hears {}, again and again", path.display());
        Ok(Source::Recording(recording.pcm))
    }

    /// Runs the session with a progress bar, which shows on a terminal only.
    fn follow(&self, session: &Session, scratch: &Scratch) -> Result<Outcome> {
        let longest = session.playback.iter().enumerate().max_by_key(|(_, pcm)| pcm.duration());
        let (direction, stream, frames, rate_hz) = match (longest, &session.capture) {
            (Some((stream, pcm)), _) => (Direction::Playback, stream as u32, pcm.frames(), pcm.rate_hz),
            (None, Some(capture)) => (Direction::Capture, 0, capture.frames, CAPTURE_RATE_HZ),
            (None, None) => (Direction::Playback, 0, 0, CAPTURE_RATE_HZ),
        };
        let bar = ProgressBar::new(frames);
        if let Ok(style) = ProgressStyle::with_template("frame {pos} of {len} {wide_bar} {msg}") {
            bar.set_style(style);
        }
        let outcome = session.run(scratch, |line, parsed| {
            if let Some(MachineLine::Position(position)) = parsed
                && (position.direction, position.stream) == (direction, stream)
            {
                bar.set_position(position.frames.min(frames));
                bar.set_message(format!("{:.1} s", position.frames as f64 / f64::from(rate_hz)));
            }
            if self.wants(line) {
                let line = String::from_utf8_lossy(line).trim_end().to_owned();
                bar.suspend(|| eprintln!("{line}"));
            }
        });
        bar.finish_and_clear();
        outcome
    }

    /// Whether a line of the console is for the user: all of the log when asked for, else warnings and errors.
    fn wants(&self, line: &[u8]) -> bool {
        let line = String::from_utf8_lossy(line);
        if line.starts_with('@') {
            return false;
        }
        self.given.log.is_some()
            || line.split_ascii_whitespace().take(4).any(|word| word == "WARN" || word == "ERROR")
    }

    /// Writes the output, without the tail of silence that the front end plays behind a recording.
    fn write(&self, session: &Session, outcome: &Outcome, outputs: &[PathBuf]) -> Result<()> {
        let mut outputs = outputs.iter();
        for (output, played) in session.playback.iter().enumerate() {
            let Some(path) = outputs.next() else { break };
            let heard = outcome.heard(output);
            if session.host_sound.is_some() || heard.is_empty() {
                continue;
            }
            let length = heard.len().min(played.bytes.len());
            let bytes = heard.get(..length - length % FRAME_BYTES).unwrap_or_default().to_vec();
            Pcm { rate_hz: played.rate_hz, bytes }.write(path)?;
            println!("written: {}", path.display());
        }
        if let (Some(_), Some(path)) = (&session.capture, outputs.next())
            && !outcome.recorded.is_empty()
        {
            recorded(outcome).write(path)?;
            println!("written: {}", path.display());
        }
        Ok(())
    }

    fn draw(&self, session: &Session, outcome: &Outcome) -> Result<()> {
        let Some(path) = &self.given.plot else { return Ok(()) };
        let (direction, input, output) = match (session.playback.first(), &session.capture) {
            (Some(played), _) => {
                let heard = outcome.heard.first().cloned().flatten();
                (Direction::Playback, played.clone(), heard)
            }
            (None, Some(capture)) => {
                let fed = (0..capture.frames).flat_map(|index| capture.source.frame(index)).collect();
                let fed = Pcm { rate_hz: CAPTURE_RATE_HZ, bytes: fed };
                (Direction::Capture, fed, Some(recorded(outcome)))
            }
            (None, None) => return Ok(()),
        };
        let positions: Vec<_> = outcome.positions(direction, 0).collect();
        let start_ns = positions.first().map_or(0, |position| position.t_ns);
        let position_error = positions
            .iter()
            .map(|position| {
                let at = position.t_ns.saturating_sub(start_ns) as f64 / 1e9;
                (at, position.frames.wrapping_sub(position.expected) as i64)
            })
            .collect();
        drawing(&input, output.as_ref(), position_error, path)
    }
}

/// Draws into a file, where this test bed can.
fn drawing(input: &Pcm, output: Option<&Pcm>, position_error: Vec<(f64, i64)>, path: &Path) -> Result<()> {
    #[cfg(feature = "plot")]
    {
        plot::draw(&plot::Plot { input, output, position_error }, path)?;
        println!("drawn: {}", path.display());
        Ok(())
    }
    #[cfg(not(feature = "plot"))]
    {
        crate::ignored((input, output, position_error, path), "only a test bed with drawings can draw them");
        anyhow::bail!("this test bed was built without drawings: the feature is called plot")
    }
}

fn recorded(outcome: &Outcome) -> Pcm {
    let whole = outcome.recorded.len() - outcome.recorded.len() % FRAME_BYTES;
    Pcm { rate_hz: CAPTURE_RATE_HZ, bytes: outcome.recorded.get(..whole).unwrap_or_default().to_vec() }
}

/// One line about a recording: what it is, or what it becomes.
fn describe(name: &Path, recording: &Recording) -> String {
    let what =
        recording.conversion.clone().unwrap_or_else(|| format!("{}, played as it is", recording.format));
    format!("{}: {what}", name.display())
}

/// The exit code; says why when it isn't 0.
fn verdict(session: &Session, outcome: &Outcome) -> ExitCode {
    let mut findings = Vec::new();
    if let Err(finding) = outcome.judge() {
        findings.push(finding);
    } else if session.host_sound.is_none() {
        let playback = session.playback.iter().enumerate();
        findings
            .extend(playback.filter_map(|(output, pcm)| summary::judge_playback(pcm, outcome, output).err()));
        if let Some(capture) = &session.capture {
            findings.extend(match &session.room {
                Some(_) => summary::judge_room(session, outcome).err(),
                None => summary::judge_capture(&capture.source, capture.frames, outcome).err(),
            });
        }
        if !findings.is_empty() && session.pace == Pace::Real {
            findings.push(Finding::error(
                "in real time a busy host makes the emulator drop sound; without --realtime it never does",
            ));
        }
    }
    let Some(worst) = findings.iter().max_by_key(|finding| finding.verdict) else { return ExitCode::SUCCESS };
    for finding in &findings {
        eprintln!("{finding}");
    }
    if worst.verdict == crate::judge::verdict::Verdict::Crash || outcome.judge().is_err() {
        eprintln!("the image's last words:\n{}", outcome.log.tail(25));
        if !outcome.log.emulator.trim().is_empty() {
            eprintln!("the emulator's:\n{}", outcome.log.emulator.trim());
        }
    }
    ExitCode::FAILURE
}

/// The emulator's driver for the host's sound; says so when there is none.
fn host_sound(with_input: bool) -> Result<Option<String>> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let in_runtime = |name: &str| runtime.as_ref().is_some_and(|dir| dir.join(name).exists());
    let drivers = provision::audio_drivers().context("the emulator's audio drivers")?;
    let has = |driver: &str| drivers.iter().any(|name| name == driver);
    let driver = if in_runtime("pipewire-0") && has("pipewire") {
        "pipewire"
    } else if in_runtime("pulse/native") || std::env::var_os("PULSE_SERVER").is_some() {
        // PipeWire answers here too.
        provision::qemu_sound("pa")?;
        "pa"
    } else if has_alsa_device(if with_input { 'c' } else { 'p' }) && has("alsa") {
        "alsa"
    } else {
        println!(
            "this host has no sound {}: real time, but {}",
            if with_input { "input" } else { "output" },
            if with_input { "the harness feeds the microphone" } else { "what is played goes to a file" }
        );
        return Ok(None);
    };
    println!("sound goes through the host's {driver}");
    Ok(Some(driver.to_owned()))
}

/// Whether ALSA has a PCM device whose name ends so: `p` plays, `c` records.
fn has_alsa_device(ends_with: char) -> bool {
    let Ok(entries) = std::fs::read_dir("/dev/snd") else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("pcm") && name.ends_with(ends_with)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(wavs: usize, outs: &[&str], record: Option<f64>) -> Run {
        Run {
            given: xtask::Run {
                wav: vec![PathBuf::from("song.wav"); wavs],
                out: outs.iter().map(PathBuf::from).collect(),
                record,
                room: None,
                realtime: false,
                plot: None,
                log: None,
                keep: false,
            },
        }
    }

    #[test]
    fn outputs_go_to_the_recordings_in_turn() {
        assert_eq!(run(2, &["a", "b"], None).outputs(2), [Path::new("a"), Path::new("b")]);
        assert!(run(2, &["a"], None).outputs(2)[1].ends_with("xtask/heard-2.wav"));
        assert_eq!(run(0, &["a"], None).outputs(1), [Path::new("a")]);
        let both = run(1, &["a"], Some(1.0)).outputs(1);
        assert!(both[0].ends_with("xtask/heard.wav"));
        assert_eq!(both[1], Path::new("a"));
        assert_eq!(run(1, &["a", "b"], Some(1.0)).outputs(1), [Path::new("a"), Path::new("b")]);
        assert_eq!(run(0, &["a"], Some(1.0)).outputs(0), [Path::new("a")]);
    }

    #[test]
    fn usage_is_judged() {
        assert!(run(1, &["a"], None).judge_usage(&[]).is_ok());
        assert!(run(1, &["a", "b"], None).judge_usage(&[]).is_err());
        assert!(run(0, &["a", "b"], Some(1.0)).judge_usage(&[]).is_err());
        assert!(run(1, &["/no such directory/a"], None).judge_usage(&[]).is_err());
        assert!(run(1, &["/"], None).judge_usage(&[]).is_err());
    }

    #[test]
    fn seconds_to_record_are_judged() {
        assert_eq!(run(0, &[], Some(0.5)).capture_frames().expect("fine"), Some(24_000));
        for seconds in [0.0, -1.0, 1e9, f64::NAN, f64::INFINITY] {
            assert!(run(0, &[], Some(seconds)).capture_frames().is_err(), "{seconds}");
        }
    }

    #[test]
    fn warnings_are_always_shown_and_machine_lines_never() {
        let quiet = run(1, &[], None);
        assert!(quiet.wants(b"[    0.012345] WARN hda: late\n"));
        assert!(!quiet.wants(b"[    0.012345] INFO hda: ERROR is not a level here\n"));
        assert!(!quiet.wants(b"@verdict fail WARN\n"));
        let mut chatty = run(1, &[], None);
        chatty.given.log = Some("debug".to_owned());
        assert!(chatty.wants(b"[    0.012345] DEBUG hda: fine\n"));
        assert!(!chatty.wants(b"@boot\n"));
    }
}
