//! Moves samples between FIFO and link, as the specification says.

use super::state::{Engine, FIFO_ERROR, FIFO_READY};
use crate::format::StreamFormat;
use crate::frame_context::FrameContext;
use crate::link::Packet;

impl Engine {
    pub(super) fn play(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        self.fetch(cx, self.fifo.space(), cx.profile.dma_burst_bytes);
        if !self.running {
            return;
        }
        let full = self.fifo.space() < cx.profile.dma_burst_bytes as usize;
        if full {
            self.become_ready(cx);
        }
        // Samples flow from the next link frame on: filling the FIFO takes this one.
        if cx.held || self.ready_since.is_none_or(|since| since == cx.frame) {
            return;
        }
        self.transmit(cx, format);
    }

    fn become_ready(&mut self, cx: &FrameContext<'_>) {
        if self.ready_since.is_none() {
            self.ready_since = Some(cx.frame);
            if cx.faults.fifo_never_ready >> self.index & 1 == 0 {
                self.status |= FIFO_READY;
            }
        }
    }

    /// Sends this link frame's samples, or reports that they are missing.
    fn transmit(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        let frames = self.cadence.next(format);
        let bytes = frames * format.frame_bytes();
        if self.fifo.len() < bytes as usize {
            self.status |= FIFO_ERROR;
            self.lost_frames += u64::from(frames);
            return;
        }
        if frames == 0 {
            return;
        }
        self.send(cx, format, bytes);
    }

    /// Puts bytes of the FIFO on the link.
    pub(super) fn send(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat, bytes: u32) {
        self.start_link_frame.get_or_insert(cx.frame);
        self.fifo.pop_into(bytes as usize, &mut self.scratch);
        cx.link.play(&self.packet(cx, format), &self.scratch, cx.violations);
        self.in_flight = bytes;
    }

    fn packet(&self, cx: &FrameContext<'_>, format: StreamFormat) -> Packet {
        Packet {
            tag: self.tag(),
            link_frame: cx.frame,
            now_ns: cx.now_ns,
            format_word: self.format_word,
            format,
        }
    }

    pub(super) fn capture(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        self.become_ready(cx);
        if !cx.held {
            self.receive(cx, format);
        }
        self.store(cx, self.fifo.len(), cx.profile.dma_burst_bytes);
    }

    /// Takes this link frame's samples off the link, if a converter sends any.
    pub(super) fn receive(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        let mut cadence = self.cadence;
        let frames = cadence.next(format);
        let packet = self.packet(cx, format);
        let sent = cx.link.capture(&packet, self.sent_frames, frames, &mut self.arriving, cx.violations);
        if sent {
            self.cadence = cadence;
            self.sent_frames += u64::from(frames);
            self.in_flight = frames * format.frame_bytes();
            if frames > 0 {
                self.start_link_frame.get_or_insert(cx.frame);
            }
        }
    }
}
