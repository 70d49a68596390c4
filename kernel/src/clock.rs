//! Time: the TSC, scaled to nanoseconds since entry.
//!
//! Integer arithmetic all the way: ticks (64 bits) times nanoseconds a tick (42 bits, 32 of them a fraction) is
//! computed in 128 bits and fits into 106.

pub mod frequency;

#[cfg(target_os = "none")]
mod tsc;

#[cfg(target_os = "none")]
pub use tsc::{TscClock, TscDelay};

/// Nanoseconds a tick, in units of 2^-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickScale {
    ns_per_tick: u64,
}

impl TickScale {
    /// Slowest counter that can be scaled.
    pub const MIN_HZ: u64 = 1_000_000;
    /// Fastest counter that can be scaled. At this speed rounding costs 0.02 ppm, at 3 GHz 0.0007 ppm.
    pub const MAX_HZ: u64 = 100_000_000_000;

    /// The scale of a counter of `hz`; `None` out of [`MIN_HZ`](Self::MIN_HZ) to [`MAX_HZ`](Self::MAX_HZ).
    pub fn from_hz(hz: u64) -> Option<Self> {
        if !(Self::MIN_HZ..=Self::MAX_HZ).contains(&hz) {
            return None;
        }
        Some(Self { ns_per_tick: (1_000_000_000 << 32) / hz })
    }

    /// Nanoseconds in `ticks`, rounded down, at most `u64::MAX`: which is 584 years.
    pub fn ns(self, ticks: u64) -> u64 {
        let ns = (u128::from(ticks) * u128::from(self.ns_per_tick)) >> 32;
        u64::try_from(ns).unwrap_or(u64::MAX)
    }
}
