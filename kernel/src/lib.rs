//! The library of both images: boot, memory, PCI, clock and console, and a folder for each image.
//!
//! `xen` is the driver domain. `bare` runs in QEMU without Xen and is its own guest. Neither
//! depends on the other; both share all other modules.
//!
//! Pure logic compiles and is tested on the host: planning page tables, placing BARs, scaling time,
//! wording an epitaph. Code that touches the machine exists on the target only. `unsafe` stays in
//! leaf modules that declare it.
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
pub mod log_budget;
#[cfg(target_os = "none")]
pub mod machine;
pub mod memory;
pub mod pci;
#[cfg(feature = "xen")]
pub mod xen;
