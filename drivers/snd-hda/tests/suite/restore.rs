//! The power goes and comes back, as in suspend to RAM: routes are what they were, streams say so and go on.

use crate::common::*;
use snd_hda::stream::start_together;
use snd_hda::{BringUpError, Direction, RouteIndex, SampleBits};
use snd_hda_model::{Bench, Codec, Faults, Model, Profile};

fn two_codecs() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).codec(2, Codec::duplex()).build()
}

/// Away for a second, with the clock of the link at 0 afterwards.
fn sleep(model: &Model) {
    model.power_cycle();
    model.advance_ns(1_000 * MILLISECOND);
}

fn output_buffer(model: &Model, size_bytes: u32) -> TestBuffer {
    let buffer = TestBuffer::new(model, size_bytes, Direction::Output);
    buffer.write(0, &signal(cd_like(), 0..u64::from(size_bytes / 4)));
    buffer
}

/// The frame of the test signal that was played first, among those of a buffer.
fn first_frame(model: &Model, codec: usize, buffer_frames: u64) -> u64 {
    let played = model.played(codec, 2);
    let found = (0..buffer_frames).find(|frame| {
        (0..2).all(|channel| played.frame(0)[channel as usize] == sample(SampleBits::Bits16, *frame, channel))
    });
    found.unwrap_or_else(|| panic!("{:?} is nothing of the buffer's", played.frame(0)))
}

#[test]
fn a_stream_that_ran_says_so_and_starts_again_on_its_route() {
    let model = two_codecs();
    let mut controller = bring_up(&model).expect("up");
    let format = cd_like();
    let stream = open(&mut controller, RouteIndex(0), format, output_buffer(&model, 65_536));
    let mut stream = stream.start().expect("started");
    model.advance_ns(100 * MILLISECOND);
    let before = stream.poll();
    assert_eq!(before.descriptor_errors, 0);
    let heard = model.audible(0);
    assert_eq!(heard.len(), 1);

    assert!(!controller.has_lost_state());
    sleep(&model);
    assert!(controller.has_lost_state());
    for n in 1..4 {
        let lost = stream.poll();
        assert_eq!(lost.descriptor_errors, n);
        assert_eq!(lost.position.bytes, before.position.bytes, "it stands");
        assert_eq!(lost.link, None);
    }
    model.memory().limit_regions(0);
    controller.restore().expect("restored");
    assert_eq!(model.audible(0), heard);
    assert_eq!(model.audible(2), []);
    assert!(controller.uses_command_rings() && controller.has_linked_start());
    assert!(stream.poll().descriptor_errors > 0, "it doesn't run by itself");

    let (stream, last) = stream.stop().expect("stopped");
    assert_eq!(last.position.bytes, before.position.bytes);
    let _ = model.take_played(0, 2);
    let mut stream = stream.start().expect("started");
    model.advance_ns(200 * MILLISECOND);
    let status = stream.poll();
    assert_eq!((status.descriptor_errors, status.fifo_errors, status.anomalies), (0, 0, 0));
    assert!(status.position.bytes > 30_000 && status.link.is_some());
    assert!(frames_exact(&model.played(0, 2), format, 0) > 8_000);
    drop(stream);
    model.assert_clean();
}

#[test]
fn a_stream_goes_on_about_where_it_was() {
    for pauses_first in [true, false] {
        let model = two_codecs();
        let mut controller = bring_up(&model).expect("up");
        let stream = open(&mut controller, RouteIndex(0), cd_like(), output_buffer(&model, 65_536));
        let mut stream = stream.start().expect("started");
        // Not in the first round through the buffer.
        model.advance_ns(500 * MILLISECOND);
        let before = stream.poll().position.bytes;
        assert!(before > 65_536);
        let mut paused = if pauses_first {
            let paused = stream.pause().expect("paused");
            sleep(&model);
            controller.restore().expect("restored");
            paused
        } else {
            sleep(&model);
            controller.restore().expect("restored");
            stream.pause().expect("paused")
        };
        let at_pause = paused.status().position.bytes;
        assert!(at_pause >= before && at_pause <= before + 64, "{before} {at_pause}");
        let _ = model.take_played(0, 2);
        let mut stream = paused.resume().expect("resumed");
        model.advance_ns(10 * MILLISECOND);
        let status = stream.poll();
        assert_eq!((status.descriptor_errors, status.fifo_errors, status.anomalies), (0, 0, 0));
        let went_on = status.position.bytes - at_pause;
        assert!((1_600..2_100).contains(&went_on), "{went_on} bytes in 10 ms");
        // Less than 128 bytes are heard once more.
        let frame = first_frame(&model, 0, 16_384);
        let place = at_pause / 4 % 16_384;
        assert!(frame <= place && frame + 32 > place, "{frame} {place}");
        assert!(frames_exact(&model.played(0, 2), cd_like(), frame) > 400);
        // The stream's other half of life.
        let (stream, _) = stream.stop().expect("stopped");
        let mut stream = stream.start().expect("started");
        model.advance_ns(10 * MILLISECOND);
        assert!(stream.poll().position.bytes > 0);
        drop(stream);
        model.assert_clean();
    }
}

