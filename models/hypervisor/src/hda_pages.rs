//! The memory of the HDA model as guest memory, for tests from guest to link.

use crate::PageMemory;
use hyper::{DmaAccess, PageWords};
use snd_hda_model::ModelMemory;

/// The memory of the HDA model. A mapped buffer is open to DMA until its unmap.
pub struct Pages(pub ModelMemory);

impl PageMemory for Pages {
    fn allocate(&mut self) -> Option<(u64, &'static PageWords)> {
        Some(self.0.allocate_page())
    }

    fn allow_dma(&mut self, device_address: u64, access: DmaAccess) {
        let access = match access {
            DmaAccess::Read => snd_hda_model::DmaAccess::Read,
            DmaAccess::Write => snd_hda_model::DmaAccess::Write,
        };
        self.0.allow_dma(device_address, access);
    }

    fn forbid_dma(&mut self, device_address: u64) {
        self.0.forbid_dma(device_address);
    }
}
