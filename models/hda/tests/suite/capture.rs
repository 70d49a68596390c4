//! Capture: what converters send is in the pages, late by what the FIFO holds back.

use crate::bench::{Hand, samples};
use snd_hda::dma::{DmaMemory, DmaRegion};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile};

fn recording(hand: &mut Hand<'_>, bytes: u32) -> crate::bench::Buffer {
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(bytes, DmaAccess::Write);
    hand.model.set_source(0, 4, |frame, channel| (frame.index * 2 + channel as u64) as i32);
    hand.set_converter(0, 4, 0x11, 3, 0);
    hand.set_up_stream(0, 3, 0x11, &buffer);
    buffer
}

fn duplex() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build()
}

#[test]
fn a_ramp_arrives_with_no_break() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = recording(&mut hand, 5 * 4096);
    hand.run(0);
    model.advance_ns(100_000_000);
    hand.stop(0);
    let frames = model.true_link_frames(0);
    assert!((4790..4830).contains(&frames), "{frames}");
    // RUN reads 0: all that came off the link is in memory.
    assert_eq!(u64::from(model.dma_position(0)), frames * 4);
    let recorded = samples(&model, &buffer);
    for (index, &sample) in recorded.iter().enumerate() {
        let expected = if (index as u64) < frames * 2 { index as i16 } else { 0 };
        assert_eq!(sample, expected, "sample {index}");
    }
}

#[test]
fn memory_lags_behind_lpib_by_no_more_than_the_fifo() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = recording(&mut hand, 4 * 4096);
    let positions = model.memory().allocate(4096, 128).unwrap();
    hand.regs.write_u32(0x74, 0);
    hand.regs.write_u32(0x70, positions.device_address() as u32 | 1);
    let fifo_bytes = u32::from(hand.regs.read_u16(0x90));
    assert!(fifo_bytes >= 120);
    hand.run(0);
    let mut lagged = 0;
    for _ in 0..500 {
        model.advance_ns(20_833);
        let lpib = hand.lpib(0);
        let in_memory = positions.read_u32(0);
        assert!(in_memory <= lpib && lpib - in_memory <= fifo_bytes, "{in_memory} {lpib}");
        lagged = lagged.max(lpib - in_memory);
    }
    assert!(lagged > 0, "a burst is held back");
}

#[test]
fn with_no_converter_on_its_tag_a_capture_stream_stands() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = recording(&mut hand, 4096);
    hand.verb(0, 4, 0x70600);
    hand.run(0);
    model.advance_ns(5_000_000);
    assert_eq!(hand.lpib(0), 0);
    assert_eq!(hand.regs.read_u8(0x80) & 2, 2);
    hand.verb(0, 4, 0x70600 | 3 << 4);
    model.advance_ns(1_000_000);
    assert!(hand.lpib(0) > 0);
    // Its first frame is the converter's first.
    hand.stop(0);
    assert_eq!(samples(&model, &buffer)[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn what_no_converter_sends_takes_no_room_on_the_link() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::any_format(8)).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    for (stream, tag) in [(0, 1), (1, 2)] {
        let buffer = hand.buffer(8192, DmaAccess::Write);
        // 192 kHz, 32 bit, 2 channels: 264 bits with the tag, and 464 there are.
        hand.set_up_stream(stream, tag, 0x1841, &buffer);
    }
    hand.set_converter(0, 4, 0x1841, 1, 0);
    hand.run(0);
    hand.run(1);
    assert!(model.take_violations().is_empty());
    // Nor if the converter turns to the other one.
    hand.stop(1);
    hand.set_converter(0, 4, 0x1841, 2, 0);
    hand.run(1);
    assert!(model.take_violations().is_empty());
}

#[test]
fn a_capture_that_gets_no_bus_loses_frames_and_says_so() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = recording(&mut hand, 16 * 4096);
    hand.run(0);
    model.advance_ns(1_000_000);
    assert_eq!(hand.regs.read_u8(0x83) & 8, 0);
    model.starve(0, 200);
    model.advance_ns(10_000_000);
    assert_eq!(hand.regs.read_u8(0x83) & 8, 8, "FIFOE");
    assert!(model.lost_frames(0) > 100);
    hand.regs.write_u8(0x83, 8);
    assert_eq!(hand.regs.read_u8(0x83) & 8, 0);
    hand.stop(0);
    // The ramp has one break, as wide as what was lost.
    let recorded = samples(&model, &buffer);
    let frames = model.true_link_frames(0) as usize;
    let breaks: Vec<i16> = (1..frames)
        .map(|index| recorded[2 * index] - recorded[2 * index - 2] - 2)
        .filter(|step| *step != 0)
        .collect();
    assert_eq!(breaks, [2 * model.lost_frames(0) as i16]);
}

#[test]
fn a_loop_back_returns_what_was_played_so_many_link_frames_before() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    model.loop_back((0, 2), (0, 4), 7);
    let recording = hand.buffer(2 * 4096, DmaAccess::Write);
    let playing = hand.buffer(2 * 4096, DmaAccess::Read);
    crate::bench::fill(&model, &playing, |index| index as i16 + 1);
    hand.set_converter(0, 2, 0x11, 1, 0);
    hand.set_converter(0, 4, 0x11, 1, 0);
    hand.set_up_stream(0, 1, 0x11, &recording);
    hand.set_up_stream(4, 1, 0x11, &playing);
    hand.regs.write_u32(0x38, 0x11);
    hand.run(0);
    hand.run(4);
    hand.wait("FIFORDY", |regs| regs.read_u8(0x103) & 0x20 != 0);
    hand.regs.write_u32(0x38, 0);
    model.advance_ns(20_000_000);
    hand.stop(0);
    hand.stop(4);
    let recorded = samples(&model, &recording);
    assert_eq!(recorded[..14], [0; 14]);
    for index in 0..1500 {
        assert_eq!(recorded[14 + index], index as i16 + 1);
    }
}

#[test]
fn completion_comes_when_the_entry_is_in_memory() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = recording(&mut hand, 8192);
    hand.regs.write_u32(0x20, 0x8000_0001);
    hand.regs.write_u8(0x80, 2 | 4);
    while hand.regs.read_u8(0x83) & 4 == 0 {
        model.advance_ns(5_000);
    }
    assert!(model.interrupt_pending());
    let heard = hand.lpib(0);
    assert!((4096..4400).contains(&heard), "{heard}");
    assert_eq!(samples(&model, &buffer)[2047], 2047);
    hand.stop(0);
}

#[test]
fn a_loop_back_without_delay_hears_what_is_played_in_the_same_link_frame() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let recording = recording(&mut hand, 8192);
    model.loop_back((0, 2), (0, 4), 0);
    let playing = hand.buffer(8192, DmaAccess::Read);
    crate::bench::fill(&model, &playing, |index| index as i16 + 1);
    hand.set_converter(0, 2, 0x11, 1, 0);
    hand.set_up_stream(4, 1, 0x11, &playing);
    hand.regs.write_u32(0x38, 0x11);
    hand.run(0);
    hand.run(4);
    hand.wait("FIFORDY", |regs| regs.read_u8(0x103) & 0x20 != 0);
    hand.regs.write_u32(0x38, 0);
    model.advance_ns(5_000_000);
    hand.stop(0);
    assert_eq!(samples(&model, &recording)[..4], [1, 2, 3, 4]);
}
