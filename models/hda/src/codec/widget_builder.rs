//! The builder of widgets.

use super::amplifier::Amplifier;
use super::connections::ConnectionList;
use super::widget::{Widget, WidgetKind, capability, pin_capability};

/// 44.1, 48, 88.2, 96 and 192 kHz at 16, 20 and 24 bit, as good analogue converters state.
const COMMON_PCM: u32 = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 17 | 1 << 18 | 1 << 19;

impl Widget {
    /// A stereo DAC: 44.1 to 192 kHz, 16 to 24 bit.
    pub fn dac() -> Self {
        Self::new(WidgetKind::Output).pcm(COMMON_PCM)
    }

    /// A stereo ADC that records `source`: 44.1 to 192 kHz, 16 to 24 bit.
    pub fn adc(source: u8) -> Self {
        Self::new(WidgetKind::Input).pcm(COMMON_PCM).connections(&[source])
    }

    /// A mixer of the given sources.
    pub fn mixer(sources: &[u8]) -> Self {
        Self::new(WidgetKind::Mixer).connections(sources)
    }

    /// A selector among the given sources.
    pub fn selector(sources: &[u8]) -> Self {
        Self::new(WidgetKind::Selector).connections(sources)
    }

    /// A line-out jack that can play any of the given sources.
    pub fn line_out(sources: &[u8]) -> Self {
        // Jack, rear, line out, 3.5 mm, green, association 1.
        Self::new(WidgetKind::Pin)
            .pin(pin_capability::OUTPUT | pin_capability::PRESENCE, 0x0101_4010)
            .connections(sources)
    }

    /// A built-in speaker with its own amplifier (EAPD).
    pub fn speaker(sources: &[u8]) -> Self {
        // Fixed function, internal, speaker, analogue, association 2.
        Self::new(WidgetKind::Pin)
            .pin(pin_capability::OUTPUT | pin_capability::EAPD, 0x9017_0120)
            .connections(sources)
    }

    /// A headphone jack.
    pub fn headphone(sources: &[u8]) -> Self {
        // Jack, left, headphone out, 3.5 mm, black, association 3.
        let capabilities = pin_capability::OUTPUT | pin_capability::HEADPHONE | pin_capability::PRESENCE;
        Self::new(WidgetKind::Pin).pin(capabilities, 0x0321_1030).connections(sources)
    }

    /// A line-in jack.
    pub fn line_in() -> Self {
        // Jack, rear, line in, 3.5 mm, blue, association 4.
        Self::new(WidgetKind::Pin).pin(pin_capability::INPUT | pin_capability::PRESENCE, 0x0181_3040)
    }

    /// A microphone jack that needs a bias voltage.
    pub fn microphone() -> Self {
        // Jack, front, microphone in, 3.5 mm, pink, association 5.
        let vref = pin_capability::VREF_80 | pin_capability::VREF_HIGH_Z;
        let capabilities = pin_capability::INPUT | pin_capability::PRESENCE | vref;
        Self::new(WidgetKind::Pin).pin(capabilities, 0x02a1_9050)
    }

    /// Makes the default configuration say that the pin has no connection.
    pub fn not_connected(self) -> Self {
        let configuration = self.configuration & !0xc000_0000 | 0x4000_0000;
        self.configuration(configuration)
    }

    /// Sets pin capabilities (parameter 0x0c) and configuration default.
    pub fn pin(mut self, capabilities: u32, configuration: u32) -> Self {
        self.pin_capabilities = capabilities;
        self.configuration = configuration;
        self
    }

    /// Sets the configuration default (verb 0xf1c).
    pub fn configuration(mut self, configuration: u32) -> Self {
        self.configuration = configuration;
        self
    }

    /// Gives the converter its own rates and sample sizes (parameter 0x0a).
    pub fn pcm(mut self, rates_and_bits: u32) -> Self {
        self.capabilities |= capability::FORMAT_OVERRIDE;
        self.pcm = rates_and_bits;
        self.stream_formats = 1;
        self
    }

