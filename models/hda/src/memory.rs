//! Checked memory: the controller may touch pages only while a test allows it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use snd_hda::dma::{DmaMemory, DmaRegion};

/// The words of a page, little-endian. The controller and all other holders share them.
pub type PageWords = [AtomicU32; PAGE_WORDS];

const PAGE_BYTES: u64 = 4096;
const PAGE_WORDS: usize = 1024;

/// The controller's rights to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmaAccess {
    /// Read: the driver's descriptors and commands, samples of a playback stream.
    Read,
    /// Write: responses, positions, samples of a capture stream.
    Write,
    /// Both.
    ReadWrite,
}

/// A touch without permission.
pub(crate) struct DmaFault {
    pub(crate) address: u64,
    pub(crate) reason: &'static str,
}

struct Page {
    words: &'static PageWords,
    readable: bool,
    writable: bool,
    /// Allocated bytes from the start of the page.
    length: usize,
}

thread_local! {
    /// The pages of benches that are gone. A bench that runs for hours makes many.
    static POOL: RefCell<Vec<&'static PageWords>> = const { RefCell::new(Vec::new()) };
}

/// The words of a new page, all 0. They are never freed, so that they outlive every holder, but used again.
fn new_words() -> &'static PageWords {
    match POOL.with_borrow_mut(Vec::pop) {
        Some(words) => {
            words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
            words
        }
        None => Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_WORDS])),
    }
}

/// Pages by number, with the controller's rights.
pub(crate) struct PageTable {
    pages: HashMap<u64, Page>,
    next_page: u64,
    next_region: u64,
    regions_left: usize,
}

impl PageTable {
    fn new() -> Self {
        // Two ranges far apart, unless a test sets other addresses.
        Self {
            pages: HashMap::new(),
            next_page: 0x0100_0000,
            next_region: 0x4000_0000,
            regions_left: usize::MAX,
        }
    }

    fn add(&mut self, address: u64, length: usize) -> &'static PageWords {
        assert!(address.is_multiple_of(PAGE_BYTES), "page address {address:#x} isn't a multiple of 4096");
        let words = new_words();
        let page = Page { words, readable: false, writable: false, length };
        let old = self.pages.insert(address / PAGE_BYTES, page);
        assert!(old.is_none(), "there is a page at {address:#x} already");
        words
    }

    fn permit(&mut self, address: u64, readable: bool, writable: bool) {
        let page = self.pages.get_mut(&(address / PAGE_BYTES));
        let page = page.unwrap_or_else(|| panic!("no page at {address:#x}"));
        page.readable = readable;
        page.writable = writable;
    }

    /// The words of a page that must exist.
    fn words(&self, address: u64) -> &'static PageWords {
        let page = self.pages.get(&(address / PAGE_BYTES));
        page.unwrap_or_else(|| panic!("no page at {address:#x}")).words
    }

    fn page(&self, address: u64, bytes: usize, write: bool) -> Result<&'static PageWords, DmaFault> {
        let fault = |reason| Err(DmaFault { address, reason });
        let Some(page) = self.pages.get(&(address / PAGE_BYTES)) else { return fault("no such page") };
        if !(page.readable || page.writable) {
            return fault("not mapped for DMA");
        }
        if write && !page.writable {
            return fault("mapped for reading only");
        }
        if !write && !page.readable {
            return fault("mapped for writing only");
        }
        if (address % PAGE_BYTES) as usize + bytes > page.length {
            return fault("past the end of the region");
        }
        Ok(page.words)
    }

    /// Reads `bytes` at `address`; may span pages.
    pub(crate) fn dma_read(&self, address: u64, bytes: &mut [u8]) -> Result<(), DmaFault> {
        for (at, piece) in pieces(address, bytes.len(), PAGE_BYTES) {
            read_words(self.page(at, piece.len(), false)?, at, &mut bytes[piece]);
        }
        Ok(())
    }

    /// Writes `bytes` at `address`; may span pages.
    pub(crate) fn dma_write(&self, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        for (at, piece) in pieces(address, bytes.len(), PAGE_BYTES) {
            write_words(self.page(at, piece.len(), true)?, at, &bytes[piece]);
        }
        Ok(())
    }

    pub(crate) fn dma_read_u32(&self, address: u64) -> Result<u32, DmaFault> {
        let mut bytes = [0; 4];
        self.dma_read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads memory regardless of DMA rights, for checks that the hardware doesn't make.
    pub(crate) fn peek_u32(&self, address: u64) -> Option<u32> {
        let page = self.pages.get(&(address / PAGE_BYTES))?;
        Some(u32::from_le(word_at(page.words, address).0.load(Ordering::Acquire)))
    }
}

