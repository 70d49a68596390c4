//! Codecs: routes are found and opened all the way, and no answer of a codec's brings the driver down.

mod common;

use common::*;
use proptest::prelude::*;
use snd_hda::codec::PinDevice;
use snd_hda::{ConnectError, Direction, Format, RouteIndex, SampleBits};
use snd_hda_model::codec::{Amplifier, Arrival, Widget};
use snd_hda_model::{Bench, Codec, Model, Profile};

fn model_of(codec: Codec) -> Model {
    Bench::new(Profile::hardware()).codec(0, codec).build()
}

fn nodes(controller: &TestController, route: usize) -> Vec<u8> {
    controller.routes()[route].hops().iter().map(|hop| hop.node().get()).collect()
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

#[test]
fn long_short_and_range_lists_lead_to_the_converter() {
    let pin_of = |connections: fn(Widget) -> Widget| {
        let mut builder = Codec::builder(0x1234_5678);
        for node in 2..=8 {
            builder = builder.widget(node, Widget::dac());
        }
        model_of(builder.widget(0x20, connections(Widget::line_out(&[]))).build())
    };
    for connections in [
        (|pin| pin.connections(&[7, 6, 5, 4, 3, 2])) as fn(Widget) -> Widget,
        |pin| pin.connections_long(&[7, 6, 5]),
        |pin| pin.connections_range(7, 8),
    ] {
        let model = pin_of(connections);
        let mut controller = bring_up(&model).expect("up");
        assert_eq!(nodes(&controller, 0), [0x20, 7]);
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// A codec that answers anything, or nothing, ends bring-up with a controller or an error: in bounded time, in a
    /// bounded number of verbs, without a panic.
    #[test]
    fn no_answer_brings_the_driver_down(seed: u64, silence in 0_u64..400) {
        let mut state = seed | 1;
        let verbs = std::rc::Rc::new(std::cell::Cell::new(0_u64));
        let count = verbs.clone();
        let codec = Codec::answering(move |command| {
            count.set(count.get() + 1);
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let random = (state >> 16) as u32;
            if silence != 0 && state % silence == 7 {
                return None;
            }
            // Mostly nonsense that leads further: node counts, audio groups, widgets of the kinds that matter.
            Some(match command & 0xf_ffff {
                0xf_0004 => random & 0x00ff_00ff,
                0xf_0005 => 1,
                0xf_0009 => (random & 0x000f_ffff) | ((random >> 8) % 5) << 20,
                _ => random,
            })
        });
        let model = Bench::new(Profile { strict: false, ..Profile::hardware() }).codec(0, codec).build();
        let controller = bring_up(&model);
        // Four groups of 128 widgets, each with up to 7 questions and a list of 64 answers; and the routes.
        prop_assert!(verbs.get() < 4 * (16 + 128 * 71) + 2000, "{} verbs", verbs.get());
        prop_assert!(model.now_ns() < 5_000_000_000, "{} ns", model.now_ns());
        if let Ok(mut controller) = controller {
            for n in 0..controller.routes().len() as u8 {
                let direction = controller.routes()[usize::from(n)].direction();
                let Some(stream) = controller.take_stream(direction) else { continue };
                let stream = stream.configure(cd_like(), TestBuffer::new(&model, 8192, direction));
                let _ = controller.connect(RouteIndex(n), &stream.expect("configured"));
            }
        }
    }
}
