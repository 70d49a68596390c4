//! The controllers that this image uses.

use pci_types::PciAddress;

use super::bus_masters::BusMasters;
use super::registers::HdaRegisters;

/// Most controllers that are brought up.
pub const MAX_CONTROLLERS: usize = 4;

/// The controllers that may use DMA.
pub(super) static BUS_MASTERS: BusMasters<PciAddress, HdaRegisters, MAX_CONTROLLERS> = BusMasters::new();

/// Ends all DMA, in any state of the image. See [`BusMasters::stop`].
pub fn stop_bus_masters() {
    BUS_MASTERS.stop();
}
