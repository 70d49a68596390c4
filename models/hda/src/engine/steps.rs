//! Millisecond steps: the way QEMU's codecs pull and push samples.

use super::state::Engine;
use crate::format::StreamFormat;
use crate::frame_context::FrameContext;

/// Link frames in a millisecond.
const LINK_FRAMES_PER_MS: u64 = 48;

/// The lead grows by one millisecond in this many.
const LEAD_GROWS_EVERY_MS: u64 = 3;

/// Lead of playback over the clock, while the emulator's buffers fill. Capture lags likewise.
/// Both values are measured.
const PLAYBACK_LEAD_MS: u64 = 31;
const CAPTURE_LAG_MS: u64 = 16;

impl Engine {
    /// Milliseconds since RUN, if a step is due with this link frame.
    fn step_due(&self, cx: &FrameContext<'_>) -> Option<u64> {
        let link_frames = cx.frame - self.run_frame;
        let due =
            link_frames > 0 && link_frames.is_multiple_of(LINK_FRAMES_PER_MS * cx.profile.step_ms.max(1));
        due.then_some(link_frames / LINK_FRAMES_PER_MS)
    }

    /// Bytes in `ms` milliseconds. QEMU counts two bytes a sample in any container.
    fn bytes_of_ms(format: StreamFormat, ms: u64) -> u64 {
        let base_hz: u64 = if format.base_44k1 { 44_100 } else { 48_000 };
        let rate_hz = base_hz * u64::from(format.multiple) / u64::from(format.divisor);
        (rate_hz * ms / 1000) * 2 * u64::from(format.channels)
    }

    pub(super) fn play_in_steps(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        // The stream stands still if no converter uses its tag, or CBL isn't the sum of the
        // lengths. A format verb while running stops it too.
        let listeners = cx.link.listeners(self.tag(), true);
        if self.frozen_by_format || listeners == 0 || !self.list_adds_up {
            return;
        }
        if let Some(ms) = self.step_due(cx) {
            let lead_ms = (ms / LEAD_GROWS_EVERY_MS).min(PLAYBACK_LEAD_MS);
            self.step(cx, Self::bytes_of_ms(format, ms + lead_ms) * listeners, true);
        }
        if self.moved_since_run == 0 {
            return;
        }
        self.link_credit += u64::from(self.cadence.next(format)) * 2 * u64::from(format.channels) * listeners;
        let whole = self.link_credit / u64::from(format.frame_bytes()) * u64::from(format.frame_bytes());
        self.link_credit -= whole;
        // Missing samples become silence.
        let bytes = whole.min(self.fifo.len() as u64);
        self.lost_frames += (whole - bytes) / u64::from(format.frame_bytes());
        if bytes > 0 {
            self.send(cx, format, bytes as u32);
        }
    }

    pub(super) fn capture_in_steps(&mut self, cx: &mut FrameContext<'_>, format: StreamFormat) {
        if self.frozen_by_format || !self.list_adds_up {
            return;
        }
        self.fifo.set_capacity(usize::MAX);
        self.receive(cx, format);
        if let Some(ms) = self.step_due(cx) {
            self.step(cx, Self::bytes_of_ms(format, ms.saturating_sub(CAPTURE_LAG_MS)), false);
        }
    }

    /// Advances DMA to `target` bytes since RUN.
    fn step(&mut self, cx: &mut FrameContext<'_>, target: u64, output: bool) {
        let wanted = target.saturating_sub(self.moved_since_run) as usize;
        let before = self.fifo.len();
        if output {
            self.fetch_exactly(cx, wanted);
        } else {
            self.store(cx, wanted, 1);
        }
        self.moved_since_run += before.abs_diff(self.fifo.len()) as u64;
        self.link_position = self.walk.position();
    }

    fn fetch_exactly(&mut self, cx: &mut FrameContext<'_>, bytes: usize) {
        let mut left = bytes;
        while left > 0 {
            let before = self.fifo.len();
            self.fetch(cx, left, (left as u32).min(cx.profile.dma_burst_bytes));
            let moved = self.fifo.len() - before;
            if moved == 0 {
                return;
            }
            left -= moved;
        }
    }
}
