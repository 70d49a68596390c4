//! Verbs and parameters: specification 7.3.

use super::widget::{AMPLIFIER_INPUTS, Gain, Widget, WidgetKind, capability};
use super::{Answer, Graph};
use crate::format::StreamFormat;
use crate::violations::{Rule, Violations};

/// A function group's answer to parameter 5: audio, can send unsolicited responses.
const AUDIO_FUNCTION_GROUP: u32 = 0x101;

/// What widgets that don't say it themselves have from their function group.
struct Inherited {
    amp_in: u32,
    amp_out: u32,
    pcm: u32,
}

impl Graph {
    pub(super) fn command(&mut self, now_ns: u64, verb: u32, violations: &mut Violations) -> Answer {
        let node = (verb >> 20 & 0x7f) as u8;
        let mut format_set_on = None;
        // Indirect node addressing isn't anything that a codec here has.
        let response = if verb & 1 << 27 != 0 {
            0
        } else if node == 0 {
            self.root_verb(verb)
        } else if node == self.group_node {
            self.group_verb(verb)
        } else if let Some(widget) = self.widgets.get_mut(&node) {
            let inherited =
                Inherited { amp_in: self.group.amp_in, amp_out: self.group.amp_out, pcm: self.group.pcm };
            let response = widget.verb(now_ns, verb, node, &inherited, violations);
            if verb >> 16 & 0xf == 2 {
                format_set_on = widget.converter.as_ref().map(|converter| (converter.tag, converter.output));
            }
            response
        } else {
            0
        };
        Answer { response: Some(response), format_set_on }
    }

    fn root_verb(&self, verb: u32) -> u32 {
        match (verb >> 8 & 0xfff, verb & 0xff) {
            (0xf00, 0x00) => self.vendor_id,
            (0xf00, 0x02) => self.revision_id,
            (0xf00, 0x04) => u32::from(self.group_node) << 16 | 1,
            _ => 0,
        }
    }

    fn group_verb(&mut self, verb: u32) -> u32 {
        let payload = verb & 0xff;
        match verb >> 8 & 0xfff {
            0xf00 => self.group_parameter(payload),
            0xf05 => u32::from(self.group.power) << 4 | u32::from(self.group.power),
            0x705 => {
                self.group.power = (payload & 7) as u8;
                0
            }
            0xf08 => self.group.unsolicited.into(),
            0x708 => {
                self.group.unsolicited = payload as u8;
                0
            }
            // GPIO data, enable, direction.
            get @ 0xf15..=0xf17 => self.group.gpio[(get - 0xf15) as usize].into(),
            set @ 0x715..=0x717 => {
                self.group.gpio[(set - 0x715) as usize] = payload as u8;
                0
            }
            0xf20 => self.subsystem_id,
            set @ 0x720..=0x723 => {
                self.subsystem_id = with_octet(self.subsystem_id, set - 0x720, payload);
                0
            }
            0x7ff => {
                self.reset();
                0
            }
            _ => 0,
        }
    }

    fn group_parameter(&self, parameter: u32) -> u32 {
        match parameter {
            0x04 => {
                let first = self.widgets.keys().next().copied().unwrap_or(0);
                let last = self.widgets.keys().next_back().copied().unwrap_or(0);
                let count = if self.widgets.is_empty() { 0 } else { u32::from(last - first) + 1 };
                u32::from(first) << 16 | count
            }
            0x05 => AUDIO_FUNCTION_GROUP,
            0x08 => self.group.delays,
            0x0a => self.group.pcm,
            0x0b => self.group.stream_formats,
            0x0d => self.group.amp_in,
            0x0f => self.group.power_states,
            0x11 => self.group.gpio_count.into(),
            0x12 => self.group.amp_out,
            _ => 0,
        }
    }
}

