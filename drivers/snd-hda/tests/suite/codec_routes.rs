//! Codecs: routes are found and opened all the way, and no answer of a codec's brings the driver down.

use std::cell::Cell;
use std::rc::Rc;

use crate::common::*;
use proptest::prelude::*;
use snd_hda::codec::PinDevice;
use snd_hda::{ConnectError, Direction, Format, JackPolicy, RouteIndex, SampleBits};
use snd_hda_model::codec::{Amplifier, Arrival, Widget};
use snd_hda_model::{Bench, Codec, Model, Profile};

fn model_of(codec: Codec) -> Model {
    Bench::new(Profile::hardware()).codec(0, codec).build()
}

fn nodes(controller: &TestController, route: usize) -> Vec<u8> {
    controller.routes()[route].hops().iter().map(|hop| hop.node().get()).collect()
}

/// The place of the route to a pin.
fn route_to(controller: &TestController, pin: u8) -> usize {
    controller.routes().iter().position(|route| route.pin().get() == pin).expect("a route")
}

/// Plays on an output route and tells whether what is at its pin was heard at full level.
fn is_heard(model: &Model, controller: &mut TestController, route: usize) -> bool {
    let buffer = TestBuffer::new(model, 8192, Direction::Output);
    let index = RouteIndex(route as u8);
    let stream = open(controller, index, cd_like(), buffer);
    let (pin, converter) =
        (controller.routes()[route].pin().get(), controller.routes()[route].converter().get());
    let heard = model.arrivals(0, pin) == [Arrival { from: converter, gain_quarter_db: 0 }];
    let (stream, _buffer) = stream.release().expect("released");
    controller.disconnect(index).expect("disconnected");
    controller.give_back(stream);
    heard
}

#[test]
fn a_laptop_s_speaker_is_heard_through_its_mixer() {
    let model = model_of(Codec::laptop());
    let mut controller = bring_up(&model).expect("up");
    assert_eq!(nodes(&controller, 0), [0x14, 0x12, 0x10]);
    assert_eq!(controller.routes()[0].device(), PinDevice::Speaker);
    assert!(model.arrivals(0, 0x14).is_empty(), "the mixer is shut before");
    assert!(is_heard(&model, &mut controller, 0));
}

#[test]
fn a_route_is_described_in_a_line() {
    let controller = bring_up(&model_of(Codec::laptop())).expect("up");
    let lines: Vec<_> = controller.routes().iter().map(|route| route.to_string()).collect();
    assert_eq!(
        lines,
        [
            "Speaker: codec 0, pin 0x14, path 0x10 0x12 0x14, 2 channels",
            "Microphone: codec 0, pin 0x18, path 0x18 0x1b 0x11, 2 channels",
            "Line In: codec 0, pin 0x19, path 0x19 0x1b 0x11, 2 channels, takes turns",
        ]
    );
}

#[test]
fn inputs_that_share_a_converter_are_taken_one_at_a_time() {
    let model = model_of(Codec::laptop());
    let mut controller = bring_up(&model).expect("up");
    let inputs: Vec<u8> = (0..controller.routes().len() as u8)
        .filter(|n| controller.routes()[usize::from(*n)].direction() == Direction::Input)
        .collect();
    assert_eq!(inputs.len(), 2);
    for (this, other) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] {
        let buffer = TestBuffer::new(&model, 8192, Direction::Input);
        let stream = open(&mut controller, RouteIndex(this), cd_like(), buffer);
        let pin = controller.routes()[usize::from(this)].pin().get();
        assert_eq!(model.arrivals(0, 0x11), [Arrival { from: pin, gain_quarter_db: 0 }]);

        assert!(controller.is_taken(RouteIndex(other)));
        let second = controller.take_stream(Direction::Input).expect("a descriptor");
        let second =
            second.configure(cd_like(), TestBuffer::new(&model, 8192, Direction::Input)).expect("configured");
        assert_eq!(controller.connect(RouteIndex(other), &second), Err(ConnectError::Taken));
        for (stream, route) in [(stream, Some(this)), (second, None)] {
            let (stream, _buffer) = stream.release().expect("released");
            if let Some(route) = route {
                controller.disconnect(RouteIndex(route)).expect("disconnected");
            }
            controller.give_back(stream);
        }
    }
}

