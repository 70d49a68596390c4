//! Pages for the loop-back home's guest: what a guest on Xen would have as its own memory.

use core::sync::atomic::{AtomicU32, Ordering};

use hyper::{PAGE_SIZE_BYTES, PAGE_WORDS, PageWords};

/// A page of the simulated guest's.
#[derive(Clone, Copy, Debug)]
pub struct GuestPage {
    /// Its words.
    pub words: &'static PageWords,
    /// Its address, for the processor and for the controller.
    pub address: u64,
}

/// Hands out pages in an order in which no two in a row are neighbours: a guest's buffer is scattered over its
/// memory, and a descriptor list that is wrong about that must be heard.
#[derive(Debug)]
pub struct GuestPages {
    words: &'static [AtomicU32],
    address: u64,
    taken: usize,
}

impl GuestPages {
    /// A pool over `words`, the memory at `address`, in whole pages.
    pub fn new(words: &'static [AtomicU32], address: u64) -> Self {
        Self { words, address, taken: 0 }
    }

    /// Pages in the pool, taken or not.
    pub fn len(&self) -> usize {
        self.words.len() / PAGE_WORDS
    }

    /// The pool has no pages at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pages that can still be taken.
    pub fn remaining(&self) -> usize {
        self.len() - self.taken
    }

    /// Takes a page, zeroed. Pages are not given back.
    pub fn take(&mut self) -> Option<GuestPage> {
        let page = scattered(self.taken, self.len())?;
        let words = self.words.get(page * PAGE_WORDS..)?.first_chunk::<PAGE_WORDS>()?;
        for word in words {
            word.store(0, Ordering::Relaxed);
        }
        self.taken += 1;
        Some(GuestPage { words, address: self.address + (page * PAGE_SIZE_BYTES) as u64 })
    }
}

/// Place `index` of a permutation of `0..count` in which, from 5 places on, no two in a row are neighbours.
/// `None` if `index` is past the end.
pub fn scattered(index: usize, count: usize) -> Option<usize> {
    if index >= count {
        return None;
    }
    // A step that has no divisor in common with the count visits every place once. Close to the golden section, it
    // stays far from its neighbours for a long time.
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