impl Widget {
    fn verb(
        &mut self,
        now_ns: u64,
        verb: u32,
        node: u8,
        inherited: &Inherited,
        violations: &mut Violations,
    ) -> u32 {
        match verb >> 16 & 0xf {
            0x2 => {
                self.check_format(now_ns, verb as u16, node, inherited, violations);
                if let Some(converter) = &mut self.converter {
                    converter.format = verb as u16;
                }
                return 0;
            }
            0xa => return self.converter.as_ref().map_or(0, |converter| converter.format.into()),
            0x3 => {
                self.set_gain(now_ns, verb as u16, node, inherited, violations);
                return 0;
            }
            0xb => return self.gain(verb as u16),
            _ => {}
        }
        let payload = verb & 0xff;
        let value = payload as u8;
        match verb >> 8 & 0xfff {
            0xf00 => return self.parameter(payload),
            0xf01 => return self.selected.into(),
            0xf02 => return self.connection_entries(payload as usize),
            0xf03 => return self.processing.into(),
            0xf05 => return u32::from(self.power) << 4 | u32::from(self.power),
            0xf06 => {
                let word = |c: &super::Converter| u32::from(c.tag) << 4 | u32::from(c.channel);
                return self.converter.as_ref().map_or(0, word);
            }
            0xf07 => return self.pin_control.into(),
            0xf08 => return self.unsolicited.into(),
            0xf09 => return u32::from(self.present) << 31,
            0xf0c => return self.eapd.into(),
            0xf0d => return self.digital.into(),
            0xf1c => return self.configuration,
            0xf2d => return self.channel_count.into(),
            0x701 if usize::from(value) < self.sources().len() => self.selected = value,
            0x703 => self.processing = value,
            0x705 if self.has(capability::POWER) => self.power = value & 7,
            0x706 => {
                if let Some(converter) = &mut self.converter {
                    converter.tag = value >> 4;
                    converter.channel = value & 15;
                }
            }
            0x707 if self.kind == WidgetKind::Pin => {
                self.check_pin_control(now_ns, value, node, violations);
                self.pin_control = value;
            }
            0x708 if self.has(capability::UNSOLICITED) => self.unsolicited = value,
            0x70c => self.eapd = value,
            0x70d => self.digital = self.digital & 0xff00 | u16::from(value),
            0x70e => self.digital = self.digital & 0x00ff | u16::from(value) << 8,
            set @ 0x71c..=0x71f => self.configuration = with_octet(self.configuration, set - 0x71c, payload),
            0x72d => self.channel_count = value,
            _ => {}
        }
        0
    }

    fn parameter(&self, parameter: u32) -> u32 {
        match parameter {
            0x09 => self.capability_word(),
            0x0a => self.pcm,
            0x0b => self.stream_formats,
            0x0c => self.pin_capabilities,
            0x0d => self.amp_in,
            0x0e => {
                let entries = self.stated_connections.unwrap_or(self.connections.len() as u8);
                u32::from(self.long_connections) << 7 | u32::from(entries & 0x7f)
            }
            0x0f => self.power_states,
            0x12 => self.amp_out,
            _ => 0,
        }
    }

    /// Connection list entries from `first` on, four short or two long ones (7.3.3.3). Past the end: 0.
    fn connection_entries(&self, first: usize) -> u32 {
        let (per_answer, bits) = if self.long_connections { (2, 16) } else { (4, 8) };
        let entries = self.connections.iter().skip(first).take(per_answer);
        (0..).zip(entries).fold(0, |word, (place, &entry)| word | u32::from(entry) << (place * bits))
    }

    /// The nodes that the connection list names, ranges spelt out; no more than 255.
    pub(super) fn sources(&self) -> Vec<u8> {
        let range_bit = if self.long_connections { 0x8000 } else { 0x80 };
        let mut nodes: Vec<u8> = Vec::new();
        for &entry in &self.connections {
            let node = (entry & !range_bit) as u8;
            match nodes.last() {
                Some(&first) if entry & range_bit != 0 && first < node => nodes.extend(first + 1..=node),
                _ => nodes.push(node),
            }
        }
        nodes.truncate(255);
        nodes
    }

    fn set_gain(
        &mut self,
        now_ns: u64,
        payload: u16,
        node: u8,
        inherited: &Inherited,
        violations: &mut Violations,
    ) {
        let overrides = self.has(capability::AMP_OVERRIDE);
        let (own_in, own_out) = (self.amp_in, self.amp_out);
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
        let input = usize::from(payload >> 8 & 15);
        if payload & 1 << 15 != 0 {
            let exists = self.capabilities & capability::AMP_OUT != 0;
            set(&mut self.gain_out, exists, if overrides { own_out } else { inherited.amp_out });
        }
        if payload & 1 << 14 != 0 {
            let exists = self.capabilities & capability::AMP_IN != 0;
            set(
                &mut self.gain_in[input % AMPLIFIER_INPUTS],
                exists,
                if overrides { own_in } else { inherited.amp_in },
            );
        }
    }

    /// A converter can do only the rates and depths of its PCM parameter (7.3.4.7).
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
        // Input enable, output enable, headphone amplifier, and the capabilities that they need.
        for (enable, capability) in [(0x20, 1 << 5), (0x40, 1 << 4), (0x80, 1 << 3)] {
            if value & enable != 0 && self.pin_capabilities & capability == 0 {
                violations.rule(now_ns, Rule::PinControl, || {
                    format!("pin {node:#x} is set to {value:#04x} and has {:#x}", self.pin_capabilities)
                });
            }
        }
    }

    fn gain(&self, payload: u16) -> u32 {
        let gain =
            if payload & 1 << 15 != 0 { self.gain_out } else { self.gain_in[usize::from(payload & 15)] };
        (if payload & 1 << 13 != 0 { gain.left } else { gain.right }).into()
    }
}

fn with_octet(word: u32, place: u32, octet: u32) -> u32 {
    word & !(0xff << (8 * place)) | octet << (8 * place)
}
