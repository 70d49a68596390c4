//! The reading side of a capture stream.

use hyper::SharedPage;
use sndif::request::Range;

use crate::buffer::{Buffer, whole_frames};

/// The samples of a capture stream, as they come from the link.
#[derive(Debug)]
pub struct Capture<P> {
    buffer: Buffer<P>,
    frame_bytes: u32,
    /// Arrived in memory, by the last position.
    position_bytes: u64,
    /// Taken up to here.
    read_bytes: u64,
    /// The last READ hint ends here.
    hinted_bytes: u64,
    overrun_bytes: u64,
    /// From here on the buffer is lent: see `StreamFront::set_volume`.
    lent_bytes: Option<u64>,
}

impl<P: SharedPage> Capture<P> {
    /// `frame_bytes` isn't 0.
    pub(crate) fn new(buffer: Buffer<P>, frame_bytes: u32) -> Self {
        Self {
            buffer,
            frame_bytes,
            position_bytes: 0,
            read_bytes: 0,
            hinted_bytes: 0,
            overrun_bytes: 0,
            lent_bytes: None,
        }
    }

    /// Takes as many whole frames as have come and as `bytes` holds. Returns how many bytes it put there.
    pub fn take(&mut self, bytes: &mut [u8]) -> usize {
        let come = usize::try_from(self.available_bytes()).unwrap_or(usize::MAX);
        let whole_frames = whole_frames(bytes.len().min(come), self.frame_bytes);
        let Some(bytes) = bytes.get_mut(..whole_frames) else { return 0 };
        self.buffer.read(self.read_bytes, bytes);
        self.read_bytes = self.read_bytes.saturating_add(bytes.len() as u64);
        bytes.len()
    }

    /// Says that the next `length_bytes` have been read in place, from [`read_bytes`](Self::read_bytes) on. Takes no more
    /// whole frames than have come; returns how many bytes it took.
    pub fn commit(&mut self, length_bytes: u64) -> u64 {
        let come = usize::try_from(self.come_bytes().min(length_bytes)).unwrap_or(usize::MAX);
        let taken_bytes = whole_frames(come, self.frame_bytes) as u64;
        self.read_bytes = self.read_bytes.saturating_add(taken_bytes);
        taken_bytes
    }

    /// Bytes that [`take`](Self::take) could take now: those that have come and weren't taken, at most the size of the buffer.
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

    /// Bytes that newer ones have overwritten, since OPEN, before they were taken.
    pub fn overrun_bytes(&self) -> u64 {
        self.overrun_bytes
    }

    /// The position went on to `bytes`; it never goes back.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.position_bytes = bytes;
        let size = u64::from(self.buffer.size_bytes());
        if self.come_bytes() > size {
            // The oldest half is about to be overwritten while we would read it: go on with the newer half.
            let newer = bytes.saturating_sub(size / 2);
            let next = newer.checked_next_multiple_of(u64::from(self.frame_bytes)).unwrap_or(newer);
            let next = next.min(bytes);
            self.overrun_bytes = self.overrun_bytes.saturating_add(next.saturating_sub(self.read_bytes));
            self.read_bytes = next;
            self.hinted_bytes = next;
        }
    }

    /// The place that byte `start_bytes` will have is lent from there on, with the samples that lie there; or none is.
    pub(crate) fn lend(&mut self, start_bytes: Option<u64>) {
        // Where there has been no lap yet, nothing lies there.
        self.lent_bytes = start_bytes.and_then(|start| start.checked_sub(self.buffer.size_bytes().into()));
    }

    /// A new run starts at the start of the buffer, `start_bytes`. What wasn't taken of the old one is given up.
    pub(crate) fn restart(&mut self, start_bytes: u64) {
        self.position_bytes = start_bytes;
        self.read_bytes = start_bytes;
        self.hinted_bytes = start_bytes;
        self.lent_bytes = None;
    }

    /// The next contiguous piece for a hint.
    pub(crate) fn next_hint(&self) -> Option<Range> {
        self.buffer.piece(self.hinted_bytes, self.read_bytes)
    }

    pub(crate) fn hinted(&mut self, range: Range) {
        self.hinted_bytes = self.hinted_bytes.saturating_add(u64::from(range.length_bytes));
    }

    pub(crate) fn buffer(&self) -> &Buffer<P> {
        &self.buffer
    }

    pub(crate) fn into_buffer(self) -> Buffer<P> {
        self.buffer
    }
}
