//! Plays and records at once, and reports the offset between both streams. It can record a monitor beside them.

use std::time::{Duration, Instant};

use audiofront::StreamConfig;
use sndif::Direction;
use sndif::control_page::Slot;
use sndif::format::SampleFormat;
use sndif::op::LinkedStart;

use crate::card::Card;
use crate::error::{Error, ErrorKind, Result};

/// The rate of both streams, in Hz.
const RATE_HZ: u32 = 48_000;
/// 16 bit stereo.
const FRAME_BYTES: usize = 4;
/// Frames in each buffer, at most.
const BUFFER_FRAMES: u32 = 16_384;
/// Longest sleep, so that neither stream runs out of its buffer.
const SLEEP: Duration = Duration::from_millis(20);
/// Longest time that a stream may stand still.
const STALLED: Duration = Duration::from_secs(3);

/// A frame: left and right.
pub type Frame = [i16; 2];

/// A playback and a capture stream of one card, 16 bit stereo at 48 kHz. They can run together
/// repeatedly, with a monitor beside them.
#[derive(Debug)]
pub struct Duplex {
    card: Card,
    playback: usize,
    capture: usize,
    monitor: Option<usize>,
}

/// The result of a run of both streams.
#[derive(Clone, Debug)]
pub struct Take {
    /// The recording, from frame 0 of the capture stream on, at least as long as the playback.
    pub captured: Vec<Frame>,
    /// The playback stream's slot at the end, while the stream still ran. `None`: no control page.
    pub playback: Option<Slot>,
    /// The capture stream's slot at the same time.
    pub capture: Option<Slot>,
    /// How a linked start started both. `None`: two separate requests started them.
    pub started_together: Option<LinkedStart>,
    /// Each published change of the offset while the streams ran.
    pub offsets: Vec<OffsetReading>,
    /// The monitor's recording, if there is a monitor.
    pub monitor: Option<Monitored>,
}

/// A monitor's recording: what all guests played to an output.
#[derive(Clone, Debug)]
pub struct Monitored {
    /// The recording, from frame 0 of the monitor's stream on, at least as long as the playback.
    pub recorded: Vec<Frame>,
    /// The monitor's slot at the end, while the stream still ran.
    pub slot: Option<Slot>,
    /// Each published change of the offset between monitor and capture while the streams ran.
    pub offsets: Vec<OffsetReading>,
}

/// A published offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetReading {
    /// Frames captured when it was first seen.
    pub at_frame: u64,
    /// As [`Take::offset_frames`].
    pub offset_frames: i64,
}

impl Take {
    /// The captured frame that was at the link together with playback frame 0, according to the
    /// back end. Negative if recording started later. `None`: no positions were published.
    pub fn offset_frames(&self) -> Option<i64> {
        offset_frames(&self.playback?, &self.capture?)
    }

    /// Error bound of the offset in frames, either way: the sum of both positions' bounds.
    pub fn offset_error_frames(&self) -> Option<f64> {
        let error_ns = f64::from(self.playback?.error_ns) + f64::from(self.capture?.error_ns);
        Some(error_ns * f64::from(RATE_HZ) / 1e9)
    }

    /// The captured frame that was at the link together with the monitor's frame 0, according to
    /// the back end. `None`: no monitor, or no positions were published.
    pub fn monitor_offset_frames(&self) -> Option<i64> {
        offset_frames(&self.monitor.as_ref()?.slot?, &self.capture?)
    }
}

fn offset_frames(far: &Slot, capture: &Slot) -> Option<i64> {
    far.lock.and(capture.lock)?;
    // Frame `n + distance` of capture is at the link together with frame `n` of the far end.
    Some(capture.start_distance_frames(far, RATE_HZ))
}

/// Adds a reading if the offset has changed.
fn note(offsets: &mut Vec<OffsetReading>, at_frame: usize, offset: Option<i64>) {
    let is_new = |offset_frames: &i64| offsets.last().is_none_or(|last| last.offset_frames != *offset_frames);
    if let Some(offset_frames) = offset.filter(is_new) {
        offsets.push(OffsetReading { at_frame: at_frame as u64, offset_frames });
    }
}

/// What a run brings, as it comes.
#[derive(Default)]
struct Brought {
    captured: Vec<Frame>,
    monitored: Vec<Frame>,
    offsets: Vec<OffsetReading>,
    monitor_offsets: Vec<OffsetReading>,
}

impl Duplex {
    /// Opens both streams of a card: those with these `unique-id`s, or the first ones. `monitor` is the `unique-id` of a
    /// monitor that is recorded beside them.
    ///
    /// # Errors
    /// A stream doesn't exist, or the back end refuses one.
    pub fn open(
        mut card: Card,
        playback: Option<&str>,
        capture: Option<&str>,
        monitor: Option<&str>,
    ) -> Result<Self> {
        let playback = card.find(Direction::Playback, playback)?;
        let capture = card.find(Direction::Capture, capture)?;
        let monitor = match monitor {
            Some(monitor) => Some(card.find(Direction::Capture, Some(monitor))?),
            None => None,
        };
        for stream in [playback, capture].into_iter().chain(monitor) {
            let most_bytes = card.info().streams[stream].buffer_bytes_max.unwrap_or(u32::MAX);
            let frames = BUFFER_FRAMES.min(most_bytes / FRAME_BYTES as u32);
            card.open(
                stream,
                &StreamConfig {
                    rate_hz: RATE_HZ,
                    format: SampleFormat::S16Le,
                    channels: 2,
                    buffer_bytes: frames * FRAME_BYTES as u32,
                    period_bytes: frames / 8 * FRAME_BYTES as u32,
                },
            )?;
        }
        Ok(Self { card, playback, capture, monitor })
    }

