//! The driver domain under Xen: serves the guests' sound devices for as long as the domain lives.

#[cfg(target_os = "none")]
mod attach;
#[cfg(target_os = "none")]
mod console;
pub mod costs;
#[cfg(target_os = "none")]
mod interrupts;
#[cfg(target_os = "none")]
mod platform;
#[cfg(target_os = "none")]
mod runtime;

#[cfg(target_os = "none")]
pub use runtime::main;
