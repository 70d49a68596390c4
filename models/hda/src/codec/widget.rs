//! A widget: its capabilities and its state.

use std::collections::BTreeMap;

use super::amplifier::{AMPLIFIER_INPUTS, Gain, GainAtReset};
use super::connections::ConnectionList;
use super::converter::Converter;
use super::group::Inherited;
use super::hdmi::Hdmi;

/// Widget types and their codes (7.3.4.6, table 138).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WidgetKind {
    /// Audio output: a DAC.
    Output = 0,
    /// Audio input: an ADC.
    Input,
    /// Sums its inputs.
    Mixer,
    /// Passes one of its inputs on.
    Selector,
    /// Pin complex.
    Pin,
    /// Power widget.
    Power,
    /// Volume knob.
    VolumeKnob,
    /// Beep generator.
    Beep,
    /// Vendor defined.
    #[default]
    Vendor = 15,
}

/// A widget, under construction or in a codec.
///
/// Start from a constructor and add capabilities.
#[derive(Default)]
#[must_use]
pub struct Widget {
    pub(crate) kind: WidgetKind,
    /// Audio widget capabilities (parameter 0x09), without bits that follow from other fields.
    pub(crate) capabilities: u32,
    pub(crate) pcm: u32,
    pub(crate) stream_formats: u32,
    pub(crate) pin_capabilities: u32,
    pub(crate) amp_in: u32,
    pub(crate) amp_out: u32,
    pub(crate) connections: ConnectionList,
    pub(crate) stated_connections: Option<u8>,
    pub(crate) power_states: u32,
    pub(crate) configuration: u32,
    /// The configuration default after power-on.
    pub(crate) strapped_configuration: u32,
    /// Parameters 0x10, 0x13 and 0x15.
    pub(crate) processing_capabilities: u32,
    pub(crate) volume_knob_capabilities: u32,
    pub(crate) device_list: u32,
    /// One input amplifier serves all connections. Verbs' amplifier index has no effect.
    pub(crate) one_input_amplifier: bool,
    pub(super) muted_at_reset: bool,
    pub(super) enabled_at_reset: bool,
    pub(crate) gain_at_reset: GainAtReset,
    // State.
    pub(crate) converter: Option<Converter>,
    pub(crate) power: u8,
    pub(crate) selected: u8,
    pub(crate) pin_control: u8,
    pub(crate) eapd: u8,
    pub(crate) unsolicited: u8,
    /// Digital converter control, four bytes (7.3.3.9). Later additions define two of them.
    pub(crate) digital: u32,
    pub(crate) processing: u8,
    pub(crate) coefficient_index: u16,
    pub(crate) coefficients: BTreeMap<u16, u16>,
    pub(crate) hdmi: Hdmi,
    pub(crate) sdi_select: u8,
    pub(crate) stripe: u8,
    pub(crate) beep: u8,
    pub(crate) volume: u8,
    pub(crate) present: bool,
    pub(crate) gain_out: Gain,
    pub(crate) gain_in: [Gain; AMPLIFIER_INPUTS],
}

/// Bits of the widget capabilities.
pub(crate) mod capability {
    pub(crate) const STEREO: u32 = 1 << 0;
    pub(crate) const AMP_IN: u32 = 1 << 1;
    pub(crate) const AMP_OUT: u32 = 1 << 2;
    pub(crate) const AMP_OVERRIDE: u32 = 1 << 3;
    pub(crate) const FORMAT_OVERRIDE: u32 = 1 << 4;
    pub(crate) const STRIPE: u32 = 1 << 5;
    pub(crate) const PROCESSING: u32 = 1 << 6;
    pub(crate) const UNSOLICITED: u32 = 1 << 7;
    pub(crate) const CONNECTION_LIST: u32 = 1 << 8;
    pub(crate) const DIGITAL: u32 = 1 << 9;
    pub(crate) const POWER: u32 = 1 << 10;
    pub(crate) const SWAP: u32 = 1 << 11;
}

