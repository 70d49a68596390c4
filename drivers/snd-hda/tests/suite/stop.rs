//! Stops: over only when RUN reads back 0; the buffer stays with a stream that sticks; dropping stops.

use crate::common::*;
use snd_hda::{Direction, Registers};
use snd_hda_model::{Bench, Codec, Model, Profile};

fn model() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build()
}

fn running(
    model: &Model,
    controller: &mut TestController,
    direction: Direction,
) -> (RunningStream, usize, std::rc::Rc<std::cell::Cell<bool>>) {
    let buffer = TestBuffer::new(model, 8192, direction);
    let dropped = buffer.is_dropped.clone();
    let route = route(controller, direction);
    let stream = open(controller, route, cd_like(), buffer);
    let index = usize::from(stream.index());
    (stream.start().expect("started"), index, dropped)
}

#[test]
fn is_over_only_when_run_reads_back_0() {
    for direction in [Direction::Output, Direction::Input] {
        let model = model();
        let mut controller = bring_up(&model).expect("up");
        let (stream, index, _) = running(&model, &mut controller, direction);
        model.advance_ns(5 * MILLISECOND);
        // 1.5 ms until the engine lets go.
        model.edit_faults(|faults| faults.run_clear_delay_link_frames = 72);
        let (stream, _) = stream.stop().expect("stopped");
        assert!(!model.dma_running(index));
        let (_, buffer) = stream.release().expect("released");
        drop(buffer);
        model.advance_ns(50 * MILLISECOND);
        model.assert_clean();
    }
}

#[test]
fn a_stream_that_sticks_keeps_its_buffer_until_a_try_succeeds() {
    for direction in [Direction::Output, Direction::Input] {
        let model = model();
        let mut controller = bring_up(&model).expect("up");
        let (stream, index, dropped) = running(&model, &mut controller, direction);
        model.advance_ns(5 * MILLISECOND);
        model.edit_faults(|faults| faults.stuck_run = 1 << index);
        let before = model.now_ns();
        let mut still_running = stream.stop().expect_err("sticks");
        assert!(model.now_ns() - before < 100 * MILLISECOND, "bounded");
        assert_eq!(still_running.deadline.register, "SDnCTL");
        assert_eq!(usize::from(still_running.deadline.offset_bytes), 0x80 + index * 0x20);
        for _ in 0..3 {
            assert!(model.dma_running(index) && !dropped.get());
            still_running = still_running.stream.stop().expect_err("sticks");
        }
        still_running = still_running.stream.pause().expect_err("sticks");
        model.edit_faults(|faults| faults.stuck_run = 0);
        model.advance_ns(MILLISECOND);
        let (stream, _) = still_running.stream.stop().expect("stopped at last");
        let (stream, buffer) = stream.release().expect("released");
        controller.give_back(stream);
        drop(buffer);
        model.advance_ns(10 * MILLISECOND);
        model.assert_clean();
    }
}

/// Everybody waits with the driver, so a wait is short, and the stream's owner tries again.
#[test]
fn a_stream_that_is_late_is_stopped_by_a_later_try() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    let (mut stream, index, dropped) = running(&model, &mut controller, Direction::Output);
    model.advance_ns(5 * MILLISECOND);
    // 7 ms until the engine lets go.
    model.edit_faults(|faults| faults.run_clear_delay_link_frames = 336);
    for _ in 0..3 {
        let before = model.now_ns();
        stream = stream.stop().expect_err("too late").stream;
        let waited_ns = model.now_ns() - before;
        assert!(waited_ns < 2_100_000, "{waited_ns} ns");
        assert!(model.dma_running(index) && !dropped.get());
    }
    let (stream, _) = stream.stop().expect("stopped");
    drop(stream.release().expect("released"));
    model.advance_ns(10 * MILLISECOND);
    model.assert_clean();
}

/// The last try has more patience: the buffer would be lost for good.
#[test]
fn dropping_a_stream_that_is_late_frees_its_buffer() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    let (stream, index, dropped) = running(&model, &mut controller, Direction::Output);
    model.advance_ns(5 * MILLISECOND);
    // 15 ms until the engine lets go.
    model.edit_faults(|faults| faults.run_clear_delay_link_frames = 720);
    drop(stream);
    assert!(dropped.get() && !model.dma_running(index));
}

#[test]
fn dropping_a_stream_stops_its_dma_and_frees_its_buffer() {
    for direction in [Direction::Output, Direction::Input] {
        let model = model();
        let mut controller = bring_up(&model).expect("up");
        let (stream, index, dropped) = running(&model, &mut controller, direction);
        model.advance_ns(5 * MILLISECOND);
        drop(stream);
        assert!(dropped.get() && !model.dma_running(index));
        model.advance_ns(20 * MILLISECOND);
        model.assert_clean();
    }
}

#[test]
fn dropping_a_stream_that_sticks_leaks_its_buffer() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    let (stream, index, dropped) = running(&model, &mut controller, Direction::Input);
    model.advance_ns(5 * MILLISECOND);
    model.edit_faults(|faults| faults.stuck_run = 1 << index);
    drop(stream);
    assert!(!dropped.get(), "the pages are never freed");
    // The controller goes on writing them, and that is no violation: they are still allowed to it.
    model.advance_ns(20 * MILLISECOND);
    assert!(model.dma_running(index));
    model.assert_clean();
}

