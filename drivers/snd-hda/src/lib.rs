//! Driver for Intel High Definition Audio controllers and their codecs.
#![no_std]
#![forbid(unsafe_code)]

pub mod dma;
pub mod registers;
