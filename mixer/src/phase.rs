//! The phase of two streams on one link: which frame of one is at the link with frame 0 of the other.

use audioback::card::{LinkPosition, PositionLock, PositionSource, StreamPosition};

use crate::position::{TICKS_PER_LINK_FRAME, frame_at_tick, tick_of, ticks_of_frames};

/// Where a bus is on a direct stream that it was started beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// This frame of the direct stream is at the link with bus frame 0.
    Known {
        frame: u64,
        /// Both have all their frames in the same link frames from there on.
        is_exact: bool,
    },
    /// A later look may tell.
    Open,
    /// No counter follows the link, so none will tell.
    Hidden,
}

impl Phase {
    /// The phase of a bus by positions that were read at almost the same time, both of `rate_hz`.
    pub(crate) fn of(direct: &StreamPosition, bus: &StreamPosition, rate_hz: u32) -> Self {
        let both_moved = direct.bytes > 0 && bus.bytes > 0;
        let (direct, bus) = match (&direct.link, &bus.link) {
            (Some(direct), Some(bus)) if follows_link(direct) || follows_link(bus) => (direct, bus),
            (Some(one), None) | (None, Some(one)) if follows_link(one) => return Self::Open,
            _ => return Self::Hidden,
        };
        // The time of a start that both know is exact long before the clocks agree closely enough for a lock.
        let are_proven = both_moved && is_proven(direct) && is_proven(bus) && is_apart_as_told(direct, bus);
        let are_locked = [direct, bus].iter().all(|link| link.lock == PositionLock::Locked);
        if !are_proven && !are_locked {
            return Self::Open;
        }
        let Some((frame, is_aligned)) = aligned_frame(direct, bus, rate_hz) else { return Self::Open };
        Self::Known { frame, is_exact: is_aligned && are_proven }
    }
}

/// Whether a counter that keeps to the clock follows the link.
fn follows_link(link: &LinkPosition) -> bool {
    link.source != PositionSource::WallClock
}

/// Whether the first link frame is known for sure, and all frames since.
fn is_proven(link: &LinkPosition) -> bool {
    follows_link(link) && link.cadence.is_some() && link.start_wall_ticks.is_multiple_of(TICKS_PER_LINK_FRAME)
}

/// Whether the frames at the link now are as far apart as the starts were.
fn is_apart_as_told(direct: &LinkPosition, bus: &LinkPosition) -> bool {
    let apart = |later: u64, earlier: u64| i128::from(later).saturating_sub(earlier.into());
    let frames = apart(direct.link_frames, bus.link_frames);
    let Some(of_frames) = ticks_of_frames(direct, frames) else { return false };
    // 24 ticks in 1000 ns.
    let of_looks = apart(bus.time.0, direct.time.0).saturating_mul(24) / 1000;
    let told = apart(bus.start_wall_ticks, direct.start_wall_ticks);
    of_frames.saturating_add(of_looks).abs_diff(told) < u128::from(TICKS_PER_LINK_FRAME / 2)
}

