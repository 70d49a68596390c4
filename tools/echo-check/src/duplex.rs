//! The seam to the streams under test.

use anyhow::Result;

use crate::{Frame, Spread};

/// A playback and a capture stream whose offset to each other the system publishes.
pub trait DuplexRun {
    /// Starts both streams, plays all of `play`, and records for at least as long. Stops both.
    ///
    /// Each call is a restart of the streams.
    ///
    /// # Errors
    /// When it can't be carried out, for a reason that people can do something about. A break in either stream (an
    /// underrun, an overrun) is one.
    fn run(&mut self, play: &[Frame]) -> Result<Take>;

    /// Where the published offsets come from, in a word or two: `control page`, `ALSA pointers`.
    fn source(&self) -> &str;
}

/// What one restart of the streams gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// What was recorded.
    pub captured: Vec<Frame>,
    /// The frame of `captured` that was on the link at the same time as frame 0 of what was played, as the system says:
    /// below 0 when recording started later than playing.
    pub published_offset_frames: f64,
    /// Half the width of the window in which the system says that the offset lies, in frames. Infinite when it doesn't
    /// say.
    pub offset_error_frames: f64,
    /// The offset as it was published while the streams ran, in the order of `at_frame`; empty when it was published once, for all
    /// of the take.
    pub track: Vec<OffsetReading>,
    /// Whether both streams were started by one request.
    pub linked_start: bool,
}

/// What the system said about the offset at some time of a take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffsetReading {
    /// The recorded frame at which it said so.
    pub at_frame: u64,
    /// The offset, as in [`Take::published_offset_frames`].
    pub offset_frames: f64,
}

impl Take {
    /// The mean of the readings while the streams ran.
    #[must_use]
    pub fn mean_offset(&self) -> f64 {
        let told = Spread::of(self.track.iter().map(|reading| reading.offset_frames));
        told.map_or(self.published_offset_frames, |spread| spread.mean)
    }

    /// The offset that a program knows when it has recorded `frame`: the last reading until then.
    #[must_use]
    pub fn offset_at(&self, frame: u64) -> f64 {
        let told = self.track.partition_point(|reading| reading.at_frame <= frame);
        let last = told.checked_sub(1).and_then(|last| self.track.get(last));
        last.map_or(self.published_offset_frames, |reading| reading.offset_frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reading_counts() {
        let mut take = Take {
            captured: Vec::new(),
            published_offset_frames: 1.0,
            offset_error_frames: 0.0,
            track: Vec::new(),
            linked_start: false,
        };
        assert_eq!((take.offset_at(5), take.mean_offset()), (1.0, 1.0));
        take.track = vec![
            OffsetReading { at_frame: 10, offset_frames: 2.0 },
            OffsetReading { at_frame: 20, offset_frames: 3.0 },
        ];
        assert_eq!(take.mean_offset(), 2.5);
        assert_eq!([0, 10, 19, 20, 99].map(|frame| take.offset_at(frame)), [1.0, 2.0, 2.0, 3.0, 3.0]);
    }
}
