//! Streams as the commands use them: configuration, start, progress, stall.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use audiofront::StreamConfig;
use audiofront_linux::Card;
use indicatif::{ProgressBar, ProgressStyle};
use sndif::Direction;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::{HwParams, Interval};

/// A position that stands still for this long is an error.
const STALLED: Duration = Duration::from_secs(3);

/// Longest time between two checks for a signal.
const LOOK: Duration = Duration::from_millis(100);

/// The shape of a stream's samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) rate_hz: u32,
    pub(crate) format: SampleFormat,
    pub(crate) channels: u8,
}

impl Shape {
    pub(crate) fn frame_bytes(self) -> u32 {
        self.format.bytes_per_sample().unwrap_or(0) * u32::from(self.channels)
    }

    fn params(self) -> HwParams {
        HwParams {
            formats: FormatSet::of(&[self.format]),
            rates: Interval::exactly(self.rate_hz),
            channels: Interval::exactly(self.channels.into()),
            ..HwParams::ANY
        }
    }

    /// Whether the stream supports it.
    pub(crate) fn is_possible(self, card: &mut Card, stream: usize) -> audiofront_linux::Result<bool> {
        Ok(card.query(stream, &self.params())?.is_some())
    }

    /// A configuration with the largest buffer up to `frames`, and the largest period up to a quarter of it.
    pub(crate) fn config(self, card: &mut Card, stream: usize, frames: u32) -> Result<StreamConfig> {
        let wanted = HwParams { buffer_frames: Interval { min: 1, max: frames }, ..self.params() };
        let Some(can) = card.query(stream, &wanted)? else {
            let all = card.query(stream, &HwParams::ANY)?.unwrap_or(HwParams::ANY);
            let formats: Vec<&str> = all.formats.iter().map(|format| format.name()).collect();
            bail!(
                "the stream doesn't support {} with {} channels at {} Hz; it supports {} with {} to {} channels at {} to {} Hz\n  \
                 what to do: convert the samples first (sox, ffmpeg), or choose other parameters",
                self.format.name(),
                self.channels,
                self.rate_hz,
                formats.join(", "),
                all.channels.min,
                all.channels.max,
                all.rates.min,
                all.rates.max,
            );
        };
        let buffer_frames = can.buffer_frames.max.min(frames);
        let period_frames = (buffer_frames / 4).clamp(can.period_frames.min, can.period_frames.max);
        Ok(StreamConfig {
            rate_hz: self.rate_hz,
            format: self.format,
            channels: self.channels,
            buffer_bytes: buffer_frames * self.frame_bytes(),
            period_bytes: period_frames * self.frame_bytes(),
        })
    }
}

/// Opens and starts the card's first playback and capture stream, without events and in silence.
pub(crate) fn start_silent(card: &mut Card, rate_hz: u32, playback_only: bool) -> Result<Vec<usize>> {
    if !card.has_control_page() {
        bail!("the back end keeps no control page\n  what to do: use a newer image in the driver domain");
    }
    let mut streams = vec![card.find(Direction::Playback, None)?];
    if !playback_only && let Ok(capture) = card.find(Direction::Capture, None) {
        streams.push(capture);
    }
    let shape = Shape { rate_hz, format: SampleFormat::S16Le, channels: 2 };
    for stream in &streams {
        let config = shape.config(card, *stream, 4_096)?;
        card.open(*stream, &StreamConfig { period_bytes: 0, ..config })?;
        if let Some(playback) = card.front(*stream).playback() {
            // The zeroed buffer is silence, and nothing has to be written over it.
            playback.write_in_place();
        }
    }
    if streams.len() > 1 && card.offers_linked_start() {
        card.start_together(&streams)?;
    } else {
        streams.iter().try_for_each(|stream| card.start(*stream))?;
    }
    Ok(streams)
}

/// Watches that a stream moves.
pub(crate) struct Watchdog {
    position_bytes: u64,
    since: Instant,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        Self { position_bytes: 0, since: Instant::now() }
    }

    /// Sleeps for a while, or until the back end sends something.
    pub(crate) fn wait(&mut self, card: &mut Card, stream: usize) -> Result<()> {
        card.wait(LOOK)?;
        let position_bytes = card.front(stream).position_bytes();
        if position_bytes != self.position_bytes {
            *self = Self { position_bytes, since: Instant::now() };
        } else if self.since.elapsed() > STALLED {
            bail!(
                "the stream stands still at byte {position_bytes} for {} s\n  \
                 what to do: see the driver domain's console and its state in xenstore",
                STALLED.as_secs()
            );
        }
        Ok(())
    }
}

/// A bar on the terminal, if standard error is one.
pub(crate) fn progress(frames: u64, rate_hz: u32) -> ProgressBar {
    let template = "{wide_bar} {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(frames).with_style(style);
    show(&bar, 0, frames, rate_hz);
    bar
}

/// Moves the bar on.
pub(crate) fn show(bar: &ProgressBar, frames: u64, of: u64, rate_hz: u32) {
    let seconds = |frames: u64| frames as f64 / f64::from(rate_hz);
    bar.set_position(frames.min(of));
    bar.set_message(format!("{:.1} of {:.1} s", seconds(frames.min(of)), seconds(of)));
}
