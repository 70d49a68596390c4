//! What is heard, recorded and looped back: on small codecs, with each single thing left undone.

use snd_hda_model::codec::{Amplifier, Widget, WidgetKind};
use snd_hda_model::{Bench, Codec, Heard, LoopedBack, Model, Profile};

use crate::bench::Hand;

/// The widget capability to swap left and right.
const SWAP: u32 = 1 << 11;
const AMP: Amplifier = Amplifier { steps: 31, zero_db_step: 23, step_quarter_db: 6, mute: true };

fn with(codec: Codec) -> Model {
    Bench::new(Profile::hardware()).codec(0, codec).build()
}

fn tell(hand: &mut Hand<'_>, verbs: &[(u32, u32)]) {
    for &(node, verb) in verbs {
        hand.immediate(node << 20 | verb);
    }
}

/// Everything in `verbs` is needed: with all of them `look` sees `expected`, with any one left out it doesn't.
fn each_is_needed<T: PartialEq + std::fmt::Debug>(
    codec: impl Fn() -> Codec,
    verbs: &[(u32, u32)],
    look: impl Fn(&Model) -> Vec<T>,
    expected: &[T],
    without: impl Fn((u32, u32)) -> Vec<T>,
) {
    let model = with(codec());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    assert_eq!(look(&model), [], "after a reset");
    tell(&mut hand, verbs);
    assert_eq!(look(&model), expected);
    model.assert_clean();
    for left_out in 0..verbs.len() {
        // A function group reset, from every state.
        tell(&mut hand, &[(1, 0x7ff00)]);
        assert_eq!(look(&model), [], "after a function group reset");
        let others: Vec<(u32, u32)> =
            verbs.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, &verb)| verb).collect();
        tell(&mut hand, &others);
        let (node, verb) = verbs[left_out];
        assert_eq!(look(&model), without((node, verb)), "without {verb:#x} to node {node:#x}");
    }
}

/// DAC 2 or 3, to mixer 4, to speaker 6, which takes DAC 3 or the mixer; amplifiers and power everywhere.
fn speaker() -> Codec {
    let power = |widget: Widget| widget.power_control().muted_at_reset();
    Codec::builder(1)
        .amp_out(AMP)
        .widget(2, power(Widget::dac().inherits_amp_out()))
        .widget(3, power(Widget::dac().inherits_amp_out()))
        .widget(4, power(Widget::mixer(&[3, 2]).amp_in(AMP)))
        .widget(6, power(Widget::speaker(&[3, 4]).amp_out(Amplifier::MUTE_ONLY)))
        .build()
}

fn heard(pin: u8, converter: u8, gain_quarter_db: i32) -> Heard {
    Heard {
        pin,
        converter,
        tag: 3,
        channel: 2,
        gain_quarter_db,
        left_quarter_db: Some(gain_quarter_db),
        right_quarter_db: Some(gain_quarter_db),
        vref: 0,
    }
}

#[test]
fn a_speaker_wants_everything() {
    let verbs = [
        (1, 0x70500),
        (2, 0x70500),
        (4, 0x70500),
        (6, 0x70500),
        (2, 0x3b017),
        (4, 0x37115),
        (6, 0x3b000),
        (6, 0x70740),
        (6, 0x70c02),
        (6, 0x70101),
        (2, 0x70632),
    ];
    each_is_needed(speaker, &verbs, |model| model.audible(0), &[heard(6, 2, -12)], |_| vec![]);
}

#[test]
fn one_side_alone_is_told() {
    let model = with(speaker());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    let all = [(1, 0x70500), (2, 0x70500), (4, 0x70500), (6, 0x70500), (2, 0x3b017), (4, 0x37117)];
    tell(&mut hand, &all);
    tell(&mut hand, &[(6, 0x3b000), (6, 0x70740), (6, 0x70c02), (6, 0x70101), (2, 0x70632)]);
    tell(&mut hand, &[(4, 0x35197), (2, 0x3a015)]);
    let expected =
        Heard { gain_quarter_db: -12, left_quarter_db: Some(-12), right_quarter_db: None, ..heard(6, 2, 0) };
    assert_eq!(model.audible(0), [expected]);
    assert_eq!(model.arrivals(0, 6), [], "both sides are wanted");
}

