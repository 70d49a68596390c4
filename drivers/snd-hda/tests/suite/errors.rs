//! Stream errors: read, acknowledged, counted, and told by an interrupt.

use std::cell::Cell;
use std::rc::Rc;

use crate::common::*;
use snd_hda::{ConnectError, Direction, SampleBits};
use snd_hda_model::{Bench, Codec, Model, Profile};

fn playing() -> (Model, TestController, RunningStream, usize) {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut controller = bring_up(&model).expect("up");
    let buffer = TestBuffer::new(&model, 16_384, Direction::Output);
    let route = route(&controller, Direction::Output);
    let stream = open(&mut controller, route, cd_like(), buffer);
    let index = usize::from(stream.index());
    (model, controller, stream.start().expect("started"), index)
}

#[test]
fn fifo_errors_are_counted_and_acknowledged() {
    let (model, mut controller, mut stream, index) = playing();
    model.advance_ns(5 * MILLISECOND);
    for count in 1..=5 {
        model.raise_fifo_error(index);
        assert!(model.interrupt_pending());
        let report = controller.handle_interrupt();
        assert_eq!(report.streams, 1 << index);
        assert!(report.is_clean && !model.interrupt_pending());
        let status = stream.poll();
        assert_eq!((status.fifo_errors, status.descriptor_errors), (count, 0));
        assert_eq!(stream.poll().fifo_errors, count, "counted once");
        assert!(!model.interrupt_pending());
        model.advance_ns(MILLISECOND);
    }
}

#[test]
fn a_starved_stream_tells_its_underrun_and_goes_on() {
    let (model, _controller, mut stream, index) = playing();
    model.advance_ns(20 * MILLISECOND);
    model.starve(index, 200);
    model.advance_ns(20 * MILLISECOND);
    let status = stream.poll();
    assert!(status.fifo_errors > 0);
    let before = status.position.bytes;
    model.advance_ns(20 * MILLISECOND);
    let status = stream.poll();
    assert!(status.position.bytes > before + 4 * 900);
    assert_eq!(status.anomalies, 0);
}

#[test]
fn a_descriptor_error_is_counted_and_the_position_stands() {
    let (model, mut controller, mut stream, index) = playing();
    model.advance_ns(5 * MILLISECOND);
    model.raise_descriptor_error(index);
    model.advance_ns(MILLISECOND);
    assert_eq!(controller.handle_interrupt().streams, 1 << index);
    let status = stream.poll();
    assert_eq!(status.descriptor_errors, 1);
    model.advance_ns(30 * MILLISECOND);
    assert_eq!(stream.poll().position.bytes, status.position.bytes);
    let (stream, status) = stream.stop().expect("stopped");
    assert_eq!(status.descriptor_errors, 1);
    let (_, buffer) = stream.release().expect("released");
    drop(buffer);
    model.assert_clean();
}

#[test]
fn errors_count_from_start() {
    let (model, _controller, mut stream, index) = playing();
    model.raise_fifo_error(index);
    assert_eq!(stream.poll().fifo_errors, 1);
    let (stream, _) = stream.stop().expect("stopped");
    let mut stream = stream.start().expect("started again");
    model.advance_ns(MILLISECOND);
    assert_eq!(stream.poll().fifo_errors, 0);
}

#[test]
fn a_controller_that_is_gone_is_told_and_the_position_stands() {
    let (model, mut controller, mut stream, _) = playing();
    model.advance_ns(5 * MILLISECOND);
    let before = stream.poll();
    assert_eq!(before.descriptor_errors, 0);
    model.edit_faults(|faults| faults.off_the_bus = true);
    model.advance_ns(5 * MILLISECOND);
    let after = stream.poll();
    assert!(after.descriptor_errors > 0);
    assert_eq!(after.position.bytes, before.position.bytes);
    assert!(!controller.handle_interrupt().is_clean);
    // RUN reads 1: the buffer stays where it is.
    let still_running = stream.stop().expect_err("sticks");
    assert_eq!(still_running.deadline.last_read, 0xff);
    let codec = snd_hda::CodecAddress::new(0).expect("an address");
    let asked_at = model.now_ns();
    let verb = snd_hda::Verb::with_u8(0xf00, 0);
    controller.command(codec, snd_hda::NodeId::ROOT, verb).expect_err("nobody answers");
    assert!(model.now_ns() - asked_at < 100 * MILLISECOND);
}

#[test]
fn a_controller_that_the_bus_says_is_gone_gives_its_buffer_back() {
    let (model, mut controller, stream, _) = playing();
    model.advance_ns(5 * MILLISECOND);
    model.edit_faults(|faults| (faults.off_the_bus, faults.cut_off) = (true, true));
    let asked_at = model.now_ns();
    let (stream, _) = stream.stop().expect("its DMA has ended");
    let (descriptor, buffer) = stream.release().expect("released");
    assert!(model.now_ns() - asked_at < 200 * MILLISECOND);
    controller.give_back(descriptor);
    assert!(!buffer.is_dropped.get());
}

#[test]
fn a_failed_connection_reports_the_first_command_and_not_those_of_the_clean_up() {
    let is_silent = Rc::new(Cell::new(false));
    let silent = is_silent.clone();
    let codec = Codec::duplex().tampered(move |verb, answer| {
        // The converter's format, and taking it off its stream.
        let fails = verb & 0xf_0000 == 0x2_0000 || verb & 0xf_ffff == 0x7_0600;
        answer.filter(|_| !(silent.get() && fails))
    });
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    let mut controller = bring_up(&model).expect("up");
    let index = route(&controller, Direction::Output);
    let converter = controller.routes()[usize::from(index.0)].converter();
    let buffer = TestBuffer::new(&model, 16_384, Direction::Output);
    let stream = controller.take_stream(Direction::Output).expect("a stream");
    let format = snd_hda::Format::new(48_000, SampleBits::Bits16, 2).expect("a format");
    let stream = stream.configure(format, buffer).expect("configured");
    is_silent.set(true);
    let error = controller.connect(index, &stream).expect_err("no answer");
    let text = error.to_string();
    let ConnectError::Command(error) = error else { panic!("{error}") };
    assert_eq!((error.codec.get(), error.node), (0, converter));
    assert_eq!(error.verb.bits() & 0xf_0000, 0x2_0000, "{text}");
    assert!(text.starts_with("codec 0 node 0x2 did not answer verb 0x2"), "{text}");
    is_silent.set(false);
    model.advance_ns(100 * MILLISECOND);
    controller.connect(index, &stream).expect("the route is free again");
}
