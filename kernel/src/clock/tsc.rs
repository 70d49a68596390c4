//! The clock and the delay that the rest of the image uses.

use core::fmt;
use core::hint::spin_loop;

use embedded_hal::delay::DelayNs;
use hyper::{Clock, Nanos};

use super::TickScale;
use super::frequency::{self, CountSample, TscFrequency};
use crate::arch::cpu;
use crate::arch::pit::{self, PitSilent};

/// Samples at the start, and at the end.
const SAMPLES: usize = 24;
/// Tries to get samples that agree.
const ATTEMPTS: u32 = 3;

/// Why it isn't known how fast the TSC counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockError {
    /// The reference stands still.
    PitSilent(PitSilent),
    /// The TSC and the reference don't agree on any speed.
    Unsteady,
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PitSilent(error) => write!(f, "TSC frequency: no CPUID leaf states it, and {error}"),
            Self::Unsteady => f.write_str("TSC frequency: no speed fits the interval timer's counts"),
        }
    }
}

/// Learns how fast the TSC counts: from CPUID, else within 10 ms (30 ms if it must try again) from the interval timer.
pub fn calibrate() -> Result<TscFrequency, ClockError> {
    if let Some(stated) = frequency::from_cpuid(cpu::cpuid) {
        return Ok(stated);
    }
    for _ in 0..ATTEMPTS {
        let (mut first, mut last) = ([CountSample::default(); SAMPLES], [CountSample::default(); SAMPLES]);
        pit::sample(&mut first, &mut last).map_err(ClockError::PitSilent)?;
        if let Some(measured) = frequency::from_counts(&first, &last) {
            return Ok(measured);
        }
    }
    Err(ClockError::Unsteady)
}

/// Nanoseconds since entry, by the TSC of the one processor there is.
#[derive(Clone, Copy, Debug)]
pub struct TscClock {
    entry_tsc: u64,
    scale: TickScale,
}

impl TscClock {
    /// A clock that was 0 when the TSC read `entry_tsc`. `None` if `hz` is out of [`TickScale`]'s bounds.
    pub fn new(entry_tsc: u64, hz: u64) -> Option<Self> {
        TickScale::from_hz(hz).map(|scale| Self { entry_tsc, scale })
    }

    /// Nanoseconds since entry.
    pub fn now_ns(&self) -> u64 {
        self.scale.ns(cpu::read_tsc().saturating_sub(self.entry_tsc))
    }

    /// Waits, awake, until `deadline_ns` since entry.
    pub fn spin_until(&self, deadline_ns: u64) {
        while self.now_ns() < deadline_ns {
            spin_loop();
        }
    }
}

impl Clock for TscClock {
    fn now(&self) -> Nanos {
        Nanos(self.now_ns())
    }
}

/// Waits by the clock, awake: for the driver's waits of microseconds.
#[derive(Clone, Copy, Debug)]
pub struct TscDelay {
    clock: TscClock,
}

impl TscDelay {
    /// A delay by `clock`.
    pub fn new(clock: TscClock) -> Self {
        Self { clock }
    }
}

impl DelayNs for TscDelay {
    fn delay_ns(&mut self, ns: u32) {
        // One more, for the clock rounds down: never less than was asked for.
        self.clock.spin_until(self.clock.now_ns().saturating_add(u64::from(ns) + 1));
    }
}
