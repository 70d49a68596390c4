//! The seam to a sound card.

use std::fmt;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
pub use sndif::Direction;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::Interval;

/// An error: a number for the program, and words for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What ALSA's call returns.
    pub errno: Errno,
    /// The fault, its place, and the remedy.
    pub message: String,
}

impl Failure {
    /// A failure of this number, with these words.
    pub fn new(errno: Errno, message: impl Into<String>) -> Self {
        Self { errno, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.message, self.errno)
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::new(errno, errno.to_string())
    }
}

/// The configurations that a stream may be opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Formats of a sample.
    pub formats: FormatSet,
    /// Frames a second, if only certain rates are to be had; empty: all of `rate_hz`.
    pub rates_hz: Vec<u32>,
    /// Frames a second.
    pub rate_hz: Interval,
    /// Samples in a frame.
    pub channels: Interval,
    /// Bytes in the buffer.
    pub buffer_bytes: Interval,
    /// Bytes in a period.
    pub period_bytes: Interval,
}

/// The configuration that a stream is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Format of a sample.
    pub format: SampleFormat,
    /// Bytes in a frame, at least 1.
    pub frame_bytes: u32,
    /// Samples in a frame.
    pub channels: u8,
    /// Frames a second, at least 1.
    pub rate_hz: u32,
    /// Frames in a period, at least 1.
    pub period_frames: u32,
    /// Frames in the buffer, at least 1.
    pub buffer_frames: u32,
}

impl Setup {
    /// Bytes in the buffer.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_frames as usize * self.frame_bytes as usize
    }
}

/// The memory that the controller reads or writes: a file that can be mapped, shared.
#[derive(Clone, Copy, Debug)]
pub struct DmaFile<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// Where in the file the buffer begins: a multiple of a page.
    pub offset_bytes: u64,
}

/// A command to an open stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Start at the start of the buffer.
    Start,
    /// Stop, and forget the position.
    Stop,
    /// Stand still.
    Pause,
    /// Go on.
    Resume,
}

/// The position of a running stream, now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Frames through the link since START, as near as they are known.
    pub link_frames: u64,
    /// Playback: frames that have certainly gone through the link; their place may be written again. Capture: frames that are
    /// certainly in memory.
    pub certain_frames: u64,
    /// The converter's own delay, in frames.
    pub codec_delay_frames: u32,
    /// Length of a frame, nanoseconds with 32 fractional bits; 0: not measured.
    pub ns_per_frame_q32: u64,
}

/// One stream of a card. All of it may be called by any thread, one at a time.
pub trait Stream: Send {
    /// What it can be opened with.
    fn limits(&self) -> &Limits;
    /// Takes memory and opens the stream.
    fn open(&mut self, setup: &Setup) -> Result<(), Failure>;
    /// The buffer's memory, from [`open`](Self::open) to [`close`](Self::close).
    fn memory(&self) -> Option<DmaFile<'_>>;
    /// Stops the stream if it runs, and gives its memory back. Closing a closed stream does nothing.
    fn close(&mut self) -> Result<(), Failure>;
    /// Tells the open stream what to do, and waits until it is done or refused.
    fn trigger(&mut self, trigger: Trigger) -> Result<(), Failure>;
    /// Where the stream is: no system call, no wait. Before the first position is known all is 0.
    ///
    /// # Errors
    /// When the stream has ended by itself: the back end is gone, or the controller has failed.
    fn look(&mut self) -> Result<Look, Failure>;
    /// What becomes readable when the time of [`wake_after`](Self::wake_after) is over: the same for the life of the stream.
    fn wake_file(&self) -> BorrowedFd<'_>;
    /// Sets the alarm: 0 is at once, `None` never. It stays readable until it is set again.
    fn wake_after(&mut self, after_ns: Option<u64>) -> Result<(), Failure>;
}
