//! Buffers whose pages tests can reach, too.

use std::sync::atomic::{AtomicU32, Ordering};

use hyper::{MappedBuffer, PAGE_WORDS, PageWords, SampleMemory, read_pages, write_pages};

/// A buffer of a guest or a ring. Clones see the same pages.
#[derive(Clone, Debug)]
pub struct Buffer {
    addresses: Vec<u64>,
    pages: Vec<&'static PageWords>,
    size_bytes: u32,
}

static NEXT_PAGE: AtomicU32 = AtomicU32::new(1);

impl Buffer {
    pub fn new(size_bytes: u32) -> Self {
        Self::from_pages(size_bytes, || {
            let page = Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_WORDS]));
            (u64::from(NEXT_PAGE.fetch_add(1, Ordering::Relaxed)) << 12, page)
        })
    }

    pub fn from_pages(size_bytes: u32, mut page: impl FnMut() -> (u64, &'static PageWords)) -> Self {
        let (addresses, pages) = (0..size_bytes.div_ceil(4096)).map(|_| page()).unzip();
        Self { addresses, pages, size_bytes }
    }
}

impl MappedBuffer for Buffer {
    fn page_addresses(&self) -> &[u64] {
        &self.addresses
    }

    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }
}

impl SampleMemory for Buffer {
    fn read(&self, offset_bytes: u32, into: &mut [u8]) {
        read_pages(&self.pages, self.size_bytes, offset_bytes, into);
    }

    fn write(&self, offset_bytes: u32, from: &[u8]) {
        write_pages(&self.pages, self.size_bytes, offset_bytes, from);
    }
}
