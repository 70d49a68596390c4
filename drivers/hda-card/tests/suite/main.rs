//! The card on a model of the hardware.

mod card;
mod common;
mod link;
mod logs;
