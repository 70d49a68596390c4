//! Xen's para-virtual sound protocol, version 2, as both ends speak it.
//!
//! The reference is Xen's public header `xen/include/public/io/sndif.h` (with `ring.h` for the request ring); the
//! items here name its sections and structures. The crate holds no state machine: it turns octets into types and
//! back, and walks the pages that two domains share.
//!
//! | page                | back end               | front end             |
//! |---------------------|------------------------|-----------------------|
//! | request ring        | [`ring::BackRing`]     | [`ring::FrontRing`]   |
//! | event page          | [`event_page::EventWriter`] | [`event_page::EventReader`] |
//! | control page        | [`control_page::ControlWriter`] | [`control_page::ControlReader`] |
//! | page directory      | [`page_directory::DirectoryWalk`] | [`page_directory::write_directory`] |
//!
//! # What these types don't prove
//!
//! A [`request::Request`] that parsed is well-formed and nothing more: rates, sizes, offsets and grant references are
//! the peer's claims. Every value is copied out of shared memory once, into private memory, and judged there. No
//! input, of either peer, panics, loops without bound or makes anything grow.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod control_page;
mod entry;
pub mod event_page;
pub mod format;
pub mod hw_params;
pub mod nodes;
pub mod op;
pub mod page_directory;
pub mod request;
pub mod response;
pub mod ring;
pub mod state;

pub use entry::{ENTRY_BYTES, Entry};
pub use nodes::Direction;

/// The version of the protocol that this crate speaks (`XENSND_PROTOCOL_VERSION`).
pub const PROTOCOL_VERSION: u32 = 2;
