//! The cadence of a stream on the link: the link frames in which its frames travel.

/// Ticks of the controller's wall clock in a link frame: 24 MHz by 48 kHz (HDA specification 1.0a, 3.3.16 and 5.4.1).
const TICKS_PER_LINK_FRAME: u32 = 500;
/// The same with 16 fractional bits.
const LINK_FRAME_Q16: i128 = (TICKS_PER_LINK_FRAME as i128) << 16;

/// The link's cadence, and the place of a slot's position in it.
///
/// The link carries frames in blocks of [`block_frames`](Self::block_frames), each block in one link frame. 48,000 link
/// frames pass in a second of the link's clock. `n` link frames after the start of a period,
/// `block_frames * ceil(n * period_blocks / period_link_frames)` frames have travelled. The straight line of a slot lies
/// in the middle of these steps: `block_frames * (period_link_frames - 1) / (2 * period_link_frames)` frames above the
/// line from the start of the period.
///
/// | Hz | block | blocks | link frames |
/// |---|---|---|---|
/// | 8,000 | 1 | 1 | 6 |
/// | 44,100 | 1 | 147 | 160 |
/// | 48,000 | 1 | 1 | 1 |
/// | 176,400 | 4 | 147 | 160 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Ticks of the 24 MHz wall clock from the start of a period to the slot's `time_ns`; less than a period.
    pub ticks: u32,
    /// Frames in a block, 1 to 4.
    pub block_frames: u16,
    /// Blocks in a period, 1 to `period_link_frames`; both have no common divisor.
    pub period_blocks: u16,
    /// Link frames in a period, 1 to 640.
    pub period_link_frames: u16,
}

impl Cadence {
    /// The words in a slot.
    pub(super) fn to_words(self) -> [u32; 3] {
        let pair = |low: u16, high: u16| u32::from(high) << 16 | u32::from(low);
        [self.ticks, pair(self.block_frames, self.period_blocks), self.period_link_frames.into()]
    }

    /// The cadence in these words, if it is valid.
    pub(super) fn from_words([ticks, blocks, link_frames]: [u32; 3]) -> Option<Self> {
        let cadence = Self {
            ticks,
            // Truncated on purpose: two numbers of 16 bits, and one below reserved bits.
            block_frames: blocks as u16,
            period_blocks: (blocks >> 16) as u16,
            period_link_frames: link_frames as u16,
        };
        let makes_sense = cadence.block_frames > 0
            && (1..=cadence.period_link_frames).contains(&cadence.period_blocks)
            && ticks < u32::from(cadence.period_link_frames).saturating_mul(TICKS_PER_LINK_FRAME);
        makes_sense.then_some(cadence)
    }

    fn link_frames(self) -> i128 {
        self.period_link_frames.into()
    }

    /// Frames in a period.
    fn period_frames(self) -> i128 {
        i128::from(self.block_frames).saturating_mul(self.period_blocks.into())
    }

    /// Frames that travel in the first `link_frames` link frames.
    fn frames_after(self, link_frames: i128) -> i128 {
        let blocks = link_frames.saturating_mul(self.period_blocks.into());
        let rounded = blocks.saturating_add(self.link_frames()).saturating_sub(1);
        rounded.checked_div_euclid(self.link_frames()).unwrap_or(0).saturating_mul(self.block_frames.into())
    }

    /// Frames that travel in `span_q32` after the slot's `time_ns`, or before it if negative; 16 fractional bits.
    ///
    /// The span is below 2^41 ns. It and the length of a frame have 32 fractional bits.
    pub(super) fn frames_since_q16(self, span_q32: i128, ns_per_frame_q32: u64) -> Option<i128> {
        let ticks_per_link_frame = i128::from(TICKS_PER_LINK_FRAME);
        let period_ticks = self.link_frames().saturating_mul(ticks_per_link_frame);
        let from = i128::from(self.ticks);
        // 2^73, 2^16 and 2^25: within 127 bits.
        let passed = (span_q32 << 16)
            .saturating_mul(period_ticks)
            .checked_div_euclid(i128::from(ns_per_frame_q32).saturating_mul(self.period_frames()))?;
        let at = (from << 16).saturating_add(passed);
        let (link_frame, into) = (at.div_euclid(LINK_FRAME_Q16), at.rem_euclid(LINK_FRAME_Q16));
        let before = self.frames_after(link_frame);
        let block = self.frames_after(link_frame.saturating_add(1)).saturating_sub(before);
        let travelled = (before << 16).saturating_add((block << 16).saturating_mul(into) / LINK_FRAME_Q16);
        // The line at `from`, doubled so that its half frame stays exact.
        let twice = from.saturating_mul(self.period_frames()).saturating_mul(2).saturating_add(
            i128::from(self.block_frames)
                .saturating_mul(self.link_frames().saturating_sub(1))
                .saturating_mul(ticks_per_link_frame),
        );
        let line = (twice << 15).checked_div(period_ticks)?;
        Some(travelled.saturating_sub(line))
    }
}
