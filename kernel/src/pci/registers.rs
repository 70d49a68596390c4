//! The controller's registers, in memory.
#![allow(unsafe_code, reason = "leaf: volatile access to a mapped BAR")]

use core::ptr;

use pci_types::PciAddress;
use snd_hda::registers::Registers;

use super::config;
use crate::memory::address_space::AddressSpace;
use crate::memory::page_table::MapError;
use crate::memory::range::PhysRange;

/// Bytes of the registers before those of streams (HDA specification 1.0a, 3.3).
const GLOBAL_BYTES: u64 = 0x80;

/// Access to BAR 0 of an HD Audio controller. Clones access the same registers.
///
/// Unaligned accesses and accesses outside the BAR act as on an empty bus: reads return all ones,
/// writes are lost.
#[derive(Clone, Debug)]
pub struct HdaRegisters {
    bar: PhysRange,
    /// `None`: the function isn't known.
    function: Option<PciAddress>,
}

impl HdaRegisters {
    /// Maps the registers at `bar` permanently.
    pub(super) fn map(
        space: &mut AddressSpace,
        bar: PhysRange,
        function: PciAddress,
    ) -> Result<Self, MapError> {
        space.map_device(bar)?;
        Ok(Self { bar, function: Some(function) })
    }

    /// The address at which they are mapped.
    pub(super) fn address(&self) -> u64 {
        self.bar.start
    }

    /// The registers that [`map`](Self::map) has mapped at this [`address`](Self::address): the first of them, which all
    /// controllers have.
    pub(super) fn mapped_at(address: u64) -> Self {
        Self { bar: PhysRange { start: address, end: address.saturating_add(GLOBAL_BYTES) }, function: None }
    }

    fn register<T>(&self, offset_bytes: u16) -> Option<*mut T> {
        let size_bytes = size_of::<T>() as u64;
        let offset = u64::from(offset_bytes);
        let inside = offset + size_bytes <= self.bar.size_bytes();
        let address = self.bar.start + offset;
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
        self.function.is_some_and(config::is_cut_off)
    }
}
