//! Sleeping until something is due.

use hyper::Nanos;

use super::apic::LocalApic;
use super::vectors;
use crate::arch::cpu;
use crate::clock::TscClock;

/// Why [`EventLoop::sleep_until`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The deadline has come.
    Deadline,
    /// A controller sent an interrupt before that.
    Controller,
}

/// How the time was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idleness {
    /// Nanoseconds asleep.
    pub asleep_ns: u64,
    /// Nanoseconds since the event loop was made.
    pub total_ns: u64,
    /// How often it slept.
    pub sleeps: u64,
}

/// The one place where the image sleeps. Interrupts are let in here and nowhere else.
#[derive(Debug)]
pub struct EventLoop {
    clock: TscClock,
    /// `None`: no timer interrupt is to be had, so waits are spent awake.
    apic: Option<LocalApic>,
    controller_interrupts_seen: u32,
    start_ns: u64,
    asleep_ns: u64,
    sleeps: u64,
}

impl EventLoop {
    /// An event loop that sleeps by `apic`'s timer.
    pub fn new(clock: TscClock, apic: Option<LocalApic>) -> Self {
        let controller_interrupts_seen = vectors::controller_interrupts();
        let start_ns = clock.now_ns();
        Self { clock, apic, controller_interrupts_seen, start_ns, asleep_ns: 0, sleeps: 0 }
    }

    /// Sleeps until `deadline`, or until a controller sends an interrupt: also one that has come since the last call
    /// returned. Returns at once if the deadline has passed.
    pub fn sleep_until(&mut self, deadline: Nanos) -> Wake {
        loop {
            let seen = vectors::controller_interrupts();
            if seen != self.controller_interrupts_seen {
                self.controller_interrupts_seen = seen;
                return Wake::Controller;
            }
            let now_ns = self.clock.now_ns();
            if now_ns >= deadline.0 {
                return Wake::Deadline;
            }
            let Some(apic) = &mut self.apic else {
                // Without interrupts there is nothing to be woken by.
                self.clock.spin_until(deadline.0);
                continue;
            };
            // Woken early by whatever it be, the loop looks at the clock and arms the timer for the rest.
            apic.arm(deadline.0.saturating_sub(now_ns));
            cpu::sleep_until_interrupt();
            self.asleep_ns = self.asleep_ns.saturating_add(self.clock.now_ns().saturating_sub(now_ns));
            self.sleeps = self.sleeps.saturating_add(1);
        }
    }

    /// How the time was spent until now.
    pub fn idleness(&self) -> Idleness {
        let total_ns = self.clock.now_ns().saturating_sub(self.start_ns);
        Idleness { asleep_ns: self.asleep_ns, total_ns, sleeps: self.sleeps }
    }
}
