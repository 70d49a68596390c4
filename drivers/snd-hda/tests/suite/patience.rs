//! Everybody waits with the driver: a codec that doesn't answer costs little time, and is asked for the rest later.

use std::cell::Cell;
use std::rc::Rc;

use crate::common::*;
use snd_hda::{ConnectError, Direction, NoResponse, RouteIndex};
use snd_hda_model::codec::Widget;
use snd_hda_model::{Bench, Codec, Faults, Model, Profile};

/// The longest operation with any fault of one codec.
const BOUND_NS: u64 = 5 * MILLISECOND;

/// Node of the output converter of [`Codec::duplex`].
const CONVERTER: u8 = 2;

fn two_codecs() -> (Model, TestController) {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).codec(2, Codec::duplex()).build();
    let controller = bring_up(&model).expect("up");
    (model, controller)
}

/// The output and the input of codec 0.
fn of_first(controller: &TestController) -> (RouteIndex, RouteIndex) {
    let find = |direction| {
        let found = |route: &snd_hda::Route| route.codec().get() == 0 && route.direction() == direction;
        RouteIndex(controller.routes().iter().position(found).expect("a route") as u8)
    };
    (find(Direction::Output), find(Direction::Input))
}

fn timed<T>(model: &Model, act: impl FnOnce() -> T) -> (T, u64) {
    let before_ns = model.now_ns();
    let result = act();
    (result, model.now_ns() - before_ns)
}

#[test]
fn no_operation_takes_long_whatever_one_codec_does() {
    let silent = Faults { silent_codecs: 1, ..Faults::default() };
    let late = |frames| Faults { answer_late_frames: frames, late_codecs: 1, ..Faults::default() };
    // Up to 2 ms late, an answer is waited for. Two are 96 link frames.
    let faults = [silent, late(20), late(48), late(90), late(94), late(100), late(960), late(2_300)];
    for faults in faults {
        let (model, mut controller) = two_codecs();
        let (output, _) = of_first(&controller);
        let stream =
            open(&mut controller, output, cd_like(), TestBuffer::new(&model, 16_384, Direction::Output));
        model.edit_faults(|own| *own = faults.clone());
        let (mut longest_ns, mut longest_turn_ns) = (0, 0);
        for _ in 0..40 {
            let steps = [
                timed(&model, || controller.set_volume(output, 0, -3_000).is_ok()).1,
                timed(&model, || controller.set_mute(output, 0, true).is_ok()).1,
                timed(&model, || controller.disconnect(output).is_ok()).1,
                timed(&model, || controller.connect(output, &stream).is_ok()).1,
                timed(&model, || controller.attend_jacks()).1,
            ];
            longest_ns = steps.into_iter().fold(longest_ns, u64::max);
            longest_turn_ns = longest_turn_ns.max(steps.iter().sum());
            model.advance_ns(30 * MILLISECOND);
        }
        assert!(longest_ns < BOUND_NS, "{longest_ns} ns: {faults:?}");
        // All of them in one turn: a codec that misses an answer, or is late too often, is waited for no more.
        assert!(longest_turn_ns < BOUND_NS + MILLISECOND, "{longest_turn_ns} ns: {faults:?}");
    }
}

#[test]
fn many_levels_at_once_take_no_longer_with_a_slow_codec() {
    let (model, mut controller) = two_codecs();
    let (output, _) = of_first(&controller);
    let _stream =
        open(&mut controller, output, cd_like(), TestBuffer::new(&model, 16_384, Direction::Output));
    model.edit_faults(|faults| (faults.answer_late_frames, faults.late_codecs) = (90, 1));
    let (set, ns) = timed(&model, || {
        (0..16).filter(|n| controller.set_volume(output, n % 2, -3_000 * i32::from(*n)).is_ok()).count()
    });
    assert!(ns < BOUND_NS, "{ns} ns, {set} set");
    // The last levels are kept, and reach the codec when it is well again.
    model.edit_faults(|faults| faults.answer_late_frames = 0);
    model.advance_ns(100 * MILLISECOND);
    controller.attend_jacks();
    assert_eq!(controller.attention_due_ns(), None);
    assert_eq!(controller.volume(output, 1), Some(-45_000));
}

