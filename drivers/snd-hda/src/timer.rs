//! Sleep, and the clock that ends it.

use embedded_hal::delay::DelayNs;

/// A platform's sleep together with its clock.
///
/// The driver sleeps between two looks at a register. How long it waits in all is told by the clock: on slow hardware the
/// looks themselves take time.
pub trait Timer: DelayNs {
    /// Nanoseconds since any moment. It never goes back, and goes on during a sleep.
    fn now_ns(&self) -> u64;
}

impl<T: Timer + ?Sized> Timer for &mut T {
    fn now_ns(&self) -> u64 {
        (**self).now_ns()
    }
}
