//! How long the card keeps everybody waiting on a controller whose registers are slow.

use audioback::card::Card;
use snd_hda_model::{Bench, Codec, Profile};

use crate::common::{MILLISECOND, TestCard, TestStream, card, open};

#[test]
fn the_clocks_are_compared_for_a_time_and_not_for_a_number_of_readings() {
    // No reading is precise enough for a start.
    let profile = Profile { access_ns: 20_000, ..Profile::hardware() };
    let model = Bench::new(profile).codec(0, Codec::duplex()).build();
    let mut card = card(&model);
    let mut stream = open(&mut card, &model, 0);
    type Ask = fn(&mut TestCard, &mut TestStream);
    let asks: [(&str, Ask); 4] = [
        ("START", |card, stream| card.start(stream).expect("started")),
        ("PAUSE", |card, stream| card.pause(stream).expect("paused")),
        ("RESUME", |card, stream| card.resume(stream).expect("resumed")),
        ("STOP", |card, stream| assert!(card.stop(stream).is_ok())),
    ];
    for (name, ask) in asks {
        model.advance_ns(20 * MILLISECOND);
        let before_ns = model.now_ns();
        ask(&mut card, &mut stream);
        let ns = model.now_ns() - before_ns;
        assert!(ns < 2 * MILLISECOND, "{name}: {ns} ns");
    }
}
