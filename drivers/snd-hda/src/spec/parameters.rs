//! Parameters: a node's description of itself (specification 1.0a, 7.3.4).

/// 7.3.4.1: vendor in bits 31:16, device in 15:0.
pub(crate) const VENDOR_ID: u8 = 0x00;
/// 7.3.4.3: first node in bits 23:16, count in 7:0.
pub(crate) const SUBORDINATE_NODES: u8 = 0x04;
/// 7.3.4.4: 1 in bits 7:0 is audio.
pub(crate) const FUNCTION_GROUP_TYPE: u8 = 0x05;
/// 7.3.4.6.
pub(crate) const WIDGET_CAPABILITIES: u8 = 0x09;
/// 7.3.4.7: rates in bits 11:0, sizes in 20:16.
pub(crate) const PCM: u8 = 0x0a;
/// 7.3.4.8: bit 0 is PCM.
pub(crate) const STREAM_FORMATS: u8 = 0x0b;
/// 7.3.4.9.
pub(crate) const PIN_CAPABILITIES: u8 = 0x0c;
/// 7.3.4.10.
pub(crate) const INPUT_AMPLIFIER: u8 = 0x0d;
/// 7.3.4.10.
pub(crate) const OUTPUT_AMPLIFIER: u8 = 0x12;
/// 7.3.4.11: length in bits 6:0, long form in bit 7.
pub(crate) const CONNECTION_LIST_LENGTH: u8 = 0x0e;

/// Function group type: audio.
pub(crate) const AUDIO_FUNCTION_GROUP: u8 = 0x01;
/// Stream formats: PCM.
pub(crate) const FORMAT_PCM: u32 = 1 << 0;

/// Kinds of widgets (7.3.4.6, table 138).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WidgetKind {
    AudioOutput,
    AudioInput,
    Mixer,
    Selector,
    Pin,
    /// Feeds other widgets with power (7.2.3.7).
    Power,
    /// Volume knob, beep, vendor-specific: no samples pass.
    Other,
}

/// Audio widget capabilities (7.3.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct WidgetCapabilities(pub(crate) u32);

impl WidgetCapabilities {
    const fn bit(self, bit: u32) -> bool {
        self.0 & (1_u32 << bit) != 0
    }
    /// A missing node answers every parameter with 0, which would read as an output converter.
    ///
    /// A real one has at least a second channel, an amplifier, or formats of its own.
    pub(crate) const fn kind(self) -> WidgetKind {
        if self.0 == 0 {
            return WidgetKind::Other;
        }
        match (self.0 >> 20) & 0xf {
            0 => WidgetKind::AudioOutput,
            1 => WidgetKind::AudioInput,
            2 => WidgetKind::Mixer,
            3 => WidgetKind::Selector,
            4 => WidgetKind::Pin,
            5 => WidgetKind::Power,
            _ => WidgetKind::Other,
        }
    }
    /// 1 to 16: bit 0 and bits 15:13 make the count less one.
    pub(crate) const fn channels(self) -> u8 {
        // 15 at most, before the 1.
        ((((self.0 >> 13) & 0x7) << 1) | (self.0 & 1)).wrapping_add(1) as u8
    }
    pub(crate) const fn has_input_amplifier(self) -> bool {
        self.bit(1)
    }
    pub(crate) const fn has_output_amplifier(self) -> bool {
        self.bit(2)
    }
    /// Has amplifier parameters of its own; else the function group's hold.
    pub(crate) const fn overrides_amplifiers(self) -> bool {
        self.bit(3)
    }
    /// Has format parameters of its own; else the function group's hold.
    pub(crate) const fn overrides_formats(self) -> bool {
        self.bit(4)
    }
    pub(crate) const fn is_unsolicited(self) -> bool {
        self.bit(7)
    }
    pub(crate) const fn has_connection_list(self) -> bool {
        self.bit(8)
    }
    pub(crate) const fn is_digital(self) -> bool {
        self.bit(9)
    }
    pub(crate) const fn has_power_control(self) -> bool {
        self.bit(10)
    }
    /// Samples held between link and pin; 0 if unknown.
    pub(crate) const fn delay_frames(self) -> u8 {
        ((self.0 >> 16) & 0xf) as u8
    }
}

