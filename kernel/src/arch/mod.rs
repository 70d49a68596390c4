//! The processor and the parts of a PC that are as old as it: ports, tables, interrupts, timers.

#[cfg(target_os = "none")]
pub mod apic;
#[cfg(target_os = "none")]
pub mod cpu;
#[cfg(target_os = "none")]
mod crash;
#[cfg(target_os = "none")]
pub mod interrupts;
#[cfg(target_os = "none")]
pub mod pit;
#[cfg(target_os = "none")]
pub mod port;
#[cfg(target_os = "none")]
mod segments;
#[cfg(target_os = "none")]
pub mod serial;
pub mod timer;
#[cfg(target_os = "none")]
pub mod xen;

#[cfg(target_os = "none")]
pub use crash::{Exit, die, exit};

/// Own descriptor tables and handlers: from here on, whatever goes wrong leaves an epitaph.
#[cfg(target_os = "none")]
pub fn init() {
    segments::load();
    interrupts::load();
}
