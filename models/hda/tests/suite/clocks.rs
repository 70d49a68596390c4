//! The wall clock, link frames, cadence, drift and linked start.

use crate::bench::{Hand, fill};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile};

#[test]
fn the_wall_clock_runs_at_24_mhz_from_crst() {
    let model = Bench::new(Profile::hardware()).build();
    let mut regs = model.registers();
    regs.write_u32(0x08, 1);
    let start_ns = model.now_ns();
    model.advance_ns(1_000_000_000);
    let ticks = regs.read_u32(0x30);
    assert_eq!(u64::from(ticks), (model.now_ns() - start_ns) * 24 / 1000);
    assert_eq!(regs.read_u32(0x2030) - ticks, 6, "the alias, 250 ns later");
}

#[test]
fn drift_is_exact_over_minutes() {
    for drift_ppm in [-500, 500] {
        let model = Bench::new(Profile::hardware()).drift_ppm(drift_ppm).build();
        let mut regs = model.registers();
        regs.write_u32(0x08, 1);
        let before = model.wall_clock();
        model.advance_ns(600_000_000_000);
        let ticks = model.wall_clock() - before;
        assert_eq!(ticks as i64, 600 * (24_000_000 + 24 * i64::from(drift_ppm)));
    }
}

#[test]
fn the_wall_clock_wraps_and_link_frames_go_on() {
    let mut profile = Profile::hardware();
    profile.wall_clock_start = u32::MAX - 24_000 * 50;
    let model = Bench::new(profile).codec(0, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(4096, DmaAccess::Read);
    fill(&model, &buffer, |index| index as i16);
    hand.set_converter(0, 2, 0x11, 1, 0);
    hand.set_up_stream(4, 1, 0x11, &buffer);
    hand.run(4);
    let before = hand.regs.read_u32(0x30);
    model.advance_ns(60_000_000);
    let after = hand.regs.read_u32(0x30);
    assert!(after < before);
    assert!(model.wall_clock() > 1 << 32);
    let played = model.played(0, 2);
    for index in 1..played.len() {
        assert_eq!(played.link_frame(index), played.link_frame(index - 1) + 1);
    }
}

fn linked_start(ssync: u16) -> (Model, [Option<u64>; 2]) {
    let mut profile = Profile::hardware();
    profile.stream_sync_offset = Some(ssync);
    let model = Bench::new(profile).codec(0, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let playing = hand.buffer(4096, DmaAccess::Read);
    let recording = hand.buffer(4096, DmaAccess::Write);
    hand.set_converter(0, 2, 0x11, 1, 0);
    hand.set_converter(0, 4, 0x11, 2, 0);
    hand.set_up_stream(4, 1, 0x11, &playing);
    hand.set_up_stream(0, 2, 0x11, &recording);
    hand.regs.write_u32(ssync, 0x11);
    assert_eq!(hand.regs.read_u32(ssync), 0x11);
    assert_eq!(hand.regs.read_u32(0x34 + 0x38 - ssync), 0, "it isn't at the other place");
    hand.run(4);
    model.advance_ns(3_000_000);
    hand.run(0);
    hand.wait("FIFORDY", |regs| regs.read_u8(0x103) & 0x20 != 0);
    model.advance_ns(5_000_000);
    assert_eq!(hand.lpib(4), 0, "held");
    hand.regs.write_u32(ssync, 0);
    let released = model.wall_clock();
    model.advance_ns(1_000_000);
    let starts = [model.start_link_frame(4), model.start_link_frame(0)];
    assert_eq!(starts[0], Some(released / 500 + 1), "the next multiple of 500 ticks");
    hand.stop(4);
    hand.stop(0);
    (model, starts)
}

#[test]
fn ssync_starts_streams_in_the_same_link_frame() {
    for ssync in [0x38, 0x34] {
        let (_model, starts) = linked_start(ssync);
        assert_eq!(starts[0], starts[1]);
    }
}

#[test]
fn without_ssync_streams_start_when_run_is_set() {
    let mut profile = Profile::hardware();
    profile.stream_sync_offset = None;
    let model = Bench::new(profile).codec(0, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.regs.write_u32(0x38, 0x11);
    hand.regs.write_u32(0x34, 0x11);
    assert_eq!((hand.regs.read_u32(0x38), hand.regs.read_u32(0x34)), (0, 0));
}

#[test]
fn at_44100_hz_the_link_carries_147_frames_in_160() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(3 * 4096, DmaAccess::Read);
    fill(&model, &buffer, |index| index as i16);
    hand.set_converter(0, 2, 0x4011, 1, 0);
    hand.set_up_stream(4, 1, 0x4011, &buffer);
    hand.run(4);
    model.advance_ns(100_000_000);
    let played = model.played(0, 2);
    for index in 147..played.len() {
        assert_eq!(played.link_frame(index) - played.link_frame(index - 147), 160);
    }
    for (index, &sample) in played.samples().iter().enumerate() {
        assert_eq!(sample, (index % (3 * 2048)) as i32);
    }
}

#[test]
fn every_format_plays_and_records_exactly() {
    // 44.1, 48, 88.2, 96, 192 kHz.
    for rate in [0x4000_u16, 0x0000, 0x4800, 0x0800, 0x1800] {
        for (code, bits) in [(0_u16, 8_u32), (1, 16), (2, 20), (3, 24), (4, 32)] {
            for channels in [1_u32, 2, 3, 8] {
                one_format(rate | code << 4 | (channels as u16 - 1), bits, channels);
            }
        }
    }
}

fn one_format(format: u16, bits: u32, channels: u32) {
    let mut profile = Profile::hardware();
    // Eight channels at 192 kHz don't fit one line.
    profile.output_payload_words = 120;
    profile.input_payload_words = 120;
    let model = Bench::new(profile).codec(0, Codec::any_format(8)).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let container = match bits {
        8 => 1,
        16 => 2,
        _ => 4,
    };
    // Whole frames, a last page in part.
    let frames = 9000 / (container * channels) / 32 * 32;
    let bytes = frames * container * channels;
    let playing = hand.buffer(bytes, DmaAccess::Read);
    let recording = hand.buffer(bytes, DmaAccess::Write);
    let sample = move |index: u64| (index as u32).wrapping_mul(0x9e37_79b9) as i32 >> (32 - bits);
    let contents: Vec<u8> = (0..u64::from(frames * channels))
        .flat_map(|index| {
            let word = sample(index) << (32 - bits);
            word.to_le_bytes().into_iter().skip(4 - container as usize)
        })
        .collect();
    for (page, part) in playing.pages.iter().zip(contents.chunks(4096)) {
        model.memory().poke(*page, part);
    }
    model.set_source(0, 4, move |frame, channel| sample(frame.index * u64::from(channels) + channel as u64));
    hand.set_converter(0, 2, format.into(), 1, 0);
    hand.set_converter(0, 4, format.into(), 1, 0);
    hand.set_up_stream(4, 1, format, &playing);
    hand.set_up_stream(0, 1, format, &recording);
    hand.run(4);
    hand.run(0);
    let in_round = u64::from(frames);
    while model.true_link_frames(0) < in_round - 16 {
        model.advance_ns(20_000);
    }
    hand.stop(0);
    hand.stop(4);
    let played = model.played(0, 2);
    let total = u64::from(frames * channels);
    for (index, &got) in (0_u64..).zip(played.samples()) {
        assert_eq!(got, sample(index % total), "format {format:#06x}, sample {index}");
    }
    let recorded = model.true_link_frames(0) * u64::from(container * channels);
    assert!(recorded <= bytes.into(), "{recorded}");
    let mut memory = Vec::new();
    for page in &recording.pages {
        memory.extend(model.memory().peek(*page, 4096));
    }
    assert!(memory[..recorded as usize] == contents[..recorded as usize], "format {format:#06x}");
}
