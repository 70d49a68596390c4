//! Jacks: what is plugged is known, and streams follow it without noticing.

use crate::common::*;
use snd_hda::{Direction, JackPolicy, RouteIndex};
use snd_hda_model::codec::{Amplifier, Widget};
use snd_hda_model::{Bench, Codec, Model, Profile};

const SPEAKER: u8 = 0x14;
const HEADPHONE: u8 = 0x15;
const BUILT_IN: u8 = 0x12;
const MICROPHONE: u8 = 0x18;

/// A laptop's codec: a speaker and headphones with converters of their own; a built-in microphone and a jack, with two input
/// converters that both hear either through their mixers.
fn laptop() -> Codec {
    let mixer = |sources: &[u8]| Widget::mixer(sources).amp_in(Amplifier::MUTE_ONLY).muted_at_reset();
    Codec::builder(0x1234_0006)
        .widget(0x02, Widget::dac().amp_out(Amplifier::TYPICAL).muted_at_reset())
        .widget(0x03, Widget::dac().amp_out(Amplifier::TYPICAL).muted_at_reset())
        .widget(0x08, Widget::adc(0x0a))
        .widget(0x09, Widget::adc(0x0b))
        .widget(0x0a, mixer(&[BUILT_IN, MICROPHONE]))
        .widget(0x0b, mixer(&[BUILT_IN, MICROPHONE]))
        // Fixed, internal, microphone.
        .widget(BUILT_IN, Widget::microphone().configuration(0x90a0_0140))
        .widget(SPEAKER, Widget::speaker(&[0x02, 0x03]))
        .widget(HEADPHONE, Widget::headphone(&[0x02, 0x03]).unsolicited())
        .widget(MICROPHONE, Widget::microphone().unsolicited())
        .build()
}

fn laptop_with_nothing_plugged() -> (Model, TestController) {
    let model = Bench::new(Profile::hardware()).codec(0, laptop()).build();
    model.plug(0, HEADPHONE, false);
    model.plug(0, MICROPHONE, false);
    let controller = bring_up(&model).expect("up");
    (model, controller)
}

fn route_of(controller: &TestController, pin: u8) -> RouteIndex {
    let at = controller.routes().iter().position(|route| route.pin().get() == pin).expect("a route");
    RouteIndex(at as u8)
}

/// What a loop does when an interrupt has come, and now and then.
fn attend(controller: &mut TestController) -> bool {
    controller.handle_interrupt();
    controller.attend_jacks()
}

/// Pins at which a stream's tag is heard.
fn heard_at(model: &Model) -> Vec<u8> {
    model.audible(0).iter().map(|heard| heard.pin).collect()
}

fn recorded_from(model: &Model) -> Vec<(u8, u8)> {
    model.recorded(0).iter().map(|recorded| (recorded.pin, recorded.converter)).collect()
}

/// Opens a stream on a route and lets it run.
fn run(model: &Model, controller: &mut TestController, route: RouteIndex) -> RunningStream {
    let direction = controller.routes()[usize::from(route.0)].direction();
    let buffer = TestBuffer::new(model, 32 * 4096, direction);
    buffer.write(0, &signal(cd_like(), 0..32 * 1024));
    open(controller, route, cd_like(), buffer).start().expect("started")
}

fn end(controller: &mut TestController, route: RouteIndex, stream: RunningStream) {
    let (stream, _) = stream.stop().expect("stopped");
    let (stream, _) = stream.release().expect("released");
    controller.disconnect(route).expect("disconnected");
    controller.give_back(stream);
}