#[test]
fn a_second_converter_on_the_mixer_is_heard_as_well() {
    let model = with(speaker());
    let mut hand = Hand::new(&model);
    hand.bring_up();
    let powers = [(1, 0x70500), (2, 0x70500), (3, 0x70500), (4, 0x70500), (6, 0x70500)];
    tell(&mut hand, &powers);
    tell(&mut hand, &[(2, 0x3b017), (3, 0x3b017), (4, 0x37117), (4, 0x37016), (6, 0x3b000), (6, 0x70740)]);
    tell(&mut hand, &[(6, 0x70c02), (6, 0x70101), (2, 0x70632), (3, 0x70632)]);
    assert_eq!(model.audible(0), [heard(6, 2, 0), heard(6, 3, -6)]);
    // The other way into the pin goes past the mixer.
    tell(&mut hand, &[(6, 0x70100)]);
    assert_eq!(model.audible(0), [heard(6, 3, 0)]);
}

#[test]
fn a_digital_output_wants_its_enable() {
    let codec = || {
        Codec::builder(1)
            .widget(2, Widget::dac().digital())
            .widget(3, Widget::line_out(&[2]).digital())
            .build()
    };
    let verbs = [(1, 0x70500), (2, 0x70d01), (2, 0x70632), (3, 0x70740)];
    each_is_needed(codec, &verbs, |model| model.audible(0), &[heard(3, 2, 0)], |_| vec![]);
}

#[test]
fn hdmi_wants_its_pin_and_its_amplifier() {
    let codec = || {
        let pin = Widget::new(WidgetKind::Pin)
            .digital()
            .connections(&[4])
            .pin(1 << 4 | 1 << 2 | 1 << 7, 0x1856_0010);
        Codec::builder(1)
            .widget(4, Widget::dac().digital().channels(8))
            .widget(5, pin.amp_out(Amplifier::MUTE_ONLY).muted_at_reset())
            .build()
    };
    let verbs = [(1, 0x70500), (4, 0x70d01), (4, 0x70632), (5, 0x70740), (5, 0x3b000)];
    each_is_needed(codec, &verbs, |model| model.audible(0), &[heard(5, 4, 0)], |_| vec![]);
}

#[test]
fn eapd_concerns_its_own_pin_only() {
    let codec = Codec::builder(1)
        .no_power_states()
        .widget(2, Widget::dac())
        .widget(3, Widget::line_out(&[2]))
        .widget(4, Widget::speaker(&[2]))
        .build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(2, 0x70632), (3, 0x70740), (4, 0x70740), (3, 0x70c02)]);
    assert_eq!(hand.immediate(3 << 20 | 0xf0c00), 0, "it has none");
    assert_eq!(model.audible(0), [heard(3, 2, 0)]);
    tell(&mut hand, &[(4, 0x70c02)]);
    assert_eq!(model.audible(0), [heard(3, 2, 0), heard(4, 2, 0)]);
}

#[test]
fn a_power_widget_feeds_those_in_its_list() {
    let codec = || {
        Codec::builder(1)
            .widget(2, Widget::dac())
            .widget(3, Widget::line_out(&[2]))
            .widget(4, Widget::new(WidgetKind::Power).connections(&[2]).power_control())
            .build()
    };
    let verbs = [(1, 0x70500), (4, 0x70500), (2, 0x70632), (3, 0x70740)];
    each_is_needed(codec, &verbs, |model| model.audible(0), &[heard(3, 2, 0)], |_| vec![]);
}

#[test]
fn widgets_of_one_channel_have_one_gain() {
    let codec = Codec::builder(1)
        .no_power_states()
        .widget(2, Widget::dac())
        .widget(3, Widget::mixer(&[2]).amp_in(AMP).muted_at_reset().mono())
        .widget(4, Widget::line_out(&[3]))
        .build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(2, 0x70632), (4, 0x70740), (3, 0x35017)]);
    assert_eq!(model.audible(0), [], "the right one is nothing");
    tell(&mut hand, &[(3, 0x36017)]);
    assert_eq!(model.audible(0), [heard(4, 2, 0)]);
}

