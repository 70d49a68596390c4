//! Xen's ABI for x86-64 HVM guests: numbers, layouts and the instruction that enters Xen. No logic.
//!
//! Each module stands for one of Xen's public headers (`xen/include/public/`, MIT licence), and each item names the one
//! that it follows. Sizes and offsets are asserted at compile time; the numbers are those that a C compiler makes of the
//! headers (Xen 4.17, `__XEN_INTERFACE_VERSION__` 0x00040e00). Only the needs of a driver domain are covered.
//!
//! Arguments of hypercalls are plain data. Structures in memory shared with Xen or with another domain
//! ([`SharedInfo`](shared_info::SharedInfo), [`StoreRing`](xs_wire::StoreRing), [`ConsoleRing`](console::ConsoleRing))
//! consist of atomics, so a shared reference is enough for every access; see [`SharedLayout`].
//!
//! Types and constants build on every 64-bit host, for tests. The hypercalls build on x86-64 and work in a Xen guest only.
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
pub mod vcpu;
pub mod xs_wire;

pub use shared_layout::SharedLayout;

/// Bytes in a page (`XEN_PAGE_SIZE` of x86), the unit of grants and frame numbers.
pub const PAGE_SIZE_BYTES: usize = 4096;

/// Stands for the calling domain (xen.h, `DOMID_SELF`).
pub const DOMID_SELF: u16 = 0x7ff0;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
