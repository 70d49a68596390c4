//! The clock of the images.

use core::hint::spin_loop;

use embedded_hal::delay::DelayNs;
use hyper::{Clock, Nanos};
use snd_hda::Timer;

use super::TickScale;
use crate::arch::cpu;

/// Nanoseconds since entry by the only processor's TSC.
#[derive(Clone, Copy, Debug)]
pub struct TscClock {
    entry_tsc: u64,
    scale: TickScale,
}

impl TscClock {
    /// A clock that reads 0 at TSC value `entry_tsc`. `None` if `hz` is outside [`TickScale`]'s
    /// bounds.
    pub fn new(entry_tsc: u64, hz: u64) -> Option<Self> {
        TickScale::from_hz(hz).map(|scale| Self { entry_tsc, scale })
    }

    /// Nanoseconds since entry.
    pub fn now_ns(&self) -> u64 {
        self.scale.ns(cpu::read_tsc().saturating_sub(self.entry_tsc))
    }

    /// Waits awake until `deadline_ns` since entry.
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

impl Timer for TscClock {
    fn now_ns(&self) -> u64 {
        self.now_ns()
    }
}

/// Waits awake, for the driver's waits of microseconds.
impl DelayNs for TscClock {
    fn delay_ns(&mut self, ns: u32) {
        // The clock rounds down, so wait one more: never less than requested.
        self.spin_until(self.now_ns().saturating_add(u64::from(ns) + 1));
    }
}
