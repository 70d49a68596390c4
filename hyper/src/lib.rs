//! Vocabulary and traits of a Xen driver domain: time, domains, event channels, grants, shared pages, the hypervisor.
//!
//! Nothing here knows what the pages carry. A number from a peer has a type of its own ([`GrantRef`], [`RemotePort`]):
//! it proves nothing until the hypervisor has accepted it.
//!
//! Names of headers are those of Xen's public headers (`xen/include/public/`).
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod back_off;
mod clock;
mod grant;
mod hypervisor;
mod page;
mod samples;

pub use back_off::BackOff;
pub use clock::{Clock, Nanos};
pub use grant::GrantRef;
pub use hypervisor::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, Hypervisor, MAX_BUFFER_PAGES, MapError,
    MappedBuffer, PageAccess, RemotePort,
};
pub use page::{PAGE_SIZE_BYTES, PAGE_WORDS, PageWords, SharedPage};
pub use samples::{SampleMemory, read_pages, write_pages};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
