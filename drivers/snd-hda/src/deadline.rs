//! Waits for hardware. Each has a deadline, and its error names the register.

use core::fmt;

use crate::timer::Timer;

use crate::kind::ErrorKind;
use crate::registers::{Readable, Register, Registers, Width};

/// A register didn't reach the expected value in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Deadline {
    /// The specification's name of the register.
    pub register: &'static str,
    /// Its offset in BAR 0, in bytes. It identifies the stream.
    pub offset_bytes: u16,
    /// The bits that the driver waited for.
    pub mask: u32,
    /// The expected value of these bits.
    pub expected: u32,
    /// The whole register at the last read.
    pub last_read: u32,
    /// Length of the wait, in microseconds.
    pub waited_us: u32,
}

impl Deadline {
    /// The kind of failure.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Timeout
    }

    /// For infallible steps that share an error type.
    pub(crate) const NEVER: Self =
        Self { register: "none", offset_bytes: 0, mask: 0, expected: 0, last_read: 0, waited_us: 0 };
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {:#x} read {:#x} after {} us, waited for {:#x} in mask {:#x}",
            self.register, self.offset_bytes, self.last_read, self.waited_us, self.expected, self.mask
        )
    }
}

impl core::error::Error for Deadline {}

/// Time limit and poll interval.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) deadline_us: u32,
    pub(crate) poll_us: u32,
}

impl Patience {
    pub(crate) const fn new(deadline_us: u32, poll_us: u32) -> Self {
        Self { deadline_us, poll_us }
    }

    /// Looks that fit into the time, if a look takes none.
    pub(crate) fn looks(self) -> u32 {
        self.deadline_us.checked_div(self.poll_us).unwrap_or(1)
    }

    /// Sleeps `poll_us` between the calls of `look`, until it returns something or time has run out by the clock. The last
    /// look begins after that: time that the platform takes away makes no hardware late.
    ///
    /// The number of looks is limited too: a clock that stands still ends no wait.
    pub(crate) fn look_until<T>(
        self,
        timer: &mut dyn Timer,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let started_ns = timer.now_ns();
        let deadline_ns = u64::from(self.deadline_us).saturating_mul(1_000);
        for _ in 0..self.looks() {
            let is_last = timer.now_ns().saturating_sub(started_ns) >= deadline_ns;
            let found = look();
            if found.is_some() || is_last {
                return found;
            }
            timer.delay_us(self.poll_us);
        }
        look()
    }
}

/// Waits until the bits in `mask` read `expected`. It does not wait for a controller that is gone: no register in which a
/// bit is waited for reads as ones.
pub(crate) fn wait_for<R, W, A>(
    registers: &mut R,
    timer: &mut dyn Timer,
    register: Register<W, A>,
    mask: u32,
    expected: u32,
    patience: Patience,
) -> Result<(), Deadline>
where
    R: Registers,
    W: Width,
    A: Readable,
{
    let mut last_read = 0;
    let started_ns = timer.now_ns();
    let found = patience.look_until(timer, || {
        let read = register.read(registers);
        last_read = read.into();
        let is_reached = last_read & mask == expected;
        (is_reached || read == W::ONES).then_some(is_reached)
    });
    if found == Some(true) {
        return Ok(());
    }
    let waited_us = timer.now_ns().saturating_sub(started_ns) / 1_000;
    Err(Deadline {
        register: register.name(),
        offset_bytes: register.offset_bytes(),
        mask,
        expected,
        last_read,
        waited_us: u32::try_from(waited_us).unwrap_or(u32::MAX),
    })
}
