//! Power goes and comes back: nothing of controller and codecs is as the driver left it, and memory is.

use crate::bench::{Hand, fill};
use snd_hda::dma::{DmaMemory, DmaRegion};
use snd_hda::registers::Registers;
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile};

const FORMAT: u32 = 0x11;

/// A stream that plays to DAC 0x10 of the laptop, by speaker 0x14.
fn play(hand: &mut Hand<'_>, model: &Model) {
    for (node, verb) in
        [(0x14, 0x70500), (0x10, 0x3b04a), (0x12, 0x37000), (0x14, 0x3b000), (0x14, 0x70740), (0x14, 0x70c02)]
    {
        hand.verb(0, node, verb);
    }
    let buffer = hand.buffer(16 * 4096, DmaAccess::Read);
    fill(model, &buffer, |index| index as i16 | 1);
    hand.set_converter(0, 0x10, FORMAT, 1, 0);
    hand.set_up_stream(4, 1, FORMAT as u16, &buffer);
    hand.run(4);
    model.advance_ns(10_000_000);
}

#[test]
fn everything_must_be_done_again() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::laptop()).codec(2, Codec::duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    // The board's configuration, changed.
    hand.verb(0, 0x14, 0x71f42);
    play(&mut hand, &model);
    assert_eq!(model.audible(0).len(), 1);
    assert!(!model.take_played(0, 0x10).is_empty());
    let mut page = model.memory().allocate(4096, 4096).unwrap();
    page.write_u32(8, 0x1234_5678);

    model.power_cycle();
    model.assert_clean();
    assert_eq!(model.audible(0), []);
    assert_eq!(page.read_u32(8), 0x1234_5678);
    assert_eq!(hand.regs.read_u32(0x08), 0, "held in reset");
    assert_eq!(hand.regs.read_u16(0x0e), 0, "no codec has reported");
    model.advance_ns(100_000_000);
    assert!(model.take_played(0, 0x10).is_empty(), "nothing plays");

    let mut hand = Hand::new(&model);
    hand.bring_up();
    assert_eq!(hand.regs.read_u16(0x0e), 0b101);
    for register in [0x40, 0x50, 0x20, 0x70, 0x100 + 0x18, 0x100 + 0x08] {
        assert_eq!(hand.regs.read_u32(register), 0, "{register:#x}");
    }
    assert_eq!(hand.regs.read_u8(0x100), 0);
    hand.start_rings();
    for (node, get, value) in [
        (0x14, 0xf0700, 0),
        (0x14, 0xf0c00, 0),
        (0x10, 0xf0600, 0),
        (0x10, 0xa0000, 0),
        (0x14, 0xf1c00, 0x9017_0120),
    ] {
        assert_eq!(hand.verb(0, node, get), Some(value), "{get:#x}");
    }
    assert_eq!(hand.verb(0, 1, 0xf0500), Some(0x33), "D3");
    play(&mut hand, &model);
    assert_eq!(model.audible(0).len(), 1);
    assert_eq!(model.played(0, 0x10).samples()[0], 1, "from the beginning");
}

#[test]
fn in_qemu_too_codecs_forget() {
    let model = Bench::new(Profile::qemu()).codec(0, Codec::qemu_duplex()).build();
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    hand.set_converter(0, 2, FORMAT, 3, 0);
    assert_eq!(model.converter_setting(0, 2).0, 3);
    model.power_cycle();
    assert_eq!(model.converter_setting(0, 2).0, 0);
    let mut hand = Hand::new(&model);
    hand.bring_up();
    hand.start_rings();
    assert_eq!(hand.verb(0, 0, 0xf0000), Some(0x1af4_0022));
}
