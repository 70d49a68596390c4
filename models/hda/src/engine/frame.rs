//! One link frame of an engine: the last one ends, RUN takes effect, samples move.

use super::position::wrapped;
use super::state::{Engine, FIFO_ERROR, FIFO_READY};
use crate::cadence::Cadence;
use crate::descriptors::list_bytes;
use crate::faults::LinkPositionFault;
use crate::format::StreamFormat;
use crate::frame_context::FrameContext;
use crate::profile::StreamEngine;

impl Engine {
    /// Begins link frame `cx.frame`.
    pub(crate) fn link_frame(&mut self, cx: &mut FrameContext<'_>) {
        self.finish_link_frame(cx);
        self.follow_run(cx);
        if !self.running {
            return;
        }
        let Some(format) = self.format else { return };
        match (cx.profile.engine, self.is_output()) {
            (StreamEngine::Fifo, true) => self.play(cx, format),
            (StreamEngine::Fifo, false) => self.capture(cx, format),
            (StreamEngine::MillisecondSteps, true) => self.play_in_steps(cx, format),
            (StreamEngine::MillisecondSteps, false) => self.capture_in_steps(cx, format),
        }
        if let LinkPositionFault::Coarse { link_frames } = cx.faults.link_position
            && cx.frame.is_multiple_of(link_frames.max(1))
        {
            self.coarse_position = self.link_position;
        }
        self.report_position(cx);
    }

    /// Ends the last link frame: its samples have crossed the link.
    fn finish_link_frame(&mut self, cx: &mut FrameContext<'_>) {
        let arriving = std::mem::take(&mut self.arriving);
        if !arriving.is_empty() {
            if self.fifo.space() < arriving.len() {
                self.status |= FIFO_ERROR;
                let frame_bytes = self.format.map_or(1, StreamFormat::frame_bytes);
                self.lost_frames += u64::from(self.in_flight / frame_bytes);
                self.in_flight = 0;
            } else {
                self.fifo.push(&arriving);
            }
        }
        self.arriving = arriving;
        self.arriving.clear();
        let bytes = std::mem::take(&mut self.in_flight);
        self.linked_bytes += u64::from(bytes);
        if cx.profile.engine == StreamEngine::Fifo {
            self.link_position = wrapped(self.link_position, bytes, self.buffer_bytes);
        }
    }

    /// Starts or stops at a frame boundary, following RUN.
    fn follow_run(&mut self, cx: &mut FrameContext<'_>) {
        if self.run_requested {
            self.stopping_since = None;
            if !self.running {
                self.running = true;
                self.cadence = Cadence::default();
                self.ready_since = None;
                self.run_frame = cx.frame;
                self.format = StreamFormat::decode(self.format_word);
                self.moved_since_run = 0;
                self.link_credit = 0;
                let bytes = list_bytes(cx.memory, self.list_address, self.last_index);
                self.list_adds_up = bytes == Some(u64::from(self.buffer_bytes));
            }
            return;
        }
        if !self.running || cx.faults.stuck_run >> self.index & 1 != 0 {
            return;
        }
        let since = *self.stopping_since.get_or_insert(cx.frame);
        if cx.frame < since + cx.faults.run_clear_delay_link_frames {
            return;
        }
        if !self.is_output() {
            // Received samples reach memory before RUN reads back 0.
            self.store(cx, self.fifo.len(), 1);
            self.report_position(cx);
        }
        self.running = false;
        self.stopping_since = None;
        self.status &= !FIFO_READY;
    }
}
