//! A widget: its capabilities and its state.

use crate::link::{Played, SourceFrame};

/// Widget types (7.3.4.6, table 138).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WidgetKind {
    /// Audio output: a DAC.
    Output,
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
    Vendor,
}

impl WidgetKind {
    fn code(self) -> u32 {
        match self {
            Self::Output => 0,
            Self::Input => 1,
            Self::Mixer => 2,
            Self::Selector => 3,
            Self::Pin => 4,
            Self::Power => 5,
            Self::VolumeKnob => 6,
            Self::Beep => 7,
            Self::Vendor => 15,
        }
    }
}

/// An amplifier's capabilities (7.3.4.10): gain in steps, of which one is 0 dB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amplifier {
    /// Steps beyond the first one: gain runs from 0 to this, at most 127.
    pub steps: u8,
    /// The step that is 0 dB.
    pub zero_db_step: u8,
    /// A step in quarters of a decibel, 1 to 128.
    pub step_quarter_db: u8,
    /// It can be muted.
    pub mute: bool,
}

impl Amplifier {
    /// 0 to 74 in steps of 1 dB, 74 is 0 dB, can be muted.
    pub const TYPICAL: Self = Self { steps: 0x4a, zero_db_step: 0x4a, step_quarter_db: 4, mute: true };
    /// Mutes, nothing else.
    pub const MUTE_ONLY: Self = Self { steps: 0, zero_db_step: 0, step_quarter_db: 1, mute: true };

    pub(crate) fn word(self) -> u32 {
        u32::from(self.mute) << 31
            | u32::from(self.step_quarter_db - 1) << 16
            | u32::from(self.steps) << 8
            | u32::from(self.zero_db_step)
    }
}

/// Where a capture converter's samples come from.
pub(crate) enum Source {
    Silence,
    Samples(Box<dyn FnMut(SourceFrame, usize) -> i32>),
    Loop { codec: usize, node: u8, delay_link_frames: u64 },
}

/// A converter's state.
pub(crate) struct Converter {
    pub(crate) node: u8,
    pub(crate) output: bool,
    pub(crate) channels: usize,
    pub(crate) format: u16,
    pub(crate) tag: u8,
    pub(crate) channel: u8,
    pub(crate) played: Played,
    pub(crate) source: Source,
}

/// A left and a right gain, with mute in bit 7 as the verbs have it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gain {
    pub(crate) left: u8,
    pub(crate) right: u8,
}

/// Inputs that an input amplifier can tell apart.
pub(crate) const AMPLIFIER_INPUTS: usize = 16;

/// A widget under construction, and then in the codec. Start from one of the constructors and add what it can do.
pub struct Widget {
    pub(crate) kind: WidgetKind,
    /// Audio widget capabilities, parameter 0x09, but for what follows from the rest.
    pub(crate) capabilities: u32,
    pub(crate) pcm: u32,
    pub(crate) stream_formats: u32,
    pub(crate) pin_capabilities: u32,
    pub(crate) amp_in: u32,
    pub(crate) amp_out: u32,
    /// Entries of the connection list as they are coded, a range's end with its top bit.
    pub(crate) connections: Vec<u16>,
    pub(crate) long_connections: bool,
    pub(crate) stated_connections: Option<u8>,
    pub(crate) power_states: u32,
    pub(crate) configuration: u32,
    muted_at_reset: bool,
    enabled_at_reset: bool,
    /// An amplifier that reads 0 at power-on but passes full level until written.
    pub(crate) quiet_gain_at_reset: bool,
    // State.
    pub(crate) converter: Option<Converter>,
    pub(crate) power: u8,
    pub(crate) selected: u8,
    pub(crate) pin_control: u8,
    pub(crate) eapd: u8,
    pub(crate) unsolicited: u8,
    pub(crate) digital: u16,
    pub(crate) processing: u8,
    pub(crate) channel_count: u8,
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
    pub(crate) const UNSOLICITED: u32 = 1 << 7;
    pub(crate) const CONNECTION_LIST: u32 = 1 << 8;
    pub(crate) const DIGITAL: u32 = 1 << 9;
    pub(crate) const POWER: u32 = 1 << 10;
}

