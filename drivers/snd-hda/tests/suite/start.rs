//! When frame 0 was at the link, where the counters have something else in mind.

use snd_hda::Rate;
use snd_hda::position::{Bracket, Cadence, LinkTracker};

const AFTER_RUN: u64 = 1_000_500;
const TICKS_PER_MS: u64 = 24_000;

/// The starts that are told, at each look of a second, for a counter that is so many frames ahead of the clock in the end: it
/// takes a tenth of a second to get there.
fn starts(lead_frames: i64) -> Vec<Option<u64>> {
    let bracket = Bracket { before: 1_000_100, after: 1_000_200 };
    let cadence = Cadence::of(Rate::from_hz(48_000).expect("a rate"));
    let mut tracker = LinkTracker::new(cadence, bracket, false, true);
    (1..=200)
        .map(|look| {
            let now = AFTER_RUN + look * 5 * TICKS_PER_MS;
            let lead = lead_frames * look.min(20).cast_signed() / 20;
            let frames = (look * 240).saturating_add_signed(lead);
            tracker.observe(frames, 0, Bracket { before: now, after: now + 10 });
            tracker.count(now + 10).start_ticks
        })
        .collect()
}

#[test]
fn a_counter_with_buffers_of_its_own_moves_no_start() {
    // QEMU's, in playback and capture.
    for lead_frames in [1_755, -739] {
        for start in starts(lead_frames) {
            let off = start.expect("told").abs_diff(AFTER_RUN);
            assert!(off <= 500, "{lead_frames} frames ahead: {off} ticks off");
        }
        assert_eq!(starts(lead_frames).last(), Some(&Some(AFTER_RUN)));
    }
}

#[test]
fn a_counter_that_keeps_to_the_clock_tells_the_start() {
    let last = starts(0).last().copied().flatten().expect("told");
    assert!(last.abs_diff(AFTER_RUN) <= 500, "{last}");
}
