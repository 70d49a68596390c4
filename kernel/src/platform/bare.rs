//! A machine of the image's own, as bare QEMU gives it.

use heapless::Vec;

use super::{BringUpError, Foundations, at_least_one};
use crate::arch::apic::LocalApic;
use crate::arch::port;
use crate::boot::command_line::CommandLine;
use crate::clock::{TscClock, TscDelay};
use crate::event_loop::EventLoop;
use crate::memory::dma::DmaArena;
use crate::memory::guest_pages::GuestPages;
use crate::pci::hda::{self, HdaController, MAX_CONTROLLERS, Surroundings};
use crate::pci::message::Messages;

/// Eight streams of 1 MiB at most are far more than fit; what is left over is never needed.
const MAX_GUEST_PAGES: u64 = 1024;

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

impl Platform {
    /// Brings the machine up.
    pub fn bring_up(foundations: Foundations) -> Result<Self, BringUpError> {
        let clock = foundations.start_clock(None)?;
        let Foundations { boot, command_line, mut space, dma, .. } = foundations;

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
            messages: apic.as_ref().map_or(Messages::None, |apic| Messages::Vectors(apic.message_address())),
            space: &mut space,
            memory: &boot.memory,
            delay: TscDelay::new(clock),
            assign: command_line.pci_assign,
        });

        let guest = space.take_longest(MAX_GUEST_PAGES);
        let guest = guest.ok_or(BringUpError::OutOfMemory("the guest's pages"))?;
        let guest_pages = GuestPages::new(guest.words, guest.address);
        let module = space.module();
        log::debug!(
            target: "memory",
            "module {} octets, guest {} pages, free {} octets",
            module.len(),
            guest_pages.len(),
            space.free_bytes()
        );
        at_least_one(&found)?;
        Ok(Self {
            clock,
            delay: TscDelay::new(clock),
            dma,
            guest_pages,
            command_line,
            module,
            controllers: found.controllers,
            event_loop: EventLoop::new(clock, apic),
            record_sink: RecordSink::detect(),
        })
    }
}
