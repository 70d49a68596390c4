//! The card on a model of the hardware.

mod card;
mod common;
mod descriptors;
mod link;
mod logs;
mod patience;
