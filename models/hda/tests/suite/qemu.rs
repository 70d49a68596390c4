//! The second profile: the traps of QEMU's controller.

use crate::bench::{Buffer, Hand, fill};
use snd_hda::dma::{DmaMemory, DmaRegion};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile};

fn qemu() -> Model {
    Bench::new(Profile::qemu()).codec(0, Codec::qemu_duplex()).build()
}

fn up(hand: &mut Hand<'_>) {
    hand.bring_up();
    hand.start_rings();
}

fn set_up(hand: &mut Hand<'_>, bytes: u32) -> Buffer {
    up(hand);
    let buffer = hand.buffer(bytes, DmaAccess::Read);
    fill(hand.model, &buffer, |index| index as i16);
    hand.set_converter(0, 2, 0x11, 1, 0);
    hand.set_up_stream_without_reset(4, 1, 0x11, &buffer);
    buffer
}

#[test]
fn rintcnt_0_or_no_interrupt_bit_stalls_corb() {
    for (count, control) in [(0, 3), (1, 2)] {
        let model = qemu();
        let mut hand = Hand::new(&model);
        up(&mut hand);
        hand.regs.write_u16(0x5a, count);
        hand.regs.write_u8(0x5c, control);
        let first = hand.verb(0, 0, 0xf0000);
        assert_eq!(first, if count == 0 { None } else { Some(0x1af4_0022) });
        assert_eq!(hand.verb(0, 0, 0xf0000), None);
    }
}

#[test]
fn rirbsts_must_be_acknowledged_each_time() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    up(&mut hand);
    hand.post(0xf0000);
    hand.post(0xf0000);
    assert!(hand.take_response().is_some());
    assert!(hand.take_response().is_none());
    hand.regs.write_u8(0x5d, 5);
    assert!(hand.take_response().is_some());
}

#[test]
fn clearing_statests_in_reset_loses_the_codecs() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    assert_eq!(hand.regs.read_u16(0x0e), 1);
    hand.regs.write_u32(0x08, 0);
    hand.regs.write_u16(0x0e, 0x7fff);
    hand.regs.write_u32(0x08, 1);
    model.advance_ns(1_000_000);
    assert_eq!(hand.regs.read_u16(0x0e), 0);
}

#[test]
fn converters_keep_their_tag_over_a_reset() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    up(&mut hand);
    hand.set_converter(0, 2, 0x11, 9, 0);
    hand.regs.write_u8(0x4c, 0);
    hand.regs.write_u8(0x5c, 0);
    hand.bring_up();
    assert_eq!(model.converter_setting(0, 2).0, 9);
}

#[test]
fn srst_never_reads_back_1_and_fifordy_always_does() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.regs.write_u8(0x100, 1);
    model.advance_ns(1_000_000);
    assert_eq!(hand.regs.read_u8(0x100) & 1, 0);
    assert_eq!(hand.regs.read_u8(0x103), 0x20);
}

#[test]
fn run_starts_the_list_over() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand, 4 * 4096);
    hand.run(4);
    model.advance_ns(40_000_000);
    assert!(hand.lpib(4) > 0);
    hand.regs.write_u8(0x100, 0);
    assert_eq!(hand.regs.read_u8(0x100) & 2, 0, "at once");
    let _ = model.take_played(0, 2);
    hand.run(4);
    assert_eq!(hand.lpib(4), 0);
    model.advance_ns(10_000_000);
    assert_eq!(model.played(0, 2).samples()[..4], [0, 1, 2, 3]);
}

#[test]
fn lpib_moves_in_milliseconds_and_ends_up_31_ms_ahead() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand, 16 * 4096);
    hand.run(4);
    let start_ns = model.now_ns();
    let mut last = 0;
    let mut moved = 0;
    let mut changes = 0;
    while model.now_ns() < start_ns + 300_000_000 {
        model.advance_ns(100_000);
        let lpib = hand.lpib(4);
        if lpib != last {
            changes += 1;
            moved += u64::from((lpib + 16 * 4096 - last) % (16 * 4096));
            last = lpib;
        }
        let elapsed_ns = model.now_ns() - start_ns;
        if elapsed_ns > 110_000_000 {
            let ahead_us = moved as i64 * 1000 / 192 - elapsed_ns as i64 / 1000;
            assert!((29_900..=31_000).contains(&ahead_us), "{ahead_us} us ahead");
        }
    }
    assert!((298..=300).contains(&changes), "{changes}");
    let played = model.played(0, 2);
    for (index, &sample) in (0_u32..).zip(played.samples()) {
        assert_eq!(sample, i32::from((index % (8 * 4096)) as i16));
    }
    assert_eq!(played.len() as u64, model.true_link_frames(4) + 1, "one is travelling");
}

