//! The capability list (PCI Local Bus specification 3.0, 6.7), walked with a bound.

/// Power management (PCI Bus Power Management Interface specification 1.2, 3.2).
pub const POWER_MANAGEMENT: u8 = 0x01;
/// Message signalled interrupts (PCI Local Bus specification 3.0, 6.8.1).
pub const MSI: u8 = 0x05;
/// PCI Express (PCI Express Base specification 3.0, 7.8).
pub const PCI_EXPRESS: u8 = 0x10;

/// Device Control (bits 15:0) and Device Status (31:16), to be written to forbid No Snoop.
///
/// No Snoop is bit 11 of Device Control, set at reset (PCI Express Base specification 3.0, 7.8.4;
/// Device Status is 7.8.5). Writing 1 clears Status bits, so they are written as 0.
pub const fn without_no_snoop(control_and_status: u32) -> u32 {
    control_and_status & 0xffff & !(1 << 11)
}

/// Most capabilities above the header, 4 bytes each.
const MAX_CAPABILITIES: usize = 48;

/// Offset of the first capability with this identity. `pointer` is the capabilities pointer (offset
/// 0x34). `read` reads the 32-bit word at an offset.
///
/// The search ends at a loop or at a pointer into the header.
pub fn find(id: u8, pointer: u8, read: impl Fn(u8) -> u32) -> Option<u8> {
    let mut offset = pointer & !0b11;
    for _ in 0..MAX_CAPABILITIES {
        if offset < 0x40 {
            return None;
        }
        let [found, next, ..] = read(offset).to_le_bytes();
        if found == id {
            return Some(offset);
        }
        offset = next & !0b11;
    }
    None
}
