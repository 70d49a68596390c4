//! Message signalled interrupts (PCI Local Bus specification 3.0, 6.8.1).

use core::fmt;

use pci_types::PciAddress;

use super::config::ConfigSpace;

/// Receives controllers' messages for the image.
pub trait Messages {
    /// A way for an interrupt to arrive.
    type Interrupt: fmt::Debug + fmt::Display;

    /// Makes controller `index` send its interrupts through `capability`. `None`: they can't
    /// arrive.
    fn enable(&mut self, capability: MsiCapability, index: u8) -> Option<Self::Interrupt>;
}

/// A function's MSI capability.
#[derive(Clone, Copy, Debug)]
pub struct MsiCapability {
    /// The function.
    pub function: PciAddress,
    /// Offset of the capability in configuration space.
    pub offset: u8,
}

const ENABLE: u32 = 1 << 16;
const MULTIPLE_MESSAGE_ENABLE: u32 = 0b111 << 20;
const IS_64_BIT: u32 = 1 << 23;

impl MsiCapability {
    /// Whether the message's address may lie above 4 GiB.
    pub fn is_64_bit(self) -> bool {
        self.read(0) & IS_64_BIT != 0
    }

    /// Enables one message: `data` to `address`. Returns false if the capability ends past
    /// configuration space.
    pub fn send_to(self, address: u64, data: u16) -> bool {
        let control = self.read(0);
        let data_offset = if control & IS_64_BIT != 0 { 12 } else { 8 };
        if self.offset.checked_add(data_offset).is_none() {
            return false;
        }
        self.write(0, control & !(ENABLE | MULTIPLE_MESSAGE_ENABLE));
        self.write(4, address as u32);
        if control & IS_64_BIT != 0 {
            self.write(8, (address >> 32) as u32);
        }
        self.write(data_offset, u32::from(data));
        self.write(0, (control & !MULTIPLE_MESSAGE_ENABLE) | ENABLE);
        true
    }

    /// Disables the message.
    pub fn disable(self) {
        let control = self.read(0);
        self.write(0, control & !ENABLE);
    }

    fn read(self, register: u8) -> u32 {
        ConfigSpace.read_u32(self.function, self.offset + register)
    }

    fn write(self, register: u8, value: u32) {
        ConfigSpace.write_u32(self.function, self.offset + register, value);
    }
}
