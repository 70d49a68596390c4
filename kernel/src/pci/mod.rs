//! PCI: finds the HD Audio controllers and prepares them for the driver.

pub mod bar;
pub mod bus_masters;
pub mod capability;
#[cfg(target_os = "none")]
mod config;
#[cfg(target_os = "none")]
pub mod hda;
#[cfg(target_os = "none")]
mod in_use;
pub mod known;
#[cfg(target_os = "none")]
pub mod message;
#[cfg(target_os = "none")]
pub mod registers;
#[cfg(target_os = "none")]
mod scan;

#[cfg(all(target_os = "none", feature = "bare"))]
pub(crate) use config::stop_decoding;
#[cfg(target_os = "none")]
pub use in_use::stop_bus_masters;
