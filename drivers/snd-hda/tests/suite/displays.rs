//! HDMI and DisplayPort: what a display is told about a stream. Numbers are those of CEA-861-D, written out once more.

use crate::common::*;
use snd_hda::codec::PinDevice;
use snd_hda::{CodecAddress, Direction, Format, NodeId, RouteIndex, SampleBits, Verb};
use snd_hda_model::codec::Widget;
use snd_hda_model::{Bench, Codec, Profile};

const CONVERTER: u8 = 2;
const PIN: u8 = 3;

/// A graphics card's codec with one pin. `capabilities`: 0x80 is HDMI, 0x100_0000 DisplayPort.
fn graphics(capabilities: u32) -> Codec {
    let pin = Widget::line_out(&[CONVERTER]).pin(0x14 | capabilities, 0x1856_0010).digital();
    Codec::builder(0x1234_0007)
        .widget(CONVERTER, Widget::dac().channels(8).digital())
        .widget(PIN, pin)
        .build()
}

/// Opens a stream with so many channels and says what the pin was told: the info frame and the slots.
fn told(codec: Codec, channels: u8) -> (Vec<u8>, Vec<u8>) {
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    let mut controller = bring_up(&model).expect("up");
    assert_eq!(controller.routes()[0].device(), PinDevice::Display);
    let format = Format::new(48_000, SampleBits::Bits16, channels).expect("a format");
    let buffer = TestBuffer::new(&model, 3 * 4096, Direction::Output);
    let _stream = open(&mut controller, RouteIndex(0), format, buffer);
    assert_eq!(model.audible(0).len(), 1, "it is heard");

    let mut ask = |verb: u16, payload: u8| {
        let (codec, pin) = (CodecAddress::new(0).expect("0"), NodeId::new(PIN).expect("a node"));
        controller.command(codec, pin, Verb::with_u8(verb, payload)).expect("an answer") as u8
    };
    assert_eq!(ask(0xf32, 0), 0xc0, "it is sent");
    let mut frame = Vec::new();
    for byte in 0..14 {
        ask(0x730, byte);
        frame.push(ask(0xf31, 0));
    }
    let slots = (0..8).map(|slot| ask(0xf34, slot) >> 4).collect();
    model.assert_clean();
    (frame, slots)
}

#[test]
fn hdmi_is_told_channels_and_speakers() {
    for (channels, allocation, slots) in [
        (2, 0x00, [0, 1, 15, 15, 15, 15, 15, 15]),
        (4, 0x08, [0, 1, 15, 15, 2, 3, 15, 15]),
        (6, 0x0b, [0, 1, 5, 4, 2, 3, 15, 15]),
        (8, 0x13, [0, 1, 5, 4, 2, 3, 6, 7]),
    ] {
        let (frame, told_slots) = told(graphics(0x80), channels);
        assert_eq!(frame[..3], [0x84, 1, 10]);
        assert_eq!(frame[4..8], [channels - 1, 0, 0, allocation]);
        assert_eq!(frame.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)), 0, "the checksum");
        assert_eq!(told_slots, slots);
    }
}

#[test]
fn display_port_has_a_header_of_its_own_and_no_checksum() {
    let (frame, _) = told(graphics(0x100_0000), 2);
    assert_eq!(frame[..8], [0x84, 27, 0x44, 1, 0, 0, 0, 0]);
}
