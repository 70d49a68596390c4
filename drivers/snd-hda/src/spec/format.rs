//! Sample formats: the word for SDnFMT and converters (specification 1.0a, 3.7.1), and the sets
//! that a converter offers (7.3.4.7).

use core::fmt;

use crate::kind::ErrorKind;

/// Bits in a sample. 8 and 16 fill their container; 20, 24 and 32 sit left-justified in 32 bits of memory
/// (3.7.1, 4.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SampleBits {
    /// 8 bits in a byte.
    Bits8,
    /// 16 bits in two bytes.
    Bits16,
    /// 20 bits in four bytes.
    Bits20,
    /// 24 bits in four bytes.
    Bits24,
    /// 32 bits in four bytes.
    Bits32,
}

impl SampleBits {
    /// All of them, in the order of the codes in formats and capabilities.
    pub const ALL: [Self; 5] = [Self::Bits8, Self::Bits16, Self::Bits20, Self::Bits24, Self::Bits32];

    /// Bytes that a sample takes in memory.
    pub const fn container_bytes(self) -> u32 {
        match self {
            Self::Bits8 => 1,
            Self::Bits16 => 2,
            Self::Bits20 | Self::Bits24 | Self::Bits32 => 4,
        }
    }

    /// Bits that carry the sample.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits8 => 8,
            Self::Bits16 => 16,
            Self::Bits20 => 20,
            Self::Bits24 => 24,
            Self::Bits32 => 32,
        }
    }

    const fn code(self) -> u16 {
        self as u16
    }
}

/// A frame rate of the specification (7.3.4.7, table "rates").
///
/// 384 kHz, the twelfth, has no code in the format word, whose multiples end at 4. No stream can
/// have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rate(u8);

/// Hz, and base, multiple and divisor in the format word: by bit in the PCM parameter.
const RATES: [(u32, u16); 11] = [
    (8_000, rate_code(false, 1, 6)),
    (11_025, rate_code(true, 1, 4)),
    (16_000, rate_code(false, 1, 3)),
    (22_050, rate_code(true, 1, 2)),
    (32_000, rate_code(false, 2, 3)),
    (44_100, rate_code(true, 1, 1)),
    (48_000, rate_code(false, 1, 1)),
    (88_200, rate_code(true, 2, 1)),
    (96_000, rate_code(false, 2, 1)),
    (176_400, rate_code(true, 4, 1)),
    (192_000, rate_code(false, 4, 1)),
];

/// Bit 14: 44.1 kHz base; 13:11: multiple less one; 10:8: divisor less one.
const fn rate_code(base_44100: bool, multiple: u16, divisor: u16) -> u16 {
    ((base_44100 as u16) << 14) | (multiple.saturating_sub(1) << 11) | (divisor.saturating_sub(1) << 8)
}

impl Rate {
    /// The rate of `hz` frames a second, if the specification has it.
    pub fn from_hz(hz: u32) -> Option<Self> {
        let bit = RATES.iter().position(|(rate_hz, _)| *rate_hz == hz)?;
        u8::try_from(bit).ok().map(Self)
    }

    /// Frames a second.
    pub fn hz(self) -> u32 {
        self.entry().0
    }

    fn entry(self) -> (u32, u16) {
        // `self.0` is an index of the table, by construction.
        RATES.get(usize::from(self.0)).copied().unwrap_or((48_000, 0))
    }

    /// Whether the base is 44.1 kHz, multiple and divisor.
    pub(crate) fn code(self) -> (bool, u16, u16) {
        let code = self.entry().1;
        // Three bits each.
        (code & 1 << 14 != 0, (code >> 11 & 0x7).wrapping_add(1), (code >> 8 & 0x7).wrapping_add(1))
    }

    /// Frames in the fullest of its link frames (of 1/48000 s): the multiple of the base rate.
    ///
    /// A divisor leaves link frames empty (5.4.1). So 32 kHz, which is 48 kHz * 2 / 3, sends two
    /// frames in every third link frame.
    pub(crate) fn frames_per_link_frame(self) -> u32 {
        // Three bits.
        u32::from(self.entry().1 >> 11 & 0x7).wrapping_add(1)
    }
}

/// A stream's format. Every value can be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Format {
    rate: Rate,
    sample_bits: SampleBits,
    channels: u8,
}

/// Why a format is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FormatError {
    /// Not a rate of the specification.
    Rate {
        /// The requested rate, in Hz.
        rate_hz: u32,
    },
    /// A frame has 1 to 16 samples.
    Channels {
        /// The requested number.
        channels: u8,
    },
}