    /// Takes rates and sample sizes from the function group.
    pub fn inherits_pcm(mut self) -> Self {
        self.capabilities &= !capability::FORMAT_OVERRIDE;
        self.pcm = 0;
        self.stream_formats = 0;
        self
    }

    /// Sets the number of channels, 1 to 16.
    pub fn channels(mut self, channels: u8) -> Self {
        assert!((1..=16).contains(&channels), "{channels} channels");
        let less_one = u32::from(channels - 1);
        self.capabilities = self.capabilities & !0xe001 | less_one & 1 | (less_one >> 1) << 13;
        if let Some(converter) = &mut self.converter {
            converter.channels = channels.into();
        }
        self
    }

    /// Sets the converter's delay in samples, 0 to 15.
    pub fn delay(mut self, samples: u8) -> Self {
        self.capabilities |= u32::from(samples & 15) << 16;
        self
    }

    /// Adds an output amplifier of its own.
    pub fn amp_out(mut self, amplifier: Amplifier) -> Self {
        self.capabilities |= capability::AMP_OUT | capability::AMP_OVERRIDE;
        self.amp_out = amplifier.word();
        self
    }

    /// Adds an input amplifier of its own, with one setting for each connection.
    pub fn amp_in(mut self, amplifier: Amplifier) -> Self {
        self.capabilities |= capability::AMP_IN | capability::AMP_OVERRIDE;
        self.amp_in = amplifier.word();
        self
    }

    /// Adds an output amplifier with the function group's capabilities.
    pub fn inherits_amp_out(mut self) -> Self {
        self.capabilities = self.capabilities & !capability::AMP_OVERRIDE | capability::AMP_OUT;
        self
    }

    /// Mutes its amplifiers at reset.
    pub fn muted_at_reset(mut self) -> Self {
        self.muted_at_reset = true;
        self
    }

    /// Enables its pin at reset, as QEMU does.
    pub fn enabled_at_reset(mut self) -> Self {
        self.enabled_at_reset = true;
        self
    }

    /// Sets the connection list, node by node.
    pub fn connections(self, sources: &[u8]) -> Self {
        self.coded_connections(sources.iter().map(|&node| node.into()).collect(), false)
    }

    /// Sets the connection list in long form: 16 bits an entry.
    pub fn connections_long(self, sources: &[u8]) -> Self {
        self.coded_connections(sources.iter().map(|&node| node.into()).collect(), true)
    }

    /// Sets the connection list as one range of two entries: first and last node.
    pub fn connections_range(self, first: u8, last: u8) -> Self {
        self.coded_connections(vec![first.into(), 0x80 | u16::from(last)], false)
    }

    /// Entries have 8 bits (range bit 0x80), or 16 in long form (range bit 0x8000).
    fn coded_connections(mut self, entries: Vec<u16>, long: bool) -> Self {
        self.capabilities |= capability::CONNECTION_LIST;
        self.connections = ConnectionList { entries, long };
        self
    }

    /// Makes it lie about the length of its connection list.
    pub fn states_connections(mut self, entries: u8) -> Self {
        self.stated_connections = Some(entries);
        self
    }

    /// Makes it mono: its amplifiers have only the left setting.
    pub fn mono(mut self) -> Self {
        self.capabilities &= !capability::STEREO;
        self
    }

    /// Gives it power states of its own. It is in D3 after a reset.
    pub fn power_control(mut self) -> Self {
        self.capabilities |= capability::POWER;
        self.power_states = 0xf;
        self
    }

    /// Lets it send unsolicited responses.
    pub fn unsolicited(mut self) -> Self {
        self.capabilities |= capability::UNSOLICITED;
        self
    }

    /// Makes it digital: S/PDIF or HDMI.
    pub fn digital(mut self) -> Self {
        self.capabilities |= capability::DIGITAL;
        self
    }

    /// Adds any bits of the audio widget capabilities (parameter 0x09).
    pub fn capability_bits(mut self, bits: u32) -> Self {
        self.capabilities |= bits;
        self
    }
}
