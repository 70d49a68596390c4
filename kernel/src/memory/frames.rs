//! The free frames of physical memory.

use heapless::Vec;

use super::PAGE_BYTES;
use super::range::PhysRange;

/// Most pieces of free memory.
pub const MAX_FREE_RANGES: usize = 64;

/// Allocates frames until the machine stops. They are never freed, so memory never fragments.
#[derive(Debug)]
pub struct FrameAllocator {
    free: Vec<PhysRange, MAX_FREE_RANGES>,
}

/// The free memory has more than [`MAX_FREE_RANGES`] pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("free memory is in more than {MAX_FREE_RANGES} pieces")]
pub struct TooManyRanges;

impl FrameAllocator {
    /// All whole frames of `ram` that no range of `taken` touches.
    pub fn new(ram: impl Iterator<Item = PhysRange>, taken: &[PhysRange]) -> Result<Self, TooManyRanges> {
        let mut allocator = Self { free: Vec::new() };
        for range in ram {
            // A map that lists memory twice must not cause a double allocation.
            allocator.remove(range.grow_to_pages())?;
            let range = range.shrink_to_pages();
            if !range.is_empty() {
                allocator.free.push(range).map_err(|_| TooManyRanges)?;
            }
        }
        for range in taken {
            allocator.remove(range.grow_to_pages())?;
        }
        Ok(allocator)
    }

    fn remove(&mut self, taken: PhysRange) -> Result<(), TooManyRanges> {
        let mut left = Vec::new();
        for &range in &self.free {
            if !range.overlaps(taken) {
                left.push(range).map_err(|_| TooManyRanges)?;
                continue;
            }
            let below = PhysRange { start: range.start, end: taken.start.min(range.end) };
            let above = PhysRange { start: taken.end.max(range.start), end: range.end };
            for piece in [below, above] {
                if !piece.is_empty() {
                    left.push(piece).map_err(|_| TooManyRanges)?;
                }
            }
        }
        self.free = left;
        Ok(())
    }

    /// Allocates `count` contiguous frames and returns the first one's address. `None` if no free
    /// range is that long.
    pub fn allocate(&mut self, count: u64) -> Option<u64> {
        let size_bytes = count.checked_mul(PAGE_BYTES).filter(|&size_bytes| size_bytes > 0)?;
        let range = self.free.iter_mut().find(|range| range.size_bytes() >= size_bytes)?;
        let start = range.start;
        range.start += size_bytes;
        Some(start)
    }

    /// Allocates the longest contiguous run of frames, at most `max_count`.
    pub fn allocate_longest(&mut self, max_count: u64) -> Option<PhysRange> {
        let longest = self.free.iter().map(|range| range.size_bytes() / PAGE_BYTES).max()?;
        let count = longest.min(max_count);
        let start = self.allocate(count)?;
        Some(PhysRange { start, end: start + count * PAGE_BYTES })
    }

    /// Free bytes.
    pub fn free_bytes(&self) -> u64 {
        self.free.iter().map(|range| range.size_bytes()).sum()
    }
}
