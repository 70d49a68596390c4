//! From the loader's jump to Rust, and what the loader tells.

pub mod command_line;
#[cfg(target_os = "none")]
pub mod entry;
#[cfg(target_os = "none")]
pub mod start_info;