#[test]
fn headphones_take_over_in_mid_stream_and_give_back_within_100_ms() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let speaker = route_of(&controller, SPEAKER);
    let mut stream = run(&model, &mut controller, speaker);
    let mut plugged = false;
    let mut expected = SPEAKER;
    let mut last = 0;
    for tick in 0..600_u64 {
        // Every 100 ms somebody plugs or unplugs; a millisecond later it has to be heard where it belongs.
        if tick % 100 == 50 {
            plugged = !plugged;
            model.plug(0, HEADPHONE, plugged);
            expected = if plugged { HEADPHONE } else { SPEAKER };
        }
        model.advance_ns(MILLISECOND);
        attend(&mut controller);
        assert_eq!(heard_at(&model), [expected], "at {tick} ms");

        let position = stream.poll().position.bytes;
        let at_link = model.true_link_frames(stream.index().into()) * 4;
        assert!(position >= last, "{position} after {last}");
        assert!(position.abs_diff(at_link) <= 4 * 4, "{position}, at the link {at_link}");
        last = position;
    }
    assert!(last > 4 * 48 * 590, "{last}");
    // The converter that was there from the start has been sent everything, without a break.
    let played = model.take_played(0, controller.routes()[usize::from(speaker.0)].converter().get());
    assert!(frames_exact(&played, cd_like(), 0) > 48 * 590);
    end(&mut controller, speaker, stream);
    assert_eq!(heard_at(&model), []);
    model.assert_clean();
}

#[test]
fn a_stream_follows_to_what_it_may_reach_and_returns_from_what_it_may_not() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let [speaker, headphones] = [SPEAKER, HEADPHONE].map(|pin| route_of(&controller, pin));
    controller.set_reach(speaker, 0);
    let stream = run(&model, &mut controller, speaker);
    model.plug(0, HEADPHONE, true);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    assert_eq!(heard_at(&model), [SPEAKER]);
    for _ in 0..3 {
        controller.set_reach(speaker, 1 << headphones.0);
        assert_eq!(heard_at(&model), [HEADPHONE]);
        controller.set_reach(speaker, !(1 << headphones.0));
        assert_eq!(heard_at(&model), [SPEAKER]);
    }
    end(&mut controller, speaker, stream);
    model.assert_clean();
}

#[test]
fn what_is_plugged_before_a_stream_comes_has_it_from_the_start() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    model.plug(0, HEADPHONE, true);
    model.advance_ns(MILLISECOND);
    assert!(attend(&mut controller));
    assert!(!attend(&mut controller), "nothing new");
    let speaker = route_of(&controller, SPEAKER);
    let stream = run(&model, &mut controller, speaker);
    assert_eq!(heard_at(&model), [HEADPHONE]);
    end(&mut controller, speaker, stream);
    model.plug(0, HEADPHONE, false);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    let stream = run(&model, &mut controller, speaker);
    assert_eq!(heard_at(&model), [SPEAKER]);
    end(&mut controller, speaker, stream);
    model.assert_clean();
}

#[test]
fn the_policy_says_whether_speakers_mute() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let speaker = route_of(&controller, SPEAKER);
    let stream = run(&model, &mut controller, speaker);
    model.plug(0, HEADPHONE, true);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    for (policy, expected) in [
        (JackPolicy::Move, &[HEADPHONE][..]),
        (JackPolicy::Both, &[SPEAKER, HEADPHONE][..]),
        (JackPolicy::Stay, &[SPEAKER][..]),
        (JackPolicy::Move, &[HEADPHONE][..]),
    ] {
        controller.set_jack_policy(policy);
        assert_eq!(heard_at(&model), expected, "{policy:?}");
    }
    end(&mut controller, speaker, stream);
    model.assert_clean();
}

