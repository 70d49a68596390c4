//! Verbs to codecs (specification 1.0a, 7.3).

/// A codec's address on the link, 0 to 14 (specification 1.0a, 5.3.1; 15 is broadcast).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CodecAddress(u8);

impl CodecAddress {
    /// `None` above 14.
    pub const fn new(address: u8) -> Option<Self> {
        if address < 15 { Some(Self(address)) } else { None }
    }

    /// The number, 0 to 14.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A node inside a codec, 0 (the root) to 127.
///
/// Bit 7 of the field means indirect addressing, which no codec uses (7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NodeId(u8);

impl NodeId {
    /// The codec itself.
    pub const ROOT: Self = Self(0);

    /// `None` above 127.
    pub const fn new(node: u8) -> Option<Self> {
        if node < 128 { Some(Self(node)) } else { None }
    }

    /// The number, 0 to 127.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A verb with its payload, 20 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Verb(u32);

impl Verb {
    /// A verb of 12 bits with a payload of 8.
    pub const fn with_u8(id: u16, payload: u8) -> Self {
        Self((((id & 0xfff) as u32) << 8) | payload as u32)
    }

    /// A verb of 4 bits with a payload of 16.
    pub const fn with_u16(id: u8, payload: u16) -> Self {
        Self((((id & 0xf) as u32) << 16) | payload as u32)
    }

    /// The command as it goes on the link (7.1.2): codec, node, verb.
    pub(crate) const fn command(self, codec: CodecAddress, node: NodeId) -> u32 {
        ((codec.0 as u32) << 28) | ((node.0 as u32) << 20) | self.0
    }

    /// The 20 bits.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// 7.3.3.1: reads a parameter.
pub(crate) const fn get_parameter(parameter: u8) -> Verb {
    Verb::with_u8(0xf00, parameter)
}

/// 7.3.3.2: selects an input of a widget that takes one at a time.
pub(crate) const fn set_connection_select(index: u8) -> Verb {
    Verb::with_u8(0x701, index)
}

/// 7.3.3.3: four short or two long entries of the connection list, from entry `index` on.
pub(crate) const fn get_connection_list(index: u8) -> Verb {
    Verb::with_u8(0xf02, index)
}

/// 7.3.3.7: sets an amplifier; see [`amplifier`].
pub(crate) const fn set_amplifier(payload: u16) -> Verb {
    Verb::with_u16(0x3, payload)
}

/// 7.3.3.8: sets a converter's format.
pub(crate) const fn set_converter_format(format: u16) -> Verb {
    Verb::with_u16(0x2, format)
}

/// 7.3.3.9: enables a digital converter (bits 7:0 of its control).
pub(crate) const fn set_digital_control(bits: u8) -> Verb {
    Verb::with_u8(0x70d, bits)
}

/// 7.3.3.10: reads the power state.
pub(crate) const GET_POWER_STATE: Verb = Verb::with_u8(0xf05, 0);
/// 7.3.3.10: asks for D0.
pub(crate) const SET_POWER_STATE_D0: Verb = Verb::with_u8(0x705, 0);

/// 7.3.3.11: a converter's tag, and its first channel in the stream.
pub(crate) const fn set_stream(tag: u8, channel: u8) -> Verb {
    Verb::with_u8(0x706, ((tag & 0xf) << 4) | (channel & 0xf))
}

/// 7.3.3.13: sets a pin's buffers.
pub(crate) const fn set_pin_control(bits: u8) -> Verb {
    Verb::with_u8(0x707, bits)
}

/// 7.3.3.14: unsolicited responses of a widget: on, with this tag (0 to 63).
pub(crate) const fn enable_unsolicited(tag: u8) -> Verb {
    Verb::with_u8(0x708, 0x80 | (tag & 0x3f))
}

/// 7.3.3.15: whether something is plugged (bit 31).
pub(crate) const GET_PIN_SENSE: Verb = Verb::with_u8(0xf09, 0);
/// 7.3.3.15: triggers plug detection, if the pin needs it.
pub(crate) const EXECUTE_PIN_SENSE: Verb = Verb::with_u8(0x709, 0);
/// Answer to [`GET_PIN_SENSE`]: something is plugged.
pub(crate) const PIN_SENSE_PRESENT: u32 = 1 << 31;

/// 7.3.3.16: reads EAPD and BTL.
pub(crate) const GET_EAPD: Verb = Verb::with_u8(0xf0c, 0);

/// 7.3.3.16: sets EAPD and BTL.
pub(crate) const fn set_eapd(bits: u8) -> Verb {
    Verb::with_u8(0x70c, bits)
}

/// Stream channels less one, for a converter with more than two (HDA specification, change 034-A2:
/// HDMI).
pub(crate) const fn set_converter_channels(channels: u8) -> Verb {
    Verb::with_u8(0x72d, channels.saturating_sub(1))
}

/// 7.3.3.31: the board maker's description of a pin.
pub(crate) const GET_CONFIGURATION_DEFAULT: Verb = Verb::with_u8(0xf1c, 0);

/// Payload of [`set_amplifier`] (7.3.3.7, figure 62).
pub(crate) mod amplifier {
    /// The output amplifier.
    pub(crate) const OUTPUT: u16 = 1 << 15;
    /// An input amplifier, with its index in bits 11:8.
    pub(crate) const INPUT: u16 = 1 << 14;
    /// The left channel.
    pub(crate) const LEFT: u16 = 1 << 13;
    /// The right channel.
    pub(crate) const RIGHT: u16 = 1 << 12;
    /// Both channels.
    pub(crate) const LEFT_AND_RIGHT: u16 = LEFT | RIGHT;
    /// Silent.
    pub(crate) const MUTE: u16 = 1 << 7;
    /// Inputs that an index of 4 bits tells apart.
    pub(crate) const INPUTS_MAX: u8 = 16;

