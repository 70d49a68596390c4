//! Waits for hardware. Each has a deadline, and its error names the register.

use core::fmt;

use embedded_hal::delay::DelayNs;

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

    /// Number of `poll_us` sleeps before time runs out.
    pub(crate) fn polls(self) -> u32 {
        self.deadline_us.checked_div(self.poll_us).unwrap_or(1)
    }
}

/// Waits until the bits in `mask` read `expected`.
pub(crate) fn wait_for<R, W, A>(
    registers: &mut R,
    delay: &mut dyn DelayNs,
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
    let mut last_read: u32 = register.read(registers).into();
    for _ in 0..patience.polls() {
        if last_read & mask == expected {
            return Ok(());
        }
        delay.delay_us(patience.poll_us);
        last_read = register.read(registers).into();
    }
    if last_read & mask == expected {
        return Ok(());
    }
    Err(Deadline {
        register: register.name(),
        offset_bytes: register.offset_bytes(),
        mask,
        expected,
        last_read,
        waited_us: patience.deadline_us,
    })
}
