//! A voice that goes on with the run of a direct stream.

use audioback::card::StreamPosition;
use hyper::SampleMemory;

use super::{State, Voice};
use crate::position::Begun;

impl<B: SampleMemory> Voice<B> {
    /// Goes on with a direct stream's run, whose frame `offset` was at the link with bus frame 0. What it has played from bus
    /// frame `from` to `next` is mixed already.
    pub(crate) fn join(&mut self, from: u64, offset: u64, next: u64, last: &StreamPosition, is_exact: bool) {
        self.take_over(last);
        self.generation = last.link.map_or(0, |link| link.generation);
        self.fifo_errors = last.fifo_errors;
        if !is_exact {
            // A frame may be lost or repeated.
            self.generation = self.generation.wrapping_add(1);
            self.fifo_errors = self.fifo_errors.saturating_add(1);
        }
        self.timeline.begin(from, from.saturating_add(offset));
        self.timeline.advance(next.saturating_sub(from));
        self.moved = self.timeline.done();
        self.first_frame = from;
        self.state = State::Running;
        self.is_settled = false;
    }

    /// Goes on with a direct stream's recording, whose next frame is bus frame 0. Before its end it had so many frames at the link.
    pub(crate) fn record_on(&mut self, last: &StreamPosition, link_frames: u64) {
        let recorded = self.cycle.frames_in(last.bytes);
        self.take_over(last);
        self.timeline.begin(0, recorded);
        if recorded >= link_frames {
            self.generation = last.link.map_or(0, |link| link.generation);
            self.fifo_errors = last.fifo_errors;
        }
        self.state = State::Running;
        self.first_frame = 0;
    }

    /// Goes on where a direct stream has ended, paused. The gap in time is a break of the count.
    pub(crate) fn take_over(&mut self, last: &StreamPosition) {
        let in_memory = self.cycle.frames_in(last.bytes);
        // A guest may have overwritten what it was told of, also where the hardware had fetched it only and not played it.
        let next = last.link.map_or(in_memory, |link| link.link_frames.max(in_memory));
        self.generation = last.link.map_or(0, |link| link.generation);
        self.restart_at(0, next);
        self.state = State::Paused;
        self.fifo_errors = last.fifo_errors.saturating_add(1);
        self.begun =
            last.link.map_or(Begun::default(), |link| Begun::at(link.start_time, link.start_wall_ticks));
        self.last = *last;
    }
}
