//! Base address registers: kind, size and place (PCI Local Bus specification 3.0, 6.2.5.1).

use crate::memory::range::PhysRange;

/// A memory BAR, by its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// One register.
    Memory32,
    /// Two registers, the second one for bits 63:32.
    Memory64,
}

/// Why a BAR is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BarError {
    /// The BAR asks for I/O ports.
    #[error("BAR 0 is for I/O ports")]
    IoSpace,
    /// Type 01 (obsolete) or 11 (never specified) in bits 2:1.
    #[error("BAR 0 has a reserved type")]
    ReservedType,
    /// No address bit reads back when sized.
    #[error("BAR 0 isn't implemented")]
    Unimplemented,
    /// The address bits have gaps when sized.
    #[error("BAR 0 reads back no size")]
    Malformed,
    /// Smaller than its required registers. Holds the size.
    #[error("BAR 0 has only {0:#x} bytes")]
    TooSmall(u64),
    /// No free place of this size exists. Holds the size.
    #[error("no address is free for BAR 0, {0:#x} bytes")]
    NoPlace(u64),
    /// The BAR doesn't read back the address written. Holds the address.
    #[error("BAR 0 doesn't take address {0:#x}")]
    NotAccepted(u64),
    /// The BAR overlaps RAM or wraps. Holds its address.
    #[error("BAR 0 has the invalid address {0:#x}")]
    BadAddress(u64),
    /// The BAR has no place and lies behind a bridge, whose windows aren't configured.
    #[error("BAR 0 has no address, and a bridge is before it")]
    BehindBridge,
}

/// The kind of a BAR with this value.
pub const fn kind(raw: u32) -> Result<BarKind, BarError> {
    if raw & 1 != 0 {
        return Err(BarError::IoSpace);
    }
    match (raw >> 1) & 0b11 {
        0b00 => Ok(BarKind::Memory32),
        0b10 => Ok(BarKind::Memory64),
        _ => Err(BarError::ReservedType),
    }
}

/// The address in a BAR. `high` is the second register, ignored for [`BarKind::Memory32`].
pub const fn address(kind: BarKind, low: u32, high: u32) -> u64 {
    let low = (low & !0xf) as u64;
    match kind {
        BarKind::Memory32 => low,
        BarKind::Memory64 => (high as u64) << 32 | low,
    }
}

/// The size, from the value read back after writing all bits as 1.
pub const fn size_bytes(kind: BarKind, low: u32, high: u32) -> Result<u64, BarError> {
    let high = match kind {
        // Treats the missing upper half as if it accepted every bit.
        BarKind::Memory32 => u32::MAX,
        BarKind::Memory64 => high,
    };
    let mask = address(BarKind::Memory64, low, high);
    if low & !0xf == 0 && matches!(kind, BarKind::Memory32) || mask == 0 {
        return Err(BarError::Unimplemented);
    }
    // All bits from the size up must read back as 1.
    let size = 1u64 << mask.trailing_zeros();
    if mask == size.wrapping_neg() { Ok(size) } else { Err(BarError::Malformed) }
}

/// The highest place in `window` for `size_bytes` (a power of two), aligned to its size, that
/// touches none of `occupied`.
pub fn place(size_bytes: u64, window: PhysRange, occupied: &[PhysRange]) -> Option<u64> {
    if !size_bytes.is_power_of_two() {
        return None;
    }
    let mut end = window.end;
    // Each round moves below one of `occupied` that no later round meets again. One more round than
    // these is enough.
    for _ in 0..=occupied.len() {
        let start = end.checked_sub(size_bytes)? & !(size_bytes - 1);
        if start < window.start {
            return None;
        }
        let candidate = PhysRange { start, end: start + size_bytes };
        match occupied.iter().filter(|range| range.overlaps(candidate)).min_by_key(|range| range.start) {
            None => return Some(start),
            Some(range) => end = range.start,
        }
    }
    None
}