#[test]
fn a_jack_that_somebody_has_asked_for_is_left_to_him() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let [speaker, headphone] = [SPEAKER, HEADPHONE].map(|pin| route_of(&controller, pin));
    let own = run(&model, &mut controller, headphone);
    let other = run(&model, &mut controller, speaker);
    model.plug(0, HEADPHONE, true);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    let converters: Vec<_> = model.audible(0).iter().map(|heard| (heard.pin, heard.tag)).collect();
    assert_eq!(converters, [(SPEAKER, 2), (HEADPHONE, 1)]);
    end(&mut controller, headphone, own);
    end(&mut controller, speaker, other);

    // A stream that has moved there makes room for whoever asks for the jack, and moves again when it is free.
    let moved = run(&model, &mut controller, speaker);
    assert_eq!(heard_at(&model), [HEADPHONE]);
    assert!(!controller.is_taken(headphone));
    let asked = run(&model, &mut controller, headphone);
    let heard: Vec<_> = model.audible(0).iter().map(|heard| (heard.pin, heard.tag)).collect();
    assert_eq!(heard, [(SPEAKER, 1), (HEADPHONE, 2)]);
    end(&mut controller, headphone, asked);
    let heard: Vec<_> = model.audible(0).iter().map(|heard| (heard.pin, heard.tag)).collect();
    assert_eq!(heard, [(HEADPHONE, 1)]);
    end(&mut controller, speaker, moved);
    model.assert_clean();
}

#[test]
fn a_recording_follows_the_microphone_that_is_plugged_by_the_same_converter() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let built_in = route_of(&controller, BUILT_IN);
    let converter = controller.routes()[usize::from(built_in.0)].converter().get();
    let mut stream = run(&model, &mut controller, built_in);
    assert_eq!(recorded_from(&model), [(BUILT_IN, converter)]);
    let mut last = 0;
    for round in 0..4 {
        let is_plugged = round % 2 == 0;
        model.plug(0, MICROPHONE, is_plugged);
        model.advance_ns(MILLISECOND);
        attend(&mut controller);
        let pin = if is_plugged { MICROPHONE } else { BUILT_IN };
        assert_eq!(recorded_from(&model), [(pin, converter)]);
        model.advance_ns(9 * MILLISECOND);
        let position = stream.poll().position.bytes;
        assert!(position - last >= 4 * 400 && position - last <= 4 * 600, "{last} to {position}");
        last = position;
    }
    end(&mut controller, built_in, stream);
    assert_eq!(recorded_from(&model), []);
    model.assert_clean();
}

#[test]
fn a_stream_s_volume_moves_with_it() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let speaker = route_of(&controller, SPEAKER);
    let stream = run(&model, &mut controller, speaker);
    controller.set_volume(speaker, 0, -20_000).expect("set");
    controller.set_mute(speaker, 1, true).expect("muted");
    let sides = |model: &Model| {
        let heard = model.audible(0);
        (heard[0].pin, heard[0].left_quarter_db, heard[0].right_quarter_db)
    };
    assert_eq!(sides(&model), (SPEAKER, Some(-80), None));
    model.plug(0, HEADPHONE, true);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    assert_eq!(sides(&model), (HEADPHONE, Some(-80), None));
    controller.set_volume(speaker, 0, -10_000).expect("set");
    assert_eq!(sides(&model), (HEADPHONE, Some(-40), None));
    model.plug(0, HEADPHONE, false);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    assert_eq!(sides(&model), (SPEAKER, Some(-40), None));
    end(&mut controller, speaker, stream);
    model.assert_clean();
}

#[test]
fn a_codec_that_cries_all_the_time_costs_a_bounded_number_of_accesses() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let speaker = route_of(&controller, SPEAKER);
    let stream = run(&model, &mut controller, speaker);
    for round in 0..200_u32 {
        for tag in 0..64 {
            model.unsolicited_response(0, (tag << 26) | round);
        }
        model.advance_ns(MILLISECOND);
        let before = model.accesses_left();
        attend(&mut controller);
        let accesses = before - model.accesses_left();
        assert!(accesses < 4_000, "{accesses}");
    }
    assert_eq!(heard_at(&model), [SPEAKER]);
    end(&mut controller, speaker, stream);
}

