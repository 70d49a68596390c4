//! Verbs to widgets (specification 7.3.3). Unknown verbs return 0.

use super::amplifier::{AMPLIFIER_INPUTS, Gain};
use super::converter::Converter;
use super::group::{Inherited, next_power, with_byte};
use super::widget::{Widget, WidgetKind, capability, pin_capability};
use crate::format::StreamFormat;
use crate::violations::{Rule, Violations};

impl Widget {
    pub(super) fn verb(
        &mut self,
        now_ns: u64,
        verb: u32,
        node: u8,
        inherited: &Inherited,
        violations: &mut Violations,
    ) -> u32 {
        let word = verb as u16;
        match verb >> 16 & 0xf {
            0x2 => {
                self.check_format(now_ns, word, node, inherited, violations);
                if let Some(converter) = &mut self.converter {
                    converter.format = word;
                }
                return 0;
            }
            0xa => return self.converter.as_ref().map_or(0, |converter| converter.format.into()),
            0x3 => {
                self.set_gain(now_ns, word, node, inherited, violations);
                return 0;
            }
            0xb => return self.gain(word),
            code @ (0x4 | 0x5 | 0xc | 0xd) => return self.coefficient(code, word),
            _ => {}
        }
        if self.is_hdmi()
            && let Some(answer) = self.hdmi.verb(verb, self.kind == WidgetKind::Pin)
        {
            return answer;
        }
        let payload = verb & 0xff;
        let code = verb >> 8 & 0xfff;
        if code >= 0xf00 {
            return self.get(code, payload, inherited);
        }
        if code == 0x707 && self.kind == WidgetKind::Pin {
            self.check_pin_control(now_ns, payload as u8, node, violations);
        }
        self.set(code, payload);
        0
    }

    fn get(&self, code: u32, payload: u32, inherited: &Inherited) -> u32 {
        let has_power = self.has(capability::POWER);
        match code {
            0xf00 => self.parameter(payload),
            0xf01 => self.selected.into(),
            0xf02 => self.connections.answer(payload as usize),
            0xf03 => self.processing.into(),
            0xf04 => self.sdi_select.into(),
            0xf05 if has_power => u32::from(self.power.max(inherited.power)) << 4 | u32::from(self.power),
            0xf06 => {
                let word = |c: &Converter| u32::from(c.tag) << 4 | u32::from(c.channel);
                self.converter.as_ref().map_or(0, word)
            }
            0xf07 => self.pin_control.into(),
            0xf08 => self.unsolicited.into(),
            0xf09 if self.pin_capabilities & pin_capability::PRESENCE != 0 => u32::from(self.present) << 31,
            0xf0a => self.beep.into(),
            0xf0c => self.eapd.into(),
            0xf0d => self.digital,
            0xf0f => self.volume.into(),
            0xf1c => self.configuration,
            0xf24 => self.stripe.into(),
            _ => 0,
        }
    }

    fn set(&mut self, code: u32, payload: u32) {
        let value = payload as u8;
        let is_pin = self.kind == WidgetKind::Pin;
        match code {
            0x701 if usize::from(value) < self.connections.nodes().len() => self.selected = value,
            0x703 if self.has(capability::PROCESSING) => self.processing = value & 3,
            0x704 if self.kind == WidgetKind::Input => self.sdi_select = value & 15,
            0x705 if self.has(capability::POWER) => {
                self.power = next_power(self.power, value, self.power_states);
            }
            0x706 => {
                if let Some(converter) = &mut self.converter {
                    converter.tag = value >> 4;
                    converter.channel = value & 15;
                }
            }
            0x707 if is_pin => self.pin_control = value,
            0x708 if self.has(capability::UNSOLICITED) => self.unsolicited = value,
            0x70a if self.kind == WidgetKind::Beep => self.beep = value,
            0x70c => self.eapd = value & self.eapd_bits(),
            0x70f if self.kind == WidgetKind::VolumeKnob => self.volume = value,
            set @ (0x70d | 0x70e) if self.has(capability::DIGITAL) => {
                self.digital = with_byte(self.digital, set - 0x70d, payload);
            }
            set @ (0x73e | 0x73f) if self.has(capability::DIGITAL) => {
                self.digital = with_byte(self.digital, set - 0x73e + 2, payload);
            }
            set @ 0x71c..=0x71f => self.configuration = with_byte(self.configuration, set - 0x71c, payload),
            0x724 if self.has(capability::STRIPE) => self.stripe = value,
            _ => {}
        }
    }

    /// The bits of verb 0x70c that the widget has: balanced output, EAPD, left-right swap.
    fn eapd_bits(&self) -> u8 {
        let pin = |capability: u32, bit: u8| if self.pin_capabilities & capability != 0 { bit } else { 0 };
        let swap = if self.has(capability::SWAP) { 1 << 2 } else { 0 };
        pin(pin_capability::BALANCED, 1) | pin(pin_capability::EAPD, 1 << 1) | swap
    }

