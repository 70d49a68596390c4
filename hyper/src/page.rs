//! A page that two domains share, as words that may change at any moment.

use core::sync::atomic::{AtomicU32, Ordering, fence};

/// Bytes in a page (page.h of Xen, `XEN_PAGE_SIZE` of x86).
pub const PAGE_SIZE_BYTES: usize = 4096;

/// 32-bit words in a page.
pub const PAGE_WORDS: usize = PAGE_SIZE_BYTES / 4;

/// A page that the peer may write at any moment, reached one 32-bit word at a time.
///
/// Each access is atomic, and the page is never a slice. A value from it is a claim of the peer: copy it once, judge the
/// copy, use the copy.
///
/// `word` runs from 0 to 1023. A word outside that range reads as 0, and a write to it does nothing, so no index panics.
pub trait SharedPage {
    /// Reads a word (acquire): all that the peer wrote before this word is visible afterwards.
    fn load(&self, word: usize) -> u32;
    /// Writes a word (release): a peer that reads it sees all earlier writes.
    fn store(&self, word: usize, value: u32);
    /// Writes consecutive words from `first` on, each as [`store`](Self::store) does.
    ///
    /// An implementation that looks the page up at each access does so once here.
    fn store_run(&self, first: usize, values: impl Iterator<Item = u32>)
    where
        Self: Sized,
    {
        (first..).zip(values).for_each(|(word, value)| self.store(word, value));
    }
    /// Reads consecutive words from `first` on, each as [`load`](Self::load) does, as bytes in the order of memory.
    ///
    /// An implementation that looks the page up at each access does so once here.
    fn load_run(&self, first: usize, into: &mut [[u8; 4]]) {
        (first..).zip(into).for_each(|(word, bytes)| *bytes = self.load(word).to_le_bytes());
    }
    /// Orders every earlier access before every later one (sequentially consistent).
    ///
    /// It is needed between the store of a producer index and the load of the peer's event index.
    fn fence(&self);
}

/// The words of a page in the program's own memory: the plain [`SharedPage`], little-endian on every host.
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

    fn store_run(&self, first: usize, values: impl Iterator<Item = u32>) {
        let cells = self.get(first..).unwrap_or_default();
        cells.iter().zip(values).for_each(|(cell, value)| cell.store(value.to_le(), Ordering::Release));
    }

    fn load_run(&self, first: usize, into: &mut [[u8; 4]]) {
        let cells = self.get(first..).unwrap_or_default();
        let (inside, outside) = into.split_at_mut(cells.len().min(into.len()));
        cells
            .iter()
            .zip(inside)
            .for_each(|(cell, bytes)| *bytes = cell.load(Ordering::Acquire).to_ne_bytes());
        outside.fill([0; 4]);
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

    fn load_run(&self, first: usize, into: &mut [[u8; 4]]) {
        (**self).load_run(first, into);
    }

    fn fence(&self) {
        (**self).fence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> PageWords {
        [const { AtomicU32::new(0) }; PAGE_WORDS]
    }

    #[test]
    fn the_last_word_is_in_the_page_and_the_next_is_nowhere() {
        let page = page();
        for word in [PAGE_WORDS - 1, PAGE_WORDS, usize::MAX] {
            page.store(word, 0xfeed);
        }
        assert_eq!(page.load(PAGE_WORDS - 1), 0xfeed);
        assert_eq!(page.load(PAGE_WORDS), 0);
        assert_eq!(page.load(usize::MAX), 0);
    }

    #[test]
    fn a_run_that_reaches_past_the_page_writes_what_fits() {
        let page = page();
        page.store_run(PAGE_WORDS - 2, [1, 2, 3, 4].into_iter());
        assert_eq!([PAGE_WORDS - 2, PAGE_WORDS - 1, PAGE_WORDS].map(|word| page.load(word)), [1, 2, 0]);
        assert_eq!(page.load(0), 0);
    }

    #[test]
    fn a_run_that_is_read_past_the_page_ends_in_zeros() {
        let page = page();
        page.store_run(PAGE_WORDS - 2, [0x0403_0201, 0x0807_0605].into_iter());
        for first in [PAGE_WORDS - 2, PAGE_WORDS - 1, PAGE_WORDS, usize::MAX] {
            let mut bytes = [[9; 4]; 3];
            page.load_run(first, &mut bytes);
            let words: [[u8; 4]; 3] =
                core::array::from_fn(|word| page.load(first.saturating_add(word)).to_le_bytes());
            assert_eq!(bytes, words);
        }
    }

    #[test]
    fn words_are_little_endian_in_memory() {
        let page = page();
        page.store(3, 0x0403_0201);
        assert_eq!(page[3].load(Ordering::Relaxed).to_ne_bytes(), [1, 2, 3, 4]);
    }
}
