//! Buffers whose pages tests can reach, too.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::{MappedBuffer, PAGE_WORDS, PageWords, SampleMemory, read_pages, write_pages};

/// A page with its address.
type Page = (u64, &'static PageWords);

/// A buffer of a guest or a ring. Clones see the same pages.
#[derive(Clone, Debug)]
pub struct Buffer {
    pages: Rc<Pages>,
    size_bytes: u32,
}

#[derive(Debug)]
struct Pages {
    addresses: Vec<u64>,
    words: Vec<&'static PageWords>,
    /// They are used again after the last clone, so that many cases don't take ever more memory.
    is_pooled: bool,
}

static NEXT_PAGE: AtomicU32 = AtomicU32::new(1);

thread_local! {
    static POOL: RefCell<Vec<Page>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.is_pooled {
            let pages = self.addresses.iter().copied().zip(self.words.iter().copied());
            // While a thread ends there may be no pool any more.
            POOL.try_with(|pool| pool.borrow_mut().extend(pages)).unwrap_or(());
        }
    }
}

impl Buffer {
    /// A buffer of zeros.
    pub fn new(size_bytes: u32) -> Self {
        let mut buffer = Self::from_pages(size_bytes, || match POOL.with_borrow_mut(Vec::pop) {
            Some(page) => {
                page.1.iter().for_each(|word| word.store(0, Ordering::Relaxed));
                page
            }
            None => {
                let page = Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_WORDS]));
                (u64::from(NEXT_PAGE.fetch_add(1, Ordering::Relaxed)) << 12, page)
            }
        });
        if let Some(pages) = Rc::get_mut(&mut buffer.pages) {
            pages.is_pooled = true;
        }
        buffer
    }

    pub fn from_pages(size_bytes: u32, mut page: impl FnMut() -> Page) -> Self {
        let (addresses, words) = (0..size_bytes.div_ceil(4096)).map(|_| page()).unzip();
        Self { pages: Rc::new(Pages { addresses, words, is_pooled: false }), size_bytes }
    }
}

impl MappedBuffer for Buffer {
    fn page_addresses(&self) -> &[u64] {
        &self.pages.addresses
    }

    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }
}

impl SampleMemory for Buffer {
    fn read(&self, offset_bytes: u32, into: &mut [u8]) {
        read_pages(&self.pages.words, self.size_bytes, offset_bytes, into);
    }

    fn write(&self, offset_bytes: u32, from: &[u8]) {
        write_pages(&self.pages.words, self.size_bytes, offset_bytes, from);
    }
}
