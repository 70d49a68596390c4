//! Port I/O. This file names every port that the image uses.
#![allow(unsafe_code, reason = "leaf: IN and OUT instructions")]

use core::arch::asm;

use x86_64::instructions::port::Port;

/// A port. Reads and writes never harm Rust's memory.
#[derive(Clone, Copy, Debug)]
pub struct IoPort(u16);

/// First register of the first serial port, a 16550; seven more follow.
pub const SERIAL: IoPort = IoPort(0x3f8);
/// Debug console: QEMU's `-debugcon` and Xen's debug port. No other platform decodes it.
pub const DEBUG_CONSOLE: IoPort = IoPort(0xe9);
/// A second `isa-debugcon`, for recordings.
pub const RECORD: IoPort = IoPort(0x500);
/// QEMU's `isa-debug-exit`.
pub const DEBUG_EXIT: IoPort = IoPort(0xf4);
/// Interval timer: data of channel 2.
pub const PIT_CHANNEL_2: IoPort = IoPort(0x42);
/// Interval timer: mode and command.
pub const PIT_COMMAND: IoPort = IoPort(0x43);
/// System control port B: gate and output of the interval timer's channel 2.
pub const SYSTEM_CONTROL_B: IoPort = IoPort(0x61);
/// Interrupt mask of the first 8259.
pub const PIC_1_MASK: IoPort = IoPort(0x21);
/// Interrupt mask of the second 8259.
pub const PIC_2_MASK: IoPort = IoPort(0xa1);
/// PCI configuration mechanism #1: CONFIG_ADDRESS, 32 bit.
pub const PCI_CONFIG_ADDRESS: IoPort = IoPort(0xcf8);
/// PCI configuration mechanism #1: CONFIG_DATA, 32 bit, or four bytes one after the other.
pub const PCI_CONFIG_DATA: IoPort = IoPort(0xcfc);

impl IoPort {
    /// The port of the same device at `offset` above this one.
    pub(crate) const fn offset(self, offset: u16) -> Self {
        Self(self.0.wrapping_add(offset))
    }

    /// Reads a byte.
    pub fn read_u8(self) -> u8 {
        // SAFETY: reading the ports named above has no side effect on memory.
        unsafe { Port::new(self.0).read() }
    }

    /// Writes a byte.
    pub fn write_u8(self, value: u8) {
        // SAFETY: the ports named above don't write memory. The exit port ends everything, which
        // doesn't harm memory.
        unsafe { Port::new(self.0).write(value) };
    }

    /// Reads a 32-bit word.
    pub fn read_u32(self) -> u32 {
        // SAFETY: as for `read_u8`.
        unsafe { Port::new(self.0).read() }
    }

    /// Writes a 32-bit word.
    pub fn write_u32(self, value: u32) {
        // SAFETY: of the ports named above only PCI's take words. They set where devices answer and
        // whether they use DMA. `pci` keeps BARs away from RAM, and DMA reaches only memory handed
        // to the driver.
        unsafe { Port::new(self.0).write(value) };
    }

    /// Writes bytes in order.
    pub fn write_all(self, bytes: &[u8]) {
        // SAFETY: reads only `bytes`; for the port, as for `write_u8`.
        unsafe {
            asm!(
                "rep outsb",
                in("dx") self.0,
                inout("rsi") bytes.as_ptr() => _,
                inout("rcx") bytes.len() => _,
                options(readonly, nostack, preserves_flags),
            );
        }
    }
}
