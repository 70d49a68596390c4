//! Words that every part of a driver domain uses: time, domains, event channels, grants, shared pages, and the
//! hypervisor as a trait. Nothing here knows what the pages carry.
//!
//! What a peer states has a type of its own ([`GrantRef`], [`RemotePort`]): it proves nothing until the hypervisor has
//! accepted it.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod clock;
mod grant;
mod hypervisor;
mod page;

pub use clock::{Clock, Nanos};
pub use grant::GrantRef;
pub use hypervisor::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, Hypervisor, MAX_BUFFER_PAGES, MapError,
    MappedBuffer, PageAccess, RemotePort,
};
pub use page::{PAGE_SIZE_BYTES, PAGE_WORDS, PageWords, SharedPage};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
