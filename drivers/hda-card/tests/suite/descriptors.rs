//! Stream descriptors: all taken, many at once, and one that doesn't work.

use audioback::card::{Card, CardError, PortIndex};
use snd_hda_model::{Bench, Codec, DmaAccess, Profile};

use crate::card::refusal;
use crate::common::*;

#[test]
fn descriptors_that_are_all_taken_make_it_busy() {
    let profile = Profile { output_streams: 1, bidirectional_streams: 0, ..Profile::hardware() };
    let model = Bench::new(profile).codec(0, Codec::output()).codec(1, Codec::output()).build();
    let mut card = card(&model);
    let stream = open(&mut card, &model, 0);
    let buffer = Mapped::new(&model, 8192, DmaAccess::Read);
    // Without that, a guest's pages would be mapped in vain each time.
    assert!(!Card::<Mapped>::is_free(&card, PortIndex(1)));
    assert_eq!(refusal(&mut card, 1, CD_LIKE, buffer), CardError::Busy);
    card.close(stream).expect("closed");
    assert!(Card::<Mapped>::is_free(&card, PortIndex(1)));
    let stream = open(&mut card, &model, 1);
    card.close(stream).expect("closed");
}

#[test]
fn four_streams_and_four_more_run_at_once() {
    let model = (0..4).fold(Bench::new(Profile::hardware()), |bench, at| bench.codec(at, Codec::duplex()));
    let model = model.build();
    let mut card = card(&model);
    let mut streams: Vec<_> = (0..8).map(|port| open(&mut card, &model, port)).collect();
    for stream in &mut streams {
        card.start(stream).expect("started");
    }
    model.advance_ns(100 * MILLISECOND);
    for stream in &mut streams {
        let position = card.position(stream).expect("a position");
        assert!((4 * 4_700..4 * 4_850).contains(&position.bytes), "{position:?}");
        assert_eq!(position.fifo_errors, 0);
    }
    for stream in streams {
        card.close(stream).expect("closed");
    }
    model.advance_ns(10 * MILLISECOND);
    model.assert_clean();
}

#[test]
fn one_that_does_not_work_keeps_no_stream_from_the_others() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).codec(1, Codec::output()).build();
    let mut card = card(&model);
    // The first output: four inputs come before it.
    model.edit_faults(|faults| faults.stream_reset_never_left = 1 << 4);
    let opened = |card: &mut TestCard, port| {
        let before = model.now_ns();
        let mut stream = open(card, &model, port);
        card.start(&mut stream).expect("started");
        (stream, model.now_ns() - before)
    };
    let (first, found_ns) = opened(&mut card, 0);
    assert!(found_ns < 3 * MILLISECOND, "{found_ns}");
    // Nobody waits for it again.
    let (second, known_ns) = opened(&mut card, 1);
    assert!(known_ns < MILLISECOND, "{known_ns}");
    model.advance_ns(20 * MILLISECOND);
    for mut stream in [first, second] {
        assert!(card.position(&mut stream).expect("a position").bytes > 0);
        card.close(stream).expect("closed");
    }
    model.advance_ns(MILLISECOND);
    model.assert_clean();
}
