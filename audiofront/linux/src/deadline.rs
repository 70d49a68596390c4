//! Waiting for files, with an end to it.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, Result};

/// When to stop waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(crate) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// One of the files has something to read.
    Readable,
    /// The time is over.
    TimedOut,
    /// A signal's handler ran.
    Interrupted,
}

/// Waits until one of the files has something to read.
pub(crate) fn wait(files: &[BorrowedFd<'_>], timeout: Duration) -> Result<Woken> {
    let mut polled: Vec<PollFd<'_>> =
        files.iter().map(|file| PollFd::from_borrowed_fd(*file, PollFlags::IN)).collect();
    let timeout = Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    match poll(&mut polled, Some(&timeout)) {
        Ok(0) => Ok(Woken::TimedOut),
        Ok(_) => Ok(Woken::Readable),
        Err(Errno::INTR) => Ok(Woken::Interrupted),
        Err(error) => Err(error),
    }
}
