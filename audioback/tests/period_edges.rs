//! The rules of CUR_POS, held against the way Linux's front end counts periods.

use audioback::period_edges::{EventPacer, LOOK_INTERVAL_NS_MAX, LOOK_INTERVAL_NS_MIN};
use proptest::prelude::*;

const RATE_HZ: u32 = 48_000;
const FRAME_BYTES: u32 = 4;
const PERIOD_BYTES: u32 = 1_920;
const BUFFER_BYTES: u32 = 65_536;

fn pacer() -> EventPacer {
    EventPacer::new(RATE_HZ, FRAME_BYTES, BUFFER_BYTES, PERIOD_BYTES)
}

/// What snd_xen_front does with positions: it adds up differences, and counts a period when the sum exceeds one.
#[derive(Default)]
struct LinuxPeriods {
    last_frames: u64,
    out_frames: u64,
    elapsed: u64,
}

impl LinuxPeriods {
    fn position(&mut self, bytes: u64, period_frames: u64) {
        let frames = bytes / u64::from(FRAME_BYTES);
        self.out_frames += frames.checked_sub(self.last_frames).expect("a position that went back");
        self.last_frames = frames;
        if self.out_frames > period_frames {
            self.out_frames %= period_frames;
            self.elapsed += 1;
        }
    }
}

#[test]
fn a_position_on_the_edge_is_not_past_it() {
    let pacer = pacer();
    assert_eq!(pacer.due(0), None);
    assert_eq!(pacer.due(u64::from(PERIOD_BYTES)), None);
    assert_eq!(pacer.due(u64::from(PERIOD_BYTES + FRAME_BYTES)), Some(u64::from(PERIOD_BYTES + FRAME_BYTES)));
}

#[test]
fn every_look_at_the_predicted_time_wakes_linux_once_a_period() {
    let mut pacer = pacer();
    let mut linux = LinuxPeriods::default();
    let (mut now_ns, mut events) = (0u64, 0);
    while events < 1_000 {
        let frames = now_ns * u64::from(RATE_HZ) / 1_000_000_000;
        let bytes = frames * u64::from(FRAME_BYTES);
        if let Some(count) = pacer.due(bytes) {
            pacer.posted(count);
            linux.position(count, u64::from(PERIOD_BYTES / FRAME_BYTES));
            events += 1;
            assert_eq!(linux.elapsed, events, "an event that woke nobody, at {bytes} bytes");
        }
        now_ns += pacer.next_look(bytes).0;
    }
    let periods = now_ns * u64::from(RATE_HZ) / 1_000_000_000 / u64::from(PERIOD_BYTES / FRAME_BYTES);
    assert!(events.abs_diff(periods) <= 1, "{events} events in {periods} periods");
}

#[test]
fn without_a_period_there_are_no_events() {
    let mut pacer = EventPacer::new(RATE_HZ, FRAME_BYTES, BUFFER_BYTES, 0);
    assert_eq!(pacer.due(1 << 40), None);
    assert_eq!(pacer.fresh(1 << 40), None);
    assert_eq!(pacer.stop(1 << 40), None);
}

#[test]
fn stop_rounds_up_to_a_whole_buffer_and_the_next_run_goes_on_from_there() {
    let mut pacer = pacer();
    assert_eq!(pacer.stop(10_000), Some(u64::from(BUFFER_BYTES)));
    pacer.posted(u64::from(BUFFER_BYTES));
    assert_eq!(pacer.begin(), None, "it was told at STOP");
    assert_eq!(pacer.fresh(0), None, "START has played nothing yet");
    let eighth = u64::from(PERIOD_BYTES) / 8;
    assert_eq!(pacer.fresh(eighth), None, "the front end's pointer is fresh enough");
    assert_eq!(pacer.fresh(eighth + 4), Some(u64::from(BUFFER_BYTES) + eighth + 4));
    assert_eq!(pacer.stop(0), None, "a run without a frame is no news");
}

#[test]
fn a_stop_that_found_no_room_still_moves_the_next_run_to_a_whole_buffer() {
    let mut pacer = pacer();
    assert!(pacer.stop(10_000).is_some());
    // Not posted: the event page was full. START says it again, before the run's own positions.
    assert_eq!(pacer.begin(), Some(u64::from(BUFFER_BYTES)));
    // And if there still is no room, the run's first look is due at once, and its count is whole.
    assert_eq!(pacer.due(4), Some(u64::from(BUFFER_BYTES) + 4));
}