/// Bits of the pin capabilities (7.3.4.9).
mod pin_capability {
    pub(super) const PRESENCE: u32 = 1 << 2;
    pub(super) const HEADPHONE: u32 = 1 << 3;
    pub(super) const OUTPUT: u32 = 1 << 4;
    pub(super) const INPUT: u32 = 1 << 5;
    pub(super) const VREF_80: u32 = 1 << 12;
    pub(super) const VREF_HIGH_Z: u32 = 1 << 8;
    pub(super) const EAPD: u32 = 1 << 16;
}

/// 44.1, 48, 96 and 192 kHz at 16, 20 and 24 bit, with 88.2 kHz: what a good analogue converter states.
const COMMON_PCM: u32 = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 17 | 1 << 18 | 1 << 19;

impl Widget {
    /// A widget of any kind that can do nothing.
    #[must_use]
    pub fn new(kind: WidgetKind) -> Self {
        let converter = matches!(kind, WidgetKind::Output | WidgetKind::Input).then(|| Converter {
            node: 0,
            output: kind == WidgetKind::Output,
            channels: 2,
            format: 0,
            tag: 0,
            channel: 0,
            played: Played::default(),
            source: Source::Silence,
        });
        Self {
            kind,
            capabilities: capability::STEREO,
            pcm: 0,
            stream_formats: 0,
            pin_capabilities: 0,
            amp_in: 0,
            amp_out: 0,
            connections: Vec::new(),
            long_connections: false,
            stated_connections: None,
            power_states: 0,
            configuration: 0,
            muted_at_reset: false,
            enabled_at_reset: false,
            quiet_gain_at_reset: false,
            converter,
            power: 0,
            selected: 0,
            pin_control: 0,
            eapd: 0,
            unsolicited: 0,
            digital: 0,
            processing: 0,
            channel_count: 0,
            present: true,
            gain_out: Gain::default(),
            gain_in: [Gain::default(); AMPLIFIER_INPUTS],
        }
    }

    /// A stereo DAC: 44.1 to 192 kHz, 16 to 24 bit.
    #[must_use]
    pub fn dac() -> Self {
        Self::new(WidgetKind::Output).pcm(COMMON_PCM)
    }

    /// A stereo ADC that records `source`: 44.1 to 192 kHz, 16 to 24 bit.
    #[must_use]
    pub fn adc(source: u8) -> Self {
        Self::new(WidgetKind::Input).pcm(COMMON_PCM).connections(&[source])
    }

    /// A mixer of the given sources.
    #[must_use]
    pub fn mixer(sources: &[u8]) -> Self {
        Self::new(WidgetKind::Mixer).connections(sources)
    }

    /// A selector among the given sources.
    #[must_use]
    pub fn selector(sources: &[u8]) -> Self {
        Self::new(WidgetKind::Selector).connections(sources)
    }

    /// A line-out jack that can play any of the given sources.
    #[must_use]
    pub fn line_out(sources: &[u8]) -> Self {
        // Jack, rear, line out, 3.5 mm, green, association 1.
        Self::new(WidgetKind::Pin)
            .pin(pin_capability::OUTPUT | pin_capability::PRESENCE, 0x0101_4010)
            .connections(sources)
    }

    /// A built-in speaker, with an amplifier of its own (EAPD).
    #[must_use]
    pub fn speaker(sources: &[u8]) -> Self {
        // Fixed function, internal, speaker, analogue, association 2.
        Self::new(WidgetKind::Pin)
            .pin(pin_capability::OUTPUT | pin_capability::EAPD, 0x9017_0120)
            .connections(sources)
    }