#[test]
fn a_codec_that_falls_silent_at_a_plug_leaves_the_stream_running() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let speaker = route_of(&controller, SPEAKER);
    let mut stream = run(&model, &mut controller, speaker);
    model.plug(0, HEADPHONE, true);
    model.advance_ns(MILLISECOND);
    model.edit_faults(|faults| faults.silent_codecs = 1);
    attend(&mut controller);
    model.edit_faults(|faults| faults.silent_codecs = 0);
    let before = stream.poll().position.bytes;
    model.advance_ns(10 * MILLISECOND);
    assert!(stream.poll().position.bytes > before);
    assert_eq!(heard_at(&model), [SPEAKER]);
    // The plug is read when the codec is asked again, without another event.
    model.advance_ns(90 * MILLISECOND);
    assert!(controller.attention_due_ns().expect("something was missed") <= model.now_ns());
    attend(&mut controller);
    assert_eq!(controller.attention_due_ns(), None);
    assert_eq!(heard_at(&model), [HEADPHONE]);
    end(&mut controller, speaker, stream);
    assert_eq!(Direction::Output, controller.routes()[usize::from(speaker.0)].direction());
}

#[test]
fn over_a_loss_of_power_volume_stays_and_what_was_plugged_meanwhile_is_followed() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let (speaker, microphone) = (route_of(&controller, SPEAKER), route_of(&controller, BUILT_IN));
    let _playing = run(&model, &mut controller, speaker);
    let _recording = run(&model, &mut controller, microphone);
    controller.set_volume(speaker, 0, -12_000).expect("set");
    let (at_speaker, built_in) = (model.audible(0), model.recorded(0));
    for jack in [HEADPHONE, MICROPHONE] {
        model.plug(0, jack, true);
    }
    model.advance_ns(MILLISECOND);
    assert!(attend(&mut controller));
    let (at_headphones, at_jack) = (model.audible(0), model.recorded(0));
    assert_eq!(heard_at(&model), [HEADPHONE]);
    assert_ne!(at_jack, built_in);

    model.power_cycle();
    assert_eq!(controller.restore(), Ok(()));
    assert_eq!((model.audible(0), model.recorded(0)), (at_headphones.clone(), at_jack), "still plugged");
    assert_eq!(controller.volume(speaker, 0), Some(-12_000));

    model.power_cycle();
    for jack in [HEADPHONE, MICROPHONE] {
        model.plug(0, jack, false);
    }
    assert_eq!(controller.restore(), Ok(()));
    assert_eq!((model.audible(0), model.recorded(0)), (at_speaker, built_in), "pulled out meanwhile");
    // And jacks tell again.
    model.plug(0, HEADPHONE, true);
    model.advance_ns(MILLISECOND);
    assert!(attend(&mut controller));
    assert_eq!(model.audible(0), at_headphones);
    model.assert_clean();
}

#[test]
fn a_recording_that_has_followed_a_plug_takes_no_second_converter_along_to_another_stream() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    let [built_in, jack] = [BUILT_IN, MICROPHONE].map(|pin| route_of(&controller, pin));
    let converter = |controller: &TestController, route: RouteIndex| {
        controller.routes()[usize::from(route.0)].converter().get()
    };
    let (own, other) = (converter(&controller, built_in), converter(&controller, jack));
    let first = run(&model, &mut controller, built_in);
    model.plug(0, MICROPHONE, true);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    assert_eq!(recorded_from(&model), [(MICROPHONE, own)]);
    let buffer = TestBuffer::new(&model, 32 * 4096, Direction::Input);
    let stream = controller.take_stream(Direction::Input).expect("a descriptor");
    let mut second = stream.configure(cd_like(), buffer).expect("configured").start().expect("started");
    controller.retag(built_in, &mut second, None).expect("moved");
    model.advance_ns(10 * MILLISECOND);
    assert_eq!(recorded_from(&model), [(MICROPHONE, own)]);
    assert_eq!(model.converter_setting(0, own).0, second.tag());
    assert_eq!(model.converter_setting(0, other).0, 0, "it was never on the stream");
    // The plug is pulled: the stream returns.
    model.plug(0, MICROPHONE, false);
    model.advance_ns(MILLISECOND);
    attend(&mut controller);
    assert_eq!(recorded_from(&model), [(BUILT_IN, own)]);
    drop(first);
    end(&mut controller, built_in, second);
    assert_eq!([own, other].map(|node| model.converter_setting(0, node).0), [0, 0]);
    model.assert_clean();
}

