//! Computes the plug-in's position from a slot of the control page.

use sndif::control_page::{PositionLock, Slot};

use crate::card::{Direction, Look};

/// A run is young for so long. A counter that moves in steps is not known as such yet.
const YOUNG_NS: u64 = 20_000_000;
/// The largest known step: QEMU's controller fetches what the link has taken each millisecond.
const STEP_NS: u64 = 1_000_000;

/// The position that a slot implies. `now`: its position extrapolated by the clock, with its error
/// bound in nanoseconds.
pub(crate) fn look_at(
    slot: &Slot,
    now: Option<(u64, u64)>,
    direction: Direction,
    lead_max_frames: u64,
) -> Look {
    if slot.lock.is_none() {
        return Look::default();
    }
    let capture = direction == Direction::Capture;
    let lead = |frames: u64| if capture { frames } else { 0 };
    // A hardware counter has shown that these frames passed, or are in memory.
    let counted = slot.link_frames.saturating_sub(lead(slot.dma_lead_frames.into()));
    let (link_frames, error_ns) = now.unwrap_or((slot.link_frames, slot.error_ns.into()));
    // Between two readings only a counter locked to the link's clock advances with it.
    let certain_frames = if slot.lock == Some(PositionLock::Locked) {
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

    use super::look_at;
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
        let now = Some((5_040, 50_000));
        let look = look_at(&slot(PositionLock::Locked), now, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames, look.codec_delay_frames), (5_040, 5_040 - 3, 7));
        // For capture, subtract the largest lead seen: that many frames may again be missing in
        // memory.
        let look = look_at(&slot(PositionLock::Locked), now, Direction::Capture, 40);
        assert_eq!((look.link_frames, look.certain_frames), (5_040, 5_040 - 3 - 40));
    }

    #[test]
    fn a_counter_that_moves_in_steps_is_certain_of_what_it_has_shown() {
        let now = Some((5_040, 100_000_000));
        let look = look_at(&slot(PositionLock::Coarse), now, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames), (5_040, 4_800));
        let look = look_at(&slot(PositionLock::Coarse), now, Direction::Capture, 40);
        assert_eq!(look.certain_frames, 4_800 - 16);
    }

    #[test]
    fn what_was_published_is_enough_while_the_clock_is_not_known() {
        let look = look_at(&slot(PositionLock::Locked), None, Direction::Playback, 16);
        assert_eq!((look.link_frames, look.certain_frames), (4_800, 4_800 - 1));
        let none = Slot { lock: None, ..slot(PositionLock::Locked) };
        assert_eq!(look_at(&none, None, Direction::Playback, 16), Look::default());
    }
}
