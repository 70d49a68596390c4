//! The distribution of a stream's frames over link frames (specification 1.0a, 5.4.1 and 5.4.3).

use super::TICKS_PER_LINK_FRAME;
use crate::spec::format::Rate;

/// The number of a stream's frames in each link frame, counted from the stream's first.
///
/// A rate is a base (48 kHz, or 147 in 160 link frames of it for 44.1 kHz) times a multiple by a
/// divisor. Blocks of `multiple` frames travel in some link frames, none in the others. The first
/// link frame always carries one. So after `n` link frames `multiple * ceil(n * blocks / spacing)`
/// frames have travelled. For 44.1 kHz this is the specification's pattern of 12, 11, 11, 12...
///
/// Frames in a link frame are taken to travel one after the other. The count is ahead of a
/// straight line of the stream's rate by 0 to [`ripple`](Self::ripple_parts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cadence {
    /// Frames in a block: 1 to 4.
    multiple: u64,
    /// Blocks in `spacing` link frames: 147 or 1.
    blocks: u64,
    /// 160 times the divisor, or the divisor: coprime to `blocks`.
    spacing: u64,
}

impl Cadence {
    /// The cadence of a rate.
    pub fn of(rate: Rate) -> Self {
        let (is_44100, multiple, divisor) = rate.code();
        let (blocks, spacing) = if is_44100 { (147, 160) } else { (1, 1) };
        Self { multiple: multiple.into(), blocks, spacing: u64::from(divisor).saturating_mul(spacing) }
    }

    /// Frames in a block: the number in each link frame that carries any.
    pub fn block_frames(self) -> u64 {
        self.multiple
    }

    /// Blocks in a period of [`period_link_frames`](Self::period_link_frames).
    pub fn period_blocks(self) -> u64 {
        self.blocks
    }

    /// Link frames after which the cadence repeats: 1 to 640.
    pub fn period_link_frames(self) -> u64 {
        self.spacing
    }

    /// The same period in ticks.
    pub fn period_ticks(self) -> u64 {
        self.spacing.saturating_mul(TICKS_PER_LINK_FRAME)
    }

    /// Frames that have travelled after `link_frames` whole link frames. Saturates after some
    /// thousand years.
    pub fn frames_after(self, link_frames: u64) -> u64 {
        link_frames.saturating_mul(self.blocks).div_ceil(self.spacing.max(1)).saturating_mul(self.multiple)
    }

    /// Frames that have travelled `ticks` after the start: the most that a counter of whole frames
    /// can show.
    pub fn frames_at(self, ticks: u64) -> u64 {
        let link_frames = ticks / TICKS_PER_LINK_FRAME;
        let whole = self.frames_after(link_frames);
        let block = self.frames_after(link_frames.saturating_add(1)).saturating_sub(whole);
        whole.saturating_add(block.saturating_mul(ticks % TICKS_PER_LINK_FRAME) / TICKS_PER_LINK_FRAME)
    }

    /// Frames of whole blocks that have travelled `ticks` after the start: the least that an exact
    /// counter shows.
    pub fn whole_blocks_at(self, ticks: u64) -> u64 {
        self.frames_after(ticks / TICKS_PER_LINK_FRAME)
    }

    /// The least number of link frames after which `frames` have travelled.
    pub fn link_frames_for(self, frames: u64) -> u64 {
        match frames.div_ceil(self.multiple.max(1)).checked_sub(1) {
            None => 0,
            Some(before) => {
                let full = before.saturating_mul(self.spacing).checked_div(self.blocks).unwrap_or(0);
                full.saturating_add(1)
            }
        }
    }

    /// Ticks from the start until `frames` have travelled.
    pub fn ticks_until(self, frames: u64) -> u64 {
        let Some(full) = self.link_frames_for(frames).checked_sub(1) else { return 0 };
        // 1 to `multiple` of the last block.
        let of_block = frames.saturating_sub(self.frames_after(full));
        let part = of_block.saturating_mul(TICKS_PER_LINK_FRAME).checked_div(self.multiple).unwrap_or(0);
        full.saturating_mul(TICKS_PER_LINK_FRAME).saturating_add(part)
    }