impl Drop for PageTable {
    fn drop(&mut self) {
        let words = self.pages.values().map(|page| page.words);
        // While a thread ends there may be no pool any more.
        POOL.try_with(|pool| pool.borrow_mut().extend(words)).unwrap_or(());
    }
}

/// Splits `length` bytes from address `at` on where multiples of `unit` are: the start of each
/// piece, and its range in the bytes.
fn pieces(at: u64, length: usize, unit: u64) -> impl Iterator<Item = (u64, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let from = at.wrapping_add(done as u64);
        let piece = done..length.min(done + (unit - from % unit) as usize);
        done = piece.end;
        (!piece.is_empty()).then_some((from, piece))
    })
}

/// The word of a page at an address, and the place in it.
fn word_at(words: &PageWords, at: u64) -> (&AtomicU32, usize) {
    (&words[(at % PAGE_BYTES) as usize / 4], (at % 4) as usize)
}

/// Copies bytes out of a page, from address `at` on, within the page.
fn read_words(words: &PageWords, at: u64, bytes: &mut [u8]) {
    for (at, piece) in pieces(at, bytes.len(), 4) {
        let (cell, inside) = word_at(words, at);
        let word = u32::from_le(cell.load(Ordering::Acquire)).to_le_bytes();
        bytes[piece.clone()].copy_from_slice(&word[inside..inside + piece.len()]);
    }
}

/// Copies bytes into a page, from address `at` on, within the page.
fn write_words(words: &PageWords, at: u64, bytes: &[u8]) {
    for (at, piece) in pieces(at, bytes.len(), 4) {
        let (cell, inside) = word_at(words, at);
        let mut word = u32::from_le(cell.load(Ordering::Acquire)).to_le_bytes();
        word[inside..inside + piece.len()].copy_from_slice(&bytes[piece]);
        cell.store(u32::from_le_bytes(word).to_le(), Ordering::Release);
    }
}

/// The memory that driver, front end and controller share. Clones are cheap and see the same pages.
#[derive(Clone)]
pub struct ModelMemory {
    table: Rc<RefCell<PageTable>>,
}

impl ModelMemory {
    pub(crate) fn new() -> Self {
        Self { table: Rc::new(RefCell::new(PageTable::new())) }
    }

    pub(crate) fn table(&self) -> Rc<RefCell<PageTable>> {
        Rc::clone(&self.table)
    }

    /// A zeroed page, closed to DMA, at an address that is never next to the previous one.
    pub fn allocate_page(&self) -> (u64, &'static PageWords) {
        let mut table = self.table.borrow_mut();
        let address = table.next_page;
        table.next_page += 5 * PAGE_BYTES;
        (address, table.add(address, PAGE_BYTES as usize))
    }