    /// A headphone jack.
    #[must_use]
    pub fn headphone(sources: &[u8]) -> Self {
        // Jack, left, headphone out, 3.5 mm, black, association 3.
        let capabilities = pin_capability::OUTPUT | pin_capability::HEADPHONE | pin_capability::PRESENCE;
        Self::new(WidgetKind::Pin).pin(capabilities, 0x0321_1030).connections(sources)
    }

    /// A line-in jack.
    #[must_use]
    pub fn line_in() -> Self {
        // Jack, rear, line in, 3.5 mm, blue, association 4.
        Self::new(WidgetKind::Pin).pin(pin_capability::INPUT | pin_capability::PRESENCE, 0x0181_3040)
    }

    /// A microphone jack that wants a bias voltage.
    #[must_use]
    pub fn microphone() -> Self {
        // Jack, front, microphone in, 3.5 mm, pink, association 5.
        let vref = pin_capability::VREF_80 | pin_capability::VREF_HIGH_Z;
        let capabilities = pin_capability::INPUT | pin_capability::PRESENCE | vref;
        Self::new(WidgetKind::Pin).pin(capabilities, 0x02a1_9050)
    }

    /// Nothing is connected to the pin, says its default configuration.
    #[must_use]
    pub fn not_connected(self) -> Self {
        let configuration = self.configuration & !0xc000_0000 | 0x4000_0000;
        self.configuration(configuration)
    }

    /// Pin capabilities (parameter 0x0c) and configuration default.
    #[must_use]
    pub fn pin(mut self, capabilities: u32, configuration: u32) -> Self {
        self.pin_capabilities = capabilities;
        self.configuration = configuration;
        self
    }

    /// The configuration default (verb 0xf1c).
    #[must_use]
    pub fn configuration(mut self, configuration: u32) -> Self {
        self.configuration = configuration;
        self
    }

    /// Rates and sample sizes (parameter 0x0a) of the converter's own.
    #[must_use]
    pub fn pcm(mut self, rates_and_bits: u32) -> Self {
        self.capabilities |= capability::FORMAT_OVERRIDE;
        self.pcm = rates_and_bits;
        self.stream_formats = 1;
        self
    }

    /// Stream formats (parameter 0x0b): bit 0 PCM, 1 float, 2 AC-3.
    #[must_use]
    pub fn stream_formats(mut self, formats: u32) -> Self {
        self.stream_formats = formats;
        self
    }

    /// Rates and sample sizes are the function group's.
    #[must_use]
    pub fn inherits_pcm(mut self) -> Self {
        self.capabilities &= !capability::FORMAT_OVERRIDE;
        self.pcm = 0;
        self.stream_formats = 0;
        self
    }

    /// Channels, 1 to 16.
    #[must_use]
    pub fn channels(mut self, channels: u8) -> Self {
        assert!((1..=16).contains(&channels), "{channels} channels");
        let less_one = u32::from(channels - 1);
        self.capabilities = self.capabilities & !0xe001 | less_one & 1 | (less_one >> 1) << 13;
        if let Some(converter) = &mut self.converter {
            converter.channels = channels.into();
        }
        self
    }

    /// The converter's delay in samples, 0 to 15.
    #[must_use]
    pub fn delay(mut self, samples: u8) -> Self {
        self.capabilities |= u32::from(samples & 15) << 16;
        self
    }

    /// An output amplifier of its own.
    #[must_use]
    pub fn amp_out(mut self, amplifier: Amplifier) -> Self {
        self.capabilities |= capability::AMP_OUT | capability::AMP_OVERRIDE;
        self.amp_out = amplifier.word();
        self
    }

    /// An input amplifier of its own (one setting for each connection).
    #[must_use]
    pub fn amp_in(mut self, amplifier: Amplifier) -> Self {
        self.capabilities |= capability::AMP_IN | capability::AMP_OVERRIDE;
        self.amp_in = amplifier.word();
        self
    }

