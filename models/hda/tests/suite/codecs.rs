//! Codecs: parameters, connection lists, state, and what is heard where.

use crate::bench::Hand;
use snd_hda_model::codec::{Amplifier, Arrival, Widget};
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile, Rule};

fn with(codec: Codec) -> Model {
    Bench::new(Profile::hardware()).codec(0, codec).build()
}

fn ready(model: &Model) -> Hand<'_> {
    let mut hand = Hand::new(model);
    hand.bring_up();
    hand.start_rings();
    hand
}

#[test]
fn nodes_are_found_from_the_root() {
    let model = with(Codec::duplex());
    let mut hand = ready(&model);
    assert_eq!(hand.verb(0, 0, 0xf0004), Some(0x0001_0001), "one function group, node 1");
    assert_eq!(hand.verb(0, 1, 0xf0005), Some(0x101), "audio");
    assert_eq!(hand.verb(0, 1, 0xf0004), Some(0x0002_0004), "four widgets from node 2 on");
    let kinds: Vec<u32> = (2..6).map(|node| hand.verb(0, node, 0xf0009).unwrap() >> 20).collect();
    assert_eq!(kinds, [0, 4, 1, 4]);
    assert_eq!(hand.verb(0, 9, 0xf0009), Some(0), "no such node: 0");
    assert_eq!(hand.verb(0, 2, 0xf5500), Some(0), "no such verb: 0");
}

#[test]
fn connection_lists_come_four_or_two_at_a_time() {
    let model = with(
        Codec::builder(1)
            .widget(2, Widget::mixer(&[3, 4, 5, 6, 7]))
            .widget(3, Widget::selector(&[]).connections_long(&[4, 5, 6]))
            .widget(4, Widget::selector(&[]).connections_range(5, 7))
            .build(),
    );
    let mut hand = ready(&model);
    assert_eq!(hand.verb(0, 2, 0xf000e), Some(5));
    assert_eq!(hand.verb(0, 2, 0xf0200), Some(0x0605_0403));
    assert_eq!(hand.verb(0, 2, 0xf0204), Some(0x07));
    assert_eq!(hand.verb(0, 2, 0xf0208), Some(0));
    assert_eq!(hand.verb(0, 3, 0xf000e), Some(0x83));
    assert_eq!(hand.verb(0, 3, 0xf0200), Some(0x0005_0004));
    assert_eq!(hand.verb(0, 3, 0xf0202), Some(0x0006));
    assert_eq!(hand.verb(0, 4, 0xf000e), Some(2));
    assert_eq!(hand.verb(0, 4, 0xf0200), Some(0x8705));
}

#[test]
fn settings_are_kept_and_a_function_reset_forgets_them() {
    let model = with(Codec::laptop());
    let mut hand = ready(&model);
    for (node, set, get, value) in [
        (0x10, 0x24011, 0xa0000, 0x4011),
        (0x10, 0x70653, 0xf0600, 0x53),
        (0x14, 0x70740, 0xf0700, 0x40),
        (0x14, 0x70c02, 0xf0c00, 0x02),
        (0x18, 0x70881, 0xf0800, 0x81),
        (0x1b, 0x70101, 0xf0100, 1),
        (0x10, 0x3a033, 0xba000, 0x33),
    ] {
        hand.verb(0, node, set);
        assert_eq!(hand.verb(0, node, get), Some(value), "{set:#x}");
    }
    hand.verb(0, 0x1b, 0x70105);
    assert_eq!(hand.verb(0, 0x1b, 0xf0100), Some(1), "there is no input 5");
    hand.verb(0, 1, 0x7ff00);
    assert_eq!(hand.verb(0, 0x14, 0xf0700), Some(0));
    assert_eq!(hand.verb(0, 0x10, 0xf0600), Some(0));
    assert_eq!(hand.verb(0, 1, 0xf0500), Some(0x33), "D3");
}

#[test]
fn the_configuration_default_can_be_written_byte_by_byte() {
    let model = with(Codec::duplex());
    let mut hand = ready(&model);
    assert_eq!(hand.verb(0, 3, 0xf1c00), Some(0x0101_4010));
    hand.verb(0, 3, 0x71f90);
    hand.verb(0, 3, 0x71c20);
    assert_eq!(hand.verb(0, 3, 0xf1c00), Some(0x9001_4020));
}

#[test]
fn a_converter_in_d3_does_not_listen() {
    let model = with(Codec::duplex());
    let mut hand = ready(&model);
    let buffer = hand.buffer(4096, DmaAccess::Read);
    hand.verb(0, 2, 0x20011);
    hand.verb(0, 2, 0x70610);
    hand.set_up_stream(4, 1, 0x11, &buffer);
    hand.run(4);
    model.advance_ns(1_000_000);
    assert!(model.played(0, 2).is_empty());
    hand.verb(0, 1, 0x70500);
    model.advance_ns(1_000_000);
    assert!(!model.played(0, 2).is_empty());
}