/// Two converters whose sums are heard at two pins, and one pin for the first converter alone.
fn shared_mixer() -> Codec {
    Codec::builder(0x1234_5678)
        .widget(2, Widget::dac())
        .widget(3, Widget::dac())
        .widget(4, Widget::mixer(&[2, 3]).amp_in(Amplifier::MUTE_ONLY))
        .widget(5, Widget::line_out(&[4]))
        .widget(6, Widget::headphone(&[4]))
        .widget(7, Widget::line_out(&[2]).configuration(0x0101_4050))
        .build()
}

#[test]
fn outputs_that_share_a_mixer_are_taken_one_at_a_time() {
    let model = model_of(shared_mixer());
    let mut controller = bring_up(&model).expect("up");
    let [first, second] = [5, 6].map(|pin| route_to(&controller, pin));
    assert_eq!((nodes(&controller, first), nodes(&controller, second)), (vec![5, 4, 3], vec![6, 4, 2]));
    for (this, other) in [(first, second), (second, first)] {
        let stream = open(
            &mut controller,
            RouteIndex(this as u8),
            cd_like(),
            TestBuffer::new(&model, 8192, Direction::Output),
        );
        assert!(controller.is_taken(RouteIndex(other as u8)), "each would be heard at the other's pin");
        let (stream, _buffer) = stream.release().expect("released");
        controller.disconnect(RouteIndex(this as u8)).expect("disconnected");
        controller.give_back(stream);
    }
}

#[test]
fn a_mixer_is_shut_again_for_who_comes_next() {
    let model = model_of(shared_mixer());
    let mut controller = bring_up(&model).expect("up");
    let [mixed, shared, alone] = [5, 6, 7].map(|pin| route_to(&controller, pin));
    assert_eq!(nodes(&controller, alone), [7, 2]);
    assert!(
        is_heard(&model, &mut controller, shared),
        "the first converter, through the mixer, and off again"
    );
    let buffer = || TestBuffer::new(&model, 8192, Direction::Output);
    let _mixed = open(&mut controller, RouteIndex(mixed as u8), cd_like(), buffer());
    let _alone = open(&mut controller, RouteIndex(alone as u8), cd_like(), buffer());
    assert_eq!(model.arrivals(0, 7), [Arrival { from: 2, gain_quarter_db: 0 }]);
    assert_eq!(model.arrivals(0, 5), [Arrival { from: 3, gain_quarter_db: 0 }], "and not converter 2");
    assert_eq!(model.arrivals(0, 6), [], "the pin that was left open is off");
}

#[test]
fn a_converter_is_heard_at_one_pin_at_a_time() {
    let model = model_of(
        Codec::builder(0x1234_5678)
            .widget(2, Widget::dac())
            .widget(3, Widget::line_out(&[2]).enabled_at_reset())
            .widget(4, Widget::headphone(&[2]).enabled_at_reset())
            .build(),
    );
    let mut controller = bring_up(&model).expect("up");
    let heard = |model: &Model| [3, 4].map(|pin| model.arrivals(0, pin).len());
    assert_eq!(heard(&model), [0, 0], "nobody has asked for either");
    for (route, expected) in [(0, [1, 0]), (1, [0, 1]), (0, [1, 0])] {
        let buffer = TestBuffer::new(&model, 8192, Direction::Output);
        let stream = open(&mut controller, RouteIndex(route), cd_like(), buffer);
        assert_eq!(heard(&model), expected, "whose pin the last guest had is not this guest's");
        let (stream, _buffer) = stream.release().expect("released");
        controller.disconnect(RouteIndex(route)).expect("disconnected");
        controller.give_back(stream);
    }
}

