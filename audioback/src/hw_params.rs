//! The limits of a stream's parameters, for the answer to HW_PARAM_QUERY and the check of OPEN.
//!
//! Both use [`Limits`], so that OPEN accepts the parameters that a query offers.

use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::{HwParams, Interval};
use sndif::request::OpenParams;

use crate::card::{Port, StreamParams};

/// Shortest period in frames: 1.33 ms at 48 kHz. Shorter ones would let one guest keep this domain busy.
pub const PERIOD_FRAMES_MIN: u32 = 64;

/// The abilities of one stream: those of its port, narrowed by the device's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    port: Port,
}

/// The checked parameters of an OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenPlan {
    /// For the card.
    pub params: StreamParams,
    /// Bytes of one frame: 2 to 64.
    pub frame_bytes: u32,
    /// Bytes of the buffer: whole frames.
    pub buffer_bytes: u32,
    /// Bytes between events, whole frames, at most the buffer; 0: no events.
    pub period_bytes: u32,
}

/// Why the parameters of an OPEN are refused. No query offers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadOpen {
    /// The port does not support this sample format without conversion.
    Format(SampleFormat),
    /// The port does not support this rate, in Hz.
    Rate(u32),
    /// The port does not support this number of channels.
    Channels(u8),
    /// The port supports each parameter, but not this combination.
    Together(StreamParams),
    /// This number of bytes is no valid buffer: too few, too many or not whole frames.
    Buffer(u32),
    /// This number of bytes is no valid period: more than the buffer, not whole frames, or fewer than [`PERIOD_FRAMES_MIN`]
    /// frames.
    Period(u32),
}

impl OpenPlan {
    /// Frames between events; 0: no events.
    pub fn period_frames(&self) -> u32 {
        self.period_bytes.checked_div(self.frame_bytes).unwrap_or(0)
    }
}

impl Limits {
    /// Limits of a port.
    pub fn new(port: Port) -> Self {
        Self { port }
    }

    /// Narrows a query to the supported parameters. The result is empty if none is left. `supports` says which combinations of
    /// rate, format and channels the card supports.
    ///
    /// The size of a frame may still be open, so the frame counts are those for the smallest and the largest frame left.
    pub fn narrow(&self, asked: &HwParams, supports: impl Fn(&StreamParams) -> bool) -> HwParams {
        let nothing = Interval { min: u32::MAX, max: 0 };
        let mut left = HwParams {
            formats: FormatSet::EMPTY,
            rates: nothing,
            channels: nothing,
            buffer_frames: asked.buffer_frames,
            period_frames: asked.period_frames,
        };
        let (mut frame_min, mut frame_max) = (u32::MAX, 1);
        for format in asked.formats.intersect(self.port.formats).iter() {
            let Some(sample_bytes) = format.bytes_per_sample() else { continue };
            for channels in self.port.channels_min.max(1)..=self.port.channels_max {
                let count = u32::from(channels);
                for rate_hz in self.rates().filter(|&rate_hz| asked.rates.contains(rate_hz)) {
                    if asked.channels.contains(count) && supports(&StreamParams { rate_hz, format, channels })
                    {
                        left.formats.insert(format);
                        left.rates = hull(left.rates, rate_hz);
                        left.channels = hull(left.channels, count);
                        // At most 8 bytes times 255 channels.
                        let frame_bytes = sample_bytes.saturating_mul(count).max(1);
                        frame_min = frame_min.min(frame_bytes);
                        frame_max = frame_max.max(frame_bytes);
                    }
                }
            }
        }
        left.buffer_frames = left.buffer_frames.intersect(Interval {
            min: self.port.buffer_bytes_min.div_ceil(frame_max),
            max: self.port.buffer_bytes_max.checked_div(frame_min).unwrap_or(0),
        });
        left.period_frames =
            left.period_frames.intersect(Interval { min: PERIOD_FRAMES_MIN, max: left.buffer_frames.max });
        left
    }

    fn rates(&self) -> impl Iterator<Item = u32> {
        self.port.rates_hz.into_iter().filter(|&rate| rate != 0)
    }

    /// Checks an OPEN.
    pub fn judge(
        &self,
        open: &OpenParams,
        supports: impl Fn(&StreamParams) -> bool,
    ) -> Result<OpenPlan, BadOpen> {
        let sample_bytes = match open.format.bytes_per_sample() {
            Some(bytes) if self.port.formats.contains(open.format) => bytes,
            _ => return Err(BadOpen::Format(open.format)),
        };
        if !self.rates().any(|rate| rate == open.rate_hz) {
            return Err(BadOpen::Rate(open.rate_hz));
        }
        if !(self.port.channels_min.max(1)..=self.port.channels_max).contains(&open.channels) {
            return Err(BadOpen::Channels(open.channels));
        }
        let params = StreamParams { rate_hz: open.rate_hz, format: open.format, channels: open.channels };
        if !supports(&params) {
            return Err(BadOpen::Together(params));
        }
        // At least 1 and at most 8 bytes times 255 channels.
        let frame_bytes = sample_bytes.saturating_mul(u32::from(open.channels)).max(1);
        let fits =
            (self.port.buffer_bytes_min.max(1)..=self.port.buffer_bytes_max).contains(&open.buffer_bytes);
        if !fits || !open.buffer_bytes.is_multiple_of(frame_bytes) {
            return Err(BadOpen::Buffer(open.buffer_bytes));
        }
        let period_min = frame_bytes.saturating_mul(PERIOD_FRAMES_MIN);
        let period_fits = open.period_bytes == 0
            || ((period_min..=open.buffer_bytes).contains(&open.period_bytes)
                && open.period_bytes.is_multiple_of(frame_bytes));
        if !period_fits {
            return Err(BadOpen::Period(open.period_bytes));
        }
        Ok(OpenPlan { params, frame_bytes, buffer_bytes: open.buffer_bytes, period_bytes: open.period_bytes })
    }
}

/// The smallest interval that contains both.
fn hull(interval: Interval, value: u32) -> Interval {
    Interval { min: interval.min.min(value), max: interval.max.max(value) }
}
