//! Frames of a stream in each link frame.
//!
//! The rules are in specification 5.4.3, "Stream sample packets", with its tables of multiples,
//! divisors and the 44.1 kHz cadence.

use crate::format::StreamFormat;

/// Runs of link frames with a block at 44.1 kHz; one without follows each. 147 blocks in 160 link
/// frames.
const RUNS_44K1: [u32; 13] = [12, 11, 11, 12, 11, 11, 12, 11, 11, 12, 11, 11, 11];

/// A stream's place in its cadence, which begins with the stream's first link frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cadence {
    run: usize,
    in_run: u32,
    blocks: u32,
}

impl Cadence {
    /// Returns the stream's frames in this link frame, and moves on to the next one.
    pub(crate) fn next(&mut self, format: StreamFormat) -> u32 {
        if format.base_44k1 && self.skips() {
            return 0;
        }
        let carries = self.blocks == 0;
        self.blocks = (self.blocks + 1) % format.divisor;
        if carries { format.multiple } else { 0 }
    }

    /// Whether the 44.1 kHz base has no block in this link frame.
    fn skips(&mut self) -> bool {
        let empty = self.in_run == RUNS_44K1[self.run];
        if empty {
            self.in_run = 0;
            self.run = (self.run + 1) % RUNS_44K1.len();
        } else {
            self.in_run += 1;
        }
        empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_in(word: u16, link_frames: u32) -> u32 {
        let format = StreamFormat::decode(word).unwrap();
        let mut cadence = Cadence::default();
        (0..link_frames).map(|_| cadence.next(format)).sum()
    }

    #[test]
    fn each_rate_carries_its_frames_in_a_second() {
        // 48 kHz base: 8, 16, 24, 32, 48, 96, 192 kHz; 44.1 kHz base: 11.025, 22.05, 44.1, 88.2,
        // 176.4 kHz.
        for (word, rate_hz) in [
            (0x0511, 8_000),
            (0x0211, 16_000),
            (0x0111, 24_000),
            (0x0a11, 32_000),
            (0x0011, 48_000),
            (0x0811, 96_000),
            (0x1811, 192_000),
            (0x4311, 11_025),
            (0x4111, 22_050),
            (0x4011, 44_100),
            (0x4811, 88_200),
            (0x5811, 176_400),
        ] {
            assert_eq!(frames_in(word, 48_000), rate_hz, "format {word:#06x}");
        }
    }

    #[test]
    fn at_44100_hz_147_frames_travel_in_any_160_link_frames_from_the_start() {
        for groups in 1..10 {
            assert_eq!(frames_in(0x4011, 160 * groups), 147 * groups);
        }
    }
}
