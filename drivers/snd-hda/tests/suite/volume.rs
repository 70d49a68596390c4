//! Volume and mute, by the amplifiers on a route.

use crate::common::*;
use snd_hda::{ConnectError, Direction, GainRange, RouteIndex};
use snd_hda_model::codec::{Amplifier, Widget};
use snd_hda_model::{Bench, Codec, Model, Profile};

fn opened(codec: Codec) -> (Model, TestController, ConfiguredStream) {
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    let mut controller = bring_up(&model).expect("up");
    let buffer = TestBuffer::new(&model, 8192, Direction::Output);
    let stream = open(&mut controller, RouteIndex(0), cd_like(), buffer);
    (model, controller, stream)
}

fn sides(model: &Model) -> (Option<i32>, Option<i32>) {
    model.audible(0).first().map_or((None, None), |heard| (heard.left_quarter_db, heard.right_quarter_db))
}

/// Steps of 1.5 dB from -45 dB to +1.5 dB.
const FINE: Amplifier = Amplifier { steps: 31, zero_db_step: 30, step_quarter_db: 6, mute: true };
/// Two steps of 10 dB.
const BOOST: Amplifier = Amplifier { steps: 2, zero_db_step: 0, step_quarter_db: 40, mute: false };

#[test]
fn the_amplifier_with_the_widest_range_is_the_volume_and_goes_by_nearest_steps() {
    let (model, mut controller, _stream) = opened(
        Codec::builder(0x1234_5678)
            .widget(2, Widget::dac().amp_out(FINE).muted_at_reset())
            .widget(3, Widget::mixer(&[2]).amp_in(BOOST))
            .widget(4, Widget::line_out(&[3]).amp_out(Amplifier::MUTE_ONLY).muted_at_reset())
            .build(),
    );
    let route = RouteIndex(0);
    let range = GainRange { min_mdb: -45_000, max_mdb: 1_500, step_mdb: 1_500, can_mute: true };
    assert_eq!(controller.volume_range(route), Some(range));
    assert_eq!((controller.volume(route, 0), sides(&model)), (Some(0), (Some(0), Some(0))));
    for (asked, set) in [
        (-1_500, -1_500),
        (-2_249, -1_500),
        (-2_251, -3_000),
        (749, 0),
        (751, 1_500),
        (i32::MAX, 1_500),
        (i32::MIN, -45_000),
        (0, 0),
    ] {
        controller.set_volume(route, 0, asked).expect("set");
        assert_eq!(controller.volume(route, 0), Some(set), "{asked}");
        assert_eq!(controller.volume(route, 1), Some(0), "the other channel is left alone");
        assert_eq!(sides(&model), (Some(set / 250), Some(0)), "{asked}");
    }
    controller.set_mute(route, 1, true).expect("muted");
    assert_eq!(sides(&model), (Some(0), None));
    controller.set_mute(route, 0, true).expect("muted");
    assert_eq!(sides(&model), (None, None));
    controller.set_volume(route, 0, -3_000).expect("set while it is muted");
    assert_eq!(sides(&model), (None, None));
    controller.set_mute(route, 0, false).expect("heard again");
    assert_eq!(sides(&model), (Some(-12), None));
    model.assert_clean();
}

#[test]
fn each_stream_begins_at_full_level_whatever_the_one_before_had_set() {
    let (model, mut controller, stream) = opened(Codec::output());
    controller.set_volume(RouteIndex(0), 0, -30_000).expect("set");
    controller.set_mute(RouteIndex(0), 1, true).expect("muted");
    assert_eq!(sides(&model), (Some(-120), None));
    let (stream, buffer) = stream.release().expect("released");
    controller.disconnect(RouteIndex(0)).expect("disconnected");
    assert_eq!(controller.volume(RouteIndex(0), 0), None, "nobody has it");
    assert_eq!(controller.set_volume(RouteIndex(0), 0, 0), Err(ConnectError::Unsupported));
    controller.give_back(stream);
    let _next = open(&mut controller, RouteIndex(0), cd_like(), buffer);
    assert_eq!(sides(&model), (Some(0), Some(0)));
}

#[test]
fn a_route_without_amplifiers_says_so() {
    let (_model, mut controller, _stream) = opened(
        Codec::builder(0x1234_5678).widget(2, Widget::dac()).widget(3, Widget::line_out(&[2])).build(),
    );
    let route = RouteIndex(0);
    assert_eq!(controller.volume_range(route), None);
    assert_eq!(controller.set_volume(route, 0, 0), Err(ConnectError::Unsupported));
    assert_eq!(controller.set_mute(route, 0, true), Err(ConnectError::Unsupported));
    assert_eq!(controller.volume(route, 0), None);
    assert_eq!(controller.volume_range(RouteIndex(9)), None);
}

#[test]
fn one_that_only_mutes_has_no_volume() {
    let (model, mut controller, _stream) = opened(
        Codec::builder(0x1234_5678)
            .widget(2, Widget::dac())
            .widget(3, Widget::line_out(&[2]).amp_out(Amplifier::MUTE_ONLY).muted_at_reset())
            .build(),
    );
    let range = GainRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute: true };
    assert_eq!(controller.volume_range(RouteIndex(0)), Some(range));
    assert_eq!(controller.set_volume(RouteIndex(0), 0, -6_000), Err(ConnectError::Unsupported));
    controller.set_mute(RouteIndex(0), 0, true).expect("muted");
    assert_eq!(sides(&model), (None, Some(0)));
}

#[test]
fn channels_that_are_not_there_are_refused() {
    let (_model, mut controller, _stream) = opened(Codec::output());
    for channel in [2, 3, 16, 255] {
        assert_eq!(controller.set_volume(RouteIndex(0), channel, 0), Err(ConnectError::Unsupported));
        assert_eq!(controller.volume(RouteIndex(0), channel), None);
    }
}
