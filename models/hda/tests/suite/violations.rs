//! Each rule of the specification that the model watches is caught when it is broken.

use crate::bench::{Buffer, Hand};
use snd_hda::dma::{DmaMemory, DmaRegion};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile, Rule};

fn duplex() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build()
}

fn rules(model: &Model) -> Vec<Rule> {
    model.take_violations().iter().map(|violation| violation.rule).collect()
}

fn set_up(hand: &mut Hand<'_>) -> Buffer {
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(8192, DmaAccess::Read);
    hand.set_converter(0, 2, 0x11, 5, 0);
    hand.set_up_stream(4, 5, 0x11, &buffer);
    buffer
}

#[test]
fn a_wrong_width_or_offset() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    for (offset, bytes) in
        [(0x00, 4), (0x02, 2), (0x0e, 4), (0x30, 2), (0x4c, 2), (0x10c, 4), (0x101, 2), (0x1e0, 4)]
    {
        match bytes {
            2 => drop(hand.regs.read_u16(offset)),
            _ => drop(hand.regs.read_u32(offset)),
        }
        assert_eq!(rules(&model), [Rule::AccessWidth], "{offset:#x}");
    }
    hand.regs.write_u16(0x08, 1);
    hand.regs.write_u32(0x100, 0);
    hand.regs.write_u32(0x2030, 0);
    let _ = hand.regs.read_u32(0x2024);
    assert_eq!(rules(&model), [Rule::AccessWidth; 4]);
}

#[test]
fn a_write_to_a_read_only_register() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.regs.write_u32(0x30, 0);
    hand.regs.write_u32(0x24, 0xffff_ffff);
    hand.regs.write_u32(0x104, 0);
    assert_eq!(rules(&model), [Rule::ReadOnly; 3]);
}

#[test]
fn registers_of_a_running_stream() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand);
    hand.run(4);
    model.advance_ns(1_000_000);
    hand.regs.write_u32(0x108, 4096);
    hand.regs.write_u16(0x10c, 5);
    hand.regs.write_u16(0x112, 0x4011);
    hand.regs.write_u32(0x118, 0);
    hand.regs.write_u32(0x11c, 1);
    hand.regs.write_u8(0x102, 0x60);
    assert_eq!(rules(&model), [Rule::StreamRunning; 6]);
    assert_eq!(hand.regs.read_u32(0x108), 8192, "and the write does nothing");
    hand.regs.write_u8(0x102, 0x50);
    model.assert_clean();
    hand.regs.write_u8(0x100, 1);
    assert_eq!(rules(&model), [Rule::StreamRunning], "SRST while RUN reads 1");
}

#[test]
fn cbl_after_run_and_without_a_stream_reset() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand);
    hand.run(4);
    model.advance_ns(1_000_000);
    hand.stop(4);
    hand.regs.write_u16(0x112, 0x11);
    model.assert_clean();
    hand.regs.write_u32(0x108, 8192);
    assert_eq!(rules(&model), [Rule::BufferLengthNeedsReset]);
}

#[test]
fn tag_zero_and_a_shared_tag() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = set_up(&mut hand);
    hand.set_up_stream(5, 0, 0x11, &buffer);
    hand.run(5);
    assert_eq!(rules(&model), [Rule::StreamSetUp]);
    hand.stop(5);
    hand.set_up_stream(5, 5, 0x11, &buffer);
    hand.run(4);
    hand.run(5);
    assert_eq!(rules(&model), [Rule::TagShared]);
}

#[test]
fn a_list_of_one_entry_or_one_that_does_not_add_up() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand);
    hand.regs.write_u16(0x10c, 0);
    hand.run(4);
    assert_eq!(rules(&model), [Rule::StreamSetUp, Rule::DescriptorList]);
}

#[test]
fn a_list_or_an_entry_that_is_not_aligned() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = set_up(&mut hand);
    hand.regs.write_u32(0x118, 0x4000_0040);
    assert_eq!(rules(&model), [Rule::DescriptorList]);
    let mut list = model.memory().allocate(64, 128).unwrap();
    for (word, value) in
        [buffer.pages[0] as u32 + 64, 0, 4032, 1, buffer.pages[1] as u32, 0, 4096, 3].iter().enumerate()
    {
        list.write_u32(4 * word, *value);
    }
    hand.regs.write_u32(0x118, list.device_address() as u32);
    hand.regs.write_u32(0x108, 4032 + 4096);
    hand.run(4);
    let found = model.take_violations();
    assert!(found.iter().all(|violation| violation.rule == Rule::DescriptorList));
    let text: Vec<&str> = found.iter().map(|violation| violation.detail.as_str()).collect();
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(text[0].contains("not a multiple of 128") && text[1].contains("reserved bits"), "{text:?}");
}

#[test]
fn formats_that_differ_play_nothing() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand);
    hand.verb(0, 2, 0x24011);
    hand.run(4);
    model.advance_ns(1_000_000);
    assert_eq!(rules(&model), [Rule::FormatMismatch]);
    assert!(model.played(0, 2).is_empty());
}

