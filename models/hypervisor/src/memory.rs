//! Where pages come from, and who lets the controller at them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;

use hyper::{DmaAccess, PAGE_SIZE_BYTES, PAGE_WORDS, PageWords};

/// Memory that processor and controller share, page by page.
///
/// Allowing and forbidding is what an IOMMU does when a grant is mapped and unmapped. Where there is none, as in bare
/// QEMU, both do nothing.
pub trait PageMemory {
    /// Hands out a zeroed page and its address for the controller, a multiple of 4096. It is never given back. `None`: there
    /// are no more.
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)>;
    /// From now on the controller may access the page at this address, this way.
    fn allow_dma(&mut self, device_address: u64, access: DmaAccess);
    /// From now on the controller may not access the page at this address.
    fn forbid_dma(&mut self, device_address: u64);
    /// Whether the controller is about to access the page at this address, as far as the memory knows. Asked before the page is
    /// unmapped.
    fn dma_under_way(&self, _device_address: u64) -> bool {
        false
    }
}

/// Memory for host tests that have no controller: pages from the heap, leaked, with made-up addresses that are nowhere
/// contiguous. It knows what a controller could reach.
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
    /// Memory of this many pages.
    pub fn new(pages: usize) -> Self {
        // Every other page from 4 GiB on, from the highest down: an address that gets cut to 32 bits, or a page taken
        // for the next one, lands where nothing is.
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

    /// What the controller may do at this address now.
    pub fn dma_allowed(&self, device_address: u64) -> Option<DmaAccess> {
        self.pages.iter().find(|page| page.device_address == device_address)?.allowed
    }

    /// Pages that the controller may reach now.
    pub fn dma_pages(&self) -> usize {
        self.pages.iter().filter(|page| page.allowed.is_some()).count()
    }

    /// The page at this address as the controller sees it, if it may access it this way now.
    pub fn dma(&self, device_address: u64, access: DmaAccess) -> Option<&'static PageWords> {
        let page = self.pages.iter().find(|page| page.device_address == device_address)?;
        (page.allowed == Some(access)).then_some(page.words)
    }

    /// Says whether a controller, such as a test's, is running over the page at this address.
    pub fn set_dma_under_way(&mut self, device_address: u64, under_way: bool) {
        if let Some(page) = self.pages.iter_mut().find(|page| page.device_address == device_address) {
            page.under_way = under_way;
        }
    }

    fn set(&mut self, device_address: u64, allowed: Option<DmaAccess>) {
        if let Some(page) = self.pages.iter_mut().find(|page| page.device_address == device_address) {
            page.allowed = allowed;
        }
    }
}

impl PageMemory for HeapMemory {
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)> {
        let page = self.pages.get(self.handed_out)?;
        self.handed_out = self.handed_out.saturating_add(1);
        Some((page.device_address, page.words))
    }

    fn allow_dma(&mut self, device_address: u64, access: DmaAccess) {
        self.set(device_address, Some(access));
    }

    fn forbid_dma(&mut self, device_address: u64) {
        self.set(device_address, None);
    }

    fn dma_under_way(&self, device_address: u64) -> bool {
        self.pages.iter().any(|page| page.device_address == device_address && page.under_way)
    }
}
