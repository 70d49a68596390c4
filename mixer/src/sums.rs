//! The wide sums of a bus, from what the hardware has fetched on.
//!
//! The ring of a bus holds encoded frames, to which nothing can be added. So each sum is kept until its frame is fetched: a voice
//! adds its frames when it has them, however far the others are.

use alloc::boxed::Box;

use pcm::{Channels, Format, Wide};

use crate::scratch::BLOCK_FRAMES;

/// Samples of a bus that can be mixed ahead: 341 ms of two channels at 48 kHz, 21 ms of eight at 192 kHz.
const SAMPLES: usize = 32_768;

/// The most blocks: those of one channel.
const BLOCKS: usize = SAMPLES / BLOCK_FRAMES;

/// Frames of a block. Blocks begin at its multiples.
const BLOCK: u64 = BLOCK_FRAMES as u64;

/// Sums of a bus, cyclic.
#[derive(Debug)]
pub(crate) struct Sums {
    words: Box<[Wide]>,
    channels: Channels,
    /// Sums of earlier frames are zeros again.
    first: u64,
    /// The frames of each block that have changed since they were encoded: where they begin and end.
    changed: [(u8, u8); BLOCKS],
}

impl Sums {
    pub(crate) fn new() -> Self {
        let words = (0..SAMPLES).map(|_| 0).collect();
        Self { words, channels: Channels::MONO, first: 0, changed: [(0, 0); BLOCKS] }
    }

    /// Zeros from frame 0 on.
    pub(crate) fn begin(&mut self, channels: Channels) {
        self.words.fill(0);
        self.changed.fill((0, 0));
        self.channels = channels;
        self.first = 0;
    }

    /// The end of the frames that it can hold now. The block of the first frame is left out as a place for later ones.
    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(self.blocks().saturating_sub(1).saturating_mul(BLOCK))
    }

    fn blocks(&self) -> u64 {
        (self.channels.frames(self.words.len()) / BLOCK_FRAMES) as u64
    }

    /// The place of a frame's block.
    fn place(&self, frame: u64) -> usize {
        // Below the number of blocks.
        (frame / BLOCK).checked_rem(self.blocks()).unwrap_or_default() as usize
    }

    /// Sums from a frame on, to `end` or to the end of the block, whichever is first.
    fn piece(&mut self, frame: u64, end: u64) -> &mut [Wide] {
        let within = frame % BLOCK;
        let frames = end.saturating_sub(frame).min(BLOCK.saturating_sub(within)) as usize;
        let start_frame = self.place(frame).saturating_mul(BLOCK_FRAMES).saturating_add(within as usize);
        let start = start_frame.saturating_mul(self.channels.count());
        let length = frames.saturating_mul(self.channels.count());
        self.words.get_mut(start..start.saturating_add(length)).unwrap_or_default()
    }

    /// Sums from a frame on for a voice to add to, to `end` or to the end of the block, whichever is first.
    pub(crate) fn add(&mut self, frame: u64, end: u64) -> &mut [Wide] {
        let place = self.place(frame);
        let from = frame % BLOCK;
        let to = from.saturating_add(end.saturating_sub(frame)).min(BLOCK);
        if let Some(changed) = self.changed.get_mut(place) {
            // Both are 128 at most.
            let (from, to) = (from as u8, to as u8);
            let is_changed = changed.0 < changed.1;
            *changed = if is_changed { (from.min(changed.0), to.max(changed.1)) } else { (from, to) };
        }
        self.piece(frame, end)
    }

    /// Calls `encode` with the changed sums before `end` and the frame at which each piece begins.
    pub(crate) fn encode_changed(&mut self, end: u64, mut encode: impl FnMut(u64, &[Wide])) {
        let mut frame = self.first;
        while frame < end {
            let block = (frame / BLOCK).saturating_mul(BLOCK);
            let place = self.place(frame);
            let (from, to) = self.changed.get_mut(place).map(core::mem::take).unwrap_or_default();
            let from = block.saturating_add(from.into()).max(frame);
            let to = block.saturating_add(to.into());
            if from < to {
                encode(from, self.piece(from, to));
            }
            frame = block.saturating_add(BLOCK);
        }
    }

    /// Lets go of the sums before frame `to`. Returns how many of these frames were clipped in `format`.
    pub(crate) fn retire(&mut self, to: u64, format: Format) -> u64 {
        let mut clipped_frames = 0u64;
        // Nothing was added behind the end.
        let end = self.end().min(to);
        while self.first < end {
            let (channels, first) = (self.channels, self.first);
            let piece = self.piece(first, end);
            let clipped = format.clipped_frames(channels, piece) as u64;
            let frames = channels.frames(piece.len()) as u64;
            piece.fill(0);
            clipped_frames = clipped_frames.saturating_add(clipped);
            self.first = first.saturating_add(frames.max(1));
        }
        self.first = self.first.max(to);
        clipped_frames
    }
}
