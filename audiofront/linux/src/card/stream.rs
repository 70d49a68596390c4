//! One stream of a connected card.

use audiofront::{StreamConfig, StreamFront};
use sndif::Direction;
use sndif::control_page::{Slot, SlotState};

use crate::transport::LinuxTransport;

/// A stream, and its source of positions.
#[derive(Debug)]
pub(super) struct CardStream {
    pub(super) front: StreamFront<LinuxTransport>,
    /// Bytes in a frame, if the stream is open without events.
    frame_bytes_without_events: Option<u64>,
    /// Whether the control page describes the present run.
    is_running: bool,
}

impl CardStream {
    pub(super) fn new(front: StreamFront<LinuxTransport>) -> Self {
        Self { front, frame_bytes_without_events: None, is_running: false }
    }

    /// Records the configuration after OPEN is answered.
    pub(super) fn opened(&mut self, config: &StreamConfig) {
        let without_events = config.period_bytes == 0;
        self.frame_bytes_without_events = config.frame_bytes().filter(|_| without_events).map(u64::from);
    }

    /// Records whether the control page describes this run: from the answer to START until STOP is
    /// sent.
    pub(super) fn set_running(&mut self, is_running: bool) {
        self.is_running = is_running;
    }

    /// Takes the position from the stream's slot of the control page, for a stream without events.
    pub(super) fn follow(&mut self, slot: impl FnOnce() -> Option<Slot>) {
        let Some(frame_bytes) = self.frame_bytes_without_events.filter(|_| self.is_running) else { return };
        let Some(slot) = slot().filter(|slot| slot.lock.is_some() && slot.state == SlotState::Running) else {
            return;
        };
        // Playback: frames that have left may be overwritten. Capture: frames in memory may be
        // read.
        let frames = match self.front.direction() {
            Direction::Playback => slot.link_frames,
            Direction::Capture => slot.link_frames.saturating_sub(slot.dma_lead_frames.into()),
        };
        let run_bytes = frames.saturating_mul(frame_bytes);
        self.front.advance_to(self.front.run_start_bytes().saturating_add(run_bytes));
    }
}
