//! Configuration space by mechanism #1 (PCI Local Bus specification 3.0, 3.2.2.3.2).
#![allow(unsafe_code, reason = "leaf: pci_types' access trait has unsafe methods")]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pci_types::{CommandRegister, ConfigRegionAccess, EndpointHeader, PciAddress, PciHeader};
use snd_hda::InReset;

use super::capability;
use super::registers::HdaRegisters;
use crate::arch::port::{PCI_CONFIG_ADDRESS, PCI_CONFIG_DATA};

/// Configuration space of segment 0, the first 256 bytes of each function.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigSpace;

fn select(address: PciAddress, offset: u16) -> u32 {
    1 << 31
        | u32::from(address.bus()) << 16
        | u32::from(address.device()) << 11
        | u32::from(address.function()) << 8
        | u32::from(offset & 0xfc)
}

impl ConfigSpace {
    /// Reads the word at `offset`, a multiple of 4 below 256.
    pub(super) fn read_u32(self, address: PciAddress, offset: u8) -> u32 {
        PCI_CONFIG_ADDRESS.write_u32(select(address, u16::from(offset)));
        PCI_CONFIG_DATA.read_u32()
    }

    /// Writes the word at `offset`, a multiple of 4 below 256.
    pub(super) fn write_u32(self, address: PciAddress, offset: u8, value: u32) {
        PCI_CONFIG_ADDRESS.write_u32(select(address, u16::from(offset)));
        PCI_CONFIG_DATA.write_u32(value);
    }

    /// Reads the byte at `offset`.
    pub(super) fn read_u8(self, address: PciAddress, offset: u8) -> u8 {
        PCI_CONFIG_ADDRESS.write_u32(select(address, u16::from(offset)));
        PCI_CONFIG_DATA.offset(u16::from(offset & 3)).read_u8()
    }

    /// Writes only the byte at `offset`. Writing its neighbours could clear some of their bits.
    pub(super) fn write_u8(self, address: PciAddress, offset: u8, value: u8) {
        PCI_CONFIG_ADDRESS.write_u32(select(address, u16::from(offset)));
        PCI_CONFIG_DATA.offset(u16::from(offset & 3)).write_u8(value);
    }
}

impl ConfigRegionAccess for ConfigSpace {
    unsafe fn read(&self, address: PciAddress, offset: u16) -> u32 {
        self.read_u32(address, offset as u8)
    }

    unsafe fn write(&self, address: PciAddress, offset: u16, value: u32) {
        self.write_u32(address, offset as u8, value);
    }
}

/// A controller that is a bus master.
struct BusMaster {
    /// Bits 31:0 of its configuration address. 0 marks a free place.
    selected: AtomicU32,
    /// The address of its registers. 0: they aren't to be touched.
    registers: AtomicU64,
}

static BUS_MASTERS: [BusMaster; 8] =
    [const { BusMaster { selected: AtomicU32::new(0), registers: AtomicU64::new(0) } }; 8];

/// Enables DMA for a controller that is in reset, and records it for [`stop_bus_masters`]. Returns false, with DMA off,
/// if no record is free.
pub(super) fn start_bus_master(address: PciAddress, registers: &HdaRegisters, _: &InReset) -> bool {
    let Some(slot) = BUS_MASTERS.iter().find(|slot| slot.selected.load(Ordering::Relaxed) == 0) else {
        return false;
    };
    slot.registers.store(registers.address(), Ordering::Relaxed);
    slot.selected.store(select(address, 0), Ordering::Relaxed);
    PciHeader::new(address)
        .update_command(ConfigSpace, |command| command | CommandRegister::BUS_MASTER_ENABLE);
    true
}

/// Whether a function can't use DMA: it answers no more, it is no bus master, or it isn't in power state D0 (PCI Power
/// Management specification 1.2, 5.4).
pub(super) fn is_cut_off(address: PciAddress) -> bool {
    let header = PciHeader::new(address);
    let (vendor, _) = header.id(ConfigSpace);
    if vendor == u16::MAX || !header.command(ConfigSpace).contains(CommandRegister::BUS_MASTER_ENABLE) {
        return true;
    }
    let Some(endpoint) = EndpointHeader::from_header(header, ConfigSpace) else { return false };
    let capabilities = endpoint.capability_pointer(ConfigSpace) as u8;
    let read = |offset| ConfigSpace.read_u32(address, offset);
    let management = capability::find(capability::POWER_MANAGEMENT, capabilities, read);
    // Control/Status is 4 bytes into the capability.
    management.and_then(|offset| offset.checked_add(4)).is_some_and(|control| read(control) & 0b11 != 0)
}

/// Turns off a function's memory decoding: its registers stop answering.
#[cfg(feature = "bare")]
pub(crate) fn stop_decoding(address: PciAddress) {
    PciHeader::new(address).update_command(ConfigSpace, |command| command & !CommandRegister::MEMORY_ENABLE);
}

/// Ends all DMA in any state of the image: puts every recorded controller into reset, and clears its Bus Master Enable.
///
/// So whoever has the controller next finds it quiet, also if they enable DMA before they look.
pub fn stop_bus_masters() {
    for slot in &BUS_MASTERS {
        let selected = slot.selected.load(Ordering::Relaxed);
        if selected != 0 {
            // Once: if the access faults, this is called again.
            let registers = slot.registers.swap(0, Ordering::Relaxed);
            if registers != 0 {
                snd_hda::cut_off(&mut HdaRegisters::mapped_at(registers));
            }
            let [_, device_and_function, bus, _] = selected.to_le_bytes();
            let address = PciAddress::new(0, bus, device_and_function >> 3, device_and_function & 7);
            PciHeader::new(address)
                .update_command(ConfigSpace, |command| command & !CommandRegister::BUS_MASTER_ENABLE);
        }
    }
}