impl FormatError {
    /// The kind of failure.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { rate_hz } => write!(f, "{rate_hz} Hz is not a rate of the specification"),
            Self::Channels { channels } => write!(f, "{channels} channels; a frame has 1 to 16"),
        }
    }
}

impl core::error::Error for FormatError {}

impl Format {
    /// A format of `rate_hz` frames a second, each of `channels` (1 to 16) samples.
    ///
    /// ```
    /// use snd_hda::{Format, SampleBits};
    ///
    /// let format = Format::new(44_100, SampleBits::Bits24, 2)?;
    /// assert_eq!(format.encode(), 0x4031);
    /// assert_eq!(format.frame_bytes(), 8);
    /// # Ok::<(), snd_hda::FormatError>(())
    /// ```
    pub fn new(rate_hz: u32, sample_bits: SampleBits, channels: u8) -> Result<Self, FormatError> {
        let rate = Rate::from_hz(rate_hz).ok_or(FormatError::Rate { rate_hz })?;
        if !(1..=16).contains(&channels) {
            return Err(FormatError::Channels { channels });
        }
        Ok(Self { rate, sample_bits, channels })
    }

    /// The word for SDnFMT and the converter.
    ///
    /// PCM (bit 15 clear), rate, bits in 6:4, channels less one in 3:0.
    pub fn encode(self) -> u16 {
        self.rate.entry().1 | (self.sample_bits.code() << 4) | u16::from(self.channels).saturating_sub(1)
    }

    /// The rate.
    pub fn rate(self) -> Rate {
        self.rate
    }

    /// Bits in a sample.
    pub fn sample_bits(self) -> SampleBits {
        self.sample_bits
    }

    /// Samples in a frame.
    pub fn channels(self) -> u8 {
        self.channels
    }

    /// Bytes that a frame takes in memory: 1 to 64.
    pub fn frame_bytes(self) -> u32 {
        u32::from(self.channels).saturating_mul(self.sample_bits.container_bytes())
    }

    /// 16-bit words in the fullest link frame, for the limits OUTPAY and INPAY (3.3.5).
    ///
    /// They hold the samples, and a tag before them: 8 bits for output and 10 for input (5.3.2,
    /// 5.3.3).
    pub fn words_per_link_frame(self) -> u32 {
        // At most 16 * 32 * 4 bits, and 10.
        u32::from(self.channels)
            .saturating_mul(self.sample_bits.bits())
            .saturating_mul(self.rate.frames_per_link_frame())
            .saturating_add(10)
            .div_ceil(16)
    }
}

/// A converter's formats (7.3.4.7), narrowed to PCM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PcmCapabilities {
    parameter: u32,
    channels_max: u8,
}

impl PcmCapabilities {
    /// From the PCM parameter and the converter's channels.
    pub(crate) fn new(parameter: u32, channels_max: u8) -> Self {
        Self { parameter, channels_max }
    }

    /// The same with another number of channels.
    pub(crate) fn with_channels(self, channels_max: u8) -> Self {
        Self { channels_max, ..self }
    }

    /// Rates, ascending.
    pub fn rates(self) -> impl Iterator<Item = Rate> {
        (0..RATES.len() as u8).filter(move |bit| self.parameter & (1_u32 << bit) != 0).map(Rate)
    }

    /// Sizes of samples, ascending.
    pub fn sample_bits(self) -> impl Iterator<Item = SampleBits> {
        SampleBits::ALL.into_iter().filter(move |bits| self.has_bits(*bits))
    }

    /// The most bits in containers of `container_bytes` bytes.
    pub fn widest_in(self, container_bytes: u32) -> Option<SampleBits> {
        self.sample_bits().filter(|bits| bits.container_bytes() == container_bytes).last()
    }

    /// Most channels; at least 1.
    pub fn channels_max(self) -> u8 {
        self.channels_max
    }

    /// Whether any format is supported.
    pub fn is_empty(self) -> bool {
        self.rates().next().is_none() || self.sample_bits().next().is_none()
    }

    /// Whether `format` is supported.
    pub fn supports(self, format: Format) -> bool {
        self.parameter & (1_u32 << format.rate.0) != 0
            && self.has_bits(format.sample_bits)
            && format.channels <= self.channels_max
    }

    fn has_bits(self, bits: SampleBits) -> bool {
        // Bits 20:16, in the order of the codes.
        (self.parameter >> 16) & (1_u32 << bits.code()) != 0
    }
}