/// Pin capabilities (7.3.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct PinCapabilities(pub(crate) u32);

impl PinCapabilities {
    const fn bit(self, bit: u32) -> bool {
        self.0 & (1_u32 << bit) != 0
    }
    /// Presence is known only after a sense request.
    pub(crate) const fn needs_trigger(self) -> bool {
        self.bit(1)
    }
    pub(crate) const fn detects_presence(self) -> bool {
        self.bit(2)
    }
    pub(crate) const fn drives_headphones(self) -> bool {
        self.bit(3)
    }
    pub(crate) const fn is_output(self) -> bool {
        self.bit(4)
    }
    pub(crate) const fn is_input(self) -> bool {
        self.bit(5)
    }
    /// HDMI or DisplayPort.
    pub(crate) const fn is_display(self) -> bool {
        self.bit(7) || self.bit(24)
    }
    /// DisplayPort, and not HDMI.
    pub(crate) const fn is_display_port(self) -> bool {
        self.bit(24) && !self.bit(7)
    }
    /// Bits 15:8 list the available microphone biases.
    pub(crate) const fn has_vref_50(self) -> bool {
        self.bit(9)
    }
    pub(crate) const fn has_vref_80(self) -> bool {
        self.bit(12)
    }
    pub(crate) const fn has_eapd(self) -> bool {
        self.bit(16)
    }
}

/// Amplifier capabilities (7.3.4.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct AmplifierCapabilities(pub(crate) u32);

impl AmplifierCapabilities {
    /// An amplifier without settings: no steps, no mute.
    pub(crate) const NONE: Self = Self(0);

    /// The step at 0 dB, or the loudest if 0 dB is beyond it.
    pub(crate) const fn unity_step(self) -> u8 {
        let (offset, last) = (self.offset(), self.last_step());
        if offset < last { offset } else { last }
    }
    /// The step that is 0 dB.
    pub(crate) const fn offset(self) -> u8 {
        (self.0 & 0x7f) as u8
    }
    /// The loudest step; 0: it has no steps.
    pub(crate) const fn last_step(self) -> u8 {
        ((self.0 >> 8) & 0x7f) as u8
    }
    /// The size of a step, in thousandths of a decibel: 250 to 32,000.
    pub(crate) const fn step_mdb(self) -> i32 {
        // At most 128 quarters of a decibel.
        ((self.0 >> 16) & 0x7f).wrapping_add(1).wrapping_mul(250) as i32
    }
    pub(crate) const fn can_mute(self) -> bool {
        self.0 & (1_u32 << 31) != 0
    }
}

/// The connection at a pin (7.3.3.31, "port connectivity").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connectivity {
    Jack,
    None,
    /// Built in.
    Fixed,
    /// A jack, and something built in.
    Both,
}

/// Configuration default of a pin (7.3.3.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct ConfigurationDefault(pub(crate) u32);

impl ConfigurationDefault {
    const fn nibble(self, bit: u32) -> u8 {
        (self.0.wrapping_shr(bit) & 0xf) as u8
    }
    pub(crate) const fn connectivity(self) -> Connectivity {
        match self.0 >> 30 {
            0 => Connectivity::Jack,
            1 => Connectivity::None,
            2 => Connectivity::Fixed,
            _ => Connectivity::Both,
        }
    }
    /// Bits 29:24: on which chassis, and where there.
    pub(crate) const fn location(self) -> u8 {
        ((self.0 >> 24) & 0x3f) as u8
    }
    pub(crate) const fn device(self) -> u8 {
        self.nibble(20)
    }
    /// The jack can't detect plugs, whatever the pin's capabilities say.
    pub(crate) const fn overrides_detection(self) -> bool {
        self.nibble(8) & 1 != 0
    }
    /// Pins of one association belong together; 15 is the lowest priority, 0 is reserved.
    pub(crate) const fn association(self) -> u8 {
        self.nibble(4)
    }
    /// The place within an association.
    pub(crate) const fn sequence(self) -> u8 {
        self.nibble(0)
    }
}