    /// Parts of a frame that the line advances in a tick, in units of
    /// [`parts_per_frame`](Self::parts_per_frame).
    ///
    /// The rate needs half as many. Doubling makes half of the ripple a whole number of parts.
    pub fn parts_per_tick(self) -> u64 {
        self.multiple.saturating_mul(self.blocks).saturating_mul(2)
    }

    /// See [`parts_per_tick`](Self::parts_per_tick). 640,000 at most.
    pub fn parts_per_frame(self) -> u64 {
        self.spacing.saturating_mul(TICKS_PER_LINK_FRAME).saturating_mul(2)
    }

    /// The most by which the count is ahead of the line, in the line's parts.
    ///
    /// Zero at 48 kHz and its multiples, almost a frame at 44.1 kHz, almost four at 176.4 kHz.
    pub fn ripple_parts(self) -> u64 {
        // ceil(x) - x, with x in steps of 1 / spacing.
        let ahead = self.spacing.saturating_sub(1).saturating_mul(self.multiple);
        ahead.saturating_mul(TICKS_PER_LINK_FRAME).saturating_mul(2)
    }

    /// Ticks in which the line advances by `parts`, rounded up.
    pub fn ticks_of_parts(self, parts: u64) -> u64 {
        parts.div_ceil(self.parts_per_tick().max(1))
    }

    /// Ticks in which the line advances by `frames`, rounded up.
    pub fn ticks_of_frames(self, frames: u64) -> u64 {
        self.ticks_of_parts(frames.saturating_mul(self.parts_per_frame()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;

    fn cadences() -> impl Iterator<Item = (u32, Cadence)> {
        [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]
            .into_iter()
            .map(|hz| (hz, Cadence::of(Rate::from_hz(hz).unwrap())))
    }

    #[test]
    fn a_second_has_the_rate_s_frames() {
        for (hz, cadence) in cadences() {
            assert_eq!(cadence.frames_after(48_000), u64::from(hz));
            assert_eq!(cadence.parts_per_tick() * 24_000_000 / cadence.parts_per_frame(), u64::from(hz));
        }
    }

    #[test]
    fn at_44100_hz_it_is_the_specification_s_pattern() {
        let (_, cadence) = cadences().find(|(hz, _)| *hz == 44_100).unwrap();
        let mut link_frames = 0;
        let mut frames = 0;
        for run in [12, 11, 11, 12, 11, 11, 12, 11, 11, 12, 11, 11, 11].into_iter().cycle().take(100) {
            for _ in 0..run {
                link_frames += 1;
                frames += 1;
                assert_eq!(cadence.frames_after(link_frames), frames);
            }
            link_frames += 1;
            assert_eq!(cadence.frames_after(link_frames), frames, "one that carries none");
        }
    }

    #[test]
    fn the_inverse_is_exact_and_the_ripple_is_the_most_and_reached() {
        for (hz, cadence) in cadences() {
            for frames in 0..2_000 {
                let link_frames = cadence.link_frames_for(frames);
                assert!(cadence.frames_after(link_frames) >= frames);
                assert!(frames == 0 || cadence.frames_after(link_frames - 1) < frames);
                let ticks = cadence.ticks_until(frames);
                assert!(cadence.frames_at(ticks) >= frames, "{hz}: {frames}");
                assert!(ticks == 0 || cadence.frames_at(ticks - 1) < frames, "{hz}: {frames}");
            }
            let ahead = |link_frames: u64| {
                cadence.frames_after(link_frames) * cadence.parts_per_frame()
                    - link_frames * 500 * cadence.parts_per_tick()
            };
            assert_eq!((0..2_000).map(ahead).max(), Some(cadence.ripple_parts()), "{hz}");
        }
    }
}