#[test]
fn nothing_is_touched_after_release() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    for round in 0..10 {
        let (output, _, _) = running(&model, &mut controller, Direction::Output);
        let (input, _, _) = running(&model, &mut controller, Direction::Input);
        model.advance_ns(MILLISECOND * (1 + round * 3));
        for stream in [output, input] {
            let (stream, _) = stream.stop().expect("stopped");
            let direction = stream.direction();
            let (stream, buffer) = stream.release().expect("released");
            // Its pages are forbidden from here on.
            drop(buffer);
            controller.disconnect(route(&controller, direction)).expect("disconnected");
            controller.give_back(stream);
        }
        model.advance_ns(20 * MILLISECOND);
        model.assert_clean();
    }
}

#[test]
fn descriptors_are_gone_after_release() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    let (stream, index, _) = running(&model, &mut controller, Direction::Output);
    let sd = 0x80 + index as u16 * 0x20;
    let list = u64::from(model.registers().read_u32(sd + 0x18));
    assert!(model.memory().peek(list, 4096).iter().any(|byte| *byte != 0));
    let (_, buffer) = stream.stop().expect("stopped").0.release().expect("released");
    assert!(!buffer.is_dropped.get());
    assert!(model.memory().peek(list, 4096).iter().all(|byte| *byte == 0));
    for offset in [0x08, 0x18, 0x1c] {
        assert_eq!(model.registers().read_u32(sd + offset), 0);
    }
}

#[test]
fn a_configured_stream_is_released_without_having_run() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    let stream = controller.take_stream(Direction::Output).expect("a descriptor");
    let stream = stream.configure(cd_like(), TestBuffer::new(&model, 8192, Direction::Output));
    let (stream, buffer) = stream.expect("configured").release().expect("released");
    assert!(!buffer.is_dropped.get());
    controller.give_back(stream);
}

#[test]
fn a_reset_that_sticks_gives_stream_and_buffer_back() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    let stream = controller.take_stream(Direction::Output).expect("a descriptor");
    model.edit_faults(|faults| faults.stream_reset_never_left = 1 << stream.index());
    let rejected = stream.configure(cd_like(), TestBuffer::new(&model, 8192, Direction::Output));
    let rejected = rejected.expect_err("rejected");
    assert!(!rejected.buffer.is_dropped.get());
    assert!(rejected.error.to_string().contains("SDnCTL"), "{}", rejected.error);
}

#[test]
fn a_stream_that_stays_in_reset_gives_its_buffer_back_and_is_left_alone() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    let (stream, index, _) = running(&model, &mut controller, Direction::Output);
    model.edit_faults(|faults| faults.stream_reset_never_left = 1 << index);
    let (stream, _) = stream.stop().expect("stopped");
    let (stream, buffer) = stream.release().expect("released");
    controller.give_back(stream);
    drop(buffer);
    model.advance_ns(10 * MILLISECOND);
    // A register written in stream reset would break a rule.
    model.assert_clean();
    let next = controller.take_stream(Direction::Output).expect("another");
    assert_ne!(usize::from(next.index()), index);
}

#[test]
fn descriptors_are_handed_out_once_and_come_back() {
    let model = model();
    let mut controller = bring_up(&model).expect("up");
    // Four of each kind, and one that does both.
    let outputs: Vec<_> = std::iter::from_fn(|| controller.take_stream(Direction::Output)).collect();
    assert_eq!(outputs.iter().map(|stream| stream.index()).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    let tags: Vec<_> = outputs.iter().map(|stream| stream.tag()).collect();
    assert_eq!(tags, [1, 2, 3, 4, 5]);
    let inputs: Vec<_> = std::iter::from_fn(|| controller.take_stream(Direction::Input)).collect();
    assert_eq!(inputs.iter().map(|stream| stream.index()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for stream in outputs {
        controller.give_back(stream);
    }
    let both = controller.take_stream(Direction::Input).expect("the bidirectional one");
    assert_eq!((both.index(), both.tag()), (8, 5));
}

#[test]
fn a_bidirectional_stream_plays_and_records() {
    for direction in [Direction::Output, Direction::Input] {
        let profile =
            Profile { input_streams: 0, output_streams: 0, bidirectional_streams: 2, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, Codec::duplex()).build();
        let mut controller = bring_up(&model).expect("up");
        model.set_source(0, 4, |frame, channel| {
            sample(snd_hda::SampleBits::Bits16, frame.index, channel as u64)
        });
        let buffer = TestBuffer::new(&model, 8192, direction);
        if direction == Direction::Output {
            buffer.write(0, &signal(cd_like(), 0..2048));
        }
        let route = route(&controller, direction);
        let stream = open(&mut controller, route, cd_like(), buffer).start().expect("started");
        model.advance_ns(20 * MILLISECOND);
        let (stream, status) = stream.stop().expect("stopped");
        let frames = status.position.bytes / 4;
        assert!(frames > 900);
        let (_, buffer) = stream.release().expect("released");
        if direction == Direction::Output {
            assert!(frames_exact(&model.played(0, 2), cd_like(), 0) >= frames);
        } else {
            assert_eq!(buffer.read()[..frames as usize * 4], signal(cd_like(), 0..frames));
        }
    }
}
