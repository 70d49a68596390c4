//! Private memory for one block of frames.

use alloc::boxed::Box;

use pcm::{Sample, Wide};

/// Frames that are handled at a time: few enough for the processor's first cache.
pub(crate) const BLOCK_FRAMES: usize = 128;

/// Samples of a block of 8 channels.
const BLOCK_SAMPLES: usize = BLOCK_FRAMES * 8;

/// A block on its way between a voice and a bus.
pub(crate) struct Scratch {
    pub(crate) work: Work,
}

/// The steps of one voice's block.
pub(crate) struct Work {
    /// Encoded, of 8 bytes each at most.
    pub(crate) bytes: [u8; BLOCK_SAMPLES * 8],
    pub(crate) samples: [Sample; BLOCK_SAMPLES],
    /// At the rate of the other side.
    pub(crate) converted: [Wide; BLOCK_SAMPLES],
    /// With the channels of the other side.
    pub(crate) mapped: [Wide; BLOCK_SAMPLES],
}

impl Scratch {
    pub(crate) fn new() -> Box<Self> {
        Box::new(Self {
            work: Work {
                bytes: [0; BLOCK_SAMPLES * 8],
                samples: [0; BLOCK_SAMPLES],
                converted: [0; BLOCK_SAMPLES],
                mapped: [0; BLOCK_SAMPLES],
            },
        })
    }
}

/// The first `len` items, or all.
pub(crate) fn head<T>(items: &mut [T], len: usize) -> &mut [T] {
    let len = len.min(items.len());
    items.split_at_mut(len).0
}