    /// A zeroed page at `address`, closed to DMA. The address is a free multiple of 4096.
    pub fn allocate_page_at(&self, address: u64) -> &'static PageWords {
        self.table.borrow_mut().add(address, PAGE_BYTES as usize)
    }

    /// Allows the controller this access to the page at `address`, and no other.
    pub fn allow_dma(&self, address: u64, access: DmaAccess) {
        let readable = access != DmaAccess::Write;
        let writable = access != DmaAccess::Read;
        self.table.borrow_mut().permit(address, readable, writable);
    }

    /// Makes every access of the controller to the page at `address` a violation.
    pub fn forbid_dma(&self, address: u64) {
        self.table.borrow_mut().permit(address, false, false);
    }

    /// Places the driver's next regions from `address` on, a multiple of 4096: above 4 GiB, for
    /// instance.
    pub fn place_regions_at(&self, address: u64) {
        self.table.borrow_mut().next_region = address;
    }

    /// Lets the driver allocate `regions` more regions; then it gets `None`.
    pub fn limit_regions(&self, regions: usize) {
        self.table.borrow_mut().regions_left = regions;
    }

    /// Copies bytes out of memory, as a program on the other side does, regardless of DMA rights.
    pub fn peek(&self, address: u64, bytes: usize) -> Vec<u8> {
        let table = self.table.borrow();
        let mut copy = vec![0; bytes];
        for (at, piece) in pieces(address, bytes, PAGE_BYTES) {
            read_words(table.words(at), at, &mut copy[piece]);
        }
        copy
    }

    /// Puts bytes into memory, as a program on the other side does, regardless of DMA rights.
    pub fn poke(&self, address: u64, bytes: &[u8]) {
        let table = self.table.borrow();
        for (at, piece) in pieces(address, bytes.len(), PAGE_BYTES) {
            write_words(table.words(at), at, &bytes[piece]);
        }
    }
}

impl DmaMemory for ModelMemory {
    type Region = ModelRegion;

    fn allocate(&mut self, size_bytes: usize, align_bytes: usize) -> Option<ModelRegion> {
        assert!(size_bytes > 0, "a region of no bytes");
        assert!(align_bytes.is_power_of_two() && align_bytes <= 4096, "alignment of {align_bytes} bytes");
        let mut table = self.table.borrow_mut();
        table.regions_left = table.regions_left.checked_sub(1)?;
        // Each region starts on a page. Memory after its last byte is off limits.
        let address = table.next_region;
        let mut words = Vec::new();
        for (at, piece) in pieces(address, size_bytes, PAGE_BYTES) {
            words.push(table.add(at, piece.len()));
            table.permit(at, true, true);
            table.next_region += PAGE_BYTES;
        }
        table.next_region += PAGE_BYTES;
        let table = Rc::clone(&self.table);
        Some(ModelRegion { inner: Rc::new(RegionPages { address, size_bytes, words, table }) })
    }
}

struct RegionPages {
    address: u64,
    size_bytes: usize,
    words: Vec<&'static PageWords>,
    table: Rc<RefCell<PageTable>>,
}

impl Drop for RegionPages {
    fn drop(&mut self) {
        let mut table = self.table.borrow_mut();
        for index in 0..self.words.len() as u64 {
            table.permit(self.address + index * PAGE_BYTES, false, false);
        }
    }
}

/// Memory of the driver: DMA may read and write it until the last handle drops.
#[derive(Clone)]
pub struct ModelRegion {
    inner: Rc<RegionPages>,
}

impl ModelRegion {
    fn cell(&self, offset_bytes: usize) -> &AtomicU32 {
        assert!(
            offset_bytes.is_multiple_of(4) && offset_bytes + 4 <= self.inner.size_bytes.next_multiple_of(4),
            "offset {offset_bytes} in a region of {} bytes",
            self.inner.size_bytes
        );
        &self.inner.words[offset_bytes / PAGE_BYTES as usize][offset_bytes % PAGE_BYTES as usize / 4]
    }
}

impl DmaRegion for ModelRegion {
    fn device_address(&self) -> u64 {
        self.inner.address
    }

    fn size_bytes(&self) -> usize {
        self.inner.size_bytes
    }

    fn read_u32(&self, offset_bytes: usize) -> u32 {
        u32::from_le(self.cell(offset_bytes).load(Ordering::Acquire))
    }

    fn write_u32(&mut self, offset_bytes: usize, value: u32) {
        self.cell(offset_bytes).store(value.to_le(), Ordering::Release);
    }
}
