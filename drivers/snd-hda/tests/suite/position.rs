//! Positions: to the frame where the hardware is exact, monotone and bounded by the wall clock where it isn't.

use crate::common::*;
use proptest::prelude::*;
use snd_hda::Direction;
use snd_hda::stream::{PositionChoice, PositionSource};
use snd_hda_model::{Bench, Codec, Faults, LinkPositionFault, Model, Profile};

struct Playing {
    model: Model,
    stream: RunningStream,
    index: usize,
    _controller: TestController,
}

fn playing(bench: Bench, size_bytes: u32) -> Playing {
    let model = bench.codec(0, Codec::output()).build();
    let mut controller = bring_up(&model).expect("up");
    let buffer = TestBuffer::new(&model, size_bytes, Direction::Output);
    let route = route(&controller, Direction::Output);
    let stream = open(&mut controller, route, cd_like(), buffer);
    let index = usize::from(stream.index());
    let stream = stream.start().expect("started");
    Playing { model, stream, index, _controller: controller }
}

impl Playing {
    /// Frames by the driver, and by the model at about the same time.
    fn frames(&mut self) -> (u64, u64) {
        let truth = self.model.true_link_frames(self.index);
        (self.stream.poll().position.bytes / 4, truth)
    }
}

#[test]
fn a_choice_holds_for_streams_taken_later() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).build();
    let mut controller = bring_up(&model).expect("up");
    let route = route(&controller, Direction::Output);
    let mut source_with = |choice, later| {
        controller.set_position_choice(choice);
        let buffer = TestBuffer::new(&model, 8192, Direction::Output);
        let stream = open(&mut controller, route, cd_like(), buffer);
        controller.set_position_choice(later);
        let mut stream = stream.start().expect("started");
        model.advance_ns(20 * MILLISECOND);
        let status = stream.poll();
        assert!(status.position.bytes > 0, "{choice:?}: it moves");
        let (stream, _) = stream.stop().expect("stopped");
        let (stream, _) = stream.release().expect("released");
        controller.disconnect(route).expect("disconnected");
        controller.give_back(stream);
        status.source
    };
    use PositionChoice::{Auto, Link, Memory};
    assert_eq!(source_with(Auto, Memory), PositionSource::Link);
    assert_eq!(source_with(Memory, Link), PositionSource::Memory);
    assert_eq!(source_with(Link, Memory), PositionSource::Link);
}

#[test]
fn follows_the_link_to_the_frame_over_many_buffers() {
    let mut playing = playing(Bench::new(Profile::hardware()), 8192);
    for step in 0..2_000_u64 {
        playing.model.advance_ns(1_234_567 + step * 10_000 % (20 * MILLISECOND));
        let (frames, truth) = playing.frames();
        // A poll's accesses may cross into the next link frame.
        assert!(frames == truth || frames == truth + 1, "{frames} {truth}");
    }
    assert!(playing.model.true_link_frames(playing.index) > 100 * 2048);
}

#[test]
fn does_not_lose_a_buffer_when_nobody_looks_for_a_minute() {
    let mut playing = playing(Bench::new(Profile::hardware()), 8192);
    playing.model.advance_ns(61_234 * MILLISECOND);
    let (frames, truth) = playing.frames();
    assert!(frames == truth || frames == truth + 1, "{frames} {truth}");
}

#[test]
fn follows_a_link_clock_that_is_fast_or_slow() {
    for drift_ppm in [-500, 500] {
        let mut playing = playing(Bench::new(Profile::hardware()).drift_ppm(drift_ppm), 65_536);
        let start_ns = playing.model.now_ns();
        for _ in 0..100 {
            playing.model.advance_ns(100 * MILLISECOND);
            let (frames, truth) = playing.frames();
            assert!(frames == truth || frames == truth + 1, "{frames} {truth}");
        }
        let nominal = (playing.model.now_ns() - start_ns) * 48 / 1_000_000;
        let drifted = playing.frames().0 as i64 - nominal as i64;
        let expected = nominal as i64 * i64::from(drift_ppm) / 1_000_000;
        assert!((drifted - expected).abs() < 4, "{drifted} {expected}");
    }
}

#[test]
fn goes_on_over_the_wall_clock_s_wrap() {
    // Ten milliseconds after it starts.
    let profile = Profile { wall_clock_start: u32::MAX - 240_000, ..Profile::hardware() };
    let mut playing = playing(Bench::new(profile), 16_384);
    for _ in 0..500 {
        playing.model.advance_ns(40 * MILLISECOND);
        let (frames, truth) = playing.frames();
        assert!(frames == truth || frames == truth + 1, "{frames} {truth}");
    }
}

