//! HDMI and DisplayPort: what a display is told about a stream. The verbs came with a change to the specification (HDA034-A2,
//! 2007); layouts and info frames are those of CEA-861-D, 6.6.

use super::link::CodecLink;
use super::route::Route;
use crate::command::CommandError;
use crate::spec::verbs::{self, display};

/// A slot that carries nothing.
const NONE: u8 = 15;

/// Channels of a stream, their allocation to speakers (CEA-861-D, table 20), and which of them each of eight slots carries:
/// front left and right, subwoofer, centre, rear left and right, and two more.
const LAYOUTS: [(u8, u8, [u8; 8]); 4] = [
    (2, 0x00, [0, 1, NONE, NONE, NONE, NONE, NONE, NONE]),
    (4, 0x08, [0, 1, NONE, NONE, 2, 3, NONE, NONE]),
    (6, 0x0b, [0, 1, 5, 4, 2, 3, NONE, NONE]),
    (8, 0x13, [0, 1, 5, 4, 2, 3, 6, 7]),
];

/// Type of an audio info frame (CEA-861-D, table 17).
const AUDIO: u8 = 0x84;

/// Bytes of a frame that mean something: HDMI's four of header and checksum, and ten.
const FRAME_BYTES: usize = 14;

/// Tells the display how many channels there are, and which speaker each is for.
pub(super) fn tell(link: &mut CodecLink<'_>, route: &Route, channels: u8) -> Result<(), CommandError> {
    let layout = LAYOUTS.iter().find(|(of, ..)| channels <= *of);
    let (channels, allocation, slots) = *layout.unwrap_or(&LAYOUTS[3]);
    link.ask(route.converter, verbs::set_converter_channels(channels))?;
    for (slot, channel) in (0..8_u8).zip(slots) {
        link.ask(route.pin, display::set_slot(slot, channel))?;
    }
    // The display's own description says which of both it is connected by; else the pin's capabilities do.
    let eld = link.ask(route.pin, display::get_eld(5))?;
    let is_display_port = match eld & display::ELD_VALID {
        0 => route.is_display_port,
        _ => (eld >> 2) & 0b11 == 1,
    };
    // The count of channels, less one; the frame has no other field that isn't 0, for it refers to the stream's header.
    let count = channels.saturating_sub(1);
    let head: [u8; 8] = if is_display_port {
        // Length 27, version 0x11 in the upper six bits (DisplayPort 1.1a, 2.2.5).
        [AUDIO, 27, 0x11 << 2, count, 0, 0, allocation, 0]
    } else {
        // Version 1, length 10, and all bytes together are 0.
        let sum = [AUDIO, 1, 10, count, allocation].into_iter().fold(0_u8, u8::wrapping_add);
        [AUDIO, 1, 10, sum.wrapping_neg(), count, 0, 0, allocation]
    };
    link.ask(route.pin, display::transmit(false))?;
    link.ask(route.pin, display::SET_INFO_INDEX_0)?;
    for byte in head.into_iter().chain([0; FRAME_BYTES - 8]) {
        // The index goes on by itself.
        link.ask(route.pin, display::set_info_byte(byte))?;
    }
    link.ask(route.pin, display::transmit(true)).map(|_| ())
}
