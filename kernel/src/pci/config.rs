//! Configuration space by mechanism #1 (PCI Local Bus specification 3.0, 3.2.2.3.2).
#![allow(unsafe_code, reason = "leaf: pci_types' access trait has unsafe methods")]

use pci_types::{CommandRegister, ConfigRegionAccess, EndpointHeader, PciAddress, PciHeader};

use super::bus_masters::BusMasterSwitch;
use super::capability;
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

impl BusMasterSwitch for PciAddress {
    fn set_bus_master(&self, is_on: bool) {
        PciHeader::new(*self).update_command(ConfigSpace, |mut command| {
            command.set(CommandRegister::BUS_MASTER_ENABLE, is_on);
            command
        });
    }
}

/// Whether a function can't use DMA: it answers no more, it is no bus master, or it isn't in power state D0 (PCI Power
/// Management specification 1.2, 5.4).
///
/// One that still answers is made no bus master before this says so: it may come back to D0 with all that it was told.
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
    let is_asleep =
        management.and_then(|offset| offset.checked_add(4)).is_some_and(|control| read(control) & 0b11 != 0);
    if !is_asleep {
        return false;
    }
    let mut header = PciHeader::new(address);
    header.update_command(ConfigSpace, |command| command & !CommandRegister::BUS_MASTER_ENABLE);
    !header.command(ConfigSpace).contains(CommandRegister::BUS_MASTER_ENABLE)
}

/// Turns off a function's memory decoding: its registers stop answering.
#[cfg(feature = "bare")]
pub(crate) fn stop_decoding(address: PciAddress) {
    PciHeader::new(address).update_command(ConfigSpace, |command| command & !CommandRegister::MEMORY_ENABLE);
}
