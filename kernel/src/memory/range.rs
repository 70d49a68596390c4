//! Ranges of physical addresses.

use super::PAGE_BYTES;

/// The addresses from `start` up to, not including, `end`. Empty if `end <= start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhysRange {
    /// First address.
    pub start: u64,
    /// First address past the range.
    pub end: u64,
}

impl PhysRange {
    /// Bytes in the range.
    pub const fn size_bytes(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether the range has no byte.
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether `address` lies inside.
    pub const fn contains(self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Whether the ranges share a byte.
    pub const fn overlaps(self, other: Self) -> bool {
        !self.is_empty() && !other.is_empty() && self.start < other.end && other.start < self.end
    }

    /// The part common to both ranges.
    pub fn intersection(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.min(other.end) }
    }

    /// The whole pages inside.
    pub const fn shrink_to_pages(self) -> Self {
        let end = self.end & !(PAGE_BYTES - 1);
        match self.start.checked_next_multiple_of(PAGE_BYTES) {
            Some(start) if start < end => Self { start, end },
            _ => Self { start: end, end },
        }
    }

    /// The pages touched, except the last page of the address space.
    pub const fn grow_to_pages(self) -> Self {
        let end = match self.end.checked_next_multiple_of(PAGE_BYTES) {
            Some(end) => end,
            None => !(PAGE_BYTES - 1),
        };
        Self { start: self.start & !(PAGE_BYTES - 1), end }
    }
}
