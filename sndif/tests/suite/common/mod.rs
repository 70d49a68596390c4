//! Pages for tests.

use std::cell::RefCell;
use std::sync::atomic::AtomicU32;

use hyper::{PAGE_WORDS, PageWords, SharedPage};

/// A page of zeros.
pub(crate) fn page() -> Box<PageWords> {
    Box::new([const { AtomicU32::new(0) }; PAGE_WORDS])
}

/// A page that counts how often each word is read, and can change a word after it was read.
pub(crate) struct WatchedPage {
    words: Box<PageWords>,
    reads: RefCell<Vec<u32>>,
}

impl WatchedPage {
    pub(crate) fn new() -> Self {
        Self { words: page(), reads: RefCell::new(vec![0; PAGE_WORDS]) }
    }

    pub(crate) fn reads(&self, word: usize) -> u32 {
        self.reads.borrow()[word]
    }

    pub(crate) fn most_reads(&self) -> u32 {
        *self.reads.borrow().iter().max().unwrap()
    }
}

impl SharedPage for WatchedPage {
    fn load(&self, word: usize) -> u32 {
        self.reads.borrow_mut()[word] += 1;
        self.words.load(word)
    }

    fn store(&self, word: usize, value: u32) {
        self.words.store(word, value);
    }

    fn fence(&self) {
        self.words.fence();
    }
}