#[test]
fn a_node_that_is_not_there_is_no_converter() {
    // The codec's last widget is the pin at 3; it names two more, and the pin hears the first of these.
    let codec = Codec::builder(0x1234_5678)
        .pcm(0x060 | 0b00010 << 16)
        .widget(2, Widget::dac())
        .widget(3, Widget::line_out(&[4, 2]))
        .build()
        .tampered(|verb, answer| match verb & 0xfff_ffff {
            0x01f_0004 => answer.map(|nodes| nodes + 2),
            _ => answer,
        });
    let model = model_of(codec);
    let mut controller = bring_up(&model).expect("up");
    assert_eq!(controller.codecs()[0].widgets, 4, "it was believed about their number");
    assert_eq!(nodes(&controller, 0), [3, 2]);
    assert!(is_heard(&model, &mut controller, 0));
}

#[test]
fn long_short_and_range_lists_lead_to_the_converter() {
    let pin_of = |connections: fn(Widget) -> Widget| {
        let mut builder = Codec::builder(0x1234_5678);
        for node in 2..=8 {
            builder = builder.widget(node, Widget::dac());
        }
        model_of(builder.widget(0x20, connections(Widget::line_out(&[]))).build())
    };
    for (connections, converter) in [
        ((|pin| pin.connections(&[7, 6, 5, 4, 3, 2])) as fn(Widget) -> Widget, 2),
        (|pin| pin.connections_long(&[7, 6, 5]), 5),
        (|pin| pin.connections_range(7, 8), 7),
    ] {
        let model = pin_of(connections);
        let mut controller = bring_up(&model).expect("up");
        assert_eq!(nodes(&controller, 0), [0x20, converter]);
        assert!(is_heard(&model, &mut controller, 0));
    }
}

#[test]
fn several_pins_get_converters_of_their_own() {
    let model = model_of(
        Codec::builder(0x1234_5678)
            .widget(2, Widget::dac())
            .widget(3, Widget::dac())
            .widget(4, Widget::line_out(&[2, 3]))
            .widget(5, Widget::headphone(&[2, 3]))
            .widget(6, Widget::speaker(&[2, 3]))
            .widget(7, Widget::line_out(&[2]).not_connected())
            .build(),
    );
    let mut controller = bring_up(&model).expect("up");
    let converters: Vec<u8> = controller.routes().iter().map(|route| route.converter().get()).collect();
    controller.set_jack_policy(JackPolicy::Stay);
    assert_eq!(converters.len(), 3, "a pin with nothing at it has no route");
    assert_ne!(converters[0], converters[1]);
    for route in 0..3 {
        assert!(is_heard(&model, &mut controller, route));
    }
}

#[test]
fn amplifiers_are_inherited_from_the_function_group() {
    let model = model_of(
        Codec::builder(0x1234_5678)
            .amp_out(Amplifier::TYPICAL)
            .widget(2, Widget::dac().inherits_amp_out().muted_at_reset())
            .widget(3, Widget::line_out(&[2]))
            .build(),
    );
    let mut controller = bring_up(&model).expect("up");
    assert!(is_heard(&model, &mut controller, 0));
}

#[test]
fn formats_are_inherited_and_negotiated() {
    let model = model_of(
        Codec::builder(0x1234_5678)
            .pcm(0x060 | 0b01010 << 16) // 44.1 and 48 kHz, 16 and 24 bits
            .widget(2, Widget::dac().inherits_pcm())
            .widget(3, Widget::line_out(&[2]))
            .build(),
    );
    let mut controller = bring_up(&model).expect("up");
    let pcm = controller.routes()[0].pcm();
    assert_eq!(pcm.rates().map(|rate| rate.hz()).collect::<Vec<_>>(), [44_100, 48_000]);
    assert_eq!(pcm.sample_bits().collect::<Vec<_>>(), [SampleBits::Bits16, SampleBits::Bits24]);
    assert_eq!(pcm.widest_in(4), Some(SampleBits::Bits24));
    assert_eq!(pcm.channels_max(), 2);
    let format = Format::new(96_000, SampleBits::Bits16, 2).expect("a format");
    assert!(!controller.supports(RouteIndex(0), format));
    let stream = controller.take_stream(Direction::Output).expect("a descriptor");
    let stream =
        stream.configure(format, TestBuffer::new(&model, 8192, Direction::Output)).expect("configured");
    assert_eq!(controller.connect(RouteIndex(0), &stream), Err(ConnectError::Unsupported));
}

