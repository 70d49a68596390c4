//! Amplifiers.

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

/// A left and a right gain, with mute in bit 7 as the verbs have it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gain {
    pub(crate) left: u8,
    pub(crate) right: u8,
}

/// Inputs that an input amplifier can tell apart.
pub(crate) const AMPLIFIER_INPUTS: usize = 16;

/// Where an amplifier stands after a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GainAtReset {
    /// At 0 dB.
    ZeroDb,
    /// At its lowest step.
    Lowest,
    /// At the step farthest from 0 dB, and muted if it can: whoever doesn't set it is found out.
    Farthest,
}

impl GainAtReset {
    /// The setting of an amplifier with capabilities `amplifier`.
    pub(super) fn of(self, amplifier: u32, muted: bool) -> Gain {
        let (zero_db, steps) = ((amplifier & 0x7f) as u8, (amplifier >> 8 & 0x7f) as u8);
        let step = match self {
            Self::ZeroDb => zero_db,
            Self::Lowest => 0,
            Self::Farthest if 2 * zero_db >= steps => 0,
            Self::Farthest => steps,
        };
        let mutes = muted || self == Self::Farthest && amplifier >> 31 != 0;
        let side = step | if mutes { 0x80 } else { 0 };
        Gain { left: side, right: side }
    }
}
