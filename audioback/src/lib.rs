//! The sound back end.
#![no_std]
#![forbid(unsafe_code)]

pub mod card;
pub mod clock;
pub mod hypervisor;
