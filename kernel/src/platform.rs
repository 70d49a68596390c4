//! From entry to a machine that a home can work with: what all homes share is here, what each needs beyond it below.

pub mod bare;
pub mod xen;

use core::fmt;

use heapless::Vec;
use pci_types::PciAddress;
use xen_guest::presence::Presence;

use crate::arch;
use crate::arch::cpu::{self, NoExecuteDisable};
use crate::boot::command_line::{self, CommandLine};
use crate::boot::start_info::{BootInfo, MAX_MEMORY_ENTRIES, StartInfoError};
use crate::clock::frequency::TscFrequency;
use crate::clock::{self, ClockError, TscClock};
use crate::console::{self, Verdict};
use crate::memory::address_space::{ActivateError, AddressSpace};
use crate::memory::dma::DmaArena;
use crate::memory::range::PhysRange;
use crate::memory::{PAGE_BYTES, layout};
use crate::pci::hda::{self, Found};
use crate::report;

const HEAP_BYTES: u64 = 2 << 20;
/// CORB, RIRB, position buffer and descriptor lists of four controllers.
const DMA_BYTES: u64 = 256 << 10;
/// Memory that may be used: above what firmware and option ROMs live in, below what boot tables map.
const USABLE: PhysRange = PhysRange { start: 1 << 20, end: 1 << 32 };

/// Why the image can't work on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BringUpError {
    /// The loader's part.
    StartInfo(StartInfoError),
    /// The processor's part.
    NoExecuteDisable(NoExecuteDisable),
    /// The page tables.
    Memory(ActivateError),
    /// No memory is left for this.
    OutOfMemory(&'static str),
    /// Nobody knows what time it is.
    Clock(ClockError),
    /// What Xen gives a domain.
    Xen(arch::xen::AttachError),
    /// There is nothing to play on.
    NoController,
    /// There is, but it can't be used.
    Controller(PciAddress, hda::BringUpError),
}

impl fmt::Display for BringUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartInfo(error) => error.fmt(f),
            Self::NoExecuteDisable(error) => error.fmt(f),
            Self::Memory(error) => error.fmt(f),
            Self::OutOfMemory(purpose) => write!(f, "no memory is left for {purpose}"),
            Self::Clock(error) => error.fmt(f),
            Self::Xen(error) => error.fmt(f),
            Self::NoController => f.write_str("no HD Audio controller found on the PCI bus (class 0403)"),
            Self::Controller(address, error) => {
                write!(f, "HD Audio controller {address} can't be used: {error}")
            }
        }
    }
}

/// What every home stands on: exceptions, log, page tables, heap.
#[derive(Debug)]
pub struct Foundations {
    entry_tsc: u64,
    boot: BootInfo,
    command_line: CommandLine,
    space: AddressSpace,
    memory_bytes: u64,
    dma: DmaArena,
}

impl Foundations {
    /// Lays them. `start_info_paddr` and `entry_tsc` are what the entry code passes.
    pub fn lay(
        start_info_paddr: u32,
        entry_tsc: u64,
        presence: Option<&Presence>,
    ) -> Result<Self, BringUpError> {
        arch::init();
        console::init();
        let mut boot = BootInfo::read(start_info_paddr).map_err(BringUpError::StartInfo)?;
        if presence.is_some() {
            // What libxl passes to an HVM domain as a module is a BIOS that isn't used.
            boot.module = None;
        }
        let command_line = match command_line::parse(&boot.command_line) {
            Ok(command_line) => command_line,
            Err(error) => console::exit(Verdict::Fail(format_args!("{error}"))),
        };
        log::set_max_level(command_line.log_level);

        let protections = cpu::enable_protections().map_err(BringUpError::NoExecuteDisable)?;
        log::debug!(
            target: "cpu",
            "SMEP {}, SMAP {}, UMIP {}",
            protections.smep,
            protections.smap,
            protections.umip
        );
        let (mut space, memory_bytes) = map_memory(&boot)?;
        space.take_heap(HEAP_BYTES).ok_or(BringUpError::OutOfMemory("the heap"))?;
        let rings = space.take_pages(DMA_BYTES / PAGE_BYTES);
        let rings = rings.ok_or(BringUpError::OutOfMemory("the controller's rings"))?;
        let dma = DmaArena::new(rings.words, rings.address);
        Ok(Self { entry_tsc, boot, command_line, space, memory_bytes, dma })
    }

    /// The clock since entry; `stated` is how fast the TSC counts, if anybody says. From now on log lines carry the time.
    fn start_clock(&self, stated: Option<TscFrequency>) -> Result<TscClock, BringUpError> {
        let frequency = match stated {
            Some(frequency) => frequency,
            None => clock::calibrate().map_err(BringUpError::Clock)?,
        };
        let clock = TscClock::new(self.entry_tsc, frequency.hz);
        let clock = clock.ok_or(BringUpError::Clock(ClockError::Unsteady))?;
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

/// That there is a controller, or why there is none.
fn at_least_one(found: &Found) -> Result<(), BringUpError> {
    if found.controllers.is_empty() {
        return Err(found.failed.map_or(BringUpError::NoController, |(address, error)| {
            BringUpError::Controller(address, error)
        }));
    }
    Ok(())
}

/// Takes stock of memory and switches to the final page tables. Returns how much of the RAM is usable, too.
fn map_memory(boot: &BootInfo) -> Result<(AddressSpace, u64), BringUpError> {
    let usable =
        boot.memory.iter().filter(|entry| entry.is_ram).map(|entry| entry.range.intersection(USABLE));
    let ram: Vec<PhysRange, MAX_MEMORY_ENTRIES> = usable.filter(|range| !range.is_empty()).collect();
    let space = AddressSpace::activate(&ram, boot.module).map_err(BringUpError::Memory)?;
    Ok((space, ram.iter().map(|range| range.size_bytes()).sum()))
}
