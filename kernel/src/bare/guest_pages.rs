//! The simulated guest's pages. On Xen they are the guest's own memory.

use core::sync::atomic::{AtomicU32, Ordering};

use hyper::{DmaAccess, PAGE_SIZE_BYTES, PAGE_WORDS, PageWords};
use hypervisor_model::PageMemory;

/// Hands out pages so that consecutive ones are never neighbours. A guest's buffer is scattered
/// over its memory, and a wrong descriptor list must become audible.
#[derive(Debug)]
pub struct GuestPages {
    words: &'static [AtomicU32],
    address: u64,
    taken: usize,
}

impl GuestPages {
    /// Creates a pool over `words`, whole pages at `address`.
    pub fn new(words: &'static [AtomicU32], address: u64) -> Self {
        Self { words, address, taken: 0 }
    }

    /// Pages in the pool, taken or free.
    pub fn page_count(&self) -> usize {
        self.words.len() / PAGE_WORDS
    }
}

/// No IOMMU restricts the controller.
impl PageMemory for GuestPages {
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)> {
        let page = scattered(self.taken, self.page_count())?;
        let words = self.words.get(page * PAGE_WORDS..)?.first_chunk::<PAGE_WORDS>()?;
        for word in words {
            word.store(0, Ordering::Relaxed);
        }
        self.taken += 1;
        Some((self.address + (page * PAGE_SIZE_BYTES) as u64, words))
    }

    fn allow_dma(&mut self, _: u64, _: DmaAccess) {}

    fn forbid_dma(&mut self, _: u64) {}
}

/// Element `index` of a permutation of `0..count`. From a count of 5 on, consecutive elements are
/// never neighbours. `None` if `index` is past the end.
pub fn scattered(index: usize, count: usize) -> Option<usize> {
    if index >= count {
        return None;
    }
    // A step coprime to the count visits every element once. A step near the golden section stays
    // far from visited neighbours for long.
    let start = (count / 8 * 5).max(2);
    let step = (start..count).find(|&step| gcd(step, count) == 1 && step + 1 != count).unwrap_or(1);
    Some((index * step) % count)
}

const fn gcd(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
