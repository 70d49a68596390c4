//! The controller's registers, in memory.
#![allow(unsafe_code, reason = "leaf: volatile access to a mapped BAR")]

use core::ptr;

use pci_types::PciAddress;
use snd_hda::registers::Registers;

use super::config;
use crate::memory::mapped_device::MappedDevice;

/// Access to BAR 0 of an HD Audio controller. Clones access the same registers.
///
/// Unaligned accesses and accesses outside the BAR act as on an empty bus: reads return all ones,
/// writes are lost.
#[derive(Clone, Debug)]
pub struct HdaRegisters {
    bar: MappedDevice,
    function: PciAddress,
}

impl HdaRegisters {
    /// The registers of a function.
    pub(super) const fn new(bar: MappedDevice, function: PciAddress) -> Self {
        Self { bar, function }
    }

    fn register<T>(&self, offset_bytes: u16) -> Option<*mut T> {
        let size_bytes = size_of::<T>() as u64;
        let offset = u64::from(offset_bytes);
        let inside = offset + size_bytes <= self.bar.range().size_bytes();
        let address = self.bar.range().start + offset;
        (inside && offset.is_multiple_of(size_bytes))
            .then(|| ptr::with_exposed_provenance_mut(address as usize))
    }
}

macro_rules! access {
    ($read:ident, $write:ident, $width:ty) => {
        fn $read(&mut self, offset_bytes: u16) -> $width {
            let Some(register) = self.register(offset_bytes) else { return <$width>::MAX };
            // SAFETY: one aligned access of this width inside the BAR, which is mapped permanently
            // and isn't RAM.
            unsafe { ptr::read_volatile(register) }
        }

        fn $write(&mut self, offset_bytes: u16, value: $width) {
            if let Some(register) = self.register(offset_bytes) {
                // SAFETY: as for reading.
                unsafe { ptr::write_volatile(register, value) };
            }
        }
    };
}

impl Registers for HdaRegisters {
    access!(read_u8, write_u8, u8);
    access!(read_u16, write_u16, u16);
    access!(read_u32, write_u32, u32);

    fn is_cut_off(&mut self) -> bool {
        config::is_cut_off(self.function)
    }
}
