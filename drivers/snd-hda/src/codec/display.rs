//! HDMI and DisplayPort: stream information for displays.
//!
//! The verbs come from a change to the specification (HDA034-A2, 2007). Layouts and info frames
//! follow CEA-861-D, 6.6.

use super::link::CodecLink;
use super::route::Route;
use crate::command::CommandError;
use crate::spec::verbs::{self, display};

/// An empty slot.
const NONE: u8 = 15;

/// Channels of a stream, their allocation to speakers (CEA-861-D, table 20), and the channel of
/// each of eight slots.
///
/// The slots: front left and right, subwoofer, centre, rear left and right, and two more.
const LAYOUTS: [(u8, u8, [u8; 8]); 4] = [
    (2, 0x00, [0, 1, NONE, NONE, NONE, NONE, NONE, NONE]),
    (4, 0x08, [0, 1, NONE, NONE, 2, 3, NONE, NONE]),
    (6, 0x0b, [0, 1, 5, 4, 2, 3, NONE, NONE]),
    (8, 0x13, [0, 1, 5, 4, 2, 3, 6, 7]),
];

/// Type of an audio info frame (CEA-861-D, table 17).
const AUDIO: u8 = 0x84;

/// Used bytes of a frame: HDMI's four of header and checksum, and ten.
const FRAME_BYTES: usize = 14;

/// Sends the display the channel count and the speaker of each channel.
pub(super) fn tell(link: &mut CodecLink<'_>, route: &Route, channels: u8) -> Result<(), CommandError> {
    let layout = LAYOUTS.iter().find(|(of, ..)| channels <= *of);
    let (channels, allocation, slots) = *layout.unwrap_or(&LAYOUTS[3]);
    link.tell(route.converter, verbs::set_converter_channels(channels))?;
    for (slot, channel) in (0..8_u8).zip(slots) {
        link.tell(route.pin, display::set_slot(slot, channel))?;
    }
    // The display's own description names the connection type; else the pin's capabilities do.
    let eld = link.ask(route.pin, display::get_eld(5))?;
    let is_display_port = match eld & display::ELD_VALID {
        0 => route.is_display_port,
        _ => (eld >> 2) & 0b11 == 1,
    };
    // The channel count less one. The other fields are 0: they refer to the stream's header.
    let count = channels.saturating_sub(1);
    let head: [u8; 8] = if is_display_port {
        // Length 27, version 0x11 in the upper six bits (DisplayPort 1.1a, 2.2.5).
        [AUDIO, 27, 0x11 << 2, count, 0, 0, allocation, 0]
    } else {
        // Version 1, length 10; the sum of all bytes is 0.
        let sum = [AUDIO, 1, 10, count, allocation].into_iter().fold(0_u8, u8::wrapping_add);
        [AUDIO, 1, 10, sum.wrapping_neg(), count, 0, 0, allocation]
    };
    link.tell(route.pin, display::transmit(false))?;
    link.tell(route.pin, display::SET_INFO_INDEX_0)?;
    for byte in head.into_iter().chain([0; FRAME_BYTES - 8]) {
        // The index advances by itself.
        link.tell(route.pin, display::set_info_byte(byte))?;
    }
    link.tell(route.pin, display::transmit(true))
}
