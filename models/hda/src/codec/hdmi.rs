//! HDMI and DisplayPort state of converters and pins. Sound doesn't depend on it.

/// Bytes that a pin stores of an info frame.
const INFO_FRAME_BYTES: usize = 32;

/// The state behind the HDMI verbs of a digital widget: 0xf2d to 0xf35.
///
/// Additions to the specification define them.
pub(crate) struct Hdmi {
    channel_count: u8,
    /// Packet index in bits 7:5, byte index in bits 4:0.
    info_index: u8,
    info_frame: [u8; INFO_FRAME_BYTES],
    info_transmit: u8,
    content_protection: u8,
    /// The converter's channel in each slot.
    slots: [u8; 8],
    device: u8,
}

impl Default for Hdmi {
    fn default() -> Self {
        Self {
            channel_count: 0,
            info_index: 0,
            info_frame: [0; INFO_FRAME_BYTES],
            info_transmit: 0,
            content_protection: 0,
            slots: [0, 1, 2, 3, 4, 5, 6, 7],
            device: 0,
        }
    }
}

impl Hdmi {
    /// Answers HDMI verbs; `None` for others. The ELD is empty: no display is connected.
    pub(super) fn verb(&mut self, verb: u32, is_pin: bool) -> Option<u32> {
        let payload = (verb & 0xff) as u8;
        let byte = usize::from(self.info_index & 31);
        let slot = usize::from(payload & 7);
        let mut answer = 0;
        match verb >> 8 & 0xfff {
            0xf2d => answer = self.channel_count.into(),
            0x72d => self.channel_count = payload,
            0xf2e if is_pin && payload & 8 == 0 => answer = INFO_FRAME_BYTES as u32 - 1,
            0xf2e | 0xf2f => {}
            0xf30 => answer = self.info_index.into(),
            0x730 => self.info_index = payload,
            0xf31 => answer = self.info_frame[byte].into(),
            0x731 => {
                self.info_frame[byte] = payload;
                self.info_index = self.info_index & 0xe0 | self.info_index.wrapping_add(1) & 31;
            }
            0xf32 => answer = self.info_transmit.into(),
            0x732 => self.info_transmit = payload & 0xc0,
            0xf33 => answer = self.content_protection.into(),
            0x733 => self.content_protection = payload,
            0xf34 => answer = u32::from(self.slots[slot]) << 4 | u32::from(payload & 15),
            0x734 => self.slots[slot] = payload >> 4,
            0xf35 => answer = self.device.into(),
            0x735 => self.device = payload,
            _ => return None,
        }
        Some(answer)
    }
}