    /// The card.
    pub fn card(&mut self) -> &mut Card {
        &mut self.card
    }

    /// The playback stream's number, then the capture stream's.
    pub fn streams(&self) -> (usize, usize) {
        (self.playback, self.capture)
    }

    /// Starts the streams, plays all of `play`, records for slightly longer, and stops them. Calls
    /// `keep_on` several times a second.
    ///
    /// # Errors
    /// A stream lost samples or stood still, or the back end left. [`ErrorKind::Interrupted`] if
    /// `keep_on` returns `false`.
    pub fn run(&mut self, play: &[Frame], mut keep_on: impl FnMut() -> bool) -> Result<Take> {
        let bytes: Vec<u8> = play.iter().flatten().flat_map(|sample| sample.to_le_bytes()).collect();
        let lost_before = self.lost_bytes();
        let mut next = self.card.front(self.playback).fill(&bytes);
        self.card.hint(self.playback);
        let streams: Vec<usize> = [self.playback, self.capture].into_iter().chain(self.monitor).collect();
        let started_together = if self.card.offers_linked_start() {
            Some(self.card.start_together(&streams)?)
        } else {
            // Playback comes last: what it plays first is recorded, too.
            streams.iter().rev().try_for_each(|stream| self.card.start(*stream))?;
            None
        };
        let done = self.stream(&bytes, &mut next, play.len(), &mut keep_on);
        // Stop all in any case, so that they can start again.
        let [playback, capture] = [self.playback, self.capture].map(|stream| self.slot(stream));
        let slot = self.monitor.and_then(|monitor| self.slot(monitor));
        let lost = self.lost_bytes() - lost_before;
        let stopped: Vec<Result<()>> = streams.iter().map(|stream| self.card.stop(*stream)).collect();
        let Brought { captured, monitored, offsets, monitor_offsets } = done?;
        stopped.into_iter().collect::<Result<()>>()?;
        if lost > 0 {
            let frames = lost / FRAME_BYTES as u64;
            return Err(Error::new(
                ErrorKind::Other,
                format!("{frames} frames were lost: the program was too slow"),
            )
            .advice("let the guest have more of a processor"));
        }
        let monitor = self.monitor.map(|_| Monitored { recorded: monitored, slot, offsets: monitor_offsets });
        Ok(Take { captured, playback, capture, started_together, offsets, monitor })
    }

    fn stream(
        &mut self,
        bytes: &[u8],
        next: &mut usize,
        play_frames: usize,
        keep_on: &mut impl FnMut() -> bool,
    ) -> Result<Brought> {
        let mut brought = Brought::default();
        brought.captured.reserve(play_frames + BUFFER_FRAMES as usize);
        let mut piece = vec![0; BUFFER_FRAMES as usize * FRAME_BYTES];
        let mut moved = (Instant::now(), 0);
        loop {
            self.card.wait(SLEEP)?;
            if !keep_on() {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
            let front = self.card.front(self.playback);
            let filled = front.fill(&bytes[*next..]);
            *next += filled;
            if *next == bytes.len() {
                // Silence after the end is no underrun.
                front.playback().into_iter().for_each(|playback| playback.end());
            }
            let is_drained = front.playback().is_some_and(|playback| playback.is_drained());
            self.card.hint(self.playback);

            let mut taken = self.take(self.capture, &mut piece, &mut brought.captured);
            if let Some(monitor) = self.monitor {
                taken += self.take(monitor, &mut piece, &mut brought.monitored);
            }
            let at_frame = brought.captured.len();
            if let Some(capture) = self.slot(self.capture) {
                let offset = |stream| offset_frames(&self.slot(stream)?, &capture);
                note(&mut brought.offsets, at_frame, offset(self.playback));
                note(&mut brought.monitor_offsets, at_frame, self.monitor.and_then(offset));
            }
            if filled + taken > 0 {
                moved = (Instant::now(), at_frame);
            } else if moved.0.elapsed() > STALLED {
                return Err(Error::new(
                    ErrorKind::TimedOut,
                    format!("all streams stand still after {} frames", moved.1),
                )
                .advice("see the driver domain's console"));
            }
            let is_whole = self.monitor.is_none() || brought.monitored.len() >= play_frames;
            if *next == bytes.len() && is_drained && at_frame >= play_frames && is_whole {
                return Ok(brought);
            }
        }
    }

    /// Takes the recorded frames of a stream, and returns the bytes taken.
    fn take(&mut self, stream: usize, piece: &mut [u8], into: &mut Vec<Frame>) -> usize {
        let taken = self.card.front(stream).take(piece);
        self.card.hint(stream);
        let frames = piece[..taken].as_chunks::<FRAME_BYTES>().0.iter();
        into.extend(frames.map(|[a, b, c, d]| [i16::from_le_bytes([*a, *b]), i16::from_le_bytes([*c, *d])]));
        taken
    }

    /// Closes the card.
    ///
    /// # Errors
    /// As [`Card::close`].
    pub fn close(self) -> Result<()> {
        self.card.close()
    }

    fn slot(&self, stream: usize) -> Option<Slot> {
        self.card.position(stream)?.slot().ok()
    }

    /// Bytes lost since OPEN: played before they were written, or overwritten before they were
    /// read.
    fn lost_bytes(&mut self) -> u64 {
        let late = self.card.front(self.playback).playback().map_or(0, |playback| playback.underrun_bytes());
        let records = [self.capture].into_iter().chain(self.monitor);
        records.fold(late, |lost, stream| {
            lost + self.card.front(stream).capture().map_or(0, |capture| capture.overrun_bytes())
        })
    }
}
