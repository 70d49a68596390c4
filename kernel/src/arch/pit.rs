//! The interval timer's channel 2, as a reference for the TSC (Intel 8254 datasheet, "Mode 3: square wave mode").

use core::fmt;

use super::cpu;
use super::port::{PIT_CHANNEL_2, PIT_COMMAND, SYSTEM_CONTROL_B};
use crate::clock::frequency::EdgeBracket;

/// Clocks of the timer in half a wave: 0.4995 ms.
pub const CLOCKS_PER_EDGE: u32 = RELOAD as u32 / 2;
/// Even, so that both halves of the wave are equally long.
const RELOAD: u16 = 1192;
/// Channel 2, low then high octet, mode 3, binary.
const SQUARE_WAVE: u8 = 0b10_11_011_0;
const GATE_2: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
const OUTPUT_2: u8 = 1 << 5;
/// How often the output is read without an edge: at about 1 us a read, 40 times as long as it takes.
const MAX_POLLS: u32 = 20_000;

/// The timer's output stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PitSilent;

impl fmt::Display for PitSilent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the interval timer's output (port 0x61, bit 5) never changes")
    }
}

/// Notes when each of the next edges of the square wave came, by the TSC.
pub fn watch_edges(edges: &mut [EdgeBracket]) -> Result<(), PitSilent> {
    let before = SYSTEM_CONTROL_B.read_u8() & (GATE_2 | SPEAKER);
    SYSTEM_CONTROL_B.write_u8(GATE_2);
    PIT_COMMAND.write_u8(SQUARE_WAVE);
    let [low, high] = RELOAD.to_le_bytes();
    PIT_CHANNEL_2.write_u8(low);
    PIT_CHANNEL_2.write_u8(high);
    let mut result = Ok(());
    for edge in edges {
        result = next_edge().map(|bracket| *edge = bracket);
        if result.is_err() {
            break;
        }
    }
    SYSTEM_CONTROL_B.write_u8(before);
    result
}

fn next_edge() -> Result<EdgeBracket, PitSilent> {
    let mut old_seen = cpu::read_tsc();
    let old = SYSTEM_CONTROL_B.read_u8() & OUTPUT_2;
    for _ in 0..MAX_POLLS {
        let asked = cpu::read_tsc();
        if SYSTEM_CONTROL_B.read_u8() & OUTPUT_2 != old {
            return Ok(EdgeBracket { not_before: old_seen, not_after: cpu::read_tsc() });
        }
        old_seen = asked;
    }
    Err(PitSilent)
}
