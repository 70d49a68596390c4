//! The functions on the bus.

use heapless::Vec;
use pci_types::{HeaderType, PciAddress, PciHeader, PciPciBridgeHeader};

use super::config::ConfigSpace;

/// Most functions examined; a PC has some dozens.
pub(super) const MAX_FUNCTIONS: usize = 128;

/// Finds the functions on bus 0 and behind its bridges. Each bus is scanned once, regardless of the
/// bridges' numbers.
pub(super) fn functions() -> Vec<PciAddress, MAX_FUNCTIONS> {
    let mut found = Vec::new();
    let mut reached = [0u64; 4];
    let mut waiting: Vec<u8, 32> = Vec::new();
    let mut next = Some(0u8);
    while let Some(bus) = next {
        let seen = &mut reached[usize::from(bus >> 6)];
        if *seen & 1 << (bus & 63) == 0 {
            *seen |= 1 << (bus & 63);
            for device in 0..32 {
                scan_device(bus, device, &mut found, &mut waiting);
            }
        }
        next = waiting.pop();
    }
    found
}

fn scan_device(bus: u8, device: u8, found: &mut Vec<PciAddress, MAX_FUNCTIONS>, waiting: &mut Vec<u8, 32>) {
    let first = PciHeader::new(PciAddress::new(0, bus, device, 0));
    if first.id(ConfigSpace).0 == 0xffff {
        return;
    }
    let count = if first.has_multiple_functions(ConfigSpace) { 8 } else { 1 };
    for function in 0..count {
        let address = PciAddress::new(0, bus, device, function);
        let header = PciHeader::new(address);
        if header.id(ConfigSpace).0 == 0xffff {
            continue;
        }
        if header.header_type(ConfigSpace) == HeaderType::PciPciBridge {
            let bridge = PciPciBridgeHeader::from_header(PciHeader::new(address), ConfigSpace);
            let secondary = bridge.map_or(0, |bridge| bridge.secondary_bus_number(ConfigSpace));
            if secondary != 0 && waiting.push(secondary).is_err() {
                log::warn!("PCI: too many bridges, bus {secondary} isn't scanned");
            }
        }
        if found.push(address).is_err() {
            log::warn!("PCI: more than {MAX_FUNCTIONS} functions, {address} isn't scanned");
        }
    }
}
