//! `audiofront echo-check`: the echo test, by the control page's offsets or, for comparison, by ALSA's pointers.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use audiofront_linux::Duplex;
use echo_check::command::EchoCheck;
use echo_check::{DuplexRun, Frame, OffsetReading, Take};

use crate::guard;
use crate::signals::Signals;

/// Play a known signal, record it at the same time, and judge whether the published offset is good enough to cancel its echo
///
/// Exit status: 0 all bounds hold; 1 a bound is exceeded; 2 the test can't be carried out.
#[derive(clap::Args)]
pub(crate) struct Echo {
    /// The card's number in `audiofront list`
    #[arg(long, value_name = "N", default_value_t = 0)]
    card: u32,

    /// The unique-id of the stream that plays [default: the card's first one]
    #[arg(long, value_name = "NAME")]
    playback: Option<String>,

    /// The unique-id of the stream that records [default: the card's first one]
    #[arg(long, value_name = "NAME")]
    capture: Option<String>,

    /// For comparison: use ALSA's pointers on this device of the kernel's driver. Needs a build with the feature alsa
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["card", "playback", "capture"])]
    alsa: Option<String>,

    #[command(flatten)]
    check: EchoCheck,
}

impl Echo {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        // Bad input shows before a card is touched.
        let judged = self.check.check().and_then(|_| self.run());
        judged.or_else(|error| {
            if error.is::<crate::signals::Interrupted>() {
                return Err(error);
            }
            eprintln!("audiofront: {error:#}");
            Ok(ExitCode::from(2))
        })
    }

    fn run(&self) -> Result<ExitCode> {
        if let Some(device) = &self.alsa {
            return by_alsa(device, &self.check);
        }
        let signals = Signals::watch()?;
        let card = guard::connect(self.card)?;
        let duplex = Duplex::open(card, self.playback.as_deref(), self.capture.as_deref())?;
        let mut streams = ControlPage { duplex, signals };
        let code = self.check.execute(&mut streams)?;
        streams.duplex.close()?;
        Ok(code)
    }
}

/// Both streams of a card, with offsets by its control page.
struct ControlPage {
    duplex: Duplex,
    signals: Signals,
}

impl DuplexRun for ControlPage {
    fn run(&mut self, play: &[Frame]) -> Result<Take> {
        let taken = self.duplex.run(play, || self.signals.check().is_ok());
        self.signals.check()?;
        let taken = taken?;
        let offset = taken.offset_frames().context(
            "the back end publishes no positions: it's older than the control page, or the streams did not lock",
        )?;
        let offset_error_frames = taken.offset_error_frames().unwrap_or(f64::INFINITY);
        ensure!(!taken.offsets.is_empty(), "no offset was published while the streams ran");
        let track = taken.offsets.iter();
        let track = track
            .map(|told| OffsetReading { at_frame: told.at_frame, offset_frames: told.offset_frames as f64 });
        Ok(Take {
            published_offset_frames: offset as f64,
            offset_error_frames,
            track: track.collect(),
            linked_start: taken.started_together.is_some(),
            captured: taken.captured,
        })
    }

    fn source(&self) -> &str {
        "control page"
    }
}

#[cfg(feature = "alsa")]
fn by_alsa(device: &str, check: &EchoCheck) -> Result<ExitCode> {
    check.execute(&mut echo_check::alsa::AlsaDuplex::open(device)?)
}

#[cfg(not(feature = "alsa"))]
fn by_alsa(device: &str, _: &EchoCheck) -> Result<ExitCode> {
    anyhow::bail!("--alsa {device}: this audiofront was built without the feature alsa")
}
