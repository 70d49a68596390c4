//! The layout of frames: format, channels, rate.

use audioback::card::StreamParams;
use hyper::Nanos;
use pcm::{Channels, Format, Rates};
use sndif::format::{FormatSet, SampleFormat};

/// The layout of a voice's or a bus's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) format: Format,
    pub(crate) channels: Channels,
    pub(crate) rate_hz: u32,
}

impl Layout {
    /// The layout of a stream, if the mixer can convert it.
    pub(crate) fn of(params: &StreamParams) -> Option<Self> {
        let in_range = (Rates::LOWEST_HZ..=Rates::HIGHEST_HZ).contains(&params.rate_hz);
        Some(Self {
            format: decodable(params.format)?,
            channels: Channels::new(params.channels.into())?,
            rate_hz: Some(params.rate_hz).filter(|_| in_range)?,
        })
    }

    /// Bytes of a frame: 64 at most.
    pub(crate) fn frame_bytes(&self) -> u32 {
        self.bytes(1) as u32
    }

    /// Bytes of so many frames.
    pub(crate) fn bytes(&self, frames: usize) -> usize {
        self.samples(frames).saturating_mul(self.format.bytes_per_sample())
    }

    /// Samples of so many frames.
    pub(crate) fn samples(&self, frames: usize) -> usize {
        frames.saturating_mul(self.channels.count())
    }

    /// The span of so many frames, rounded down.
    pub(crate) fn span_of(&self, frames: u64) -> Nanos {
        let span_ns = u128::from(frames).saturating_mul(1_000_000_000).checked_div(self.rate_hz.into());
        Nanos(span_ns.and_then(|span_ns| u64::try_from(span_ns).ok()).unwrap_or(u64::MAX))
    }

    /// Frames in so many nanoseconds, rounded down.
    pub(crate) fn frames_in(&self, span_ns: u64) -> u64 {
        let frames = u128::from(span_ns).saturating_mul(self.rate_hz.into()) / 1_000_000_000;
        u64::try_from(frames).unwrap_or(u64::MAX)
    }
}

/// All formats that the mixer converts: linear, floating, G.711.
pub(crate) fn formats() -> FormatSet {
    let mut formats = FormatSet::EMPTY;
    for format in SampleFormat::all().filter(|format| decodable(*format).is_some()) {
        formats.insert(format);
    }
    formats
}

/// The format as `pcm` knows it. Compressed formats and frames of IEC 958 are no samples.
fn decodable(format: SampleFormat) -> Option<Format> {
    Some(match format {
        SampleFormat::S8 => Format::S8,
        SampleFormat::U8 => Format::U8,
        SampleFormat::S16Le => Format::S16Le,
        SampleFormat::S16Be => Format::S16Be,
        SampleFormat::U16Le => Format::U16Le,
        SampleFormat::U16Be => Format::U16Be,
        SampleFormat::S24Le => Format::S24Le,
        SampleFormat::S24Be => Format::S24Be,
        SampleFormat::U24Le => Format::U24Le,
        SampleFormat::U24Be => Format::U24Be,
        SampleFormat::S32Le => Format::S32Le,
        SampleFormat::S32Be => Format::S32Be,
        SampleFormat::U32Le => Format::U32Le,
        SampleFormat::U32Be => Format::U32Be,
        SampleFormat::F32Le => Format::F32Le,
        SampleFormat::F32Be => Format::F32Be,
        SampleFormat::F64Le => Format::F64Le,
        SampleFormat::F64Be => Format::F64Be,
        SampleFormat::MuLaw => Format::MuLaw,
        SampleFormat::ALaw => Format::ALaw,
        _ => return None,
    })
}
