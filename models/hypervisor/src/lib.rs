//! A hypervisor in memory: domains, grants, event channels and pages for both ends of the sound protocol in one program.
//! The test image plays through it in QEMU, with DMA from real pages. Host tests run the back end over it.
//!
//! [`MemoryHypervisor`] has the state. [`BackEnd`] is a driver domain's view of it (`hyper::Hypervisor`), [`FrontEnd`] a
//! guest's (`audiofront::Transport`). Both are handles that borrow it, for one thread. A [`PageMemory`] supplies the
//! pages and knows which of them the controller may access. [`guest`] is an application that plays or records.
//!
//! # Ownership is checked
//!
//! On Xen some mistakes have no effect, and others crash a domain much later. This hypervisor refuses each one, counts it, logs
//! it and keeps it for tests: see [`Rule`]. A page handle that outlives its mapping or its grant reads zeros and
//! writes nothing.
//!
//! [`MemoryHypervisor::new`] allocates all memory.
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
mod hypervisor;
mod memory;
mod page;
mod violations;

pub use back_end::{BackEnd, MappedPages};
pub use front_end::FrontEnd;
pub use grants::FIRST_GRANT;
pub use hypervisor::{Limits, MemoryHypervisor};
pub use memory::{HeapMemory, PageMemory};
pub use page::DomainPage;
pub use violations::{KEPT_VIOLATIONS, Rule, Violation};
