//! The ring of a bus: pages that the controller's model may use.

use hyper::{MappedBuffer, PAGE_SIZE_BYTES, PageWords, SampleMemory, read_pages, write_pages};
use snd_hda_model::{DmaAccess, Model};

/// Bytes of a ring, as in the image.
const RING_BYTES: u32 = 128 << 10;

/// The ring of a bus.
pub struct Ring {
    addresses: Vec<u64>,
    words: Vec<&'static PageWords>,
}

impl Ring {
    pub fn new(model: &Model) -> Self {
        let pages = (0..RING_BYTES as usize / PAGE_SIZE_BYTES).map(|_| {
            let page = model.memory().allocate_page();
            model.memory().allow_dma(page.0, DmaAccess::ReadWrite);
            page
        });
        let (addresses, words) = pages.unzip();
        Self { addresses, words }
    }
}

impl MappedBuffer for Ring {
    fn page_addresses(&self) -> &[u64] {
        &self.addresses
    }

    fn size_bytes(&self) -> u32 {
        RING_BYTES
    }
}

impl SampleMemory for Ring {
    fn read(&self, offset_bytes: u32, into: &mut [u8]) {
        read_pages(&self.words, RING_BYTES, offset_bytes, into);
    }

    fn write(&self, offset_bytes: u32, from: &[u8]) {
        write_pages(&self.words, RING_BYTES, offset_bytes, from);
    }
}
