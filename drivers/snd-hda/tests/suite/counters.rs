//! Counters that don't count what is at the link: the line from RUN is what is stated, and the bound covers both.

use snd_hda::Rate;
use snd_hda::position::{Bracket, Cadence, LinkCount, LinkSource, LinkTracker};

const TICKS_PER_MS: u64 = 24_000;
const RUN: Bracket = Bracket { before: 1_000_100, after: 1_000_120 };
/// The link frame after RUN.
const START: u64 = 1_000_500;
const LEAST_BOUND: u64 = 64 * TICKS_PER_MS;

fn without_ssync() -> LinkTracker {
    LinkTracker::new(Cadence::of(Rate::from_hz(48_000).expect("a rate")), RUN, false, true)
}

/// Looks `ms` after the start at a counter that shows as many milliseconds of sound.
fn look(tracker: &mut LinkTracker, ms: u64, shown_ms: u64) -> LinkCount {
    let now = START + ms * TICKS_PER_MS;
    tracker.observe(shown_ms * 48, 0, Bracket { before: now - 10, after: now });
    let count = tracker.count(now);
    assert_eq!(count.start_ticks, Some(START));
    assert_eq!((count.source, count.is_held), (LinkSource::WallClock, false));
    count
}

#[test]
fn one_that_gets_ahead_or_falls_behind_and_then_keeps_the_rate_moves_nothing() {
    for lead in [true, false] {
        let mut tracker = without_ssync();
        for ms in 1..2_000_u64 {
            let shown_ms = if lead { ms + (ms / 3).min(31) } else { ms.saturating_sub(17) };
            let count = look(&mut tracker, ms, shown_ms);
            assert_eq!(count.frames, ms * 48);
            assert_eq!(count.breaks, 0);
            assert!(count.error_ticks >= LEAST_BOUND);
        }
    }
}

#[test]
fn one_that_stands_still_for_long_is_a_break() {
    let mut tracker = without_ssync();
    let mut last = 0;
    for ms in 1..1_000 {
        let shown_ms = if ms < 100 {
            ms + 20
        } else if ms < 300 {
            120
        } else {
            ms - 180
        };
        let count = look(&mut tracker, ms, shown_ms);
        assert!(count.frames >= last);
        last = count.frames;
        assert_eq!(count.breaks > 0, ms >= 185, "{ms} ms");
        // What was lost is in the bound.
        let apart_ms = ms.abs_diff(shown_ms);
        assert!(count.error_ticks >= apart_ms * TICKS_PER_MS, "{ms} ms: {count:?}");
    }
}

#[test]
fn one_that_leads_a_start_by_ssync_does_not_move_it_either() {
    let mut tracker = LinkTracker::new(Cadence::of(Rate::from_hz(48_000).expect("a rate")), RUN, true, true);
    for ms in 1..100 {
        let count = look(&mut tracker, ms, ms + 5);
        assert_eq!((count.frames, count.breaks), (ms * 48, 0));
        assert!(count.error_ticks >= 5 * TICKS_PER_MS);
    }
}
