//! The bare QEMU machine: local APIC, controllers, the guest's pages, a recording sink.

use core::fmt;

use super::apic::LocalApic;
use super::command_line::CommandLine;
use super::event_loop::EventLoop;
use super::guest_pages::GuestPages;
use super::loop_back::LoopBackError;
use super::pit::{self, CalibrationError};
use super::vectors::{CONTROLLER_VECTORS, FIRST_CONTROLLER_VECTOR};
use crate::arch::port::{self, IoPort};
use crate::boot::start_info::BootInfo;
use crate::clock::TscClock;
use crate::machine::{Machine, MachineError};
use crate::memory::dma::DmaArena;
use crate::pci::hda::{self, Controllers, HdaController, Surroundings};
use crate::pci::message::{Messages, MsiCapability};

/// Most pages of the guest. Eight streams of 1 MiB would need more than the machine has.
const MAX_GUEST_PAGES: u64 = 1024;

/// A controller whose interrupt arrives on a vector.
pub type Controller = HdaController<Vector>;

/// The parts of the machine that the main loop uses.
#[derive(Debug)]
pub struct Platform {
    /// Time since entry.
    pub clock: TscClock,
    /// Memory for the driver.
    pub dma: DmaArena,
    /// The guest's memory.
    pub guest_pages: GuestPages,
    /// The boot module's bytes; empty without a module.
    pub module: &'static [u8],
    /// The HD Audio controllers, at least one.
    pub controllers: Controllers<Vector>,
    /// The event loop.
    pub event_loop: EventLoop,
    /// Passes recorded bytes to the emulator's user in order. `None` without an `isa-debugcon` at port 0x500.
    pub record_sink: Option<IoPort>,
}

/// Why a stream was not played or recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// No image can use the machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The TSC's frequency stays unknown.
    #[error(transparent)]
    Clock(#[from] CalibrationError),
    /// The streams failed.
    #[error(transparent)]
    LoopBack(#[from] LoopBackError),
}

/// A vector of the local APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(u8);

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MSI on vector {:#x}", self.0)
    }
}

/// Address of the local APIC for MSIs. `None`: the APIC doesn't work, and only deadlines end waits.
struct ApicMessages(Option<u64>);

impl Messages for ApicMessages {
    type Interrupt = Vector;

    fn enable(&mut self, capability: MsiCapability, index: u8) -> Option<Vector> {
        let address = self.0.filter(|_| index < CONTROLLER_VECTORS)?;
        let vector = FIRST_CONTROLLER_VECTOR.checked_add(index)?;
        // One message to one processor: fixed delivery, edge (Intel SDM volume 3, 11.11).
        capability.send_to(address, u16::from(vector)).then_some(Vector(vector))
    }
}

/// The value that QEMU's `isa-debugcon` returns when read.
const DEBUGCON_READBACK: u8 = 0xe9;

impl Platform {
    /// Initializes the machine.
    pub fn bring_up(boot: &BootInfo, command_line: &CommandLine, entry_tsc: u64) -> Result<Self, RunError> {
        let mut machine = Machine::bring_up(boot)?;
        let frequency = pit::calibrate()?;
        let clock = machine.start_clock(entry_tsc, frequency)?;
        let space = &mut machine.space;

        let apic = match LocalApic::enable(space, &clock) {
            Ok(apic) => {
                log::debug!(target: "apic", "timer {} Hz", apic.timer_hz());
                Some(apic)
            }
            Err(error) => {
                log::warn!(target: "apic", "the processor stays awake during waits: {error}");
                None
            }
        };
        let controllers = hda::bring_up_all(Surroundings {
            messages: ApicMessages(apic.as_ref().map(LocalApic::message_address)),
            space,
            memory: &boot.memory,
            delay: clock,
            assign: command_line.pci_assign,
        });

        let guest = space.take_longest(MAX_GUEST_PAGES);
        let guest = guest.ok_or(MachineError::OutOfMemory("the guest's pages"))?;
        let guest_pages = GuestPages::new(guest.words, guest.address);
        let module = space.module();
        log::debug!(
            target: "memory",
            "module {} bytes, guest {} pages, free {} bytes",
            module.len(),
            guest_pages.page_count(),
            space.free_bytes()
        );
        Ok(Self {
            clock,
            dma: machine.dma,
            guest_pages,
            module,
            controllers: controllers.map_err(MachineError::from)?,
            event_loop: EventLoop::new(clock, apic),
            record_sink: Some(port::RECORD).filter(|port| port.read_u8() == DEBUGCON_READBACK),
        })
    }
}
