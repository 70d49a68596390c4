//! Sleeps until a deadline or an interrupt.

use hyper::Nanos;

use super::apic::LocalApic;
use super::vectors;
use crate::arch::cpu;
use crate::clock::TscClock;
use crate::report;

/// The only place where the image sleeps and enables interrupts.
#[derive(Debug)]
pub struct EventLoop {
    clock: TscClock,
    /// `None`: no timer interrupt works, and the loop waits awake.
    apic: Option<LocalApic>,
    controller_interrupts_seen: u32,
    start_ns: u64,
    asleep_ns: u64,
    sleeps: u64,
}

impl EventLoop {
    /// Creates an event loop that sleeps by `apic`'s timer.
    pub fn new(clock: TscClock, apic: Option<LocalApic>) -> Self {
        let controller_interrupts_seen = vectors::controller_interrupts();
        let start_ns = clock.now_ns();
        Self { clock, apic, controller_interrupts_seen, start_ns, asleep_ns: 0, sleeps: 0 }
    }

    /// Sleeps until `deadline` or a controller's interrupt. An interrupt since the last return
    /// counts too. Returns at once if the deadline has passed. Returns whether an interrupt came.
    pub fn sleep_until(&mut self, deadline: Nanos) -> bool {
        loop {
            let seen = vectors::controller_interrupts();
            if seen != self.controller_interrupts_seen {
                self.controller_interrupts_seen = seen;
                return true;
            }
            let now_ns = self.clock.now_ns();
            if now_ns >= deadline.0 {
                return false;
            }
            let Some(apic) = &mut self.apic else {
                // No interrupt could end a sleep.
                self.clock.spin_until(deadline.0);
                continue;
            };
            // After an early wake-up the loop arms the timer for the rest.
            apic.arm(deadline.0.saturating_sub(now_ns));
            cpu::sleep_until_interrupt();
            self.asleep_ns = self.asleep_ns.saturating_add(self.clock.now_ns().saturating_sub(now_ns));
            self.sleeps = self.sleeps.saturating_add(1);
        }
    }

    /// Reports the time asleep and in total so far.
    pub fn report(&self) {
        let total_ns = self.clock.now_ns().saturating_sub(self.start_ns);
        report!("idle asleep_ns={} total_ns={total_ns} sleeps={}", self.asleep_ns, self.sleeps);
    }
}