    /// An output amplifier with the capabilities that the function group states.
    #[must_use]
    pub fn inherits_amp_out(mut self) -> Self {
        self.capabilities = self.capabilities & !capability::AMP_OVERRIDE | capability::AMP_OUT;
        self
    }

    /// An input amplifier with the capabilities that the function group states.
    #[must_use]
    pub fn inherits_amp_in(mut self) -> Self {
        self.capabilities = self.capabilities & !capability::AMP_OVERRIDE | capability::AMP_IN;
        self
    }

    /// Its amplifiers are muted after a reset.
    #[must_use]
    pub fn muted_at_reset(mut self) -> Self {
        self.muted_at_reset = true;
        self
    }

    /// Its pin is enabled after a reset, as QEMU's are.
    #[must_use]
    pub fn enabled_at_reset(mut self) -> Self {
        self.enabled_at_reset = true;
        self
    }

    /// The connection list, node by node.
    #[must_use]
    pub fn connections(self, sources: &[u8]) -> Self {
        self.coded_connections(sources.iter().map(|&node| node.into()).collect(), false)
    }

    /// The same in long form: 16 bits an entry.
    #[must_use]
    pub fn connections_long(self, sources: &[u8]) -> Self {
        self.coded_connections(sources.iter().map(|&node| node.into()).collect(), true)
    }

    /// The connection list as one range, first and last node: two entries.
    #[must_use]
    pub fn connections_range(self, first: u8, last: u8) -> Self {
        self.coded_connections(vec![first.into(), 0x80 | u16::from(last)], false)
    }

    /// The connection list as it is coded: 8 bits an entry (range bit 0x80), or 16 in long form (range bit 0x8000).
    #[must_use]
    pub fn coded_connections(mut self, entries: Vec<u16>, long: bool) -> Self {
        self.capabilities |= capability::CONNECTION_LIST;
        self.connections = entries;
        self.long_connections = long;
        self
    }

    /// Lies about the length of its connection list.
    #[must_use]
    pub fn states_connections(mut self, entries: u8) -> Self {
        self.stated_connections = Some(entries);
        self
    }

    /// It has power states of its own and is in D3 after a reset.
    #[must_use]
    pub fn power_control(mut self) -> Self {
        self.capabilities |= capability::POWER;
        self.power_states = 0xf;
        self
    }

    /// It can send unsolicited responses.
    #[must_use]
    pub fn unsolicited(mut self) -> Self {
        self.capabilities |= capability::UNSOLICITED;
        self
    }

    /// It is digital: S/PDIF or HDMI.
    #[must_use]
    pub fn digital(mut self) -> Self {
        self.capabilities |= capability::DIGITAL;
        self
    }

    /// Any bits of the audio widget capabilities (parameter 0x09) on top.
    #[must_use]
    pub fn capability_bits(mut self, bits: u32) -> Self {
        self.capabilities |= bits;
        self
    }

    /// Parameter 0x09 as it reads.
    pub(crate) fn capability_word(&self) -> u32 {
        self.kind.code() << 20 | self.capabilities
    }

    pub(crate) fn has(&self, capability: u32) -> bool {
        self.capabilities & capability != 0
    }

    pub(crate) fn reset(&mut self) {
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
        self.channel_count = 0;
        let gain = self.default_gain();
        self.gain_out = gain(self.amp_out);
        self.gain_in = [gain(self.amp_in); AMPLIFIER_INPUTS];
        if let Some(converter) = &mut self.converter {
            converter.format = 0;
            converter.tag = 0;
            converter.channel = 0;
        }
    }

    fn default_gain(&self) -> impl Fn(u32) -> Gain + use<> {
        let muted = if self.muted_at_reset { 0x80 } else { 0 };
        let quiet = self.quiet_gain_at_reset;
        move |amplifier| {
            let step = if quiet { 0 } else { (amplifier & 0x7f) as u8 };
            Gain { left: step | muted, right: step | muted }
        }
    }
}
