//! The library of both images: boot, memory, PCI, clock and console, and below them a folder for each image.
//!
//! [`xen`] is the driver domain; [`bare`] runs in QEMU without Xen and is its own guest. Neither knows the other, and
//! all else serves both. Pure logic compiles and is tested on the host: planning page tables, placing BARs, scaling time,
//! wording an epitaph. Code that touches the machine exists on the target only. `unsafe` stays in the leaf modules that
//! say so.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

#[cfg(target_os = "none")]
pub mod arch;
#[cfg(feature = "bare")]
pub mod bare;
pub mod boot;
pub mod clock;
#[cfg(target_os = "none")]
pub mod console;
pub mod epitaph;
#[cfg(target_os = "none")]
pub mod machine;
pub mod memory;
pub mod pci;
#[cfg(feature = "xen")]
pub mod xen;