#[test]
fn capture_lpib_stays_17_ms_behind() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    up(&mut hand);
    let positions = model.memory().allocate(4096, 128).unwrap();
    hand.regs.write_u32(0x70, positions.device_address() as u32 | 1);
    let buffer = hand.buffer(16 * 4096, DmaAccess::Write);
    model.set_source(0, 4, |frame, channel| (frame.index * 2 + channel as u64) as i32);
    hand.set_converter(0, 4, 0x11, 1, 0);
    hand.set_up_stream_without_reset(0, 1, 0x11, &buffer);
    hand.run(0);
    model.advance_ns(200_000_000);
    let behind_ms = 200 - i64::from(hand.lpib(0)) / 192;
    assert!((16..=18).contains(&behind_ms), "{behind_ms}");
    assert_eq!(positions.read_u32(0), hand.lpib(0));
    let recorded = crate::bench::samples(&model, &buffer);
    for (index, &sample) in recorded[..17_000].iter().enumerate() {
        assert_eq!(sample, index as i16);
    }
}

#[test]
fn a_wrong_cbl_stands_still() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand, 4 * 4096);
    hand.regs.write_u32(0x108, 3 * 4096);
    hand.run(4);
    model.advance_ns(50_000_000);
    assert_eq!(hand.lpib(4), 0);
}

#[test]
fn a_format_verb_while_running_freezes_lpib() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand, 16 * 4096);
    hand.run(4);
    model.advance_ns(50_000_000);
    hand.verb(0, 2, 0x20011);
    let frozen = hand.lpib(4);
    model.advance_ns(50_000_000);
    assert_eq!(hand.lpib(4), frozen);
}

#[test]
fn two_converters_on_one_tag_pull_twice() {
    let model =
        Bench::new(Profile::qemu()).codec(0, Codec::qemu_output()).codec(1, Codec::qemu_output()).build();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand, 32 * 4096);
    hand.set_converter(1, 2, 0x11, 1, 0);
    hand.run(4);
    model.advance_ns(200_000_000);
    let ms = hand.lpib(4) / 192;
    assert!((455..=465).contains(&ms), "{ms}");
}

#[test]
fn a_32_bit_format_advances_at_half_speed() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    let buffer = set_up(&mut hand, 16 * 4096);
    hand.set_converter(0, 2, 0x41, 1, 0);
    hand.set_up_stream_without_reset(4, 1, 0x41, &buffer);
    hand.run(4);
    model.advance_ns(100_000_000);
    let frames = hand.lpib(4) / 8;
    assert!((48 * 60..48 * 70).contains(&frames), "{frames}");
}

#[test]
fn a_32_bit_write_to_the_control_register_writes_the_status_byte() {
    let model = qemu();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand, 4 * 4096);
    hand.regs.write_u32(0x100, 1 << 20 | 2);
    assert_eq!(hand.regs.read_u8(0x103), 0, "FIFORDY is gone");
}

#[test]
fn the_wall_clock_runs_in_reset() {
    let model = qemu();
    model.advance_ns(1_000_000);
    assert!(model.registers().read_u32(0x30) > 20_000);
}

#[test]
fn a_busy_host_makes_the_steps_longer() {
    let mut profile = Profile::qemu();
    profile.step_ms = 10;
    let model = Bench::new(profile).codec(0, Codec::qemu_micro()).build();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand, 16 * 4096);
    hand.run(4);
    model.advance_ns(9_000_000);
    assert_eq!(hand.lpib(4), 0);
    let mut changes = 0;
    let mut last = 0;
    for _ in 0..100 {
        model.advance_ns(1_000_000);
        let lpib = hand.lpib(4);
        changes += u32::from(lpib != last);
        last = lpib;
    }
    assert_eq!(changes, 10);
}