#[test]
fn is_whole_frames_when_lpib_tears() {
    let faults = Faults { link_position: LinkPositionFault::Torn, ..Faults::default() };
    let mut playing = playing(Bench::new(Profile::hardware()).faults(faults), 8192);
    let mut last = 0;
    for step in 0..3_000_u64 {
        playing.model.advance_ns(17_321 + step % 7 * 1_000);
        let bytes = playing.stream.poll().position.bytes;
        assert!(bytes.is_multiple_of(4) && bytes >= last);
        last = bytes;
    }
    assert!(last > 8192);
}

#[test]
fn garbage_in_lpib_stays_monotone_and_below_what_the_wall_clock_allows() {
    for seed in 1..20 {
        let mut playing = playing(Bench::new(Profile::hardware()), 65_536);
        playing.model.advance_ns(50 * MILLISECOND);
        let faults = |fault| move |faults: &mut Faults| faults.link_position = fault;
        playing.model.edit_faults(faults(LinkPositionFault::Garbage { seed }));
        let mut last = 0;
        let mut anomalies = 0;
        for _ in 0..200 {
            playing.model.advance_ns(5 * MILLISECOND);
            let truth = playing.model.true_link_frames(playing.index);
            let status = playing.stream.poll();
            let frames = status.position.bytes / 4;
            assert!(frames >= last, "went back");
            // 64 ms are 3072 frames.
            assert!(frames <= truth + 3072 + 2, "{frames} {truth}");
            last = frames;
            anomalies = status.anomalies;
        }
        assert!(anomalies > 0);
        // When LPIB is sound again, so is the position.
        playing.model.edit_faults(faults(LinkPositionFault::None));
        for _ in 0..100 {
            playing.model.advance_ns(5 * MILLISECOND);
            playing.frames();
        }
        let (frames, truth) = playing.frames();
        assert!(frames == truth || frames == truth + 1, "{frames} {truth}");
    }
}

#[test]
fn a_frozen_lpib_stands_still() {
    let mut playing = playing(Bench::new(Profile::hardware()), 65_536);
    playing.model.advance_ns(50 * MILLISECOND);
    playing.model.edit_faults(|faults| faults.link_position = LinkPositionFault::Frozen);
    let (first, _) = playing.frames();
    for _ in 0..100 {
        playing.model.advance_ns(5 * MILLISECOND);
        assert_eq!(playing.frames().0, first);
    }
}

#[test]
fn a_wall_clock_that_stands_still_is_not_relied_on() {
    let faults = Faults { wall_clock_stopped: true, ..Faults::default() };
    let mut playing = playing(Bench::new(Profile::hardware()).faults(faults), 65_536);
    for _ in 0..500 {
        // Less than the buffer's 341 ms, more than half of it.
        playing.model.advance_ns(250 * MILLISECOND);
        let (frames, truth) = playing.frames();
        assert!(frames == truth || frames == truth + 1, "{frames} {truth}");
    }
}

#[test]
fn qemu_s_steps_stay_within_the_slack() {
    let model = Bench::new(Profile::qemu()).codec(0, Codec::qemu_output()).build();
    let mut controller = bring_up(&model).expect("up");
    let buffer = TestBuffer::new(&model, 65_536, Direction::Output);
    let route = route(&controller, Direction::Output);
    let mut stream = open(&mut controller, route, cd_like(), buffer).start().expect("started");
    let start = model.now_ns();
    for step in 0..1_000 {
        model.advance_ns(5 * MILLISECOND);
        let status = stream.poll();
        let clock = (model.now_ns() - start) * 48 / 1_000_000;
        let ahead = (status.position.bytes / 4) as i64 - clock as i64;
        assert!((-100..1_600).contains(&ahead), "step {step}: {ahead} frames ahead");
        assert_eq!(status.anomalies, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever LPIB does from moment to moment, the position is whole frames, never goes back and never runs away.
    #[test]
    fn is_monotone_whatever_lpib_does(
        steps in prop::collection::vec((0_u8..6, 1_u64..30_000_000, any::<u64>()), 1..60),
        pages in 1_u32..32,
    ) {
        let mut playing = playing(Bench::new(Profile::hardware()), pages * 4096);
        let mut last = 0;
        for (kind, ns, seed) in steps {
            playing.model.edit_faults(|faults| {
                faults.link_position = match kind {
                    0 => LinkPositionFault::Zero,
                    1 => LinkPositionFault::Garbage { seed },
                    2 => LinkPositionFault::Frozen,
                    3 => LinkPositionFault::Torn,
                    4 => LinkPositionFault::Coarse { link_frames: 480 },
                    _ => LinkPositionFault::None,
                };
            });
            playing.model.advance_ns(ns);
            let truth = playing.model.true_link_frames(playing.index);
            let bytes = playing.stream.poll().position.bytes;
            prop_assert!(bytes.is_multiple_of(4));
            prop_assert!(bytes >= last);
            prop_assert!(bytes / 4 <= truth + 3072 + 2);
            last = bytes;
        }
    }
}
