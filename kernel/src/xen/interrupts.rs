//! Events instead of interrupts: Xen's upcall, and controllers' MSIs through pirqs.
#![allow(unsafe_code, reason = "leaf: interrupt entry code")]

use core::arch::naked_asm;
use core::fmt;

use hyper::EventChannel;
use xen_guest::hypercalls::Hypercalls;
use xen_guest::hypervisor::Errno;
use xen_guest::pirq;

use crate::arch::interrupts::InterruptHandler;
use crate::pci::message::{Messages, MsiCapability};

/// The vector of Xen's upcall, which signals a pending event.
pub(super) const UPCALL_VECTOR: u8 = 0x60;

/// The handler of the upcall.
// SAFETY: `upcall` changes only the flags, which it restores, and ends with IRETQ. It has no error
// code.
pub(super) const HANDLERS: [InterruptHandler; 1] = [unsafe { InterruptHandler::new(UPCALL_VECTOR, upcall) }];

/// Wakes the main loop only. Xen repeats the upcall until the main loop clears the pending flag.
/// The handler therefore keeps interrupts disabled: it clears IF, bit 9 of the flags that IRETQ
/// restores. No acknowledgement is needed.
#[unsafe(naked)]
unsafe extern "C" fn upcall() {
    naked_asm!("and dword ptr [rsp + 16], {without_if}", "iretq", without_if = const !(1_i32 << 9))
}

/// A controller's interrupt as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PirqInterrupt {
    /// The event's channel.
    pub channel: EventChannel,
    /// The pirq, if Xen requires an acknowledgement of its interrupt.
    pub acknowledged_pirq: Option<u32>,
}

impl fmt::Display for PirqInterrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MSI on event channel {}", self.channel.0)
    }
}

/// Messages that Xen turns into events.
pub(super) struct Pirqs<'a>(pub(super) &'a Hypercalls);

impl Messages for Pirqs<'_> {
    type Interrupt = PirqInterrupt;

    fn enable(&mut self, capability: MsiCapability, _: u8) -> Option<PirqInterrupt> {
        self.try_enable(capability).unwrap_or_else(|error| {
            let function = capability.function;
            log::warn!(target: "pci", "{function}: no interrupt from Xen: {error:?}; using deadlines only");
            capability.disable();
            None
        })
    }
}

impl Pirqs<'_> {
    /// Returns `None` if the capability can't hold the message.
    fn try_enable(&self, capability: MsiCapability) -> Result<Option<PirqInterrupt>, Errno> {
        let pirq = self.0.free_msi_pirq()?;
        let message = pirq::msi_message(pirq);
        if message.needs_64_bits() && !capability.is_64_bit() {
            log::warn!(
                target: "pci",
                "{}: pirq {pirq} doesn't fit into a 32-bit MSI capability: no interrupt; using deadlines only",
                capability.function
            );
            return Ok(None);
        }
        if !capability.send_to(message.address, message.data) {
            return Ok(None);
        }
        // The device model bound the message to the pirq when MSI was enabled.
        let channel = self.0.bind_pirq(pirq)?;
        let needs_end = self.0.pirq_needs_eoi(pirq)?;
        Ok(Some(PirqInterrupt { channel, acknowledged_pirq: needs_end.then_some(pirq) }))
    }
}
