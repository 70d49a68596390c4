//! The machine as both images use it: protections, page tables, heap, DMA memory and clock.

use heapless::Vec;

use crate::arch::cpu::{self, NoExecuteDisable};
use crate::boot::start_info::{BootInfo, MAX_MEMORY_ENTRIES, StartInfoError};
use crate::clock::TscClock;
use crate::clock::frequency::TscFrequency;
use crate::console;
use crate::memory::address_space::{ActivateError, AddressSpace};
use crate::memory::dma::DmaArena;
use crate::memory::range::PhysRange;
use crate::memory::{PAGE_BYTES, layout};
use crate::pci::hda::FindError;
use crate::report;

const HEAP_BYTES: u64 = 6 << 20;
/// CORB, RIRB, position buffer and descriptor lists of four controllers.
const DMA_BYTES: u64 = 256 << 10;
/// Usable memory: above firmware and option ROMs, below the end of the boot tables.
const USABLE: PhysRange = PhysRange { start: 1 << 20, end: 1 << 32 };

/// Why no image can work on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// The loader's start info is unusable.
    #[error(transparent)]
    StartInfo(#[from] StartInfoError),
    /// The processor lacks execute disable.
    #[error(transparent)]
    NoExecuteDisable(NoExecuteDisable),
    /// The page tables could not be set up.
    #[error(transparent)]
    Memory(ActivateError),
    /// Not enough memory for this.
    #[error("no memory is left for {0}")]
    OutOfMemory(&'static str),
    /// The TSC's stated frequency in Hz is out of bounds.
    #[error("TSC frequency: {0} Hz is out of bounds")]
    TscFrequency(u64),
    /// No controller is usable.
    #[error(transparent)]
    Controllers(#[from] FindError),
}

/// Memory that is mapped and distributed.
#[derive(Debug)]
pub struct Machine {
    /// The final page tables.
    pub space: AddressSpace,
    /// Memory for the driver's rings and lists.
    pub dma: DmaArena,
    memory_bytes: u64,
}

impl Machine {
    /// Enables the processor's protections, switches to the final page tables and gives the heap
    /// its memory.
    pub fn bring_up(boot: &BootInfo) -> Result<Self, MachineError> {
        cpu::enable_protections().map_err(MachineError::NoExecuteDisable)?;
        let usable =
            boot.memory.iter().filter(|entry| entry.is_ram).map(|entry| entry.range.intersection(USABLE));
        let ram: Vec<PhysRange, MAX_MEMORY_ENTRIES> = usable.filter(|range| !range.is_empty()).collect();
        let memory_bytes = ram.iter().map(|range| range.size_bytes()).sum();
        let mut space = AddressSpace::activate(&ram, boot.module).map_err(MachineError::Memory)?;
        space.take_heap(HEAP_BYTES).ok_or(MachineError::OutOfMemory("the heap"))?;
        let rings = space.take_pages(DMA_BYTES / PAGE_BYTES);
        let rings = rings.ok_or(MachineError::OutOfMemory("the controller's rings"))?;
        let dma = DmaArena::new(rings.words, rings.address);
        Ok(Self { space, dma, memory_bytes })
    }

    /// Starts a clock that reads 0 at TSC value `entry_tsc`. All further log lines carry its time.
    pub fn start_clock(&self, entry_tsc: u64, frequency: TscFrequency) -> Result<TscClock, MachineError> {
        let clock = TscClock::new(entry_tsc, frequency.hz);
        let clock = clock.ok_or(MachineError::TscFrequency(frequency.hz))?;
        console::set_clock(clock);
        log::info!(
            target: "clock",
            "TSC {} Hz by {}, off by {} ppb at most, {}",
            frequency.hz,
            frequency.source,
            frequency.error_ppb,
            if cpu::has_invariant_tsc() { "invariant" } else { "not stated to be invariant" },
        );
        report!(
            "boot image_bytes={} memory_bytes={} tsc_hz={} heap_bytes={HEAP_BYTES}",
            layout::loaded().size_bytes(),
            self.memory_bytes,
            frequency.hz,
        );
        Ok(clock)
    }
}
