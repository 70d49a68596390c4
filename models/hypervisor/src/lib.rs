//! A hypervisor in memory: domains, grants, event channels and pages, enough of them that the two ends of the sound
//! protocol can play in one program. The image in bare QEMU plays its recording through it, by real DMA from real pages;
//! host tests run the back end over it.
//!
//! [`Loopback`] is the whole of it; [`BackEnd`] is what a driver domain sees of it (audioback's `Hypervisor`),
//! [`FrontEnd`] what a guest sees (audiofront's `Transport`). Both are small handles that borrow it, for one thread and
//! one event loop. Pages come from a [`PageMemory`], which is also told what the controller may reach.
//!
//! # Ownership is checked
//!
//! Xen forgives some mistakes and punishes others by a crash long after. Here each one is refused on the spot, counted,
//! logged and kept for tests to ask for: see [`Rule`]. A page handle that outlives its mapping or its grant reads zeros
//! and writes nothing.
//!
//! All memory is taken by [`Loopback::new`]; nothing is allocated later.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

extern crate alloc;

mod back_end;
mod channels;
mod front_end;
mod grants;
pub mod guest;
#[cfg(feature = "hda")]
pub mod hda_pages;
mod home;
mod memory;
mod page;
mod violations;

pub use back_end::{BackEnd, MappedPages};
pub use front_end::FrontEnd;
pub use grants::FIRST_GRANT;
pub use home::{Limits, Loopback};
pub use memory::{HeapMemory, PageMemory};
pub use page::HomePage;
pub use violations::{KEPT_VIOLATIONS, Rule, Violation};