#[test]
fn more_than_the_link_carries() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::any_format(8)).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(8192, DmaAccess::Read);
    // 192 kHz, 32 bit, 8 channels: 1024 bits and the tag, and 960 there are.
    hand.set_up_stream(4, 1, 0x1847, &buffer);
    hand.run(4);
    assert_eq!(rules(&model), [Rule::Overload]);
}

#[test]
fn an_address_above_4_gib_without_64ok() {
    let mut profile = Profile::hardware();
    profile.addresses_64bit = false;
    let model = Bench::new(profile).codec(0, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    assert_eq!(hand.regs.read_u16(0x00) & 1, 0);
    hand.regs.write_u32(0x44, 1);
    assert_eq!(rules(&model), [Rule::AddressTooWide]);
    assert_eq!(hand.regs.read_u32(0x44), 0);
}

#[test]
fn addresses_above_4_gib_with_64ok() {
    let model = duplex();
    model.memory().place_regions_at(0x12_3456_7000);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.set_converter(0, 2, 0x11, 5, 0);
    let pages = vec![0x9_8765_4000, 0x1_0000_0000];
    for &page in &pages {
        let _ = model.memory().allocate_page_at(page);
        model.memory().allow_dma(page, DmaAccess::Read);
    }
    let buffer = Buffer { pages, bytes: 8192 };
    crate::bench::fill(&model, &buffer, |index| index as i16);
    hand.set_up_stream(4, 5, 0x11, &buffer);
    hand.run(4);
    model.advance_ns(50_000_000);
    for (index, &sample) in model.played(0, 2).samples().iter().enumerate() {
        assert_eq!(sample, (index % 4096) as i32);
    }
}

#[test]
fn dma_to_a_page_after_it_was_forbidden() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let buffer = set_up(&mut hand);
    hand.run(4);
    model.advance_ns(5_000_000);
    model.assert_clean();
    hand.stop(4);
    model.memory().forbid_dma(buffer.pages[0]);
    model.memory().forbid_dma(buffer.pages[1]);
    model.advance_ns(50_000_000);
    model.assert_clean();
    // Still running when the page goes: caught.
    hand.run(4);
    model.advance_ns(50_000_000);
    assert!(rules(&model).iter().all(|&rule| rule == Rule::Dma));
}

#[test]
fn dma_in_the_wrong_direction() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(4096, DmaAccess::Read);
    hand.set_converter(0, 4, 0x11, 5, 0);
    hand.set_up_stream(0, 5, 0x11, &buffer);
    hand.run(0);
    model.advance_ns(5_000_000);
    assert_eq!(rules(&model), [Rule::Dma]);
}

#[test]
fn dma_to_a_region_that_was_dropped_or_past_its_end() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    let _buffer = set_up(&mut hand);
    // Room for one stream's position, and stream 4 wants the fifth place.
    let positions = model.memory().allocate(8, 128).unwrap();
    hand.regs.write_u32(0x70, positions.device_address() as u32 | 1);
    hand.run(4);
    model.advance_ns(100_000);
    let found = model.take_violations();
    assert_eq!(found.len(), 1);
    assert!(found[0].detail.contains("past the end of the region"), "{}", found[0]);
    drop(positions);
    model.advance_ns(100_000);
    assert!(model.take_violations()[0].detail.contains("not mapped for DMA"));
    hand.regs.write_u32(0x70, 0);
    assert_eq!(rules(&model), [Rule::PositionBufferRunning]);
}

#[test]
fn rings_that_change_while_they_run() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.regs.write_u32(0x40, 0);
    hand.regs.write_u32(0x50, 0);
    hand.regs.write_u16(0x4a, 0x8000);
    hand.regs.write_u16(0x58, 0x8000);
    assert_eq!(rules(&model), [Rule::RingRunning; 4]);
}

#[test]
fn an_amplifier_that_is_not_there() {
    let model = duplex();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    // Pin 3 has none; the DAC's ends at step 0x4a.
    hand.verb(0, 3, 0x3b000);
    hand.verb(0, 2, 0x3b04b);
    assert_eq!(rules(&model), [Rule::Amplifier; 2]);
    hand.verb(0, 2, 0x3b04a);
    model.assert_clean();
}

#[test]
fn two_input_converters_on_one_channel() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).codec(1, Codec::input()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    let buffer = hand.buffer(4096, DmaAccess::Write);
    hand.set_converter(0, 4, 0x11, 5, 0);
    hand.set_converter(1, 4, 0x11, 5, 0);
    hand.set_up_stream(0, 5, 0x11, &buffer);
    hand.run(0);
    model.advance_ns(1_000_000);
    assert_eq!(rules(&model), [Rule::ChannelCollision; 2]);
}

#[test]
fn memory_runs_out_when_told() {
    let model = duplex();
    model.memory().limit_regions(1);
    assert!(model.memory().allocate(4096, 4096).is_some());
    assert!(model.memory().allocate(128, 128).is_none());
}
