//! `audiofront position`.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use audiofront_linux::{Frames, Position, PositionReader};
use serde_json::json;
use sndif::Direction;
use sndif::control_page::{PositionLock, PositionSource, Slot};

use crate::guard;
use crate::signals::Signals;
use crate::streams::start_silent;

/// Run a card's first streams in silence and show their positions from the control page
///
/// Columns:
///   frames          frames at the link now
///   age us          age of the published pair of frames and time, microseconds
///   error us        bound of the position's error, microseconds
///   lead            frames that DMA is ahead of the link (playback) or behind it (capture)
///   codec           the converter's own delay, frames
///   link ppm        rate of the link's clock against Xen's, parts per million
///   guest ppm       rate of Xen's clock against this guest's, parts per million
///   state           how the position is measured
///   start distance  frames between this stream's start and the first stream's
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Positions {
    /// The card's number in `audiofront list`
    #[arg(long, value_name = "N", default_value_t = 0)]
    card: u32,

    /// Number of rows [default: until Ctrl-C]
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// Time between rows, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    interval_ms: u64,

    /// Frame rate in Hz
    #[arg(long, value_name = "HZ", default_value_t = 48_000)]
    rate: u32,

    /// Print one line of JSON for each stream and row
    #[arg(long)]
    json: bool,

    /// Don't record, for a guest that must not
    #[arg(long)]
    playback_only: bool,
}

/// A stream that runs.
struct Running {
    number: usize,
    direction: Direction,
    reader: PositionReader,
}

impl Positions {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let signals = Signals::watch()?;
        let mut card = guard::connect(self.card)?;
        let streams = start_silent(&mut card, self.rate, self.playback_only)?;
        let running: Vec<Running> = streams
            .into_iter()
            .filter_map(|number| {
                let direction = card.info().streams.get(number)?.direction;
                Some(Running { number, direction, reader: card.position(number)? })
            })
            .collect();
        let interval = Duration::from_millis(self.interval_ms);
        let in_place = !self.json && std::io::stdout().is_terminal();
        if !self.json {
            println!(
                "stream           frames   age us  error us   lead  codec  link ppm  guest ppm  state         start distance"
            );
        }
        let mut due = Instant::now();
        let mut shown = 0;
        while self.count.is_none_or(|count| shown < count) {
            due += interval;
            while let left = due.saturating_duration_since(Instant::now())
                && !left.is_zero()
            {
                signals.check()?;
                card.wait(left.min(Duration::from_millis(100)))?;
            }
            let first = running.first().and_then(|running| running.reader.slot().ok());
            if in_place && shown > 0 {
                print!("\x1b[{}A", running.len());
            }
            for running in &running {
                let row = self.row(running, first.as_ref())?;
                // What was there before may have been longer.
                println!("{row}{}", if in_place { "\x1b[K" } else { "" });
            }
            shown += 1;
        }
        card.close()?;
        Ok(ExitCode::SUCCESS)
    }

    fn row(&self, running: &Running, first: Option<&Slot>) -> Result<String> {
        let Ok(position) = running.reader.now() else {
            bail!("the control page can't be read: {:?}", running.reader.slot());
        };
        let name = running.direction.to_string();
        let Some(position) = position else {
            return Ok(if self.json {
                json!({ "stream": running.number, "direction": name, "position": null }).to_string()
            } else {
                format!("{name:<9}   no position yet")
            });
        };
        let Position { at: Frames { frames, error_ns, guest_ns, .. }, age_ns, slot, .. } = position;
        let link_ppm = link_ppm(&slot, self.rate);
        let guest_ppm =
            running.reader.clock().drift_ppb().map(|(low, high)| (f64::from(low) + f64::from(high)) / 2e3);
        let distance = first
            .filter(|first| first.lock.is_some())
            .map(|first| first.start_distance_frames(&slot, self.rate));
        let lock = match slot.lock {
            Some(PositionLock::Locked) => "LOCKED",
            Some(PositionLock::Coarse) => "COARSE",
            None => "none",
        };
        let source = match slot.source {
            Some(PositionSource::Link) => "link",
            Some(PositionSource::Memory) => "DMA buffer",
            Some(PositionSource::WallClock) => "wall clock",
            None => "none",
        };
        if self.json {
            let row = json!({
                "stream": running.number, "direction": name, "position": frames, "guest_ns": guest_ns,
                "link_frames": slot.link_frames, "time_ns": slot.time_ns, "age_ns": age_ns,
                "error_ns": error_ns, "published_error_ns": slot.error_ns,
                "dma_lead_frames": slot.dma_lead_frames, "codec_delay_frames": slot.codec_delay_frames,
                "link_ppm": link_ppm, "guest_ppm": guest_ppm, "lock": lock, "source": source,
                "generation": slot.generation, "start_wall_ticks": slot.start_wall_ticks,
                "start_time_ns": slot.start_time_ns, "xrun_frames": slot.xrun_frames,
                "start_distance_frames": distance,
            });
            return Ok(row.to_string());
        }
        let us = |ns: u64| ns as f64 / 1e3;
        Ok(format!(
            "{name:<9} {frames:>13} {:>8.1} {:>9.1} {:>6} {:>6} {link_ppm:>9.2} {:>10.2}  {lock:<6} {source:<10} {}",
            us(age_ns),
            us(error_ns),
            slot.dma_lead_frames,
            slot.codec_delay_frames,
            guest_ppm.unwrap_or(0.0),
            distance.map_or(String::new(), |distance| distance.to_string()),
        ))
    }
}

/// By how much the link is faster than its nominal rate by Xen's clock, parts in 10^6.
fn link_ppm(slot: &Slot, rate_hz: u32) -> f64 {
    let nominal_q32 = 1e9 / f64::from(rate_hz) * 4_294_967_296.0;
    (nominal_q32 / slot.ns_per_frame_q32.max(1) as f64 - 1.0) * 1e6
}
