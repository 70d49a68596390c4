//! Pages, and the controller's access to them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;

use hyper::{DmaAccess, PAGE_SIZE_BYTES, PAGE_WORDS, PageWords};

/// Memory that processor and controller share, page by page.
///
/// An IOMMU allows and forbids access when a grant is mapped and unmapped. A machine without one, as in bare QEMU, does
/// nothing.
pub trait PageMemory {
    /// Hands out a zeroed page and its address for the controller, a multiple of 4096. It is never given back.
    /// `None`: no page is left.
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)>;
    /// Allows the controller this access to the page at this address.
    fn allow_dma(&mut self, device_address: u64, access: DmaAccess);
    /// Forbids the controller all access to the page at this address.
    fn forbid_dma(&mut self, device_address: u64);
    /// Whether the controller may access the page at this address soon, if the memory can tell. Called before an unmap.
    fn dma_under_way(&self, _device_address: u64) -> bool {
        false
    }
}

/// Memory for host tests without a controller: leaked pages from the heap with invented addresses, no two of them adjacent.
/// It knows the pages that a controller may access.
#[derive(Debug)]
pub struct HeapMemory {
    pages: Vec<HeapPage>,
    handed_out: usize,
}

#[derive(Debug)]
struct HeapPage {
    device_address: u64,
    words: &'static PageWords,
    allowed: Option<DmaAccess>,
    under_way: bool,
}

impl HeapMemory {
    /// Memory with this number of pages.
    pub fn new(pages: usize) -> Self {
        // Above 4 GiB, with gaps, downwards: an address that is cut to 32 bits or counted on hits no page.
        let addresses = (0..pages as u64).map(|page| {
            let step = (PAGE_SIZE_BYTES as u64).saturating_mul(2);
            (1u64 << 32).saturating_add((pages as u64).saturating_sub(page).saturating_mul(step))
        });
        let pages = addresses.map(|device_address| HeapPage {
            device_address,
            words: Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_WORDS])),
            allowed: None,
            under_way: false,
        });
        Self { pages: pages.collect(), handed_out: 0 }
    }

    /// The access that the controller has to the page at this address.
    pub fn dma_allowed(&self, device_address: u64) -> Option<DmaAccess> {
        self.page(device_address)?.allowed
    }

    /// Number of pages that the controller may access.
    pub fn dma_pages(&self) -> usize {
        self.pages.iter().filter(|page| page.allowed.is_some()).count()
    }

    /// The page at this address, if the controller has this access.
    pub fn dma(&self, device_address: u64, access: DmaAccess) -> Option<&'static PageWords> {
        self.page(device_address).filter(|page| page.allowed == Some(access)).map(|page| page.words)
    }

    /// Sets whether a test's controller accesses the page at this address.
    pub fn set_dma_under_way(&mut self, device_address: u64, under_way: bool) {
        self.change(device_address, |page| page.under_way = under_way);
    }

    fn page(&self, device_address: u64) -> Option<&HeapPage> {
        self.pages.iter().find(|page| page.device_address == device_address)
    }

    fn change(&mut self, device_address: u64, change: impl FnOnce(&mut HeapPage)) {
        self.pages.iter_mut().find(|page| page.device_address == device_address).map(change);
    }
}

impl PageMemory for HeapMemory {
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)> {
        let page = self.pages.get(self.handed_out)?;
        self.handed_out = self.handed_out.saturating_add(1);
        Some((page.device_address, page.words))
    }

    fn allow_dma(&mut self, device_address: u64, access: DmaAccess) {
        self.change(device_address, |page| page.allowed = Some(access));
    }

    fn forbid_dma(&mut self, device_address: u64) {
        self.change(device_address, |page| page.allowed = None);
    }

    fn dma_under_way(&self, device_address: u64) -> bool {
        self.page(device_address).is_some_and(|page| page.under_way)
    }
}
