//! Failed steps. Each returns the stream, and the buffer if the stream doesn't hold it.

use core::fmt;

use super::buffer_list::BufferError;
use crate::deadline::Deadline;
use crate::kind::ErrorKind;

/// The hardware didn't finish a step in time. The stream's state is unchanged.
///
/// If RUN still reads 1 after it was cleared, the controller may still touch the buffer. So the
/// stream keeps the buffer. Retry with the stream inside.
#[must_use = "dropping this drops the stream, and leaks its buffer if RUN still reads 1"]
pub struct Refused<S> {
    /// The stream.
    pub stream: S,
    /// The register that didn't respond.
    pub deadline: Deadline,
}

/// A stream that couldn't be configured, and the buffer that it refused.
#[must_use = "dropping this drops stream and buffer"]
pub struct Rejected<S, B> {
    /// The stream.
    pub stream: S,
    /// The buffer.
    pub buffer: B,
    /// Why.
    pub error: ConfigureError,
}

impl<S> fmt::Debug for Refused<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refused").field(&self.deadline).finish()
    }
}

impl<S, B> fmt::Debug for Rejected<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rejected").field(&self.error).finish()
    }
}

/// Why a stream can't be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigureError {
    /// The controller can't use the buffer.
    Buffer(BufferError),
    /// The stream's reset didn't end.
    Reset(Deadline),
}

impl ConfigureError {
    /// The kind of failure.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Buffer(error) => error.kind(),
            Self::Reset(_) => ErrorKind::Timeout,
        }
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer(error) => error.fmt(f),
            Self::Reset(deadline) => deadline.fmt(f),
        }
    }
}

impl core::error::Error for ConfigureError {}
