//! The command line of `echo-check`, for tools that offer it as a subcommand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::{Bounds, Check, DuplexRun, RATE_HZ, Report, plot, signal};

/// Folder of recordings in Debian's package alsa-utils.
const RECORDINGS: &str = "/usr/share/sounds/alsa";

/// The voices in that folder.
const VOICES: [&str; 4] = ["Front_Center.wav", "Front_Left.wav", "Rear_Center.wav", "Side_Left.wav"];

/// Play a known signal, record it, and judge whether the published offset is good enough to cancel
/// its echo.
///
/// Exit status: 0 all bounds hold; 1 a bound is exceeded; 2 the test can't be carried out.
#[derive(Clone, Debug, clap::Args)]
pub struct EchoCheck {
    /// Number of restarts of the streams
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub restarts: u32,

    /// The signal that is played each time
    #[arg(long, value_enum, default_value = "mls")]
    pub signal: signal::Kind,

    /// The order of the maximum-length sequence: it has 2^N - 1 frames
    #[arg(long, value_name = "N", default_value_t = signal::MLS_ORDER)]
    pub mls_order: u32,

    /// A recording of speech, PCM at 48 kHz; several play one after the other [default: those of
    /// alsa-utils]
    #[arg(long, value_name = "FILE.wav")]
    pub speech: Vec<PathBuf>,

    /// The room's delay in milliseconds, if it is known: then a constant error of the offset
    /// shows, too
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub room_delay_ms: Option<f64>,

    /// Largest spread of correlated less published offset over all restarts, in frames
    #[arg(long, value_name = "FRAMES", allow_negative_numbers = true, default_value_t = Bounds::default().spread_frames)]
    pub max_spread: f64,

    /// Largest distance of their mean difference from the room's delay, in frames
    #[arg(long, value_name = "FRAMES", allow_negative_numbers = true, default_value_t = Bounds::default().offset_frames)]
    pub max_offset: f64,

    /// Least echo return loss enhancement with the published offset, in dB
    #[arg(long, value_name = "DB", default_value_t = Bounds::default().erle_db, allow_negative_numbers = true)]
    pub min_erle: f64,

    /// Print the report as one JSON object, not as a table
    #[arg(long)]
    pub json: bool,

    /// Draw offsets over restarts, and ERLE over time, into this file
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

impl EchoCheck {
    /// Runs the check on these streams and prints the report.
    ///
    /// # Errors
    /// The check can't run. The tool prints the reason and exits with 2.
    pub fn execute(&self, streams: &mut dyn DuplexRun) -> Result<ExitCode> {
        let report = self.report(streams)?;
        if self.json {
            println!("{}", report.to_json());
        } else {
            print!("{report}");
        }
        if let Some(path) = &self.plot {
            plot::draw(&report, path)?;
        }
        Ok(if report.passes() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn report(&self, streams: &mut dyn DuplexRun) -> Result<Report> {
        self.check()?.run(streams, &mut |done, of| {
            if done > 0 && !self.json {
                eprint!("\rrestart {done} of {of}{}", if done == of { "\n" } else { "" });
            }
        })
    }

    /// The requested check.
    ///
    /// # Errors
    /// The arguments make no sense.
    pub fn check(&self) -> Result<Check> {
        let not_negative = [("--max-spread", self.max_spread), ("--max-offset", self.max_offset)];
        for (option, value) in not_negative {
            ensure!(value >= 0.0, "{option} {value}: 0 or more frames");
        }
        ensure!(self.min_erle.is_finite(), "--min-erle {}: a number of dB", self.min_erle);
        if let Some(delay) = self.room_delay_ms {
            ensure!((-100.0..=1000.0).contains(&delay), "--room-delay-ms {delay}: from -100 to 1000");
        }
        if let Some(path) = &self.plot {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            ensure!(folder.is_dir(), "--plot {}: there is no folder {}", path.display(), folder.display());
        }
        let speech = if self.speech.is_empty() && self.signal == signal::Kind::Speech {
            let folder = Path::new(RECORDINGS);
            let voices: Vec<PathBuf> =
                VOICES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect();
            (!voices.is_empty()).then_some(voices).with_context(|| {
                format!("{RECORDINGS} has no voices: install alsa-utils, or give recordings with --speech FILE.wav")
            })?
        } else {
            self.speech.clone()
        };
        Ok(Check {
            restarts: self.restarts,
            signal: self.signal,
            mls_order: self.mls_order,
            speech,
            room_delay_frames: self.room_delay_ms.map(|delay| delay * f64::from(RATE_HZ) / 1000.0),
            bounds: Bounds {
                spread_frames: self.max_spread,
                offset_frames: self.max_offset,
                erle_db: self.min_erle,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::SyntheticRoom;

    #[derive(clap::Parser)]
    struct Tool {
        #[command(flatten)]
        check: EchoCheck,
    }

    fn parsed(words: &[&str]) -> EchoCheck {
        Tool::try_parse_from(std::iter::once(&"tool").chain(words)).expect("understood").check
    }

    #[test]
    fn exit_codes_tell_pass_from_fail() {
        let run = |words: &[&str], lies: Vec<f64>| {
            let mut room = SyntheticRoom { lies_frames: lies, ..SyntheticRoom::with_echo(480, 0.5) };
            parsed(words).execute(&mut room).expect("runs")
        };
        let words = ["--restarts", "3", "--mls-order", "14", "--room-delay-ms", "10", "--json"];
        assert_eq!(run(&words, vec![0.0]), ExitCode::SUCCESS);
        assert_eq!(run(&words, vec![0.0, 9.0]), ExitCode::from(1));
    }

    #[test]
    fn bad_input_is_named() {
        for (words, named) in [
            (["--max-spread", "-1"], "--max-spread -1"),
            (["--max-offset", "NaN"], "--max-offset NaN"),
            (["--room-delay-ms", "1e9"], "--room-delay-ms 1000000000"),
            (["--min-erle", "NaN"], "--min-erle NaN"),
            (["--plot", "/nowhere/at/all.svg"], "/nowhere/at"),
        ] {
            let refused = |words: &[&str]| -> Result<String> {
                let words = words.iter().map(|word| (*word).to_owned());
                let tool = Tool::try_parse_from(std::iter::once("tool".to_owned()).chain(words))?;
                Ok(tool.check.check().map(|_| String::new()).unwrap_or_else(|error| format!("{error:#}")))
            };
            let said = refused(&words).unwrap_or_else(|error| error.to_string());
            assert!(said.contains(named) || said.contains(words[0]), "{said}");
        }
    }
}
