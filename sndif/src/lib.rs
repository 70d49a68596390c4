//! Xen's sound protocol.
#![no_std]
#![forbid(unsafe_code)]

pub mod format;
pub mod page;
pub mod page_directory;