#[test]
fn slow_registers_don_t_stretch_a_wait() {
    let profile = Profile { slow_read_ns: 400_000, ..Profile::hardware() };
    let model = Bench::new(profile).codec(0, Codec::duplex()).build();
    let mut controller = bring_up(&model).expect("up");
    let codec = snd_hda::CodecAddress::new(0).expect("an address");
    model.edit_faults(|faults| faults.silent_codecs = 1);
    let verb = snd_hda::Verb::with_u8(0xf00, 0);
    let (answer, ns) = timed(&model, || controller.command(codec, snd_hda::NodeId::ROOT, verb));
    assert!(matches!(answer.expect_err("silent").cause, NoResponse::Late(_)));
    assert!(ns < BOUND_NS, "{ns} ns");
}

#[test]
fn a_controller_that_is_gone_is_not_waited_for() {
    let (model, mut controller) = two_codecs();
    let (output, _) = of_first(&controller);
    let stream = open(&mut controller, output, cd_like(), TestBuffer::new(&model, 16_384, Direction::Output));
    let stream = stream.start().expect("started");
    model.edit_faults(|faults| faults.off_the_bus = true);
    let before_ns = model.now_ns();
    let stream = stream.stop().expect_err("nobody says that its DMA has ended").stream;
    let ns = model.now_ns() - before_ns;
    assert!(ns < MILLISECOND, "{ns} ns");
    let (_, ns) = timed(&model, || controller.set_volume(output, 0, -3_000).is_ok());
    assert!(ns < MILLISECOND, "{ns} ns");
    model.edit_faults(|faults| faults.off_the_bus = false);
    drop(stream);
}

#[test]
fn what_a_codec_has_missed_it_gets_when_it_answers_again() {
    let (model, mut controller) = two_codecs();
    let (output, _) = of_first(&controller);
    let stream = open(&mut controller, output, cd_like(), TestBuffer::new(&model, 16_384, Direction::Output));
    let stream = stream.start().expect("started");
    assert_eq!(model.audible(0).len(), 1);
    model.edit_faults(|faults| faults.silent_codecs = 1);
    let refused = controller.set_mute(output, 0, true).and(controller.set_mute(output, 1, true));
    assert!(matches!(refused, Err(ConnectError::Command(_))));
    assert_eq!(model.audible(0).len(), 1);
    model.edit_faults(|faults| faults.silent_codecs = 0);
    // The second request was refused at once, but what it asks for is kept too.
    controller.set_mute(output, 1, true).expect_err("left alone");
    let due_ns = controller.attention_due_ns().expect("something is missing");
    assert!(due_ns > model.now_ns() && due_ns < model.now_ns() + 110 * MILLISECOND);
    model.advance_ns(due_ns - model.now_ns());
    controller.attend_jacks();
    assert_eq!(controller.attention_due_ns(), None);
    assert!(model.audible(0).is_empty(), "both channels are muted");
    drop(stream);
    model.assert_clean();
}

#[test]
fn a_converter_that_may_still_have_a_tag_shares_it_with_nobody() {
    let (model, mut controller) = two_codecs();
    let (output, _) = of_first(&controller);
    let buffer = || TestBuffer::new(&model, 16_384, Direction::Output);
    let stream = open(&mut controller, output, cd_like(), buffer());
    let tag = stream.tag();
    assert_eq!(model.converter_setting(0, CONVERTER).0, tag);
    model.edit_faults(|faults| faults.silent_codecs = 1);
    controller.disconnect(output).expect_err("silent");
    let (stream, _) = stream.release().expect("released");
    controller.give_back(stream);
    // The codec still listens to the tag.
    assert_eq!(model.converter_setting(0, CONVERTER).0, tag);
    let other = controller.take_stream(Direction::Output).expect("a stream");
    assert_ne!(other.tag(), tag);
    controller.give_back(other);
    // Requests to a codec that stays silent take no more tags.
    for _ in 0..40 {
        let stream = controller.take_stream(Direction::Output).expect("there are tags");
        let stream = stream.configure(cd_like(), buffer()).expect("configured");
        controller.connect(output, &stream).expect_err("silent");
        let (stream, _) = stream.release().expect("released");
        controller.give_back(stream);
        model.advance_ns(500 * MILLISECOND);
    }
    model.edit_faults(|faults| faults.silent_codecs = 0);
    model.advance_ns(10_000 * MILLISECOND);
    let stream = open(&mut controller, output, cd_like(), buffer());
    assert_eq!(model.converter_setting(0, CONVERTER).0, stream.tag());
    controller.disconnect(output).expect("disconnected");
    assert_eq!(model.converter_setting(0, CONVERTER).0, 0);
    let other = controller.take_stream(Direction::Output).expect("a stream");
    assert_eq!(other.tag(), tag, "it may be used again");
}

