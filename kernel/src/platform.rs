//! From entry to a machine that a home can work with.

use core::fmt;

use heapless::Vec;

use crate::arch;
use crate::arch::apic::LocalApic;
use crate::arch::cpu::{self, NoExecuteDisable};
use crate::arch::port;
use crate::boot::command_line::{self, CommandLine};
use crate::boot::start_info::{BootInfo, MAX_MEMORY_ENTRIES, StartInfoError};
use crate::clock::{self, ClockError, TscClock, TscDelay};
use crate::console::{self, Verdict};
use crate::event_loop::EventLoop;
use crate::memory::address_space::{ActivateError, AddressSpace};
use crate::memory::dma::DmaArena;
use crate::memory::guest_pages::GuestPages;
use crate::memory::range::PhysRange;
use crate::memory::{PAGE_BYTES, layout};
use crate::pci::hda::{self, HdaController, MAX_CONTROLLERS, Surroundings};
use crate::report;

const HEAP_BYTES: u64 = 1 << 20;
/// CORB, RIRB, position buffer and descriptor lists of four controllers.
const DMA_BYTES: u64 = 256 << 10;
/// Eight streams of 1 MiB at most are far more than fit; what is left over is never needed.
const MAX_GUEST_PAGES: u64 = 1024;
/// Memory that may be used: above what firmware and option ROMs live in, below what boot tables map.
const USABLE: PhysRange = PhysRange { start: 1 << 20, end: 1 << 32 };

/// All that a home is given.
#[derive(Debug)]
pub struct Platform {
    /// Time since entry.
    pub clock: TscClock,
    /// Waits of microseconds.
    pub delay: TscDelay,
    /// Memory for the driver.
    pub dma: DmaArena,
    /// Memory for the loop-back home's guest.
    pub guest_pages: GuestPages,
    /// What is to be done.
    pub command_line: CommandLine,
    /// The boot module's octets, none if there is no module.
    pub module: &'static [u8],
    /// The HD Audio controllers, at least one.
    pub controllers: Vec<HdaController, MAX_CONTROLLERS>,
    /// Where to sleep.
    pub event_loop: EventLoop,
    /// Where recordings go; `None` if there is no `isa-debugcon` at port 0x500.
    pub record_sink: Option<RecordSink>,
}

/// Takes octets one after the other, for whoever runs the emulator.
#[derive(Debug)]
pub struct RecordSink(());

impl RecordSink {
    /// What QEMU's `isa-debugcon` reads as.
    const READBACK: u8 = 0xe9;

    fn detect() -> Option<Self> {
        (port::RECORD.read_u8() == Self::READBACK).then_some(Self(()))
    }

    /// Writes octets.
    pub fn write(&mut self, octets: &[u8]) {
        port::RECORD.write_all(octets);
    }
}

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
    /// There is nothing to play on.
    NoController,
    /// There is, but it can't be used.
    Controller(pci_types::PciAddress, hda::BringUpError),
}

impl fmt::Display for BringUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartInfo(error) => error.fmt(f),
            Self::NoExecuteDisable(error) => error.fmt(f),
            Self::Memory(error) => error.fmt(f),
            Self::OutOfMemory(purpose) => write!(f, "no memory is left for {purpose}"),
            Self::Clock(error) => error.fmt(f),
            Self::NoController => f.write_str("no HD Audio controller found on the PCI bus (class 0403)"),
            Self::Controller(address, error) => {
                write!(f, "HD Audio controller {address} can't be used: {error}")
            }
        }
    }
}

/// Brings the machine up. `start_info_paddr` and `entry_tsc` are what the entry code passes.
pub fn bring_up(start_info_paddr: u32, entry_tsc: u64) -> Result<Platform, BringUpError> {
    arch::init();
    console::init();
    let boot = BootInfo::read(start_info_paddr).map_err(BringUpError::StartInfo)?;
    let command_line = match command_line::parse(&boot.command_line) {
        Ok(command_line) => command_line,
        Err(error) => console::exit(Verdict::Fail(format_args!("{error}"))),
    };
    log::set_max_level(command_line.log_level);

    let protections = cpu::enable_protections().map_err(BringUpError::NoExecuteDisable)?;
    let (mut space, memory_bytes) = map_memory(&boot)?;
    space.take_heap(HEAP_BYTES).ok_or(BringUpError::OutOfMemory("the heap"))?;
    let rings = space.take_pages(DMA_BYTES / PAGE_BYTES);
    let rings = rings.ok_or(BringUpError::OutOfMemory("the controller's rings"))?;

    let frequency = clock::calibrate().map_err(BringUpError::Clock)?;
    let clock = TscClock::new(entry_tsc, frequency.hz).ok_or(BringUpError::Clock(ClockError::Unsteady))?;
    console::set_clock(clock);
    log::info!(
        target: "clock",
        "TSC {} Hz by {}, off by {} ppb at most, {}",
        frequency.hz,
        frequency.source,
        frequency.error_ppb,
        if cpu::has_invariant_tsc() { "invariant" } else { "not stated to be invariant" },
    );
    log::debug!(
        target: "cpu",
        "SMEP {}, SMAP {}, UMIP {}",
        protections.smep,
        protections.smap,
        protections.umip
    );

    let apic = match LocalApic::enable(&mut space, &clock) {
        Ok(apic) => {
            log::debug!(target: "apic", "timer {} Hz", apic.timer_hz());
            Some(apic)
        }
        Err(error) => {
            log::warn!(target: "apic", "waits will be spent awake: {error}");
            None
        }
    };

    let found = hda::bring_up_all(Surroundings {
        message_address: apic.as_ref().map(LocalApic::message_address),
        space: &mut space,
        memory: &boot.memory,
        delay: TscDelay::new(clock),
        assign: command_line.pci_assign,
    });

    let guest = space.take_longest(MAX_GUEST_PAGES);
    let guest = guest.ok_or(BringUpError::OutOfMemory("the guest's pages"))?;
    let guest_pages = GuestPages::new(guest.words, guest.address);
    let module = space.module();

    report!(
        "boot image_bytes={} memory_bytes={memory_bytes} tsc_hz={} heap_bytes={HEAP_BYTES}",
        layout::loaded().size_bytes(),
        frequency.hz,
    );
    log::debug!(
        target: "memory",
        "module {} octets, guest {} pages, free {} octets",
        module.len(),
        guest_pages.len(),
        space.free_bytes()
    );
    if found.controllers.is_empty() {
        return Err(found.failed.map_or(BringUpError::NoController, |(address, error)| {
            BringUpError::Controller(address, error)
        }));
    }
    Ok(Platform {
        clock,
        delay: TscDelay::new(clock),
        dma: DmaArena::new(rings.words, rings.address),
        guest_pages,
        command_line,
        module,
        controllers: found.controllers,
        event_loop: EventLoop::new(clock, apic),
        record_sink: RecordSink::detect(),
    })
}

/// Takes stock of memory and switches to the final page tables. Returns how much of the RAM is usable, too.
fn map_memory(boot: &BootInfo) -> Result<(AddressSpace, u64), BringUpError> {
    let usable =
        boot.memory.iter().filter(|entry| entry.is_ram).map(|entry| entry.range.intersection(USABLE));
    let ram: Vec<PhysRange, MAX_MEMORY_ENTRIES> = usable.filter(|range| !range.is_empty()).collect();
    let space = AddressSpace::activate(&ram, boot.module).map_err(BringUpError::Memory)?;
    Ok((space, ram.iter().map(|range| range.size_bytes()).sum()))
}
