//! The driver domain's image, as a library: boot, memory, PCI, clock, event loop, console.
//!
//! `main.rs` wires the parts. What is pure logic (planning page tables, placing BARs, parsing the command line,
//! scaling time, wording an epitaph) compiles and is tested on the host; what touches the machine is there on the
//! target only. `unsafe` is confined to the leaf modules that say so.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod arch;
pub mod boot;
pub mod clock;
#[cfg(target_os = "none")]
pub mod console;
pub mod epitaph;
#[cfg(target_os = "none")]
pub mod event_loop;
#[cfg(target_os = "none")]
pub mod fault;
pub mod memory;
pub mod pci;
#[cfg(target_os = "none")]
pub mod platform;
pub mod runtime;
