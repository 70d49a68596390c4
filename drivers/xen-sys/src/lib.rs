//! Xen's ABI for x86-64 HVM guests as Rust types: numbers, layouts and the instruction that enters Xen. No logic.
//!
//! Each module stands for one of Xen's public headers (`xen/include/public/`, MIT licence) and each item names the one
//! that it was written after; sizes and offsets are asserted at compile time against what a C compiler makes of those
//! headers (Xen 4.17, `__XEN_INTERFACE_VERSION__` 0x00040e00). Only what a driver domain needs is here.
//!
//! Structures that are passed to a hypercall are plain data. Those that lie in memory shared with Xen or with another
//! domain ([`SharedInfo`](shared_info::SharedInfo), [`StoreRing`](xs_wire::StoreRing),
//! [`ConsoleRing`](console::ConsoleRing)) are made of atomics, so that a shared reference to one is all that anybody
//! ever needs; see [`SharedLayout`].
//!
//! Types and constants are there on every 64-bit host, for tests. The hypercalls are there on x86-64 and can be made in
//! a Xen guest only.
#![no_std]
#![deny(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

/// Asserts a type's size and the offsets of its fields.
macro_rules! assert_layout {
    ($type:ty, size $size:literal $(, $field:ident at $offset:literal)* $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            $(assert!(core::mem::offset_of!($type, $field) == $offset);)*
        };
    };
}

pub mod console;
pub mod cpuid;
pub mod errno;
pub mod event_channel;
pub mod grant_table;
pub mod hvm;
#[cfg(target_arch = "x86_64")]
pub mod hypercall;
pub mod memory;
pub mod physdev;
pub mod sched;
pub mod shared_info;
mod shared_layout;
pub mod start_info;
pub mod vcpu;
pub mod version;
pub mod xs_wire;

pub use shared_layout::SharedLayout;

/// Bytes in a page (`XEN_PAGE_SIZE` of x86; grants and frame numbers count in it).
pub const PAGE_SIZE_BYTES: usize = 4096;

/// A domain means itself (xen.h, `DOMID_SELF`).
pub const DOMID_SELF: u16 = 0x7ff0;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
