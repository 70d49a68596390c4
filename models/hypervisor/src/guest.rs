//! A guest's application: plays or records one stream and closes it.
//!
//! It queries, opens, fills or empties its buffer as positions arrive, stops and closes. [`GuestStream::poll`] never waits.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "an application's counts of its own samples; `frame_bytes` is at least 1"
)]

use audiofront::{Fault, FrontEvent, OpenError, RequestError, StreamConfig, StreamFront, Transport};
use hyper::Nanos;
use sndif::format::FormatSet;
use sndif::hw_params::{HwParams, Interval};
use sndif::op::Operation;
use sndif::response::Status;

/// Silence in frames after the end of the samples, because an emulator does not output its last few KiB.
pub const TAIL_FRAMES: u64 = 8_192;

/// Bytes read from a capture buffer at a time.
const CHUNK_BYTES: usize = 2_048;

/// Events handled in one poll: more than an event page and a ring hold.
const EVENTS_PER_POLL: usize = 128;

/// Interval between two reports of a stream's position.
const REPORT_INTERVAL_NS: u64 = 9_000_000;

/// Play or record.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// Plays these bytes, whole frames.
    Play(&'static [u8]),
    /// Records this many frames.
    Record(u64),
}

/// Configuration and task of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Format, rate, buffer and period.
    pub config: StreamConfig,
    /// Play or record.
    pub task: Task,
}

/// Result of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Frames played or recorded, without the tail of silence.
    pub frames: u64,
    /// Frames that were played as silence, or overwritten before they were read.
    pub xrun_frames: u64,
}

/// Receives the events of a stream.
pub trait Observer {
    /// START was answered at `now`: the controller's RUN bit is set.
    fn started(&mut self, stream: usize, now: Nanos);
    /// The front end's position is `frames` since START; by the clock it is `expected`.
    fn position(&mut self, stream: usize, now: Nanos, frames: u64, expected: u64);
    /// These bytes were recorded.
    fn recorded(&mut self, stream: usize, bytes: &[u8]);
    /// The stream is closed.
    fn done(&mut self, stream: usize, done: Done);
}

/// Why a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The card does not support this rate, format and number of channels.
    #[error("the card can't do this rate, format and number of channels")]
    Unsupported,
    /// The back end answered an operation with an error.
    #[error("{0:?} was answered with {status}", status = .1.0)]
    Refused(Operation, Status),
    /// OPEN was not sent.
    #[error("OPEN could not be sent: {0:?}")]
    Open(OpenError),
    /// A request was not sent.
    #[error("a request could not be sent: {0:?}")]
    Request(RequestError),
    /// The back end broke the protocol.
    #[error("the back end broke the protocol: {0:?}")]
    Fault(Fault),
}

impl From<RequestError> for StreamError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Querying,
    Opening,
    Starting,
    Running,
    Stopping,
    Closing,
    Closed,
}

/// A stream of a guest.
pub struct GuestStream<T: Transport> {
    index: usize,
    front: StreamFront<T>,
    order: Order,
    frame_bytes: u64,
    phase: Phase,
    /// Bytes of the samples that were written into the buffer.
    moved_bytes: usize,
    started: Nanos,
    reported: Nanos,
    done: Done,
}

impl<T: Transport> GuestStream<T> {
    /// A stream for `order`. Its first request is a query for the configuration.
    pub fn new(index: usize, mut front: StreamFront<T>, order: Order) -> Result<Self, StreamError> {
        let config = &order.config;
        let mut formats = FormatSet::EMPTY;
        formats.insert(config.format);
        front.query(&HwParams {
            formats,
            rates: Interval::exactly(config.rate_hz),
            channels: Interval::exactly(config.channels.into()),
            ..HwParams::ANY
        })?;
        // Formats without a size are not offered; 1 avoids a division by zero.
        let sample_bytes = u64::from(config.format.bytes_per_sample().unwrap_or(1));
        let frame_bytes = (sample_bytes * u64::from(config.channels)).max(1);
        Ok(Self {
            index,
            front,
            order,
            frame_bytes,
            phase: Phase::Querying,
            moved_bytes: 0,
            started: Nanos(0),
            reported: Nanos(0),
            done: Done::default(),
        })
    }

    /// Whether the stream is closed.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The front end, for the disconnect after the back end has closed the device.
    pub fn into_front(self) -> StreamFront<T> {
        self.front
    }

