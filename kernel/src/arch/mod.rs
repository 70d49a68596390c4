//! The processor and the legacy parts of a PC: ports, descriptor tables, exceptions, serial port.
pub mod cpu;
mod crash;
pub mod interrupts;
pub mod port;
mod segments;
pub mod serial;

pub use crash::{Exit, die, exit, fail, pass, set_way_out};

use interrupts::InterruptHandler;

/// Loads the image's descriptor tables, with `handlers` for its interrupts. From here on every
/// fault leaves an epitaph.
pub fn init(handlers: &[InterruptHandler]) {
    segments::load();
    interrupts::load(handlers);
}
