//! The reading side of a capture stream.

use hyper::SharedPage;
use sndif::request::Range;

use crate::buffer::{Buffer, whole_frames};

/// The samples of a capture stream as they arrive from the link.
#[derive(Debug)]
pub struct Capture<P> {
    pub(crate) buffer: Buffer<P>,
    frame_bytes: u32,
    /// Bytes in memory, by the last position.
    position_bytes: u64,
    /// Bytes taken.
    read_bytes: u64,
    overrun_bytes: u64,
    /// Start of the lent part of the buffer: see `StreamFront::set_volume`.
    lent_bytes: Option<u64>,
}

impl<P: SharedPage> Capture<P> {
    /// `frame_bytes` isn't 0.
    pub(crate) fn new(buffer: Buffer<P>, frame_bytes: u32) -> Self {
        Self { buffer, frame_bytes, position_bytes: 0, read_bytes: 0, overrun_bytes: 0, lent_bytes: None }
    }

    /// Takes as many whole frames as have arrived and fit into `bytes`. Returns the number of bytes
    /// taken.
    pub fn take(&mut self, bytes: &mut [u8]) -> usize {
        let come = usize::try_from(self.available_bytes()).unwrap_or(usize::MAX);
        let whole_frames = whole_frames(bytes.len().min(come), self.frame_bytes);
        let Some(bytes) = bytes.get_mut(..whole_frames) else { return 0 };
        self.buffer.read(self.read_bytes, bytes);
        self.read_bytes = self.read_bytes.saturating_add(bytes.len() as u64);
        bytes.len()
    }

    /// Marks the next `length_bytes` from [`read_bytes`](Self::read_bytes) on as read in place.
    /// Counts whole frames, at most those that have arrived. Returns the number of bytes counted.
    pub fn commit(&mut self, length_bytes: u64) -> u64 {
        let come = usize::try_from(self.come_bytes().min(length_bytes)).unwrap_or(usize::MAX);
        let taken_bytes = whole_frames(come, self.frame_bytes) as u64;
        self.read_bytes = self.read_bytes.saturating_add(taken_bytes);
        taken_bytes
    }

    /// Bytes that [`take`](Self::take) could take now: arrived and not taken, at most the size of
    /// the buffer.
    pub fn available_bytes(&self) -> u64 {
        let until_lent = self.lent_bytes.unwrap_or(u64::MAX).saturating_sub(self.read_bytes);
        self.come_bytes().min(until_lent)
    }

    fn come_bytes(&self) -> u64 {
        self.position_bytes.saturating_sub(self.read_bytes)
    }

    /// Bytes taken or lost since OPEN.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Bytes since OPEN that were overwritten before they were taken.
    pub fn overrun_bytes(&self) -> u64 {
        self.overrun_bytes
    }

    /// Advances the position to `bytes`; it never goes back.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.position_bytes = bytes;
        let size = u64::from(self.buffer.size_bytes());
        if self.come_bytes() > size {
            // The oldest half may be overwritten during a read, so continue with the newer half.
            let newer = bytes.saturating_sub(size / 2);
            let next = newer.checked_next_multiple_of(u64::from(self.frame_bytes)).unwrap_or(newer);
            let next = next.min(bytes);
            self.overrun_bytes = self.overrun_bytes.saturating_add(next.saturating_sub(self.read_bytes));
            self.read_bytes = next;
            self.buffer.skip_hints(next);
        }
    }

    /// Lends the place of byte `start_bytes` and all after it, with the samples there. `None` ends
    /// the loan.
    pub(crate) fn lend(&mut self, start_bytes: Option<u64>) {
        // Before the first lap, no samples lie there.
        self.lent_bytes = start_bytes.and_then(|start| start.checked_sub(self.buffer.size_bytes().into()));
    }

    /// Starts a new run at `start_bytes`, the start of the buffer. Drops samples of the old run
    /// that weren't taken.
    pub(crate) fn restart(&mut self, start_bytes: u64) {
        self.position_bytes = start_bytes;
        self.read_bytes = start_bytes;
        self.buffer.skip_hints(start_bytes);
        self.lent_bytes = None;
    }

    /// The next contiguous piece for a hint.
    pub(crate) fn next_hint(&self) -> Option<Range> {
        self.buffer.next_hint(self.read_bytes)
    }
}
