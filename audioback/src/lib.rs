//! The sound back end: serves the requests of Xen's sound protocol with a sound card that works on the guests' own pages.
//!
//! The crate contains no register access and no hypercall. It works on a [`card::Card`], a [`hyper::Hypervisor`] and a clock, and
//! has one [`device::Device`] for each guest's virtual sound card. On a host it runs against models.
//!
//! 1. Only [`hyper::Hypervisor`] reaches a guest's memory. Requests and events are read word by word, each word once. This
//!    crate reads no samples: a [`hyper::MappedBuffer`] has addresses and no accessor. Of a buffer it reads the values of volume
//!    requests only.
//! 2. A buffer is unmapped only after the card has given it back. The card gives it back only when the controller has stopped
//!    ([`card::Card::close`]).
//! 3. A guest's mistake ends in an error on its own ring, or in the end of its own device. Nothing waits for a guest, grows
//!    with its requests or is allocated.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod card;
mod control_page;
pub mod device;
pub mod hw_params;
pub mod period_edges;
mod port_peaks;
mod port_set;
mod port_state;
pub mod resources;
pub mod rights;
mod ring_pair;
mod status;
pub mod stream;
mod trim;
pub mod turn_work;

use heapless::Vec;

/// Appends to a list that has room by design. A full list drops the item, which is a fault of this crate and so is logged.
pub(crate) fn push_within<T, const N: usize>(list: &mut Vec<T, N>, item: T) {
    if list.push(item).is_err() {
        log::error!("a list of {N} items is full; one is dropped");
    }
}
