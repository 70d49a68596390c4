//! Xen guest interfaces in safe Rust: event channels, grants of other domains' pages, xenstore,
//! xenbus states, the console, the clock.
//!
//! Everything that doesn't need Xen is plain code over traits and atomic shared structures, and is
//! tested on the host. Two leaf modules hold `unsafe`: [`hypercalls`], which enters Xen, and
//! [`shared_page`], which reaches shared memory.
//!
//! - [`DriverDomain`](driver_domain::DriverDomain) is audioback's `Hypervisor`, over the trait
//!   [`Xen`](hypervisor::Xen). [`Hypercalls`](hypercalls::Hypercalls) implements that trait.
//! - [`Store`](xenstore::Store) is a xenstore client that never waits;
//!   [`Transaction`](xenstore::Transaction) runs on it.
//! - [`BackEnd`](xenbus::BackEnd) derives a back end's next step from the nodes' values.
//! - [`EventChannels`](event_channels::EventChannels) takes pending events,
//!   [`GuestChannels`](guest_channels::GuestChannels) throttles those that bring no request,
//!   [`Console`](console::Console) prints, [`XenClock`](clock::XenClock) tells the time,
//!   [`Alarm`](alarm::Alarm) sets the timer's time.
//!
//! [`DriverDomain`](driver_domain::DriverDomain) allocates its memory when it is made, and never
//! later.
#![no_std]
#![deny(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

extern crate alloc;

pub mod alarm;
pub mod clock;
pub mod console;
pub mod driver_domain;
pub mod event_channels;
mod grant_slots;
pub mod guest_channels;
#[cfg(target_arch = "x86_64")]
pub mod hypercalls;
pub mod hypervisor;
pub mod pirq;
#[cfg(target_arch = "x86_64")]
pub mod presence;
pub mod shared_page;
pub mod xenbus;
pub mod xenstore;
