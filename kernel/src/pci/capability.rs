//! The list of capabilities (PCI Local Bus specification 3.0, 6.7), walked with an end in sight.

/// Power management (PCI Bus Power Management Interface specification 1.2, 3.2).
pub const POWER_MANAGEMENT: u8 = 0x01;
/// Message signalled interrupts (PCI Local Bus specification 3.0, 6.8.1).
pub const MSI: u8 = 0x05;

/// Capabilities that fit above the header, 4 octets each.
const MAX_CAPABILITIES: usize = 48;

/// Offset of the first capability with this identity. `pointer` is the capabilities pointer (offset 0x34), `read`
/// reads the 32-bit word at an offset.
///
/// A list that runs in circles or points into the header ends.
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
