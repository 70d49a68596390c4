//! Guests' pages that are used again in each execution: a page of the model is never given back.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use hyper::{DmaAccess, PAGE_WORDS, PageWords};
use hypervisor_model::PageMemory;

/// A page that a controller may access, and how.
#[derive(Debug)]
struct Page {
    words: &'static PageWords,
    allowed: Option<DmaAccess>,
}

thread_local! {
    static UNUSED: RefCell<Vec<&'static PageWords>> = const { RefCell::new(Vec::new()) };
}

/// Memory for one execution. One after the other takes the same pages.
#[derive(Debug, Default)]
pub(crate) struct PagePool {
    pages: Vec<Page>,
}

impl PagePool {
    /// Pages that the controller may access.
    pub(crate) fn dma_pages(&self) -> usize {
        self.pages.iter().filter(|page| page.allowed.is_some()).count()
    }

    fn change(&mut self, device_address: u64, allowed: Option<DmaAccess>) {
        let place = usize::try_from(device_address / FIRST_ADDRESS).ok().and_then(|at| at.checked_sub(1));
        let page = place.and_then(|place| self.pages.get_mut(place)).expect("a page of the pool");
        page.allowed = allowed;
    }
}

/// The first page's address for the controller, and the distance to the next: no two of them are adjacent.
const FIRST_ADDRESS: u64 = 1 << 32;

impl PageMemory for PagePool {
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)> {
        let unused = UNUSED.with_borrow_mut(Vec::pop);
        let words = unused.unwrap_or_else(|| Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_WORDS])));
        words.iter().for_each(|word| word.store(0, Relaxed));
        self.pages.push(Page { words, allowed: None });
        Some((FIRST_ADDRESS * self.pages.len() as u64, words))
    }

    fn allow_dma(&mut self, device_address: u64, access: DmaAccess) {
        self.change(device_address, Some(access));
    }

    fn forbid_dma(&mut self, device_address: u64) {
        self.change(device_address, None);
    }
}

impl Drop for PagePool {
    fn drop(&mut self) {
        UNUSED.with_borrow_mut(|unused| unused.extend(self.pages.drain(..).map(|page| page.words)));
    }
}
