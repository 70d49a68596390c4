//! The image for QEMU without Xen: a guest, an in-memory hypervisor and injected faults.
//!
//! [`loop_back`] plays and records through the same back end and driver as under Xen.

#[cfg(target_os = "none")]
mod apic;
pub mod calibration;
pub mod command_line;
#[cfg(target_os = "none")]
mod event_loop;
#[cfg(target_os = "none")]
mod fault;
pub mod guest_pages;
pub mod loop_back;
#[cfg(target_os = "none")]
mod pit;
#[cfg(target_os = "none")]
mod platform;
#[cfg(target_os = "none")]
mod runtime;
pub mod timer;
#[cfg(target_os = "none")]
mod vectors;

#[cfg(target_os = "none")]
pub use runtime::main;