#[test]
fn a_codec_that_stays_silent_is_asked_a_few_times_and_then_only_for_a_request() {
    let (model, mut controller) = two_codecs();
    let (output, _) = of_first(&controller);
    let _stream =
        open(&mut controller, output, cd_like(), TestBuffer::new(&model, 16_384, Direction::Output));
    model.edit_faults(|faults| faults.silent_codecs = 1);
    controller.disconnect(output).expect_err("silent");
    let mut waits_ms = Vec::new();
    while let Some(due_ns) = controller.attention_due_ns() {
        waits_ms.push(due_ns.saturating_sub(model.now_ns()).div_ceil(MILLISECOND));
        model.advance_ns(due_ns.saturating_sub(model.now_ns()));
        controller.attend_jacks();
        model.refill_access_budget(1_000_000);
        assert!(waits_ms.len() < 20);
    }
    assert_eq!(waits_ms, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000]);
    model.edit_faults(|faults| faults.silent_codecs = 0);
    model.advance_ns(10_000 * MILLISECOND);
    controller.connect(output, &_stream).expect("connected");
}

#[test]
fn a_running_stream_gets_what_it_has_missed_however_long_its_codec_was_silent() {
    let (model, mut controller) = two_codecs();
    let (output, _) = of_first(&controller);
    let stream = open(&mut controller, output, cd_like(), TestBuffer::new(&model, 16_384, Direction::Output));
    let stream = stream.start().expect("started");
    model.edit_faults(|faults| faults.silent_codecs = 1);
    for channel in [0, 1] {
        controller.set_mute(output, channel, true).expect_err("silent");
    }
    for _ in 0..60 {
        model.advance_ns(1_000 * MILLISECOND);
        controller.attend_jacks();
        model.refill_access_budget(1_000_000);
    }
    model.edit_faults(|faults| faults.silent_codecs = 0);
    model.advance_ns(10_000 * MILLISECOND);
    controller.attend_jacks();
    assert!(model.audible(0).is_empty(), "both channels are muted");
    drop(stream);
}

#[test]
fn a_tag_that_a_silent_codec_may_have_outlives_a_restore() {
    let (model, mut controller) = two_codecs();
    let (output, _) = of_first(&controller);
    let stream = open(&mut controller, output, cd_like(), TestBuffer::new(&model, 16_384, Direction::Output));
    let tag = stream.tag();
    model.edit_faults(|faults| faults.silent_codecs = 1);
    // No power was lost: the codec keeps the tag.
    assert!(controller.restore().is_err());
    controller.disconnect(output).expect_err("silent");
    let (stream, _) = stream.release().expect("released");
    controller.give_back(stream);
    let other = controller.take_stream(Direction::Output).expect("a stream");
    assert_ne!(other.tag(), tag);
}

#[test]
fn a_widget_that_powers_up_slowly_is_waited_for_at_bring_up_alone() {
    let is_up = Rc::new(Cell::new(0u32));
    let asked = is_up.clone();
    let codec = Codec::builder(0x1234_5678)
        .widget(2, Widget::dac().power_control())
        .widget(3, Widget::line_out(&[2]))
        .build()
        .tampered(move |verb, answer| {
            if verb & 0xf_ff00 != 0xf_0500 || verb >> 20 & 0xff != 2 {
                return answer;
            }
            // D3 until it was asked five times.
            asked.set(asked.get() + 1);
            if asked.get() < 5 { Some(0x33) } else { answer }
        });
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    let mut controller = bring_up(&model).expect("up");
    assert!(is_up.get() >= 5);
    let before = is_up.get();
    let buffer = TestBuffer::new(&model, 16_384, Direction::Output);
    let (_stream, ns) = timed(&model, || open(&mut controller, RouteIndex(0), cd_like(), buffer));
    assert!(ns < 2 * MILLISECOND, "{ns} ns");
    assert_eq!(is_up.get(), before);
}
