//! Time: the TSC, scaled to nanoseconds since entry.
//!
//! All arithmetic uses integers. Ticks have 64 bits; nanoseconds per tick have 42 bits, 32 of them
//! a fraction. The product fits into 106 of 128 bits.

pub mod frequency;

#[cfg(target_os = "none")]
mod tsc;

#[cfg(target_os = "none")]
pub use tsc::TscClock;

/// Nanoseconds per tick, in units of 2^-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickScale {
    ns_per_tick: u64,
}

impl TickScale {
    /// Lowest frequency that can be scaled.
    pub const MIN_HZ: u64 = 1_000_000;
    /// Highest frequency that can be scaled. Rounding costs 0.02 ppm there and 0.0007 ppm at 3 GHz.
    pub const MAX_HZ: u64 = 100_000_000_000;

    /// The scale of a counter of `hz`. `None` outside [`MIN_HZ`](Self::MIN_HZ) to
    /// [`MAX_HZ`](Self::MAX_HZ).
    pub fn from_hz(hz: u64) -> Option<Self> {
        if !(Self::MIN_HZ..=Self::MAX_HZ).contains(&hz) {
            return None;
        }
        Some(Self { ns_per_tick: (1_000_000_000 << 32) / hz })
    }

    /// Nanoseconds in `ticks`, rounded down, at most `u64::MAX` (584 years).
    pub fn ns(self, ticks: u64) -> u64 {
        let ns = (u128::from(ticks) * u128::from(self.ns_per_tick)) >> 32;
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}
