//! The interface to a sound card.

use std::fmt;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
pub use sndif::Direction;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::Interval;
pub use sndif::op::Trigger;

/// An error: a number for the program and words for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The return value of ALSA's call.
    pub errno: Errno,
    /// The fault, its place and the remedy.
    pub message: String,
}

impl Failure {
    /// A failure with this number and these words.
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

/// The configurations that a stream accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Formats of a sample.
    pub formats: FormatSet,
    /// Rates in frames per second, if only certain rates are possible. Empty: all of `rate_hz`.
    pub rates_hz: Vec<u32>,
    /// Frames per second.
    pub rate_hz: Interval,
    /// Samples in a frame.
    pub channels: Interval,
    /// Bytes in the buffer.
    pub buffer_bytes: Interval,
    /// Bytes in a period.
    pub period_bytes: Interval,
}

/// The configuration of an open stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Format of a sample.
    pub format: SampleFormat,
    /// Bytes in a frame, at least 1.
    pub frame_bytes: u32,
    /// Samples in a frame.
    pub channels: u8,
    /// Frames per second, at least 1.
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

/// The memory that the controller reads or writes: a mappable file, shared.
#[derive(Clone, Copy, Debug)]
pub struct DmaFile<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// Start of the buffer in the file: a multiple of a page.
    pub offset_bytes: u64,
}

/// The present position of a running stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Best estimate of the frames through the link since START.
    pub link_frames: u64,
    /// Playback: frames that have certainly passed the link, so their place may be overwritten.
    /// Capture: frames that are certainly in memory.
    pub certain_frames: u64,
    /// The converter's own delay, in frames.
    pub codec_delay_frames: u32,
    /// Length of a frame in nanoseconds with 32 fractional bits; 0: not measured.
    pub ns_per_frame_q32: u64,
    /// Nanoseconds from this look until one may find more certain frames, if no request comes between.
    /// 0: not known.
    pub news_after_ns: u64,
}

/// One stream of a card. Any thread may call it, one at a time.
pub trait Stream: Send {
    /// The configurations that the stream accepts.
    fn limits(&self) -> &Limits;
    /// Allocates memory and opens the stream.
    fn open(&mut self, setup: &Setup) -> Result<(), Failure>;
    /// The buffer's memory, from [`open`](Self::open) to [`close`](Self::close).
    fn memory(&self) -> Option<DmaFile<'_>>;
    /// Stops the stream if it runs, and frees its memory. Closing a closed stream does nothing.
    fn close(&mut self) -> Result<(), Failure>;
    /// Sends a command to the open stream and waits until it is done or refused.
    fn trigger(&mut self, trigger: Trigger) -> Result<(), Failure>;
    /// The stream's position, without a system call or a wait. All values are 0 before the first
    /// known position.
    ///
    /// # Errors
    /// The stream ended by itself: the back end is gone, or the controller failed.
    fn look(&mut self) -> Result<Look, Failure>;
    /// The file that becomes readable when the time of [`wake_after`](Self::wake_after) has passed.
    /// It stays the same for the stream's life.
    fn wake_file(&self) -> BorrowedFd<'_>;
    /// Sets the alarm: 0 for at once, `None` for never. The file stays readable until the next
    /// call.
    fn wake_after(&mut self, after_ns: Option<u64>) -> Result<(), Failure>;
}
