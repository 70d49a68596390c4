//! The sound back end: what Xen's sound protocol asks for, done by a sound card on the guests' own pages.
//!
//! The crate knows no register and no hypercall. It is handed a [`card::Card`], a [`hypervisor::Hypervisor`] and the
//! time, and holds one [`device::Device`] for each guest's virtual sound card. All of it runs on the host, in tests,
//! against models.
//!
//! 1. A guest's memory is reached through [`hypervisor`] only. Pages with requests and events are read word by word,
//!    each once; samples aren't read at all: [`hypervisor::MappedBuffer`] has addresses and no accessor. Only what a front
//!    end puts beside them is, where it says: the values of its volume requests.
//! 2. A buffer is unmapped only after the card has given it back, and the card gives it back only when the
//!    controller is known to be done with it ([`card::Card::close`]).
//! 3. Whatever a guest does, the answer is an error on its own ring or the end of its own device. Nothing waits for
//!    it, nothing grows with it, nothing is allocated.
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
pub mod events;
pub mod hw_params;
mod line;
pub mod policy;
mod status;
pub mod stream;
