//! Playback: what is in the pages is on the link, frame by frame.

use crate::bench::{Hand, fill};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, DmaAccess, Profile};

#[test]
fn what_is_in_the_pages_is_what_the_converter_gets() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(3 * 4096, DmaAccess::Read);
    fill(&model, &buffer, |index| index as i16);
    hand.set_converter(0, 2, 0x11, 5, 0);
    hand.set_up_stream(4, 5, 0x11, &buffer);
    hand.run(4);
    model.advance_ns(100_000_000);
    let played = model.played(0, 2);
    assert!(played.len() > 4790, "{} frames in 100 ms", played.len());
    for (index, &sample) in played.samples().iter().enumerate() {
        assert_eq!(sample, (index % (3 * 2048)) as i32);
    }
    // One frame in each link frame, with no gap.
    let first = played.link_frame(0);
    for index in 0..played.len() {
        assert_eq!(played.link_frame(index), first + index as u64);
    }
    hand.stop(4);
    let frames = model.played(0, 2).len() as u64;
    assert_eq!(model.true_link_frames(4), frames);
    assert_eq!(u64::from(hand.lpib(4)), frames * 4 % (3 * 4096));
    model.assert_clean();
}

#[test]
fn a_second_of_audio_is_quick() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(16 * 4096, DmaAccess::Read);
    hand.set_converter(0, 2, 0x11, 5, 0);
    hand.set_up_stream(4, 5, 0x11, &buffer);
    hand.run(4);
    let mut last = 0;
    for _ in 0..1000 {
        model.advance_ns(1_000_000);
        let now = model.true_link_frames(4);
        assert!(now >= last + 45);
        last = now;
        let _ = hand.regs.read_u32(0x30);
    }
    // 1000 register reads took 0.25 ms on top.
    assert_eq!(last, 48_010);
}
