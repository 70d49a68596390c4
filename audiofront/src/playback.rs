//! The writing side of a playback stream.

use hyper::SharedPage;
use sndif::request::Range;

use crate::buffer::{Buffer, whole_frames};

/// The samples of a playback stream on their way to the link.
///
/// ```text
///        position          written            position + size
/// -- played --|-- to be played --|-- silence --------|
/// ```
///
/// As soon as the position passes samples, silence overwrites them. If the writer is late or has
/// finished, the link plays silence and never old samples.
#[derive(Debug)]
pub struct Playback<P> {
    pub(crate) buffer: Buffer<P>,
    frame_bytes: u32,
    silence: [u8; 8],
    /// Bytes sent on the link, by the last position.
    position_bytes: u64,
    /// End of the samples in the buffer.
    written_bytes: u64,
    /// End of the silence that starts at `written_bytes`.
    silent_until_bytes: u64,
    underrun_bytes: u64,
    /// End of the last sample, once no more follow.
    end_bytes: Option<u64>,
    in_place: bool,
    /// Start of the lent part of the buffer: see `StreamFront::set_volume`.
    lent_bytes: Option<u64>,
}

impl<P: SharedPage> Playback<P> {
    /// `buffer` is zeroed, `frame_bytes` isn't 0.
    pub(crate) fn new(buffer: Buffer<P>, frame_bytes: u32, silence: [u8; 8]) -> Self {
        let silent_until_bytes = if silence == [0; 8] { u64::from(buffer.size_bytes()) } else { 0 };
        let mut playback = Self {
            buffer,
            frame_bytes,
            silence,
            position_bytes: 0,
            written_bytes: 0,
            silent_until_bytes,
            underrun_bytes: 0,
            end_bytes: None,
            in_place: false,
            lent_bytes: None,
        };
        playback.pad();
        playback
    }

    /// Writes as many whole frames as fit after those already written. Returns the number of bytes
    /// taken.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let room = usize::try_from(self.free_bytes()).unwrap_or(usize::MAX);
        let whole_frames = whole_frames(bytes.len().min(room), self.frame_bytes);
        let Some(bytes) = bytes.get(..whole_frames) else { return 0 };
        if bytes.is_empty() {
            return 0;
        }
        self.buffer.write(self.written_bytes, bytes);
        self.written_bytes = self.written_bytes.saturating_add(bytes.len() as u64);
        self.end_bytes = None;
        bytes.len()
    }

    /// Leaves the buffer's content to the application. It writes samples in place and reports them
    /// by [`commit`](Self::commit). From now on nothing is silenced behind the position: data not
    /// overwritten in time plays again.
    pub fn write_in_place(&mut self) {
        self.in_place = true;
    }

    /// Marks the next `length_bytes` from [`written_bytes`](Self::written_bytes) on as written in
    /// place. Counts whole frames, at most those that fit. Returns the number of bytes counted.
    pub fn commit(&mut self, length_bytes: u64) -> u64 {
        let room = usize::try_from(self.room_bytes().min(length_bytes)).unwrap_or(usize::MAX);
        let taken_bytes = whole_frames(room, self.frame_bytes) as u64;
        if taken_bytes > 0 {
            self.written_bytes = self.written_bytes.saturating_add(taken_bytes);
            self.end_bytes = None;
        }
        taken_bytes
    }

    /// Bytes that [`fill`](Self::fill) would take now.
    pub fn free_bytes(&self) -> u64 {
        let until_lent = self.lent_bytes.unwrap_or(u64::MAX).saturating_sub(self.written_bytes);
        self.room_bytes().min(until_lent)
    }

    fn room_bytes(&self) -> u64 {
        u64::from(self.buffer.size_bytes()).saturating_sub(self.queued_bytes())
    }

    /// Bytes written and not played yet.
    pub fn queued_bytes(&self) -> u64 {
        self.written_bytes.saturating_sub(self.position_bytes)
    }

    /// Bytes written since OPEN. Grows by the result of [`fill`](Self::fill), and skips the bytes
    /// of an underrun.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Bytes since OPEN whose time on the link came before they were written. The link played
    /// silence instead.
    pub fn underrun_bytes(&self) -> u64 {
        self.underrun_bytes
    }

    /// Announces that no more samples follow, so that silence after the last one is no underrun.
    /// The next [`fill`](Self::fill) revokes it.
    pub fn end(&mut self) {
        self.end_bytes.get_or_insert(self.written_bytes);
    }

    /// Whether the last sample has been played, after [`end`](Self::end).
    pub fn is_drained(&self) -> bool {
        self.end_bytes.is_some_and(|end| self.position_bytes >= end)
    }

    /// Advances the position to `bytes`; it never goes back.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.position_bytes = bytes;
        if bytes > self.written_bytes {
            if self.end_bytes.is_none() {
                let late = bytes.saturating_sub(self.written_bytes);
                self.underrun_bytes = self.underrun_bytes.saturating_add(late);
            }
            self.written_bytes = bytes.checked_next_multiple_of(u64::from(self.frame_bytes)).unwrap_or(bytes);
            self.buffer.skip_hints(self.written_bytes);
        }
        self.pad();
    }

    /// Lends the buffer from here on. `None` ends the loan.
    pub(crate) fn lend(&mut self, start_bytes: Option<u64>) {
        self.lent_bytes = start_bytes;
    }

    /// Resets after STOP: the next run starts at `start_bytes`, the start of the buffer, which is
    /// empty.
    pub(crate) fn restart(&mut self, start_bytes: u64) {
        self.position_bytes = start_bytes;
        self.written_bytes = start_bytes;
        self.buffer.skip_hints(start_bytes);
        self.silent_until_bytes = start_bytes;
        self.end_bytes = None;
        self.lent_bytes = None;
        self.pad();
    }

    /// The next contiguous piece for a hint.
    pub(crate) fn next_hint(&self) -> Option<Range> {
        self.buffer.next_hint(self.written_bytes)
    }

    /// Silences samples that were played and not overwritten.
    fn pad(&mut self) {
        if self.in_place {
            return;
        }
        let until = self.position_bytes.saturating_add(u64::from(self.buffer.size_bytes()));
        // This is never before `written_bytes`, because at most a buffer is queued. After an
        // underrun of more than a buffer it may be, but only silence lies there.
        let from = self.silent_until_bytes;
        self.buffer.repeat(from, until.saturating_sub(from), self.silence);
        self.silent_until_bytes = until;
    }
}