/// Bits of the pin capabilities (7.3.4.9).
pub(crate) mod pin_capability {
    pub(crate) const PRESENCE: u32 = 1 << 2;
    pub(crate) const HEADPHONE: u32 = 1 << 3;
    pub(crate) const OUTPUT: u32 = 1 << 4;
    pub(crate) const INPUT: u32 = 1 << 5;
    pub(crate) const BALANCED: u32 = 1 << 6;
    pub(crate) const HDMI: u32 = 1 << 7;
    pub(crate) const VREF_HIGH_Z: u32 = 1 << 8;
    pub(crate) const VREF_80: u32 = 1 << 12;
    pub(crate) const EAPD: u32 = 1 << 16;
    pub(crate) const DISPLAY_PORT: u32 = 1 << 24;
}

impl Widget {
    /// A widget of any kind, without functions.
    pub fn new(kind: WidgetKind) -> Self {
        let converter = matches!(kind, WidgetKind::Output | WidgetKind::Input).then(|| Converter {
            output: kind == WidgetKind::Output,
            channels: 2,
            ..Converter::default()
        });
        Self {
            kind,
            capabilities: capability::STEREO,
            one_input_amplifier: kind == WidgetKind::Pin,
            converter,
            present: true,
            ..Self::default()
        }
    }

    /// Parameter 0x09 as the driver reads it.
    pub(crate) fn capability_word(&self) -> u32 {
        (self.kind as u32) << 20 | self.capabilities
    }

    pub(crate) fn has(&self, capability: u32) -> bool {
        self.capabilities & capability != 0
    }

    /// Input and output amplifier capabilities: its own, or the function group's.
    pub(crate) fn amplifiers(&self, inherited: &Inherited) -> (u32, u32) {
        if self.has(capability::AMP_OVERRIDE) {
            (self.amp_in, self.amp_out)
        } else {
            (inherited.amp_in, inherited.amp_out)
        }
    }

    /// The input amplifier of a connection. `None` past the 16th: verbs can't address it.
    pub(crate) fn input_amplifier(&self, connection: usize) -> Option<usize> {
        let index = if self.one_input_amplifier { 0 } else { connection };
        (index < AMPLIFIER_INPUTS).then_some(index)
    }

    /// True for HDMI and DisplayPort pins, and for every digital converter.
    pub(crate) fn is_hdmi(&self) -> bool {
        let pin = pin_capability::HDMI | pin_capability::DISPLAY_PORT;
        self.has(capability::DIGITAL) && (self.kind != WidgetKind::Pin || self.pin_capabilities & pin != 0)
    }

    pub(super) fn reset(&mut self, inherited: &Inherited) {
        self.power = if self.has(capability::POWER) { 3 } else { 0 };
        self.selected = 0;
        self.pin_control = match (self.enabled_at_reset, self.pin_capabilities & pin_capability::OUTPUT != 0)
        {
            (false, _) => 0,
            (true, true) => 0x40,
            (true, false) => 0x20,
        };
        self.eapd = 0;
        self.unsolicited = 0;
        self.digital = 0;
        self.processing = 0;
        self.coefficient_index = 0;
        self.coefficients.clear();
        self.hdmi = Hdmi::default();
        self.sdi_select = 0;
        self.stripe = 0;
        self.beep = 0;
        self.volume = (self.volume_knob_capabilities & 0x7f) as u8;
        let (amp_in, amp_out) = self.amplifiers(inherited);
        self.gain_out = self.gain_at_reset.of(amp_out, self.muted_at_reset);
        self.gain_in = [self.gain_at_reset.of(amp_in, self.muted_at_reset); AMPLIFIER_INPUTS];
        if let Some(converter) = &mut self.converter {
            converter.format = 0;
            converter.tag = 0;
            converter.channel = 0;
        }
    }
}
