//! Frames in a buffer that begins again at its end.

use hyper::SampleMemory;

/// The size of a cyclic buffer in whole frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle {
    frames: u32,
    frame_bytes: u32,
}

impl Cycle {
    /// A buffer of so many bytes. `None`: it holds no frame, or not only whole ones.
    pub(crate) fn new(size_bytes: u32, frame_bytes: u32) -> Option<Self> {
        let frames = size_bytes.checked_div(frame_bytes).filter(|frames| *frames > 0)?;
        size_bytes.is_multiple_of(frame_bytes).then_some(Self { frames, frame_bytes })
    }

    pub(crate) fn frames(&self) -> u64 {
        self.frames.into()
    }

    pub(crate) fn frame_bytes(&self) -> u32 {
        self.frame_bytes
    }

    /// Whole frames in so many bytes.
    pub(crate) fn frames_in(&self, bytes: u64) -> u64 {
        bytes.checked_div(self.frame_bytes.into()).unwrap_or_default()
    }

    /// Reads frames from `frame` on, counted without wraps. The shorter of a lap and `into` counts.
    pub(crate) fn read(&self, memory: &impl SampleMemory, frame: u64, into: &mut [u8]) {
        let (offset_bytes, to_end) = self.place(frame, into.len());
        let (first, second) = into.split_at_mut(to_end);
        memory.read(offset_bytes, first);
        if !second.is_empty() {
            memory.read(0, second);
        }
    }

    /// Writes frames from `frame` on, counted without wraps. At most a lap.
    pub(crate) fn write(&self, memory: &impl SampleMemory, frame: u64, from: &[u8]) {
        let (offset_bytes, to_end) = self.place(frame, from.len());
        let (first, second) = from.split_at(to_end);
        memory.write(offset_bytes, first);
        if !second.is_empty() {
            memory.write(0, second);
        }
    }

    /// The offset of a frame, and how many of `bytes` bytes fit before the end.
    fn place(&self, frame: u64, bytes: usize) -> (u32, usize) {
        // Below `frames`, so its bytes are below the size.
        let index = frame.checked_rem(self.frames.into()).unwrap_or_default() as u32;
        let offset_bytes = index.saturating_mul(self.frame_bytes);
        let size_bytes = self.frames.saturating_mul(self.frame_bytes);
        (offset_bytes, bytes.min(size_bytes.saturating_sub(offset_bytes) as usize))
    }
}
