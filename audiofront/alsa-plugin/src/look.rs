//! Computes the plug-in's position from a slot of the control page.

use sndif::control_page::{PositionLock, REFRESH_INTERVAL_NS, Slot};

use crate::card::{Direction, Look};

/// A run is young for so long. A counter that moves in steps is not known as such yet.
const YOUNG_NS: u64 = 20_000_000;
/// The largest known step: QEMU's controller fetches what the link has taken each millisecond.
const STEP_NS: u64 = 1_000_000;

/// A refresh of the page may be late by this: other turns of the driver domain come before it.
const REFRESH_LATE_NS: u64 = 100_000;
/// A refresh may publish a pair that is older by this: a frame at 8 kHz and more.
const PAIR_OLD_NS: u64 = 200_000;
/// Interval between looks for a refresh that is later still.
const OVERDUE_NS: u64 = 500_000;

/// A slot's position extrapolated to now by the clock.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    /// Frames through the link since START.
    pub(crate) frames: u64,
    /// Their error bound.
    pub(crate) error_ns: u64,
    /// Xen's system time of this position.
    pub(crate) system_ns: u64,
}

/// The position that a slot implies.
pub(crate) fn look_at(slot: &Slot, now: Option<Now>, direction: Direction, lead_max_frames: u64) -> Look {
    if slot.lock.is_none() {
        return Look::default();
    }
    let capture = direction == Direction::Capture;
    let lead = |frames: u64| if capture { frames } else { 0 };
    // A hardware counter has shown that these frames passed, or are in memory.
    let counted = slot.link_frames.saturating_sub(lead(slot.dma_lead_frames.into()));
    let (link_frames, error_ns) =
        now.map_or((slot.link_frames, slot.error_ns.into()), |now| (now.frames, now.error_ns));
    // Between two readings only a counter locked to the link's clock advances with it.
    let is_locked = slot.lock == Some(PositionLock::Locked);
    let certain_frames = if is_locked {
        let published = counted.saturating_sub(frames_in(slot.error_ns.into(), slot));
        let elapsed = link_frames.saturating_sub(frames_in(error_ns, slot));
        published.max(elapsed.saturating_sub(lead(lead_max_frames)))
    } else {
        counted
    };
    // What isn't fetched yet must not be overwritten.
    let is_young = !capture && link_frames <= frames_in(YOUNG_NS, slot);
    let certain_frames = certain_frames.saturating_sub(if is_young { frames_in(STEP_NS, slot) } else { 0 });
    Look {
        link_frames,
        certain_frames,
        codec_delay_frames: slot.codec_delay_frames,
        ns_per_frame_q32: slot.ns_per_frame_q32,
        news_after_ns: match now {
            Some(now) if !is_locked && !is_young => refresh_after_ns(slot.time_ns, now.system_ns),
            _ => 0,
        },
    }
}

/// Time from `now_ns` until the page, which has a pair of `pair_ns`, is refreshed. That is due at each multiple of
/// [`REFRESH_INTERVAL_NS`] of Xen's system time.
fn refresh_after_ns(pair_ns: u64, now_ns: u64) -> u64 {
    let since_due_ns = now_ns % REFRESH_INTERVAL_NS;
    let is_refreshed = now_ns.saturating_sub(pair_ns) <= since_due_ns + PAIR_OLD_NS;
    if is_refreshed {
        REFRESH_INTERVAL_NS + REFRESH_LATE_NS - since_due_ns
    } else if since_due_ns < REFRESH_LATE_NS {
        REFRESH_LATE_NS - since_due_ns
    } else {
        OVERDUE_NS
    }
}

