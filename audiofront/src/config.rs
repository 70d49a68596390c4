//! The configuration of an open stream.

use sndif::format::SampleFormat;

/// The parameters of OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConfig {
    /// Frame rate in Hz.
    pub rate_hz: u32,
    /// Format of one sample.
    pub format: SampleFormat,
    /// Samples in a frame, at least 1.
    pub channels: u8,
    /// Size of the buffer: whole frames, at least one, at most
    /// [`MAX_BUFFER_BYTES`](crate::MAX_BUFFER_BYTES).
    pub buffer_bytes: u32,
    /// Bytes between two position events; 0 turns these events off.
    pub period_bytes: u32,
}

impl StreamConfig {
    /// Bytes in a frame. `None`: the format has no sample size, or there are no channels.
    pub fn frame_bytes(&self) -> Option<u32> {
        let frame_bytes = self.format.bytes_per_sample()?.checked_mul(self.channels.into())?;
        (frame_bytes > 0).then_some(frame_bytes)
    }
}