#[test]
fn a_front_end_that_takes_no_events_is_looked_at_no_more_often() {
    let mut pacer = pacer();
    let mut at = u64::from(PERIOD_BYTES + FRAME_BYTES);
    for _ in 0..10 {
        let bytes = pacer.due(at).expect("past an edge, and owed");
        pacer.found_no_room(bytes);
        assert!(pacer.next_look(at).0 > 9_000_000, "{} ns", pacer.next_look(at).0);
        at += u64::from(PERIOD_BYTES);
    }
    // Room at last: the newest count, even before the next edge.
    assert_eq!(pacer.due(at), Some(at));
    pacer.posted(at);
    assert_eq!(pacer.due(at), None);
}

#[test]
fn what_was_told_is_not_told_again() {
    let mut pacer = pacer();
    assert_eq!(pacer.fresh(400), Some(400));
    pacer.posted(400);
    assert_eq!(pacer.fresh(400), None);
}

#[test]
fn positions_that_move_in_steps_cost_one_look_a_period() {
    // A millisecond's frames at a time, as an emulated controller has it.
    let step = u64::from(RATE_HZ) / 1000 * u64::from(FRAME_BYTES);
    let bytes_at = |ns: u64| {
        let bytes = u128::from(ns) * u128::from(RATE_HZ) * u128::from(FRAME_BYTES) / 1_000_000_000;
        bytes as u64 / step * step
    };
    let mut pacer = pacer();
    let (mut now_ns, mut looks, mut events) = (0u64, 0, 0);
    let until_ns = 2_000_000_000;
    while now_ns < until_ns {
        let bytes = bytes_at(now_ns);
        looks += 1;
        if let Some(bytes) = pacer.due(bytes) {
            pacer.posted(bytes);
            events += 1;
        }
        now_ns += pacer.next_look(bytes).0;
    }
    assert!(looks - events <= 20, "{looks} looks for {events} events");
}

#[test]
fn a_look_that_came_too_early_moves_the_next_ones_by_a_quarter_of_the_slack() {
    // The slack is 2,400 bytes.
    let mut pacer = EventPacer::new(RATE_HZ, FRAME_BYTES, 1 << 20, 19_200);
    let bytes_ns = |bytes: u64| bytes * 1_000_000_000 / u64::from(RATE_HZ * FRAME_BYTES);
    for margin_bytes in [600, 1_200, 1_800, 2_400, 2_400] {
        assert_eq!(pacer.next_look(19_000).0, bytes_ns(204 + margin_bytes));
    }
}

proptest! {
    /// Whatever the rate, frame, buffer and position: a look is never more than bounds away, nothing overflows.
    #[test]
    fn looks_stay_within_bounds(rate in 0u32.., frame in 0u32.., buffer in 0u32.., period in 0u32.., at in 0u64..) {
        let mut pacer = EventPacer::new(rate, frame, buffer, period);
        let look = pacer.next_look(at).0;
        prop_assert!((LOOK_INTERVAL_NS_MIN..=LOOK_INTERVAL_NS_MAX).contains(&look));
        if let Some(bytes) = pacer.due(at) {
            pacer.posted(bytes);
            prop_assert_eq!(pacer.due(at), None);
        }
        if let Some(bytes) = pacer.stop(at) {
            prop_assert!(bytes >= at);
            prop_assert!(bytes == u64::MAX || bytes % u64::from(buffer.max(1)) == 0);
        }
    }

    /// Random looks, with hints in between: the counts told never go back and Linux loses no period for good.
    #[test]
    fn counts_told_never_go_back(steps in prop::collection::vec((0u64..6_000, any::<bool>(), 0u8..40), 1..200)) {
        let mut pacer = pacer();
        let (mut run, mut told) = (0u64, 0u64);
        for (step, hint, stop) in steps {
            run += step / 4 * 4;
            let news = if stop == 0 {
                let news = pacer.stop(run);
                run = 0;
                news
            } else if hint {
                pacer.fresh(run)
            } else {
                pacer.due(run)
            };
            if let Some(bytes) = news {
                prop_assert!(bytes > told);
                told = bytes;
                pacer.posted(bytes);
            }
        }
    }
}
