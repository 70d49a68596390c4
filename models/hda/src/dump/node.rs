//! A node of a dump: a widget.

use crate::codec::WidgetKind;

/// A widget as Linux printed it.
///
/// Fields that Linux didn't print are `None` or empty. Numbers are raw, as the codec gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Node number, 1 to 127.
    pub id: u8,
    /// Audio widget capabilities (parameter 0x09).
    pub wcaps: u32,
    /// Widget type, from the capabilities.
    pub kind: WidgetKind,
    /// Names of mixer controls that Linux made of it, and of jacks: "Front Headphone Jack".
    pub controls: Vec<String>,
    /// Names of PCM devices that Linux bound to it: "ALC262 Analog".
    pub devices: Vec<String>,
    /// Its own input amplifier; `None` also if Linux prints N/A. `wcaps` says whether it has one.
    pub amp_in: Option<AmpCaps>,
    /// The number of input amplifiers with a setting: one, or one for each connection.
    pub amp_in_settings: usize,
    /// Its own output amplifier; `None` also if Linux prints N/A. `wcaps` says whether it has one.
    pub amp_out: Option<AmpCaps>,
    /// Its own rates, sample sizes and formats.
    pub pcm: Option<Pcm>,
    /// Pin capabilities (parameter 0x0c).
    pub pincap: Option<u32>,
    /// Configuration default (verb 0xf1c).
    pub pin_default: Option<u32>,
    /// Power states (parameter 0x0f).
    pub power_states: Option<u32>,
    /// Processing capabilities (parameter 0x10).
    pub processing: Option<Processing>,
    /// Volume knob capabilities (parameter 0x13).
    pub volume_knob: Option<VolumeKnob>,
    /// Entries of a DisplayPort pin's device list.
    pub device_entries: Option<u8>,
    /// The connection list as the codec gave it, with ranges expanded. It is empty if Linux couldn't
    /// read it.
    pub connections: Vec<u8>,
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
    pub fn word(self) -> u32 {
        u32::from(self.mute) << 31
            | u32::from(self.step_size) << 16
            | u32::from(self.steps) << 8
            | u32::from(self.offset)
    }
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
    pub fn word(self) -> u32 {
        u32::from(self.bits) << 16 | u32::from(self.rates)
    }
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
}
