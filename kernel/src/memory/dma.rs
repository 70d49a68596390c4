//! Memory for the driver's own rings and lists.

use core::sync::atomic::{AtomicU32, Ordering};

use snd_hda::dma::{DmaMemory, DmaRegion};

/// Contiguous memory that is cut into regions. Regions are never given back.
#[derive(Debug)]
pub struct DmaArena {
    words: &'static [AtomicU32],
    device_address: u64,
    used_bytes: usize,
}

impl DmaArena {
    /// Creates an arena over `words`, which the controller sees at `device_address`, a multiple of
    /// 4096.
    pub fn new(words: &'static [AtomicU32], device_address: u64) -> Self {
        Self { words, device_address, used_bytes: 0 }
    }
}

impl DmaMemory for DmaArena {
    type Region = DmaPiece;

    fn allocate(&mut self, size_bytes: usize, align_bytes: usize) -> Option<DmaPiece> {
        if !align_bytes.is_power_of_two() || align_bytes > 4096 || size_bytes == 0 {
            return None;
        }
        // Regions start at word boundaries, so no two share a word.
        let start = self.used_bytes.checked_next_multiple_of(align_bytes.max(4))?;
        let end = start.checked_add(size_bytes.checked_next_multiple_of(4)?)?;
        let words = self.words.get(start / 4..end / 4)?;
        for word in words {
            word.store(0, Ordering::Relaxed);
        }
        self.used_bytes = end;
        Some(DmaPiece { words, device_address: self.device_address + start as u64, size_bytes })
    }
}

/// A region of a [`DmaArena`]. Atomic access is enough: x86 keeps caches coherent with snooped DMA,
/// and No Snoop is off.
#[derive(Clone, Debug)]
pub struct DmaPiece {
    words: &'static [AtomicU32],
    device_address: u64,
    size_bytes: usize,
}

impl DmaRegion for DmaPiece {
    fn device_address(&self) -> u64 {
        self.device_address
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Returns 0 outside the region.
    fn read_u32(&self, offset_bytes: usize) -> u32 {
        self.words.get(offset_bytes / 4).map_or(0, |word| u32::from_le(word.load(Ordering::Acquire)))
    }

    /// Ignores writes outside the region.
    fn write_u32(&mut self, offset_bytes: usize, value: u32) {
        if let Some(word) = self.words.get(offset_bytes / 4) {
            word.store(value.to_le(), Ordering::Release);
        }
    }
}
