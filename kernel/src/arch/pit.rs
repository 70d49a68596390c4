//! The interval timer's channel 2, as a reference for the TSC (Intel 8254 datasheet, "Mode 0: interrupt on terminal
//! count" and "Counter latch command").

use core::fmt;

use super::cpu;
use super::port::{PIT_CHANNEL_2, PIT_COMMAND, SYSTEM_CONTROL_B};
use crate::clock::frequency::CountSample;

/// Channel 2 (10), low then high octet (11), mode 0 (000), binary (0).
const COUNT_DOWN: u8 = 0b1011_0000;
/// Channel 2 (10), latch its count (00).
const LATCH: u8 = 0b1000_0000;
const GATE_2: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
/// Counts from the first sample to the last ones: 7.5 ms. With set-up and sampling it stays below 10 ms.
const GAP_COUNTS: u16 = 8_950;
/// How often the count is read in the gap: at 3 us or so a reading on a PC, 20 times as long as it takes.
const MAX_POLLS: u32 = 50_000;

/// The timer's count stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PitSilent;

impl fmt::Display for PitSilent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the interval timer's count (port 0x42) stands still")
    }
}

/// Lets the channel count down, and samples it and the TSC: as many times as `first` has room for, then, 7.5 ms
/// later, as `last` has.
pub fn sample(first: &mut [CountSample], last: &mut [CountSample]) -> Result<(), PitSilent> {
    let before = SYSTEM_CONTROL_B.read_u8() & (GATE_2 | SPEAKER);
    SYSTEM_CONTROL_B.write_u8(GATE_2);
    PIT_COMMAND.write_u8(COUNT_DOWN);
    PIT_CHANNEL_2.write_u8(0xff);
    PIT_CHANNEL_2.write_u8(0xff);
    // The count is loaded with the next clock; what is read before that means nothing.
    let result = wait_for_count(0xff00).and_then(|()| {
        first.fill_with(read);
        wait_for_count(0xff00 - GAP_COUNTS)?;
        last.fill_with(read);
        Ok(())
    });
    SYSTEM_CONTROL_B.write_u8(before);
    result
}

fn wait_for_count(count: u16) -> Result<(), PitSilent> {
    // In the quarter of the range that lies below: a count that hasn't been loaded is none, nor one that was lapped.
    let reached = |sample: CountSample| count.wrapping_sub(sample.count) < 0x4000;
    (0..MAX_POLLS).any(|_| reached(read())).then_some(()).ok_or(PitSilent)
}

fn read() -> CountSample {
    let not_before = cpu::read_tsc();
    PIT_COMMAND.write_u8(LATCH);
    let not_after = cpu::read_tsc();
    let count = u16::from_le_bytes([PIT_CHANNEL_2.read_u8(), PIT_CHANNEL_2.read_u8()]);
    CountSample { not_before, not_after, count }
}
