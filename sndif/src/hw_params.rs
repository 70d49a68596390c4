//! The configuration space of a stream, for HW_PARAM_QUERY (sndif.h, `struct xensnd_query_hw_param`).

use crate::entry::{self, Entry};
use crate::format::FormatSet;

/// All values from `min` to `max`, both included. Empty if `min` is above `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Smallest value.
    pub min: u32,
    /// Largest value.
    pub max: u32,
}

impl Interval {
    /// Every value.
    pub const ANY: Self = Self { min: 0, max: u32::MAX };

    /// One value alone.
    pub const fn exactly(value: u32) -> Self {
        Self { min: value, max: value }
    }

    /// Whether the value lies in the interval.
    pub const fn contains(self, value: u32) -> bool {
        self.min <= value && value <= self.max
    }

    /// Whether `other` contains every value of this interval.
    pub const fn is_subset(self, other: Self) -> bool {
        self.is_empty() || (other.contains(self.min) && other.contains(self.max))
    }

    /// The values in both intervals.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    /// Whether no value is in the interval.
    pub const fn is_empty(self) -> bool {
        self.min > self.max
    }
}

/// The configurations that are open to a stream.
///
/// A query holds those that the front end considers, its answer those of them that the back end supports (sndif.h: "each
/// call ... may reduce configuration space"). Buffer and period are in frames here, and in bytes in OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HwParams {
    /// Sample formats.
    pub formats: FormatSet,
    /// Frame rates, in Hz.
    pub rates: Interval,
    /// Samples in a frame.
    pub channels: Interval,
    /// Frames in the buffer.
    pub buffer_frames: Interval,
    /// Frames in a period.
    pub period_frames: Interval,
}

impl HwParams {
    /// Every configuration.
    pub const ANY: Self = Self {
        formats: FormatSet::ALL,
        rates: Interval::ANY,
        channels: Interval::ANY,
        buffer_frames: Interval::ANY,
        period_frames: Interval::ANY,
    };

    /// The configurations in both spaces.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            formats: self.formats.intersect(other.formats),
            rates: self.rates.intersect(other.rates),
            channels: self.channels.intersect(other.channels),
            buffer_frames: self.buffer_frames.intersect(other.buffer_frames),
            period_frames: self.period_frames.intersect(other.period_frames),
        }
    }

    /// Whether every configuration of `other` is in this space.
    pub fn contains(&self, other: &Self) -> bool {
        other.is_empty()
            || (other.formats.is_subset(self.formats)
                && other.rates.is_subset(self.rates)
                && other.channels.is_subset(self.channels)
                && other.buffer_frames.is_subset(self.buffer_frames)
                && other.period_frames.is_subset(self.period_frames))
    }

    /// Whether no configuration is left.
    pub const fn is_empty(&self) -> bool {
        self.formats.is_empty()
            || self.rates.is_empty()
            || self.channels.is_empty()
            || self.buffer_frames.is_empty()
            || self.period_frames.is_empty()
    }

    pub(crate) fn parse(entry: &Entry) -> Self {
        let interval =
            |min, max| Interval { min: entry::get_u32(entry, min), max: entry::get_u32(entry, max) };
        Self {
            formats: FormatSet(entry::get_u64(entry, 8)),
            rates: interval(16, 20),
            channels: interval(24, 28),
            buffer_frames: interval(32, 36),
            period_frames: interval(40, 44),
        }
    }

    pub(crate) fn emit(&self, entry: &mut Entry) {
        entry::put(entry, 8, self.formats.0.to_le_bytes());
        let mut put = |min, max, interval: Interval| {
            entry::put(entry, min, interval.min.to_le_bytes());
            entry::put(entry, max, interval.max.to_le_bytes());
        };
        put(16, 20, self.rates);
        put(24, 28, self.channels);
        put(32, 36, self.buffer_frames);
        put(40, 44, self.period_frames);
    }
}