    /// An input amplifier's index.
    pub(crate) const fn index_bits(index: u8) -> u16 {
        ((index & 0xf) as u16) << 8
    }
}

/// Pin control (7.3.3.13).
pub(crate) mod pin_control {
    /// Headphone amplifier.
    pub(crate) const HEADPHONE: u8 = 1 << 7;
    /// Output buffer.
    pub(crate) const OUT: u8 = 1 << 6;
    /// Input buffer.
    pub(crate) const IN: u8 = 1 << 5;
    /// Microphone bias: half of the supply.
    pub(crate) const VREF_50: u8 = 1;
    /// Microphone bias: four fifths of the supply.
    pub(crate) const VREF_80: u8 = 4;
}

/// EAPD: the external amplifier has power (7.3.3.16).
pub(crate) const EAPD_ON: u8 = 1 << 1;
/// Digital converter: enabled (7.3.3.9).
pub(crate) const DIGITAL_ENABLE: u8 = 1 << 0;

/// Displays: verbs of the change HDA034-A2, 7.3.3.36 to 7.3.3.42.
pub(crate) mod display {
    use super::Verb;

    /// Answer to [`get_eld`]: the byte is valid.
    pub(crate) const ELD_VALID: u32 = 1 << 31;

    /// A byte of the display's description of itself.
    pub(crate) const fn get_eld(index: u8) -> Verb {
        Verb::with_u8(0xf2f, index)
    }

    /// The info frame's first byte comes next: packet 0, byte 0.
    pub(crate) const SET_INFO_INDEX_0: Verb = Verb::with_u8(0x730, 0);

    /// The info frame's next byte.
    pub(crate) const fn set_info_byte(byte: u8) -> Verb {
        Verb::with_u8(0x731, byte)
    }

    /// Sends the info frame, with best effort; or doesn't.
    pub(crate) const fn transmit(is_on: bool) -> Verb {
        Verb::with_u8(0x732, if is_on { 0xc0 } else { 0 })
    }

    /// Which of the converter's channels a slot carries.
    pub(crate) const fn set_slot(slot: u8, channel: u8) -> Verb {
        Verb::with_u8(0x734, (channel << 4) | (slot & 0xf))
    }
}