    /// Handles the back end's events.
    pub fn poll(&mut self, now: Nanos, observer: &mut impl Observer) -> Result<(), StreamError> {
        for _ in 0..EVENTS_PER_POLL {
            match self.front.poll() {
                None => break,
                Some(FrontEvent::Answered { operation, status, .. }) => {
                    self.answered(now, operation, status, observer)?;
                }
                Some(FrontEvent::Position { .. }) => self.moved(now, observer)?,
                Some(FrontEvent::Fault(fault)) => return Err(StreamError::Fault(fault)),
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        now: Nanos,
        operation: Operation,
        status: Status,
        observer: &mut impl Observer,
    ) -> Result<(), StreamError> {
        if !status.is_ok() {
            return Err(match operation {
                Operation::HwParamQuery => StreamError::Unsupported,
                _ => StreamError::Refused(operation, status),
            });
        }
        match (operation, self.phase) {
            (Operation::HwParamQuery, Phase::Querying) => {
                self.front.open(&self.order.config).map_err(StreamError::Open)?;
                self.phase = Phase::Opening;
            }
            (Operation::Open, Phase::Opening) => {
                self.feed()?;
                self.front.start()?;
                self.phase = Phase::Starting;
            }
            (Operation::Trigger, Phase::Starting) => {
                self.started = now;
                self.reported = now;
                self.phase = Phase::Running;
                observer.started(self.index, now);
            }
            (Operation::Trigger, Phase::Stopping) => {
                self.front.close()?;
                self.phase = Phase::Closing;
            }
            (Operation::Close, Phase::Closing) => {
                self.phase = Phase::Closed;
                observer.done(self.index, self.done);
            }
            // Answers to hints, and to requests from before the phase changed.
            _ => {}
        }
        Ok(())
    }

    /// Handles a position: moves samples, and stops at the end.
    fn moved(&mut self, now: Nanos, observer: &mut impl Observer) -> Result<(), StreamError> {
        if self.phase != Phase::Running {
            return Ok(());
        }
        let frames = self.front.position_bytes() / self.frame_bytes;
        if now.0 - self.reported.0 >= REPORT_INTERVAL_NS {
            self.reported = now;
            let elapsed = u128::from(now.0 - self.started.0) * u128::from(self.order.config.rate_hz);
            // 2^64 frames are 3 million years at 192 kHz.
            observer.position(self.index, now, frames, (elapsed / 1_000_000_000) as u64);
        }
        let finished = match self.order.task {
            Task::Play(samples) => {
                self.feed()?;
                let total = samples.len() as u64 / self.frame_bytes;
                self.done.frames = frames.min(total);
                frames >= total + TAIL_FRAMES
            }
            Task::Record(total) => {
                self.drain(total, observer)?;
                self.done.frames >= total
            }
        };
        if finished {
            self.front.stop()?;
            self.phase = Phase::Stopping;
        }
        Ok(())
    }

    /// Writes samples if a period has room. The answer to each hint brings a position, and each position makes room, so smaller
    /// steps would not end.
    fn feed(&mut self) -> Result<(), StreamError> {
        let Task::Play(samples) = self.order.task else { return Ok(()) };
        let rest = samples.get(self.moved_bytes..).unwrap_or(&[]);
        let room = self.front.playback().map_or(0, |playback| playback.free_bytes());
        if room < u64::from(self.order.config.period_bytes).min(rest.len() as u64) {
            return Ok(());
        }
        self.moved_bytes += self.front.fill(rest);
        if let Some(playback) = self.front.playback() {
            if self.moved_bytes >= samples.len() {
                playback.end();
            }
            self.done.xrun_frames = playback.underrun_bytes() / self.frame_bytes;
        }
        self.hint()
    }

    /// Reads recorded samples, up to `total` frames.
    fn drain(&mut self, total: u64, observer: &mut impl Observer) -> Result<(), StreamError> {
        let available = self.front.capture().map_or(0, |capture| capture.available_bytes());
        let all_left = (total - self.done.frames) * self.frame_bytes;
        // A period at a time, as in `feed`.
        if available < u64::from(self.order.config.period_bytes).min(all_left) {
            return Ok(());
        }
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            let left = (total - self.done.frames) * self.frame_bytes;
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let taken = self.front.take(chunk.get_mut(..room).unwrap_or(&mut []));
            let Some(bytes) = chunk.get(..taken).filter(|bytes| !bytes.is_empty()) else { break };
            observer.recorded(self.index, bytes);
            self.done.frames += bytes.len() as u64 / self.frame_bytes;
        }
        if let Some(capture) = self.front.capture() {
            self.done.xrun_frames = capture.overrun_bytes() / self.frame_bytes;
        }
        self.hint()
    }

    /// Sends the application's pointer to the back end. If the ring is full then the next hint sends it.
    fn hint(&mut self) -> Result<(), StreamError> {
        match self.front.hint() {
            Ok(_) | Err(RequestError::RingFull) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
