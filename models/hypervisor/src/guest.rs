//! One stream of the loop-back home's guest: the part that an application has on a real guest.
//!
//! It asks what can be had, opens, fills or empties its buffer as positions come in, stops and closes. It never waits:
//! [`GuestStream::poll`] takes one look and says what it saw.

use core::fmt;

use audiofront::{Fault, FrontEvent, OpenError, RequestError, StreamConfig, StreamFront, Transport};
use hyper::Nanos;
use sndif::format::FormatSet;
use sndif::hw_params::{HwParams, Interval};
use sndif::op::Operation;
use sndif::response::Status;

/// Silence that is played after a recording, in frames: an emulator's last few KiB never reach its output.
pub const TAIL_FRAMES: u64 = 8_192;

/// Octets taken out of a capture buffer at a time.
const CHUNK_BYTES: usize = 2_048;

/// Events taken in one poll: more than an event page and a ring hold.
const EVENTS_PER_POLL: usize = 128;

/// Time between two lines about a stream's position.
const REPORT_INTERVAL_NS: u64 = 9_000_000;

/// What a stream does, and with what.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// Plays these octets, whole frames.
    Play(&'static [u8]),
    /// Records this many frames.
    Record(u64),
}

/// What a stream is to be and to do.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Format, rate, buffer and period.
    pub config: StreamConfig,
    /// What to play or record.
    pub task: Task,
}

/// What a stream did in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Frames played or recorded, the tail not counted.
    pub frames: u64,
    /// Frames that the link played as silence, or that were overwritten before they were taken.
    pub xrun_frames: u64,
}

/// What is told of a stream while it runs.
pub trait Observer {
    /// START was answered at `now`: the controller's RUN bit is set.
    fn started(&mut self, stream: usize, now: Nanos);
    /// The front end knows of `frames` since START; by the clock it should be `expected`.
    fn position(&mut self, stream: usize, now: Nanos, frames: u64, expected: u64);
    /// Octets that were recorded.
    fn recorded(&mut self, stream: usize, octets: &[u8]);
    /// The stream is closed.
    fn done(&mut self, stream: usize, done: Done);
}

/// Why a stream came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The card can't do this rate, format and number of channels.
    Unsupported,
    /// The back end answered an operation with an error.
    Refused(Operation, Status),
    /// OPEN could not be sent.
    Open(OpenError),
    /// A request could not be sent.
    Request(RequestError),
    /// The back end broke the protocol.
    Fault(Fault),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("the card can't do this rate, format and number of channels"),
            Self::Refused(operation, status) => write!(f, "{operation:?} was answered with {}", status.0),
            Self::Open(error) => write!(f, "OPEN could not be sent: {error:?}"),
            Self::Request(error) => write!(f, "a request could not be sent: {error:?}"),
            Self::Fault(fault) => write!(f, "the back end broke the protocol: {fault:?}"),
        }
    }
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

/// A stream of the guest's.
pub struct GuestStream<T: Transport> {
    index: usize,
    front: StreamFront<T>,
    order: Order,
    frame_bytes: u64,
    phase: Phase,
    /// Octets of the recording that were written, or that were taken.
    moved_bytes: usize,
    started: Nanos,
    reported: Nanos,
    done: Done,
}

impl<T: Transport> GuestStream<T> {
    /// A stream that begins by asking whether `order` can be had.
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
        // The command line takes formats with a size only; 1 keeps what can't happen from dividing by zero.
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

    /// Whether there is nothing left to do.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// The front end, to take down once the back end has let go of it.
    pub fn into_front(self) -> StreamFront<T> {
        self.front
    }

    /// Takes what the back end has said and does what follows from it.
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
            // Answers to hints, and to what was under way when the phase changed.
            _ => {}
        }
        Ok(())
    }

    /// A position came: move samples, and stop when all is done.
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
            Task::Play(octets) => {
                self.feed()?;
                let total = octets.len() as u64 / self.frame_bytes;
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

    /// Writes as much of the recording as there is room for, once that is worth a hint: each hint is answered with a
    /// fresh position, and each position makes room. A period at a time ends that.
    fn feed(&mut self) -> Result<(), StreamError> {
        let Task::Play(octets) = self.order.task else { return Ok(()) };
        let rest = octets.get(self.moved_bytes..).unwrap_or(&[]);
        let room = self.front.playback().map_or(0, |playback| playback.free_bytes());
        if room < u64::from(self.order.config.period_bytes).min(rest.len() as u64) {
            return Ok(());
        }
        self.moved_bytes += self.front.fill(rest);
        if let Some(playback) = self.front.playback() {
            if self.moved_bytes >= octets.len() {
                playback.end();
            }
            self.done.xrun_frames = playback.underrun_bytes() / self.frame_bytes;
        }
        self.hint()
    }

    /// Takes what has been recorded, up to `total` frames.
    fn drain(&mut self, total: u64, observer: &mut impl Observer) -> Result<(), StreamError> {
        let available = self.front.capture().map_or(0, |capture| capture.available_bytes());
        let all_left = (total - self.done.frames) * self.frame_bytes;
        // As in `feed`: a period at a time.
        if available < u64::from(self.order.config.period_bytes).min(all_left) {
            return Ok(());
        }
        let mut chunk = [0; CHUNK_BYTES];
        loop {
            let left = (total - self.done.frames) * self.frame_bytes;
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let taken = self.front.take(chunk.get_mut(..room).unwrap_or(&mut []));
            let Some(octets) = chunk.get(..taken).filter(|octets| !octets.is_empty()) else { break };
            observer.recorded(self.index, octets);
            self.done.frames += octets.len() as u64 / self.frame_bytes;
        }
        if let Some(capture) = self.front.capture() {
            self.done.xrun_frames = capture.overrun_bytes() / self.frame_bytes;
        }
        self.hint()
    }

    /// Tells the back end how far we are. With a ring full of hints the next one says it.
    fn hint(&mut self) -> Result<(), StreamError> {
        match self.front.hint() {
            Ok(_) | Err(RequestError::RingFull) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