/// The direct stream's frame at the start of the bus, and whether both have their frames in the same link frames from there on.
fn aligned_frame(direct: &LinkPosition, bus: &LinkPosition, rate_hz: u32) -> Option<(u64, bool)> {
    let cadence = direct.cadence?;
    let frame = frame_at_tick(direct, bus.start_wall_ticks)?;
    let blocks = frame.checked_div(cadence.block_frames.into())?;
    // A cadence such as that of 44.1 kHz repeats after many frames.
    let is_aligned = blocks.checked_rem(cadence.period_blocks.into())? == 0;
    Some((frame, is_aligned && tick_of(direct, rate_hz, frame) == bus.start_wall_ticks))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests may panic")]
mod tests {
    use super::*;
    use hyper::Nanos;
    use sndif::control_page::Cadence;

    /// A stream of 44.1 kHz that has begun at this tick, looked at `ticks` later, between two locks.
    fn looked(start_wall_ticks: u64, ticks: u64) -> StreamPosition {
        let frames = ticks * 147 / 80_000;
        let link = LinkPosition {
            link_frames: frames,
            time: Nanos((start_wall_ticks + frames * 80_000 / 147) * 1000 / 24),
            ns_per_frame_q32: (1_000_000_000u64 << 32) / 44_100,
            error_ns: 20_000,
            lock: PositionLock::Coarse,
            source: PositionSource::Link,
            dma_lead_frames: 48,
            codec_delay_frames: 0,
            start_time: Nanos(start_wall_ticks * 1000 / 24),
            start_wall_ticks,
            cadence: Some(Cadence { ticks: 0, block_frames: 1, period_blocks: 147, period_link_frames: 160 }),
            generation: 1,
        };
        StreamPosition { bytes: frames * 4, fifo_errors: 0, descriptor_errors: 0, link: Some(link) }
    }

    const DIRECT_START: u64 = 500_000;
    const BUS_START: u64 = DIRECT_START + 7 * 80_000;
    const NOW: u64 = BUS_START + 24_000;

    fn pair() -> (StreamPosition, StreamPosition) {
        (looked(DIRECT_START, NOW - DIRECT_START), looked(BUS_START, NOW - BUS_START))
    }

    fn changed(position: StreamPosition, change: impl FnOnce(&mut LinkPosition)) -> StreamPosition {
        let mut link = position.link.unwrap();
        change(&mut link);
        StreamPosition { link: Some(link), ..position }
    }

    #[test]
    fn two_starts_that_are_known_tell_the_phase_before_a_lock() {
        let (direct, bus) = pair();
        let known = Phase::Known { frame: 7 * 147, is_exact: true };
        assert_eq!(Phase::of(&direct, &bus, 44_100), known);
    }

    #[test]
    fn a_start_that_what_is_at_the_link_belies_tells_nothing() {
        let (direct, bus) = pair();
        for ticks in [-80_000, -1_000, -500, 500, 1_000, 80_000] {
            let belied = |link: &mut LinkPosition| {
                link.start_wall_ticks = link.start_wall_ticks.wrapping_add_signed(ticks);
            };
            assert_eq!(Phase::of(&changed(direct, belied), &bus, 44_100), Phase::Open, "{ticks}");
            assert_eq!(Phase::of(&direct, &changed(bus, belied), 44_100), Phase::Open, "{ticks}");
        }
    }

    #[test]
    fn without_a_lock_each_part_of_the_proof_is_needed() {
        let (direct, bus) = pair();
        let no_cadence = |link: &mut LinkPosition| link.cadence = None;
        let no_counter = |link: &mut LinkPosition| link.source = PositionSource::WallClock;
        let off_the_grid = |link: &mut LinkPosition| link.start_wall_ticks += 249;
        let changes: [&dyn Fn(&mut LinkPosition); 3] = [&no_cadence, &no_counter, &off_the_grid];
        for change in changes {
            assert_eq!(Phase::of(&changed(direct, change), &bus, 44_100), Phase::Open);
            assert_eq!(Phase::of(&direct, &changed(bus, change), 44_100), Phase::Open);
        }
        let neither = Phase::of(&changed(direct, no_counter), &changed(bus, no_counter), 44_100);
        assert_eq!(neither, Phase::Hidden);
        // One that has no position yet may have one later, if the other's counter follows the link.
        let unknown = StreamPosition { link: None, ..bus };
        assert_eq!(Phase::of(&direct, &unknown, 44_100), Phase::Open);
        assert_eq!(Phase::of(&unknown, &direct, 44_100), Phase::Open);
        assert_eq!(Phase::of(&changed(direct, no_counter), &unknown, 44_100), Phase::Hidden);
        let standing = StreamPosition { bytes: 0, ..bus };
        assert_eq!(Phase::of(&direct, &standing, 44_100), Phase::Open);
    }

    #[test]
    fn a_phase_by_locks_alone_is_never_exact() {
        let (direct, bus) = pair();
        let locked = |link: &mut LinkPosition| link.lock = PositionLock::Locked;
        let unsure = |link: &mut LinkPosition| {
            locked(link);
            link.cadence = None;
        };
        let known = Phase::Known { frame: 7 * 147, is_exact: false };
        assert_eq!(Phase::of(&changed(direct, locked), &changed(bus, unsure), 44_100), known);
    }
}