#[test]
fn a_controller_that_reads_as_ones_brings_no_old_news_of_plugs() {
    let (model, mut controller) = laptop_with_nothing_plugged();
    for is_in in [true, false, true] {
        model.plug(0, HEADPHONE, is_in);
        model.advance_ns(MILLISECOND);
        attend(&mut controller);
    }
    model.edit_faults(|faults| faults.off_the_bus = true);
    let before_ns = model.now_ns();
    assert!(!controller.attend_jacks());
    // No verb is sent for an answer that the ring still holds.
    assert!(model.now_ns() - before_ns < MILLISECOND);
}

/// Asks the codec again until it is what it should be.
fn settle(model: &Model, controller: &mut TestController) {
    for _ in 0..8 {
        let Some(due_ns) = controller.attention_due_ns() else { return };
        model.advance_ns(due_ns.saturating_sub(model.now_ns()));
        controller.attend_jacks();
    }
    panic!("it is never settled");
}

#[test]
fn a_reach_that_is_withdrawn_while_the_codec_is_silent_holds_when_it_answers_again() {
    for (jack, own) in [(HEADPHONE, SPEAKER), (MICROPHONE, BUILT_IN)] {
        let (model, mut controller) = laptop_with_nothing_plugged();
        let is_output = jack == HEADPHONE;
        let at = |model: &Model| {
            if is_output {
                heard_at(model)
            } else {
                recorded_from(model).into_iter().map(|(pin, _)| pin).collect()
            }
        };
        let route = route_of(&controller, own);
        let direction = if is_output { Direction::Output } else { Direction::Input };
        let buffer = TestBuffer::new(&model, 16_384, direction);
        let stream = crate::common::open(&mut controller, route, cd_like(), buffer).start().expect("started");
        model.plug(0, jack, true);
        model.advance_ns(MILLISECOND);
        attend(&mut controller);
        assert_eq!(at(&model), [jack]);
        model.edit_faults(|faults| faults.silent_codecs = 1);
        controller.set_reach(route, 0);
        model.edit_faults(|faults| faults.silent_codecs = 0);
        settle(&model, &mut controller);
        assert_eq!(at(&model), [own]);
        drop(stream);
    }
}

#[test]
fn a_microphone_whose_close_failed_is_not_heard_by_the_next_one_on_its_mixer() {
    // One converter, and one mixer with two inputs.
    let codec = Codec::builder(0x1234_0009)
        .widget(0x08, Widget::adc(0x0a))
        .widget(0x0a, Widget::mixer(&[BUILT_IN, MICROPHONE]).amp_in(Amplifier::MUTE_ONLY).muted_at_reset())
        .widget(BUILT_IN, Widget::line_in())
        .widget(MICROPHONE, Widget::microphone())
        .build();
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    let mut controller = bring_up(&model).expect("up");
    let [built_in, jack] = [BUILT_IN, MICROPHONE].map(|pin| route_of(&controller, pin));
    let open = |controller: &mut TestController, route| {
        let buffer = TestBuffer::new(&model, 16_384, Direction::Input);
        crate::common::open(controller, route, cd_like(), buffer)
    };
    let stream = open(&mut controller, built_in);
    model.edit_faults(|faults| faults.silent_codecs = 1);
    controller.disconnect(built_in).expect_err("silent");
    model.edit_faults(|faults| faults.silent_codecs = 0);
    model.advance_ns(100 * MILLISECOND);
    // It answers again, and the next one comes before anything was settled.
    let other = open(&mut controller, jack);
    let recorded: Vec<u8> = recorded_from(&model).into_iter().map(|(pin, _)| pin).collect();
    assert_eq!(recorded, [MICROPHONE]);
    drop((stream, other));
}
