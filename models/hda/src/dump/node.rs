//! A node of a dump: a widget.

use crate::codec::WidgetKind;

/// A widget as Linux printed it.
///
/// Fields that Linux didn't print are `None` or empty. Numbers are raw, as the codec gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Node number, 1 to 127.
    pub id: u8,
    /// Audio widget capabilities (parameter 0x09).
    pub wcaps: u32,
    /// Widget type, from the capabilities.
    pub kind: WidgetKind,
    /// Mixer controls that Linux made of it, and jacks with their names.
    pub controls: Vec<Control>,
    /// PCM devices that Linux bound to it.
    pub devices: Vec<Device>,
    /// Its own input amplifier; `None` also if Linux prints N/A. `wcaps` says whether it has one.
    pub amp_in: Option<AmpCaps>,
    /// Settings of the input amplifiers: one, or one for each connection.
    pub amp_in_values: Vec<AmpValue>,
    /// Its own output amplifier; `None` also if Linux prints N/A. `wcaps` says whether it has one.
    pub amp_out: Option<AmpCaps>,
    /// Setting of the output amplifier; some versions of Linux print more than one.
    pub amp_out_values: Vec<AmpValue>,
    /// Stream and channel of a converter.
    pub converter: Option<ConverterState>,
    /// Delay in samples.
    pub delay_samples: u8,
    /// Its own rates, sample sizes and formats.
    pub pcm: Option<Pcm>,
    /// Pin capabilities (parameter 0x0c).
    pub pincap: Option<u32>,
    /// Configuration default (verb 0xf1c).
    pub pin_default: Option<u32>,
    /// Pin control (verb 0xf07).
    pub pin_control: Option<u8>,
    /// EAPD and BTL (verb 0xf0c).
    pub eapd: Option<u8>,
    /// Unsolicited responses: tag, and whether they are enabled.
    pub unsolicited: Option<(u8, bool)>,
    /// Power states (parameter 0x0f).
    pub power_states: Option<u32>,
    /// Power state.
    pub power: Option<Power>,
    /// Processing capabilities (parameter 0x10).
    pub processing: Option<Processing>,
    /// Volume knob capabilities (parameter 0x13) and setting.
    pub volume_knob: Option<VolumeKnob>,
    /// Entries of a DisplayPort pin's device list.
    pub device_entries: Option<u8>,
    /// The connection list as the codec gave it, with ranges expanded.
    pub connections: Vec<u8>,
    /// Linux couldn't read the list and printed an error. The list is empty then.
    pub connections_unreadable: bool,
    /// Index of the selected connection in the list, if one is marked.
    pub selected: Option<usize>,
    /// Linux's replacement for the codec's list, if any.
    pub in_driver_connections: Option<Vec<u8>>,
}

impl Node {
    pub(super) fn new(id: u8, wcaps: u32, kind: WidgetKind) -> Self {
        Self {
            id,
            wcaps,
            kind,
            controls: Vec::new(),
            devices: Vec::new(),
            amp_in: None,
            amp_in_values: Vec::new(),
            amp_out: None,
            amp_out_values: Vec::new(),
            converter: None,
            delay_samples: 0,
            pcm: None,
            pincap: None,
            pin_default: None,
            pin_control: None,
            eapd: None,
            unsolicited: None,
            power_states: None,
            power: None,
            processing: None,
            volume_knob: None,
            device_entries: None,
            connections: Vec::new(),
            connections_unreadable: false,
            selected: None,
            in_driver_connections: None,
        }
    }
}

/// A mixer control of Linux, or a jack: "Front Headphone Jack".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Name.
    pub name: String,
    /// Index among the controls with this name.
    pub index: u32,
    /// The PCM device of the control.
    pub device: u32,
    /// The amplifier behind the control, if Linux prints one.
    pub amp: Option<ControlAmp>,
}

/// The amplifier behind a mixer control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlAmp {
    /// Channels: bit 0 left, bit 1 right.
    pub channels: u8,
    /// True for the output amplifier, false for an input amplifier.
    pub output: bool,
    /// Index of the input amplifier.
    pub index: u8,
    /// Linux adds this to the amplifier's step.
    pub offset: u32,
}

/// A PCM device of Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Name: "ALC262 Analog".
    pub name: String,
    /// "Audio", "SPDIF" or "HDMI".
    pub kind: String,
    /// Device number on the card.
    pub device: u32,
}

/// An amplifier's capabilities (parameters 0x0d and 0x12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmpCaps {
    /// The 0 dB step, 0 to 127.
    pub offset: u8,
    /// The highest step, 0 to 127.
    pub steps: u8,
    /// Step size in quarters of a decibel, less one: 0 to 127.
    pub step_size: u8,
    /// The amplifier can mute.
    pub mute: bool,
}

impl AmpCaps {
    /// The parameter as the codec gives it.
    #[must_use]
    pub fn word(self) -> u32 {
        u32::from(self.mute) << 31
            | u32::from(self.step_size) << 16
            | u32::from(self.steps) << 8
            | u32::from(self.offset)
    }
}

/// An amplifier's setting: mute in bit 7, step in bits 6:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmpValue {
    /// Left, or the only channel.
    pub left: u8,
    /// Right, for stereo.
    pub right: Option<u8>,
}

/// The stream and channel of a converter (verb 0xf06).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConverterState {
    /// Stream tag, 0 for none.
    pub stream: u8,
    /// Lowest channel.
    pub channel: u8,
}

/// Rates, sample sizes (parameter 0x0a) and stream formats (parameter 0x0b).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pcm {
    /// Bits 11:0 of parameter 0x0a.
    pub rates: u16,
    /// Bits 20:16 of parameter 0x0a, shifted to bit 0.
    pub bits: u16,
    /// Parameter 0x0b.
    pub formats: u32,
}

impl Pcm {
    /// Parameter 0x0a as the codec gives it.
    #[must_use]
    pub fn word(self) -> u32 {
        u32::from(self.bits) << 16 | u32::from(self.rates)
    }
}

/// A power state, requested and actual: 0 to 3 for D0 to D3, 4 for D3cold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Power {
    /// The requested state.
    pub setting: u8,
    /// The actual state.
    pub actual: u8,
}

/// Processing capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processing {
    /// Processing can be made linear and time-invariant.
    pub benign: bool,
    /// Number of loadable coefficients.
    pub coefficients: u8,
}

/// A volume knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeKnob {
    /// Software can set the volume.
    pub delta: bool,
    /// Steps, 0 to 127.
    pub steps: u8,
    /// The knob drives its amplifiers directly.
    pub direct: bool,
    /// Current position.
    pub value: u8,
}
