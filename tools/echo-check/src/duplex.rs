//! The interface to the streams under test.

use anyhow::Result;

use crate::{Frame, Spread};

/// A playback and a capture stream. The system publishes their offset.
pub trait DuplexRun {
    /// Starts both streams, plays all of `play`, records for at least as long, and stops both.
    ///
    /// Each call is a restart of the streams.
    ///
    /// # Errors
    /// The run fails for a reason that people can fix. A break in either stream (underrun or
    /// overrun) is one.
    fn run(&mut self, play: &[Frame]) -> Result<Take>;

    /// The source of the published offsets, in a word or two: `control page`, `ALSA pointers`.
    fn source(&self) -> &str;
}

/// The result of one restart of the streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// The recording.
    pub captured: Vec<Frame>,
    /// The frame of `captured` that was on the link with frame 0 of the played signal, as
    /// published.
    ///
    /// It is negative if recording started later than playing.
    pub published_offset_frames: f64,
    /// The published error of the offset in frames: half the width of its window.
    ///
    /// It is infinite if the system doesn't publish it.
    pub offset_error_frames: f64,
    /// Offsets published while the streams ran, in order of `at_frame`.
    ///
    /// The track is empty if the system published one offset for the whole take.
    pub track: Vec<OffsetReading>,
    /// Whether one request started all streams.
    pub linked_start: bool,
    /// The monitor's recording: all that was played to the output, by whomever.
    pub monitor: Option<Monitored>,
}

/// A monitor's recording. It's the far end of a canceller that removes what others play, too.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitored {
    /// The recording.
    pub recorded: Vec<Frame>,
    /// The frame of [`Take::captured`] that was on the link with the monitor's frame 0, as
    /// published.
    pub published_offset_frames: f64,
    /// As [`Take::track`].
    pub track: Vec<OffsetReading>,
}

/// An offset that the system published during a take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffsetReading {
    /// The recorded frame at the time of publication.
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

    /// The offset known to a program that has recorded `frame`: the last reading until then.
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
            monitor: None,
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