#[test]
fn what_the_link_cannot_carry_is_refused() {
    // 29 words for all inputs: one stream of 8 channels of 32 bits takes 17.
    let profile = Profile { input_payload_words: 29, ..Profile::hardware() };
    let model = Bench::new(profile).codec(0, Codec::any_format(8)).codec(1, Codec::any_format(8)).build();
    let mut controller = bring_up(&model).expect("up");
    let wide = Format::new(48_000, SampleBits::Bits32, 8).expect("a format");
    let too_wide = Format::new(192_000, SampleBits::Bits32, 8).expect("a format");
    let inputs: Vec<u8> =
        (0..4_u8).filter(|n| controller.routes()[usize::from(*n)].direction() == Direction::Input).collect();
    assert!(controller.supports(RouteIndex(inputs[0]), wide));
    assert!(!controller.supports(RouteIndex(inputs[0]), too_wide));
    let buffer = || TestBuffer::new(&model, 8192, Direction::Input);
    let _first = open(&mut controller, RouteIndex(inputs[0]), wide, buffer());
    let second = controller.take_stream(Direction::Input).expect("a descriptor");
    let second = second.configure(wide, buffer()).expect("configured");
    let refused = controller.connect(RouteIndex(inputs[1]), &second);
    assert_eq!(refused, Err(ConnectError::NoBandwidth { available_words: 29, needed_words: 34 }));
}

#[test]
fn outputs_share_what_the_link_can_carry_and_get_it_back() {
    // 60 words for all outputs: one stream of 8 channels of 32 bits at 96 kHz takes 33.
    let model = Bench::new(Profile::hardware())
        .codec(0, Codec::any_format(8))
        .codec(1, Codec::any_format(8))
        .codec(2, Codec::any_format(8))
        .build();
    let mut controller = bring_up(&model).expect("up");
    let wide = Format::new(96_000, SampleBits::Bits32, 8).expect("a format");
    let stream = |controller: &mut TestController, format| {
        let stream = controller.take_stream(Direction::Output).expect("a descriptor");
        stream.configure(format, TestBuffer::new(&model, 8192, Direction::Output)).expect("configured")
    };
    let (first, second) = (stream(&mut controller, wide), stream(&mut controller, wide));
    let narrow = stream(&mut controller, cd_like());
    assert_eq!(controller.connect(RouteIndex(0), &first), Ok(()));
    let refused = Err(ConnectError::NoBandwidth { available_words: 60, needed_words: 66 });
    assert_eq!(controller.connect(RouteIndex(1), &second), refused);
    // What is left is enough for less, and inputs have words of their own.
    assert_eq!(controller.connect(RouteIndex(2), &narrow), Ok(()));
    let input = route(&controller, Direction::Input);
    let recording = controller.take_stream(Direction::Input).expect("a descriptor");
    let buffer = TestBuffer::new(&model, 8192, Direction::Input);
    let recording = recording.configure(cd_like(), buffer).expect("configured");
    assert_eq!(controller.connect(input, &recording), Ok(()));
    assert_eq!(controller.disconnect(RouteIndex(0)), Ok(()));
    assert_eq!(controller.connect(RouteIndex(1), &second), Ok(()));
}

