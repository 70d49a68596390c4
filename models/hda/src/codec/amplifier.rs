//! Amplifiers.

/// The capabilities of an amplifier (7.3.4.10): gain steps, one of them 0 dB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amplifier {
    /// The highest step, at most 127. Gain runs from step 0.
    pub steps: u8,
    /// The 0 dB step.
    pub zero_db_step: u8,
    /// Step size in quarters of a decibel, 1 to 128.
    pub step_quarter_db: u8,
    /// The amplifier can mute.
    pub mute: bool,
}

impl Amplifier {
    /// Steps 0 to 74 of 1 dB each; step 74 is 0 dB; can mute.
    pub const TYPICAL: Self = Self { steps: 0x4a, zero_db_step: 0x4a, step_quarter_db: 4, mute: true };
    /// Can mute, and has no gain steps.
    pub const MUTE_ONLY: Self = Self { steps: 0, zero_db_step: 0, step_quarter_db: 1, mute: true };

    pub(crate) fn word(self) -> u32 {
        u32::from(self.mute) << 31
            | u32::from(self.step_quarter_db - 1) << 16
            | u32::from(self.steps) << 8
            | u32::from(self.zero_db_step)
    }
}

/// Left and right gain, with mute in bit 7 as in the verbs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gain {
    pub(crate) left: u8,
    pub(crate) right: u8,
}

/// Number of inputs that an input amplifier distinguishes.
pub(crate) const AMPLIFIER_INPUTS: usize = 16;

/// The setting of an amplifier after a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GainAtReset {
    /// At 0 dB.
    #[default]
    ZeroDb,
    /// At its lowest step.
    Lowest,
    /// At the step farthest from 0 dB, and muted if possible. This exposes drivers that don't set
    /// it.
    Farthest,
}

impl GainAtReset {
    /// The setting after reset, for an amplifier with capabilities `amplifier`.
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
