//! Measures the TSC against the interval timer's channel 2.
//!
//! Reference: Intel 8254 datasheet, "Mode 0: interrupt on terminal count" and "Counter latch
//! command".

use super::calibration::{CountSample, from_counts};
use crate::arch::cpu;
use crate::arch::port::{PIT_CHANNEL_2, PIT_COMMAND, SYSTEM_CONTROL_B};
use crate::clock::frequency::{self, TscFrequency};

/// Channel 2 (10), low then high byte (11), mode 0 (000), binary (0).
const COUNT_DOWN: u8 = 0b1011_0000;
/// Channel 2 (10), latch its count (00).
const LATCH: u8 = 0b1000_0000;
const GATE_2: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
/// Counts between the first and the last samples: 7.5 ms. With set-up and sampling the total stays
/// below 10 ms.
const GAP_COUNTS: u16 = 8_950;
/// Reads of the count during the gap. A read takes about 3 us on a PC, so the limit is 20 times the
/// gap.
const MAX_POLLS: u32 = 50_000;

/// Samples at the start, and again at the end.
const SAMPLES: usize = 24;
/// Attempts to get consistent samples.
const ATTEMPTS: u32 = 3;

/// Why measuring the TSC's frequency failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    /// The interval timer stands still.
    #[error(
        "TSC frequency: no CPUID leaf states it, and the interval timer's count (port 0x42) stands still"
    )]
    PitSilent,
    /// No frequency fits the interval timer's counts.
    #[error("TSC frequency: no speed fits the interval timer's counts")]
    Unsteady,
}

/// Determines the TSC's frequency: from CPUID, else from the interval timer. Measuring takes 10 ms,
/// or 30 ms with retries.
pub fn calibrate() -> Result<TscFrequency, CalibrationError> {
    if let Some(stated) = frequency::from_cpuid(cpu::cpuid) {
        return Ok(stated);
    }
    for _ in 0..ATTEMPTS {
        let (mut first, mut last) = ([CountSample::default(); SAMPLES], [CountSample::default(); SAMPLES]);
        sample(&mut first, &mut last)?;
        if let Some(measured) = from_counts(&first, &last) {
            return Ok(measured);
        }
    }
    Err(CalibrationError::Unsteady)
}

/// Starts the channel and samples it with the TSC: fills `first`, waits 7.5 ms, then fills `last`.
fn sample(first: &mut [CountSample], last: &mut [CountSample]) -> Result<(), CalibrationError> {
    let before = SYSTEM_CONTROL_B.read_u8() & (GATE_2 | SPEAKER);
    SYSTEM_CONTROL_B.write_u8(GATE_2);
    PIT_COMMAND.write_u8(COUNT_DOWN);
    PIT_CHANNEL_2.write_u8(0xff);
    PIT_CHANNEL_2.write_u8(0xff);
    // The next clock loads the count. Earlier readings are invalid.
    let result = wait_for_count(0xff00).and_then(|()| {
        first.fill_with(read);
        wait_for_count(0xff00 - GAP_COUNTS)?;
        last.fill_with(read);
        Ok(())
    });
    SYSTEM_CONTROL_B.write_u8(before);
    result
}

fn wait_for_count(count: u16) -> Result<(), CalibrationError> {
    // Accepts the quarter of the range below. This rejects counts not yet loaded and counts that
    // wrapped.
    let reached = |sample: CountSample| count.wrapping_sub(sample.count) < 0x4000;
    (0..MAX_POLLS).any(|_| reached(read())).then_some(()).ok_or(CalibrationError::PitSilent)
}

fn read() -> CountSample {
    let not_before = cpu::read_tsc();
    PIT_COMMAND.write_u8(LATCH);
    let not_after = cpu::read_tsc();
    let count = u16::from_le_bytes([PIT_CHANNEL_2.read_u8(), PIT_CHANNEL_2.read_u8()]);
    CountSample { not_before, not_after, count }
}
