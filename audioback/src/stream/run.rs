//! An open stream and the run that START begins: position, application pointer, xruns, events.

use hyper::Nanos;
use sndif::control_page::{Slot, SlotState};
use sndif::request::Range;

use super::error::StreamError;
use crate::card::{Direction, StreamPosition};
use crate::control_page;
use crate::hw_params::OpenPlan;
use crate::period_edges::EventPacer;

/// Counts since the device was set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Successful OPENs.
    pub opens: u32,
    /// Frames through the link in all runs.
    pub frames: u64,
    /// FIFO errors in all runs: the controller ran short of samples or of room.
    pub fifo_errors: u64,
    /// Times that playback passed the application's pointer.
    pub xruns: u32,
}

/// An open stream. `S` is the card's.
pub(super) struct OpenStream<S> {
    pub(super) card_stream: S,
    pub(super) plan: OpenPlan,
    pub(super) direction: Direction,
    /// Never [`SlotState::Closed`].
    pub(super) state: SlotState,
    pub(super) events: EventPacer,
    /// The last known position of this run. Its link part survives STOP, until the next START.
    pub(super) position: StreamPosition,
    /// The time of the last look at it in this run. 0: there was none.
    pub(super) looked_at: Nanos,
    /// The application's pointer in bytes since START, by its hints.
    appl_bytes: u64,
    /// The run has passed `appl_bytes`, and that xrun is counted.
    in_xrun: bool,
    /// Bytes of this run that were played but not written before, or overwritten but not read before.
    xrun_bytes: u64,
    /// End of the last such bytes, in bytes since START.
    xrun_end_bytes: u64,
}

impl<S> OpenStream<S> {
    pub(super) fn new(card_stream: S, plan: OpenPlan, direction: Direction) -> Self {
        Self {
            card_stream,
            plan,
            direction,
            state: SlotState::Open,
            events: EventPacer::new(
                plan.params.rate_hz,
                plan.frame_bytes,
                plan.buffer_bytes,
                plan.period_bytes,
            ),
            position: StreamPosition::default(),
            looked_at: Nanos(0),
            appl_bytes: 0,
            in_xrun: false,
            xrun_bytes: 0,
            xrun_end_bytes: 0,
        }
    }

    /// Notes that the card has started the stream.
    pub(super) fn begin_run(&mut self) {
        self.state = SlotState::Running;
        self.position.link = None;
        self.looked_at = Nanos(0);
        self.xrun_bytes = 0;
        self.xrun_end_bytes = 0;
    }

    /// Notes that the card has stopped the stream at `last`. Returns the count to post before the answer.
    pub(super) fn end_run(&mut self, last: StreamPosition, stats: &mut StreamStats) -> Option<u64> {
        self.move_to(last);
        let posted = self.events.stop(self.position.bytes);
        self.add_run_to(stats);
        self.position = StreamPosition { link: self.position.link, ..StreamPosition::default() };
        self.appl_bytes = 0;
        self.in_xrun = false;
        self.state = SlotState::Open;
        posted
    }

    /// Takes a new position of the run.
    pub(super) fn move_to(&mut self, position: StreamPosition) {
        self.position = StreamPosition { link: position.link.or(self.position.link), ..position };
        // Capture overwrites a frame one buffer after it was recorded. An application need not send hints for capture.
        let gone = match self.direction {
            Direction::Playback => position.bytes,
            Direction::Capture if self.appl_bytes == 0 => 0,
            Direction::Capture => position.bytes.saturating_sub(self.plan.buffer_bytes.into()),
        };
        let lost = gone.saturating_sub(self.appl_bytes.max(self.xrun_end_bytes));
        self.xrun_bytes = self.xrun_bytes.saturating_add(lost);
        self.xrun_end_bytes = self.xrun_end_bytes.max(gone);
    }

    /// Notes that so many of the bytes from `from` on were told too late to be played.
    pub(super) fn note_late(&mut self, from_bytes: u64, late_bytes: u64) {
        let end = from_bytes.saturating_add(late_bytes);
        let lost = end.saturating_sub(from_bytes.max(self.xrun_end_bytes));
        self.xrun_bytes = self.xrun_bytes.saturating_add(lost);
        self.xrun_end_bytes = self.xrun_end_bytes.max(end);
    }

    /// The application's pointer, in bytes since START.
    pub(super) fn appl_bytes(&self) -> u64 {
        self.appl_bytes
    }

    /// Whether this position begins an underrun. An application need not say what it has read, so capture never does.
    pub(super) fn begins_xrun(&mut self) -> bool {
        let is_past = self.direction.is_playback() && self.position.bytes > self.appl_bytes;
        let begins = is_past && !self.in_xrun;
        self.in_xrun |= is_past;
        begins
    }

    /// Moves the application's pointer to the end of `range`, forwards from its place in the buffer. Returns it, in bytes
    /// since START.
    pub(super) fn hint(&mut self, range: &Range) -> Result<u64, StreamError> {
        if self.state == SlotState::Failed {
            return Err(StreamError::RunFailed);
        }
        let buffer_bytes = self.plan.buffer_bytes;
        let end = range.offset_bytes.checked_add(range.length_bytes).ok_or(StreamError::BadRange)?;
        if end > buffer_bytes || range.offset_bytes >= buffer_bytes {
            return Err(StreamError::BadRange);
        }
        let buffer = u64::from(buffer_bytes);
        // Samples recorded more than a buffer ago are overwritten.
        let appl_bytes = match self.direction {
            Direction::Playback => self.appl_bytes,
            Direction::Capture => self.appl_bytes.max(self.position.bytes.saturating_sub(buffer)),
        };
        let at = appl_bytes.checked_rem(buffer).unwrap_or(0);
        let gap = u64::from(range.offset_bytes)
            .saturating_add(buffer)
            .saturating_sub(at)
            .checked_rem(buffer)
            .unwrap_or(0);
        let ahead_max = self.position.bytes.saturating_add(buffer);
        self.appl_bytes =
            appl_bytes.saturating_add(gap).saturating_add(range.length_bytes.into()).min(ahead_max);
        if self.appl_bytes >= self.position.bytes {
            self.in_xrun = false;
        }
        Ok(self.appl_bytes)
    }

    /// The slot of the control page, without the last request.
    pub(super) fn control_slot(&self) -> Slot {
        let frames = |bytes: u64| bytes.checked_div(self.plan.frame_bytes.into()).unwrap_or(0);
        Slot {
            xrun_frames: frames(self.xrun_bytes),
            appl_frames: frames(self.appl_bytes),
            ..control_page::slot(self.state, self.position.link.as_ref())
        }
    }

    /// Adds this run's counts to `stats`.
    pub(super) fn add_run_to(&self, stats: &mut StreamStats) {
        let frames = self.position.bytes.checked_div(self.plan.frame_bytes.into()).unwrap_or(0);
        stats.frames = stats.frames.saturating_add(frames);
        stats.fifo_errors = stats.fifo_errors.saturating_add(self.position.fifo_errors.into());
    }
}
