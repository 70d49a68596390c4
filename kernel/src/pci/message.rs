//! Message signalled interrupts (PCI Local Bus specification 3.0, 6.8.1).

use core::fmt;

use hyper::EventChannel;
use pci_types::PciAddress;
use xen_guest::hypercalls::Hypercalls;
use xen_guest::pirq;

use super::config::ConfigSpace;
use crate::arch::interrupts::{CONTROLLER_VECTORS, FIRST_CONTROLLER_VECTOR};

/// Where messages can go.
#[derive(Clone, Copy, Debug)]
pub enum Messages<'a> {
    /// Nowhere: waits end by their deadlines alone.
    None,
    /// To the local APIC, at this address.
    Vectors(u64),
    /// To Xen, which makes events of them.
    Pirqs(&'a Hypercalls),
}

/// How a function's interrupt arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// On a vector of the processor.
    Vector(u8),
    /// As an event.
    Event {
        /// On this channel.
        channel: EventChannel,
        /// What Xen has to be told when it was served; `None`: nothing.
        end: Option<u32>,
    },
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vector(vector) => write!(f, "MSI on vector {vector:#x}"),
            Self::Event { channel, .. } => write!(f, "MSI on event channel {}", channel.0),
        }
    }
}

impl Messages<'_> {
    /// Makes the MSI capability at `offset` send the interrupts of controller number `index`. `None`: they go nowhere.
    pub(super) fn enable(self, address: PciAddress, offset: u8, index: u8) -> Option<Interrupt> {
        match self {
            Self::None => None,
            Self::Vectors(message_address) => {
                let vector = FIRST_CONTROLLER_VECTOR.checked_add(index)?;
                if index >= CONTROLLER_VECTORS {
                    return None;
                }
                // One message, to one processor, fixed delivery, edge (Intel SDM volume 3, 11.11).
                set(address, offset, message_address, u16::from(vector)).then_some(Interrupt::Vector(vector))
            }
            Self::Pirqs(xen) => match enable_pirq(xen, address, offset) {
                Ok(interrupt) => interrupt,
                Err(error) => {
                    log::warn!(target: "pci", "{address}: no interrupt by Xen: {error:?}; deadlines alone will do");
                    disable(address, offset);
                    None
                }
            },
        }
    }
}

fn enable_pirq(
    xen: &Hypercalls,
    address: PciAddress,
    offset: u8,
) -> Result<Option<Interrupt>, xen_guest::hypervisor::Errno> {
    let pirq = xen.free_msi_pirq()?;
    let message = pirq::msi_message(pirq);
    if message.needs_64_bits() && ConfigSpace.read_u32(address, offset) & IS_64_BIT == 0 {
        log::warn!(
            target: "pci",
            "{address}: pirq {pirq} doesn't fit into a 32-bit MSI capability: no interrupt; deadlines alone will do"
        );
        return Ok(None);
    }
    if !set(address, offset, message.address, message.data) {
        return Ok(None);
    }
    // The device model has bound the message to the pirq when it was enabled.
    let channel = xen.bind_pirq(pirq)?;
    let needs_end = xen.pirq_needs_eoi(pirq)?;
    Ok(Some(Interrupt::Event { channel, end: needs_end.then_some(pirq) }))
}

const ENABLE: u32 = 1 << 16;
const MULTIPLE_MESSAGE_ENABLE: u32 = 0b111 << 20;
const IS_64_BIT: u32 = 1 << 23;

/// Has one message sent. False if the capability ends past configuration space.
fn set(address: PciAddress, offset: u8, message_address: u64, data: u16) -> bool {
    let control = ConfigSpace.read_u32(address, offset);
    let data_offset = if control & IS_64_BIT != 0 { 12 } else { 8 };
    if offset.checked_add(data_offset).is_none() {
        return false;
    }
    ConfigSpace.write_u32(address, offset, control & !(ENABLE | MULTIPLE_MESSAGE_ENABLE));
    ConfigSpace.write_u32(address, offset + 4, message_address as u32);
    if control & IS_64_BIT != 0 {
        ConfigSpace.write_u32(address, offset + 8, (message_address >> 32) as u32);
    }
    ConfigSpace.write_u32(address, offset + data_offset, u32::from(data));
    ConfigSpace.write_u32(address, offset, (control & !MULTIPLE_MESSAGE_ENABLE) | ENABLE);
    true
}

fn disable(address: PciAddress, offset: u8) {
    let control = ConfigSpace.read_u32(address, offset);
    ConfigSpace.write_u32(address, offset, control & !ENABLE);
}