#[test]
fn streams_that_had_not_started_start_as_if_nothing_had_been() {
    let model = two_codecs();
    let mut controller = bring_up(&model).expect("up");
    let first = open(&mut controller, RouteIndex(0), cd_like(), output_buffer(&model, 65_536));
    let mut second = open(&mut controller, RouteIndex(1), cd_like(), output_buffer(&model, 65_536));
    second.arm().expect("armed");
    sleep(&model);
    controller.restore().expect("restored");
    let ([first, second], start) = start_together([first, second]).expect("started");
    assert!(start.is_synchronized());
    model.advance_ns(50 * MILLISECOND);
    for codec in [0, 2] {
        assert!(frames_exact(&model.played(codec, 2), cd_like(), 0) > 2_000);
    }
    drop((first, second));
    model.assert_clean();
}

#[test]
fn recordings_go_on() {
    let model = two_codecs();
    let mut controller = bring_up(&model).expect("up");
    model.set_source(0, 4, move |frame, channel| sample(SampleBits::Bits16, frame.index, channel as u64));
    let input = route(&controller, Direction::Input);
    let buffer = TestBuffer::new(&model, 65_536, Direction::Input);
    let stream = open(&mut controller, input, cd_like(), buffer);
    let mut stream = stream.start().expect("started");
    model.advance_ns(50 * MILLISECOND);
    let recorded = model.recorded(0);
    assert_eq!(recorded.len(), 1);
    sleep(&model);
    assert_eq!(stream.poll().descriptor_errors, 1);
    controller.restore().expect("restored");
    assert_eq!(model.recorded(0), recorded);
    let (stream, _) = stream.stop().expect("stopped");
    let mut stream = stream.start().expect("started");
    model.advance_ns(50 * MILLISECOND);
    assert!(stream.poll().position.bytes > 8_000);
    drop(stream);
    model.assert_clean();
}

#[test]
fn a_codec_that_does_not_come_back_is_named_and_the_others_are_restored() {
    let model = two_codecs();
    let mut controller = bring_up(&model).expect("up");
    let _other = open(&mut controller, RouteIndex(0), cd_like(), output_buffer(&model, 65_536));
    let _stream = open(&mut controller, RouteIndex(1), cd_like(), output_buffer(&model, 65_536));
    let heard = model.audible(2);
    model.power_cycle();
    model.edit_faults(|faults| faults.silent_codecs = 1);
    let before = model.now_ns();
    let Err(BringUpError::NoAnswer(error)) = controller.restore() else { panic!("an error") };
    assert_eq!(error.codec.get(), 0);
    assert!(model.now_ns() - before < 4_000 * MILLISECOND, "bounded");
    assert_eq!(model.audible(2), heard);
    // Once it answers, all is well.
    model.edit_faults(|faults| *faults = Faults::default());
    controller.restore().expect("restored");
    assert_eq!((model.audible(0).len(), model.audible(2)), (1, heard));
}

#[test]
fn of_many_failed_commands_the_first_is_reported() {
    let model = two_codecs();
    let mut controller = bring_up(&model).expect("up");
    model.power_cycle();
    model.edit_faults(|faults| faults.silent_codecs = 0b101);
    let Err(BringUpError::NoAnswer(error)) = controller.restore() else { panic!("an error") };
    // Codec 0's function group is asked for D0 first.
    assert_eq!((error.codec.get(), error.node.get(), error.verb.bits()), (0, 1, 0x70500));
    assert!(error.to_string().starts_with("codec 0 node 0x1 did not answer verb 0x70500"), "{error}");
}

#[test]
fn without_a_controller_or_codecs_there_is_an_error() {
    let model = two_codecs();
    let mut controller = bring_up(&model).expect("up");
    model.edit_faults(|faults| faults.off_the_bus = true);
    assert_eq!(controller.restore(), Err(BringUpError::NoController));
    assert!(controller.has_lost_state(), "it is to be tried again, whatever GCTL reads");
    model.edit_faults(|faults| *faults = Faults { reset_never_left: true, ..Faults::default() });
    assert!(matches!(controller.restore(), Err(BringUpError::Reset(_))));
    model.edit_faults(|faults| *faults = Faults::default());
    assert_eq!(controller.restore(), Ok(()));
    assert!(!controller.has_lost_state());
}

#[test]
fn it_may_be_done_while_nothing_is_lost() {
    for profile in [Profile::hardware(), Profile::qemu()] {
        let codec = if profile.strict { Codec::duplex() } else { Codec::qemu_duplex() };
        let model = Bench::new(profile).codec(0, codec).build();
        let mut controller = bring_up(&model).expect("up");
        let stream = open(&mut controller, RouteIndex(0), cd_like(), output_buffer(&model, 65_536));
        let stream = stream.start().expect("started");
        model.advance_ns(50 * MILLISECOND);
        let heard = model.audible(0);
        controller.restore().expect("restored");
        assert_eq!(model.audible(0), heard);
        let (stream, _) = stream.stop().expect("stopped");
        let _ = model.take_played(0, 2);
        let stream = stream.start().expect("started");
        model.advance_ns(50 * MILLISECOND);
        assert!(frames_exact(&model.played(0, 2), cd_like(), 0) > 500);
        drop(stream);
        model.assert_clean();
    }
}
