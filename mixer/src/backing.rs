//! The buffers of the card below: a guest's or a bus's.

use hyper::{MappedBuffer, PAGE_SIZE_BYTES, SampleMemory};

/// A buffer of the card below.
#[derive(Debug)]
pub enum Backing<B, R> {
    /// The buffer of a direct stream. The mixer reaches no sample of it.
    Guest(B),
    /// The ring of a bus.
    Bus(Ring<R>),
}

impl<B: MappedBuffer, R: MappedBuffer> MappedBuffer for Backing<B, R> {
    fn page_addresses(&self) -> &[u64] {
        match self {
            Self::Guest(buffer) => buffer.page_addresses(),
            Self::Bus(ring) => ring.page_addresses(),
        }
    }

    fn size_bytes(&self) -> u32 {
        match self {
            Self::Guest(buffer) => buffer.size_bytes(),
            Self::Bus(ring) => ring.size_bytes(),
        }
    }
}

/// The domain's own pages, as much of them as holds whole frames.
#[derive(Debug)]
pub struct Ring<R> {
    pages: R,
    size_bytes: u32,
}

impl<R: SampleMemory> Ring<R> {
    pub(crate) fn new(pages: R) -> Self {
        Self { size_bytes: pages.size_bytes(), pages }
    }

    /// The most bytes of it that hold whole frames.
    pub(crate) fn size_for(&self, frame_bytes: u32) -> u32 {
        // 64 frames of two or more bytes are a multiple of 128 bytes, in which HD Audio likes its buffers (3.3.38).
        let unit = frame_bytes.saturating_mul(64).max(1);
        self.pages.size_bytes().checked_div(unit).unwrap_or_default().saturating_mul(unit)
    }

    /// Uses [`size_for`](Self::size_for) bytes from now on.
    pub(crate) fn fit(&mut self, frame_bytes: u32) {
        self.size_bytes = self.size_for(frame_bytes);
    }
}

impl<R: MappedBuffer> MappedBuffer for Ring<R> {
    fn page_addresses(&self) -> &[u64] {
        let pages = self.pages.page_addresses();
        pages.get(..(self.size_bytes as usize).div_ceil(PAGE_SIZE_BYTES)).unwrap_or(pages)
    }

    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }
}

impl<R: SampleMemory> SampleMemory for Ring<R> {
    fn read(&self, offset_bytes: u32, into: &mut [u8]) {
        self.pages.read(offset_bytes, into);
    }

    fn write(&self, offset_bytes: u32, from: &[u8]) {
        self.pages.write(offset_bytes, from);
    }
}