/// Frames that a span covers, including the one in which it ends.
fn frames_in(span_ns: u64, slot: &Slot) -> u64 {
    let frames = (u128::from(span_ns) << 32).checked_div(slot.ns_per_frame_q32.into()).unwrap_or(0);
    u64::try_from(frames.saturating_add(1)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use sndif::control_page::{PositionLock, Slot, SlotState};

    use super::{Now, look_at};
    use crate::card::{Direction, Look};

    fn slot(lock: PositionLock) -> Slot {
        Slot {
            state: SlotState::Running,
            link_frames: 4_800,
            ns_per_frame_q32: (1_000_000_000 << 32) / 48_000,
            error_ns: 20_000,
            dma_lead_frames: 16,
            codec_delay_frames: 7,
            lock: Some(lock),
            ..Slot::default()
        }
    }

    #[test]
    fn what_a_young_run_may_not_have_fetched_is_not_overwritten() {
        let look = |link_frames, direction| {
            let slot = Slot { link_frames, error_ns: 0, dma_lead_frames: 0, ..slot(PositionLock::Locked) };
            look_at(&slot, None, direction, 0).certain_frames
        };
        assert_eq!([48, 113, 960].map(|frames| look(frames, Direction::Playback)), [0, 63, 910]);
        assert_eq!(look(962, Direction::Playback), 961);
        assert_eq!(look(113, Direction::Capture), 112);
    }

    #[test]
    fn by_the_links_clock_a_position_moves_on_between_looks() {
        // 5 ms later, within 50 us.
        let now = Some(Now { frames: 5_040, error_ns: 50_000, system_ns: 5_000_000 });
        let look = look_at(&slot(PositionLock::Locked), now, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames, look.codec_delay_frames), (5_040, 5_040 - 3, 7));
        // For capture, subtract the largest lead seen: that many frames may again be missing in
        // memory.
        let look = look_at(&slot(PositionLock::Locked), now, Direction::Capture, 40);
        assert_eq!((look.link_frames, look.certain_frames), (5_040, 5_040 - 3 - 40));
    }

    #[test]
    fn a_counter_that_moves_in_steps_is_certain_of_what_it_has_shown() {
        let now = Some(Now { frames: 5_040, error_ns: 100_000_000, system_ns: 5_000_000 });
        let look = look_at(&slot(PositionLock::Coarse), now, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames), (5_040, 4_800));
        let look = look_at(&slot(PositionLock::Coarse), now, Direction::Capture, 40);
        assert_eq!(look.certain_frames, 4_800 - 16);
    }

    #[test]
    fn only_the_pages_refresh_has_news_of_a_counter_that_moves_in_steps() {
        const MS: u64 = 1_000_000;
        let after_ns = |lock, time_ns, system_ns| {
            let now = Some(Now { frames: 5_040, error_ns: 50_000, system_ns });
            let slot = Slot { time_ns, ..slot(lock) };
            look_at(&slot, now, Direction::Playback, 16).news_after_ns
        };
        let coarse = |time_ns, system_ns| after_ns(PositionLock::Coarse, time_ns, system_ns);
        // Published at the last multiple of 10 ms, a little before it, or at a request since.
        assert_eq!(coarse(50 * MS, 50 * MS), 10 * MS + 100_000);
        assert_eq!(coarse(50 * MS - 125_000, 51 * MS), 9 * MS + 100_000);
        assert_eq!(coarse(59 * MS, 59 * MS + 900_000), 200_000);
        // The refresh is due, or late, or never comes: the program neither spins nor sleeps for long.
        assert_eq!(coarse(50 * MS, 60 * MS + 10_000), 90_000);
        assert_eq!(coarse(50 * MS, 60 * MS + 300_000), 500_000);
        assert_eq!(coarse(0, u64::MAX), 500_000);
        // The driver domain's clock may be a little ahead of this guest's map of it.
        assert_eq!(coarse(u64::MAX, 52 * MS), 8 * MS + 100_000);
        assert_eq!(after_ns(PositionLock::Locked, 50 * MS, 51 * MS), 0);
        assert_eq!(look_at(&slot(PositionLock::Coarse), None, Direction::Playback, 16).news_after_ns, 0);
    }

    #[test]
    fn what_was_published_is_enough_while_the_clock_is_not_known() {
        let look = look_at(&slot(PositionLock::Locked), None, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames), (4_800, 4_800 - 1));
        let none = Slot { lock: None, ..slot(PositionLock::Locked) };
        assert_eq!(look_at(&none, None, Direction::Playback, 16), Look::default());
    }
}