    fn parameter(&self, parameter: u32) -> u32 {
        match parameter {
            0x09 => self.capability_word(),
            0x0a => self.pcm,
            0x0b => self.stream_formats,
            0x0c => self.pin_capabilities,
            0x0d => self.amp_in,
            0x0e => self.connections.length_word(self.stated_connections),
            0x0f => self.power_states,
            0x10 => self.processing_capabilities,
            0x12 => self.amp_out,
            0x13 => self.volume_knob_capabilities,
            0x15 => self.device_list,
            _ => 0,
        }
    }

    /// Coefficient index and value (7.3.3.5, 7.3.3.6). The index has no auto-increment.
    fn coefficient(&mut self, code: u32, word: u16) -> u32 {
        let index = self.coefficient_index;
        match code {
            _ if !self.has(capability::PROCESSING) => 0,
            0xc => self.coefficients.get(&index).copied().unwrap_or(0).into(),
            0xd => index.into(),
            0x4 => {
                self.coefficients.insert(index, word);
                0
            }
            _ => {
                self.coefficient_index = word;
                0
            }
        }
    }

    fn set_gain(
        &mut self,
        now_ns: u64,
        payload: u16,
        node: u8,
        inherited: &Inherited,
        violations: &mut Violations,
    ) {
        let (amp_in, amp_out) = self.amplifiers(inherited);
        let (has_in, has_out) = (self.has(capability::AMP_IN), self.has(capability::AMP_OUT));
        let value = (payload & 0xff) as u8;
        let mut set = |gain: &mut Gain, exists: bool, amplifier: u32| {
            let step = u32::from(value & 0x7f);
            if !exists {
                violations.rule(now_ns, Rule::Amplifier, || format!("node {node:#x} has no such amplifier"));
                return;
            }
            if step > amplifier >> 8 & 0x7f {
                violations.rule(now_ns, Rule::Amplifier, || format!("node {node:#x} has no step {step}"));
                return;
            }
            if payload & 1 << 13 != 0 {
                gain.left = value;
            }
            if payload & 1 << 12 != 0 {
                gain.right = value;
            }
        };
        let input = if self.one_input_amplifier { 0 } else { usize::from(payload >> 8 & 15) };
        if payload & 1 << 15 != 0 {
            set(&mut self.gain_out, has_out, amp_out);
        }
        if payload & 1 << 14 != 0 {
            set(&mut self.gain_in[input % AMPLIFIER_INPUTS], has_in, amp_in);
        }
    }

    /// A converter supports only the rates and depths of its PCM parameter (7.3.4.7).
    fn check_format(
        &self,
        now_ns: u64,
        word: u16,
        node: u8,
        inherited: &Inherited,
        violations: &mut Violations,
    ) {
        let overrides = self.has(capability::FORMAT_OVERRIDE);
        let pcm = if overrides { self.pcm } else { inherited.pcm };
        let possible = StreamFormat::decode(word)
            .and_then(StreamFormat::pcm_bits)
            .is_some_and(|bits| self.converter.is_some() && pcm & bits == bits);
        if !possible {
            violations.rule(now_ns, Rule::ConverterFormat, || {
                format!("node {node:#x} is set to format {word:#06x} and can do {pcm:#07x}")
            });
        }
    }

    fn check_pin_control(&self, now_ns: u64, value: u8, node: u8, violations: &mut Violations) {
        // Input enable, output enable and headphone amplifier, with their required capabilities.
        for (enable, capability) in [(0x20, 1 << 5), (0x40, 1 << 4), (0x80, 1 << 3)] {
            if value & enable != 0 && self.pin_capabilities & capability == 0 {
                violations.rule(now_ns, Rule::PinControl, || {
                    format!("pin {node:#x} is set to {value:#04x} and has {:#x}", self.pin_capabilities)
                });
            }
        }
        // The pin must support the bias voltage. 0 is high impedance, which every pin supports.
        let vref = value & 7;
        if vref != 0 && self.pin_capabilities >> 8 >> vref_capability(vref) & 1 == 0 {
            violations.rule(now_ns, Rule::PinControl, || {
                format!(
                    "pin {node:#x} has no bias voltage {vref}: its capabilities are {:#x}",
                    self.pin_capabilities
                )
            });
        }
    }

    fn gain(&self, payload: u16) -> u32 {
        let input = if self.one_input_amplifier { 0 } else { usize::from(payload & 15) };
        let gain = if payload & 1 << 15 != 0 { self.gain_out } else { self.gain_in[input] };
        (if payload & 1 << 13 != 0 { gain.left } else { gain.right }).into()
    }
}

/// The pin capability bit that allows a bias voltage setting: 50 %, ground, 80 % or 100 %.
///
/// No bit allows other settings, which are reserved.
fn vref_capability(vref: u8) -> u32 {
    match vref {
        1 => 1,
        2 => 2,
        4 => 4,
        5 => 5,
        _ => 31,
    }
}
