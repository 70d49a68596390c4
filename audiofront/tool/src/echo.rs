//! `audiofront echo-check`: the echo test, by the control page's offsets or, for comparison, by ALSA's pointers.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use audiofront_linux::{CardInfo, Duplex};
use echo_check::command::EchoCheck;
use echo_check::{DuplexRun, Frame, Monitored, OffsetReading, Take};

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

    /// Record this monitor, too: then the far end is all that guests play to the output [default: the card's first monitor]
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    monitor: Option<String>,

    /// For comparison: use ALSA's pointers on this device of the kernel's driver. Needs a build with the feature alsa
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["card", "playback", "capture", "monitor"])]
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
        let monitor = self.monitor.as_deref().map(|wanted| monitor_of(card.info(), wanted)).transpose()?;
        let (playback, capture) = (self.playback.as_deref(), self.capture.as_deref());
        let duplex = Duplex::open(card, playback, capture, monitor.as_deref())?;
        let mut streams = ControlPage { duplex, signals };
        let code = self.check.execute(&mut streams)?;
        streams.duplex.close()?;
        Ok(code)
    }
}

/// The `unique-id` of the monitor that is wanted, or of the card's first one for an empty name.
fn monitor_of(card: &CardInfo, wanted: &str) -> Result<String> {
    let mut monitors = card.streams.iter().filter(|stream| stream.is_monitor());
    let found = monitors.find(|stream| wanted.is_empty() || stream.unique_id == wanted);
    found.map(|stream| stream.unique_id.clone()).with_context(|| {
        let wanted = if wanted.is_empty() { String::new() } else { format!(" {wanted:?}") };
        format!(
            "card {} has no monitor{wanted}; `audiofront list` has its streams\n  \
             what to do: give the guest's vsnd a stream with unique-id=monitor-0 and type=C, \
             and the right to it: snddom/guest/DOMID/may-hear",
            card.index
        )
    })
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
        let monitor = match &taken.monitor {
            Some(monitor) => Some(Monitored {
                published_offset_frames: taken
                    .monitor_offset_frames()
                    .context("the back end publishes no positions of the monitor")?
                    as f64,
                recorded: monitor.recorded.clone(),
                track: track(&monitor.offsets),
            }),
            None => None,
        };
        Ok(Take {
            published_offset_frames: offset as f64,
            offset_error_frames,
            track: track(&taken.offsets),
            linked_start: taken.started_together.is_some(),
            captured: taken.captured,
            monitor,
        })
    }

    fn source(&self) -> &str {
        "control page"
    }
}

fn track(offsets: &[audiofront_linux::OffsetReading]) -> Vec<OffsetReading> {
    let reading = |told: &audiofront_linux::OffsetReading| OffsetReading {
        at_frame: told.at_frame,
        offset_frames: told.offset_frames as f64,
    };
    offsets.iter().map(reading).collect()
}

#[cfg(feature = "alsa")]
fn by_alsa(device: &str, check: &EchoCheck) -> Result<ExitCode> {
    check.execute(&mut echo_check::alsa::AlsaDuplex::open(device)?)
}

#[cfg(not(feature = "alsa"))]
fn by_alsa(device: &str, _: &EchoCheck) -> Result<ExitCode> {
    anyhow::bail!("--alsa {device}: this audiofront was built without the feature alsa")
}