/// A codec that lies: its answers lead further (groups, widgets, lists, pins with something at them), but nothing in
/// them fits together. `nonsense` in 256 answers are random instead, `silence` in 65536 don't come at all.
fn liar(seed: u64, nonsense: u64, silence: u64, verbs: Rc<Cell<u64>>) -> Codec {
    let mut state = seed | 1;
    Codec::answering(move |command| {
        verbs.set(verbs.get() + 1);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let random = (state >> 16) as u32;
        if state >> 48 < silence {
            return None;
        }
        if state % 256 < nonsense {
            return Some(random);
        }
        let node = command >> 20 & 0x7f;
        Some(match command & 0xf_ffff {
            0xf_0004 if node == 0 => 0x0001_0000 | (random % 7),
            0xf_0004 => ((random % 20) << 16) | ((random >> 8) % 256),
            0xf_0005 => 1,
            // Converters, mixers, selectors, pins; a list more often than not.
            0xf_0009 => (random & 0xffff) | ((random >> 16) % 5) << 20 | (random >> 1 & 0x100),
            0xf_000a => 0x1f_07ff,
            0xf_000b => 1,
            0xf_000c => random | 0x30,
            0xf_1c00 => random & 0x00ff_ffff,
            // In D0.
            0xf_0500 => 0,
            command if command >> 8 == 0xf02 => random & 0x3f3f_3f3f | (random >> 3 & 0x8080_8080),
            _ => random,
        })
    })
}

/// Brings a lying codec up, and then plays and records on whatever it offers. Returns verbs asked and routes found.
fn survive(seed: u64, nonsense: u64, silence: u64) -> (u64, usize) {
    let verbs = Rc::new(Cell::new(0));
    let codec = liar(seed, nonsense, silence, verbs.clone());
    let model = Bench::new(Profile { strict: false, ..Profile::hardware() }).codec(0, codec).build();
    let controller = bring_up(&model);
    // Four groups of 128 widgets, each with at most 6 questions and a list of 64 answers; power; and the routes.
    // Twice, if silence makes the driver try the immediate registers too.
    assert!(verbs.get() < 2 * (4 * (30 + 128 * 70) + 2000), "{} verbs", verbs.get());
    assert!(model.now_ns() < 5_000_000_000, "{} ns", model.now_ns());
    let Ok(mut controller) = controller else { return (verbs.get(), 0) };
    let routes = controller.routes().len();
    for n in 0..routes as u8 {
        let direction = controller.routes()[usize::from(n)].direction();
        let Some(stream) = controller.take_stream(direction) else { continue };
        let stream = stream.configure(cd_like(), TestBuffer::new(&model, 8192, direction));
        let stream = stream.expect("configured");
        let before = verbs.get();
        let connected = controller.connect(RouteIndex(n), &stream).is_ok();
        assert!(verbs.get() - before < 200, "{} verbs", verbs.get() - before);
        if connected {
            controller.disconnect(RouteIndex(n)).ok();
        }
        let (stream, _) = stream.release().expect("released");
        controller.give_back(stream);
    }
    (verbs.get(), routes)
}

#[test]
fn a_liar_s_graph_is_explored_and_routes_are_found_in_it() {
    // The property below is worth something only if its codecs lead the driver on.
    let (verbs, routes): (Vec<_>, Vec<_>) = (1..40).map(|seed| survive(seed * 77, 0, 0)).unzip();
    assert!(verbs.iter().filter(|verbs| **verbs > 2_000).count() > 10, "{verbs:?}");
    assert!(routes.iter().filter(|routes| **routes > 0).count() > 15, "{routes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// A codec that answers anything, or nothing, ends bring-up with a controller or an error: in bounded time, in a
    /// bounded number of verbs, without a panic; and so does connecting what it offers.
    #[test]
    fn no_answer_brings_the_driver_down(seed: u64, nonsense in 0_u64..=256, silence in 0_u64..40) {
        survive(seed, nonsense, silence);
    }
}
