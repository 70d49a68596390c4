//! From the loader's jump to Rust, with the loader's information and command line.

pub mod command_line;
#[cfg(target_os = "none")]
pub mod entry;
#[cfg(target_os = "none")]
pub mod start_info;