#[test]
fn converters_on_one_tag_take_their_own_channels() {
    let model = with(
        Codec::builder(1)
            .widget(2, Widget::dac())
            .widget(3, Widget::dac())
            .widget(4, Widget::line_out(&[2]))
            .widget(5, Widget::line_out(&[3]))
            .build(),
    );
    let mut hand = ready(&model);
    let buffer = hand.buffer(8192, DmaAccess::Read);
    crate::bench::fill(&model, &buffer, |index| index as i16);
    hand.set_converter(0, 2, 0x13, 1, 0);
    hand.set_converter(0, 3, 0x13, 1, 2);
    hand.set_up_stream(4, 1, 0x13, &buffer);
    hand.run(4);
    model.advance_ns(1_000_000);
    assert_eq!(model.played(0, 2).samples()[..4], [0, 1, 4, 5]);
    assert_eq!(model.played(0, 3).samples()[..4], [2, 3, 6, 7]);
    assert_eq!(model.played(0, 3).frame(1), [6, 7]);
}

#[test]
fn nothing_is_heard_until_the_whole_route_is_open() {
    let model = with(Codec::laptop());
    let mut hand = ready(&model);
    assert_eq!(model.arrivals(0, 0x14), []);
    let open = [
        (1, 0x70500),
        (0x10, 0x70500),
        (0x14, 0x70500),
        (0x10, 0x3b04a),
        (0x12, 0x37000),
        (0x14, 0x3b000),
        (0x14, 0x70740),
        (0x14, 0x70c02),
    ];
    for (node, verb) in open {
        assert_eq!(model.arrivals(0, 0x14), [], "before {verb:#x}");
        hand.verb(0, node, verb);
    }
    assert_eq!(model.arrivals(0, 0x14), [Arrival { from: 0x10, gain_quarter_db: 0 }]);
    hand.verb(0, 0x10, 0x3b040);
    assert_eq!(model.arrivals(0, 0x14), [Arrival { from: 0x10, gain_quarter_db: -40 }]);
}

#[test]
fn a_recording_comes_from_the_selected_jack() {
    let model = with(Codec::laptop());
    let mut hand = ready(&model);
    for (node, verb) in [(1, 0x70500), (0x11, 0x70500), (0x11, 0x3704a), (0x19, 0x70720)] {
        hand.verb(0, node, verb);
    }
    assert_eq!(model.arrivals(0, 0x11), [], "the microphone is selected, and off");
    hand.verb(0, 0x1b, 0x70101);
    assert_eq!(model.arrivals(0, 0x11), [Arrival { from: 0x19, gain_quarter_db: 0 }]);
}

#[test]
fn a_cycle_of_widgets_ends() {
    let model = with(
        Codec::builder(1)
            .no_power_states()
            .widget(2, Widget::mixer(&[3, 2]))
            .widget(3, Widget::mixer(&[2, 3]).amp_in(Amplifier::TYPICAL))
            .widget(4, Widget::line_out(&[2]).enabled_at_reset())
            .build(),
    );
    assert_eq!(model.arrivals(0, 4), []);
}

#[test]
fn a_format_that_the_converter_cannot_do_and_a_pin_that_goes_the_other_way() {
    let model = with(Codec::duplex());
    let mut hand = ready(&model);
    // 32 bit; 32 kHz; three quarters of 48 kHz; and what it can: 88.2 kHz, 24 bit.
    hand.verb(0, 2, 0x20041);
    hand.verb(0, 2, 0x20a11);
    hand.verb(0, 2, 0x21311);
    hand.verb(0, 3, 0x70720);
    hand.verb(0, 5, 0x70740);
    let rules: Vec<Rule> = model.take_violations().iter().map(|violation| violation.rule).collect();
    use Rule::{ConverterFormat, PinControl};
    assert_eq!(rules, [ConverterFormat, ConverterFormat, ConverterFormat, PinControl, PinControl]);
    hand.verb(0, 2, 0x24831);
    model.assert_clean();
}

#[test]
fn a_codec_that_works_can_lie_about_one_thing() {
    let honest_but_for_the_length =
        |verb: u32, honest: Option<u32>| if verb & 0xfffff == 0xf000e { Some(0x7f) } else { honest };
    let model = with(Codec::duplex().tampered(honest_but_for_the_length));
    let mut hand = ready(&model);
    assert_eq!(hand.verb(0, 3, 0xf000e), Some(0x7f));
    assert_eq!(hand.verb(0, 3, 0xf0200), Some(2));
}

#[test]
fn a_codec_can_fall_silent() {
    let model = with(Codec::duplex());
    let mut hand = ready(&model);
    assert!(hand.verb(0, 0, 0xf0000).is_some());
    model.edit_faults(|faults| faults.silent_codecs = 1);
    assert_eq!(hand.verb(0, 0, 0xf0000), None);
}

#[test]
fn a_range_of_connections_is_selected_from_by_its_members() {
    let model = with(
        Codec::builder(1)
            .no_power_states()
            .widget(2, Widget::dac())
            .widget(3, Widget::dac())
            .widget(4, Widget::dac())
            .widget(5, Widget::line_out(&[]).connections_range(2, 4).enabled_at_reset())
            .build(),
    );
    let mut hand = ready(&model);
    for (selected, node) in [(0, 2), (1, 3), (2, 4)] {
        hand.verb(0, 5, 0x70100 | selected);
        assert_eq!(model.arrivals(0, 5), [Arrival { from: node, gain_quarter_db: 0 }]);
    }
}
