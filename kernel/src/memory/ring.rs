//! Memory of this domain's own that the controller plays or records: the rings of shared ports.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};

use hyper::{MappedBuffer, PAGE_SIZE_BYTES, PAGE_WORDS, PageWords, SampleMemory, read_pages, write_pages};

/// A ring of whole pages, silent at first.
#[derive(Debug)]
pub struct Ring {
    pages: &'static [PageWords],
    addresses: Box<[u64]>,
}

impl Ring {
    /// A ring over `words`, which the controller sees at `device_address`, a multiple of 4096. Words behind the last
    /// whole page are left out.
    pub fn new(words: &'static [AtomicU32], device_address: u64) -> Self {
        let (pages, _) = words.as_chunks::<PAGE_WORDS>();
        for word in pages.as_flattened() {
            word.store(0, Ordering::Relaxed);
        }
        let addresses = (device_address..).step_by(PAGE_SIZE_BYTES).take(pages.len()).collect();
        Self { pages, addresses }
    }
}

impl MappedBuffer for Ring {
    fn page_addresses(&self) -> &[u64] {
        &self.addresses
    }

    fn size_bytes(&self) -> u32 {
        // A ring is at most as large as the domain, which has less than 4 GiB.
        u32::try_from(self.pages.len().saturating_mul(PAGE_SIZE_BYTES)).unwrap_or(u32::MAX)
    }
}

impl SampleMemory for Ring {
    fn read(&self, offset_bytes: u32, into: &mut [u8]) {
        read_pages(self.pages, self.size_bytes(), offset_bytes, into);
    }

    fn write(&self, offset_bytes: u32, from: &[u8]) {
        write_pages(self.pages, self.size_bytes(), offset_bytes, from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_whole_pages_at_consecutive_addresses_and_keeps_what_is_written() {
        let words: Box<[AtomicU32]> = (0..2 * PAGE_WORDS + 5).map(|_| AtomicU32::new(7)).collect();
        let ring = Ring::new(Box::leak(words), 0x5000);
        assert_eq!((ring.page_addresses(), ring.size_bytes()), (&[0x5000, 0x6000][..], 8192));
        let mut copy = [1; 6];
        ring.read(4093, &mut copy);
        assert_eq!(copy, [0; 6], "silent at first");
        ring.write(4093, &[1, 2, 3, 4, 5, 6]);
        ring.read(4093, &mut copy);
        assert_eq!(copy, [1, 2, 3, 4, 5, 6]);
        ring.write(8190, &[9; 4]);
        ring.read(8190, &mut copy);
        assert_eq!(copy, [9, 9, 0, 0, 0, 0], "beyond the end there is nothing");
    }
}
