//! A card on a card: many streams on one port, each still knowing to the frame what is at the link.
//!
//! [`Mixer`] implements [`audioback::card::Card`] on another card. The back end above can't tell whether its stream is direct or a
//! voice. The card below can't tell whether its buffer is a guest's or a bus's. docs/mixing.md has the words and the rules.
//!
//! All memory is taken in [`Mixer::new`]. Nothing is allocated while streams are opened, run or are closed.
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

mod ahead;
mod allowance;
mod backing;
mod budget;
mod bus;
mod bus_params;
mod card;
mod conversion;
mod converters;
mod cycle;
mod direct;
mod fan_out;
mod gain;
mod hand_over;
mod joining;
mod layout;
mod lead;
mod meter;
mod mirror;
mod mixer;
mod phase;
mod playback;
mod port_state;
mod position;
mod quantum;
mod reach;
mod scratch;
mod start;
mod sums;
mod table;
mod trims;
mod voice;
mod way_back;

pub use backing::{Backing, Ring};
pub use budget::{Budget, Cost};
pub use bus::BusStats;
pub use mixer::{Limits, Mixer};
pub use table::MixerStream;
