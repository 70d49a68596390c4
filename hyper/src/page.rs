//! A page that two domains share, as words that may change at any moment.

use core::sync::atomic::{AtomicU32, Ordering, fence};

/// Bytes in a page, Xen's `XC_PAGE_SIZE`.
pub const PAGE_SIZE_BYTES: usize = 4096;

/// 32-bit words in a page.
pub const PAGE_WORDS: usize = PAGE_SIZE_BYTES / 4;

/// A page that the peer may write at any moment. It is reached one 32-bit word at a time, each access atomic; it is
/// never seen as a slice. Whatever is read from it is a claim of the peer's: copy once, judge the copy, use the copy.
///
/// `word` runs from 0 to 1023. A word outside that range reads as 0 and is dropped when written, so that no index
/// can take the reader down; every caller in this crate stays inside by construction.
pub trait SharedPage {
    /// Reads a word; what the peer wrote before it published this word is visible afterwards (acquire).
    fn load(&self, word: usize) -> u32;
    /// Writes a word; everything written before it is visible to whoever reads it (release).
    fn store(&self, word: usize, value: u32);
    /// Writes words that follow each other, from `first` on, as [`store`](Self::store) does each. A page that has to be
    /// looked up is looked up once.
    fn store_run(&self, first: usize, values: impl Iterator<Item = u32>)
    where
        Self: Sized,
    {
        (first..).zip(values).for_each(|(word, value)| self.store(word, value));
    }
    /// Orders every earlier access before every later one: needed between publishing a producer index and reading
    /// the peer's event index.
    fn fence(&self);
}

/// The words of a page in memory of one's own, the plain implementation of [`SharedPage`].
pub type PageWords = [AtomicU32; PAGE_WORDS];

impl SharedPage for PageWords {
    fn load(&self, word: usize) -> u32 {
        self.get(word).map_or(0, |cell| u32::from_le(cell.load(Ordering::Acquire)))
    }

    fn store(&self, word: usize, value: u32) {
        if let Some(cell) = self.get(word) {
            cell.store(value.to_le(), Ordering::Release);
        }
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}

impl<T: SharedPage + ?Sized> SharedPage for &T {
    fn load(&self, word: usize) -> u32 {
        (**self).load(word)
    }

    fn store(&self, word: usize, value: u32) {
        (**self).store(word, value);
    }

    fn fence(&self) {
        (**self).fence();
    }
}