#[test]
fn a_widget_can_swap_left_and_right() {
    let codec = Codec::builder(1)
        .no_power_states()
        .widget(2, Widget::dac().amp_out(AMP))
        .widget(3, Widget::selector(&[2]).amp_out(AMP).capability_bits(SWAP))
        .widget(4, Widget::line_out(&[3]))
        .build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(2, 0x70632), (4, 0x70740), (3, 0x3a015)]);
    let sides = |left, right| Heard {
        gain_quarter_db: -12,
        left_quarter_db: Some(left),
        right_quarter_db: Some(right),
        ..heard(4, 2, 0)
    };
    assert_eq!(model.audible(0), [sides(-12, 0)]);
    tell(&mut hand, &[(3, 0x70c04)]);
    assert_eq!(model.audible(0), [sides(0, -12)], "what goes out left came in right");
}

#[test]
fn inputs_of_a_mixer_past_the_sixteenth_are_always_open() {
    let sources: Vec<u8> = (10..30).collect();
    let dacs = sources
        .iter()
        .fold(Codec::builder(1).no_power_states(), |codec, &node| codec.widget(node, Widget::dac()));
    let codec = dacs
        .widget(8, Widget::mixer(&sources).amp_in(AMP).muted_at_reset())
        .widget(9, Widget::line_out(&[8]))
        .build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(9, 0x70740), (25, 0x70632), (26, 0x70632)]);
    assert_eq!(model.audible(0), [heard(9, 26, 0)]);
    tell(&mut hand, &[(8, 0x37f17)]);
    assert_eq!(model.audible(0), [heard(9, 25, 0), heard(9, 26, 0)]);
}

/// Microphone 5 (with boost) or line-in 6, by selector 7, to ADC 8 with an amplifier.
fn recorder() -> Codec {
    let boost = Amplifier { steps: 3, zero_db_step: 0, step_quarter_db: 40, mute: false };
    Codec::builder(1)
        .widget(5, Widget::microphone().amp_in(boost).power_control())
        .widget(6, Widget::line_in().power_control())
        .widget(7, Widget::selector(&[6, 5]).power_control())
        .widget(8, Widget::adc(7).amp_in(AMP).power_control().muted_at_reset())
        .build()
}

#[test]
fn a_microphone_wants_everything() {
    let expected = Heard {
        converter: 8,
        pin: 5,
        tag: 3,
        channel: 2,
        gain_quarter_db: 86,
        left_quarter_db: Some(86),
        right_quarter_db: Some(86),
        vref: 4,
    };
    let verbs = [
        (1, 0x70500),
        (5, 0x70500),
        (7, 0x70500),
        (8, 0x70500),
        (5, 0x37002),
        (8, 0x37018),
        (5, 0x70724),
        (7, 0x70101),
        (8, 0x70632),
    ];
    // Without its boost it is still heard, at another gain.
    let without = |(node, verb)| match (node, verb) {
        (5, 0x37002) => vec![Heard {
            gain_quarter_db: 6,
            left_quarter_db: Some(6),
            right_quarter_db: Some(6),
            ..expected
        }],
        _ => vec![],
    };
    each_is_needed(recorder, &verbs, |model| model.recorded(0), &[expected], without);
}

#[test]
fn a_digital_input_wants_its_enable() {
    let codec = || {
        Codec::builder(1).widget(2, Widget::adc(3).digital()).widget(3, Widget::line_in().digital()).build()
    };
    let verbs = [(1, 0x70500), (2, 0x70d01), (2, 0x70632), (3, 0x70720)];
    let pins = |model: &Model| model.recorded(0).iter().map(|recorded| recorded.pin).collect();
    each_is_needed(codec, &verbs, pins, &[3], |_| vec![]);
}

#[test]
fn amplifiers_of_pins_are_on_the_way_they_are_for() {
    // An input amplifier isn't on the way out; an output amplifier of a pin that can't play is on the way in.
    let both =
        Widget::new(WidgetKind::Pin).pin(1 << 4 | 1 << 5, 0).connections(&[2]).amp_in(AMP).muted_at_reset();
    let digital_microphone = Widget::new(WidgetKind::Pin).pin(1 << 5, 0).amp_out(AMP).muted_at_reset();
    let codec = Codec::builder(1)
        .no_power_states()
        .widget(2, Widget::dac())
        .widget(3, both)
        .widget(4, digital_microphone)
        .widget(5, Widget::adc(4))
        .build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(2, 0x70632), (3, 0x70740), (4, 0x70720), (5, 0x70632)]);
    assert_eq!(model.audible(0), [heard(3, 2, 0)]);
    assert_eq!(model.recorded(0), []);
    tell(&mut hand, &[(4, 0x3b018)]);
    assert_eq!(model.recorded(0)[0].gain_quarter_db, 6);
}

#[test]
fn what_is_looped_back_is_told_apart() {
    // Line-in 3 and DAC 2 to mixer 4, to line-out 5, which can record too; mixer 4 and pin 5 to ADC 6.
    let both = Widget::new(WidgetKind::Pin).pin(1 << 4 | 1 << 5, 0).connections(&[4]);
    let codec = Codec::builder(1)
        .no_power_states()
        .widget(2, Widget::dac())
        .widget(3, Widget::line_in())
        .widget(4, Widget::mixer(&[2, 3]).amp_in(AMP).muted_at_reset())
        .widget(5, both)
        .widget(6, Widget::adc(4).connections(&[4, 5]))
        .build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(2, 0x70632), (3, 0x70720), (4, 0x37017), (5, 0x70740), (6, 0x70610)]);
    assert_eq!(model.audible(0), [heard(5, 2, 0)]);
    let looped = |to, from, gain_quarter_db| LoopedBack { to, from, gain_quarter_db };
    assert_eq!(model.looped_back(0), [looped(6, 2, 0)], "the mixer is recorded");
    tell(&mut hand, &[(4, 0x37116)]);
    assert_eq!(model.looped_back(0), [looped(5, 3, -6), looped(6, 2, 0)], "and the line-in is heard");
    assert_eq!(model.recorded(0)[0].pin, 3);
    // By way of the pin: only if it is an input as well.
    tell(&mut hand, &[(6, 0x70101)]);
    assert_eq!(model.looped_back(0), [looped(5, 3, -6)]);
    assert_eq!(model.recorded(0), []);
    tell(&mut hand, &[(5, 0x70760)]);
    assert_eq!(model.looped_back(0), [looped(5, 3, -6), looped(6, 2, 0)]);
    assert_eq!(model.recorded(0).iter().map(|recorded| recorded.pin).collect::<Vec<_>>(), [3, 5]);
    // Without streams nothing is heard of converters.
    tell(&mut hand, &[(2, 0x70600), (6, 0x70600)]);
    assert_eq!((model.audible(0), model.recorded(0)), (vec![], vec![]));
    assert_eq!(model.looped_back(0), [looped(5, 3, -6)]);
}

#[test]
fn a_beep_is_heard_where_it_goes() {
    let codec = Codec::builder(1)
        .no_power_states()
        .widget(2, Widget::new(WidgetKind::Beep))
        .widget(3, Widget::line_out(&[2]))
        .build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(3, 0x70740)]);
    assert_eq!(model.looped_back(0), []);
    tell(&mut hand, &[(2, 0x70a20)]);
    assert_eq!(model.looped_back(0), [LoopedBack { to: 3, from: 2, gain_quarter_db: 0 }]);
}

#[test]
fn a_mesh_of_mixers_is_walked_in_bounded_time() {
    let nodes: Vec<u8> = (3..63).collect();
    let mesh = nodes.iter().fold(Codec::builder(1).no_power_states(), |codec, &node| {
        let sources: Vec<u8> = std::iter::once(2).chain(nodes.iter().copied()).collect();
        codec.widget(node, Widget::mixer(&sources))
    });
    let codec = mesh.widget(2, Widget::dac()).widget(63, Widget::line_out(&[3]).enabled_at_reset()).build();
    let model = with(codec);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    tell(&mut hand, &[(2, 0x70632)]);
    assert_eq!(model.audible(0), [heard(63, 2, 0)]);
}
