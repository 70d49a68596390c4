//! Sample formats: code in OPEN, bit in HW_PARAM_QUERY, name in xenstore (sndif.h, "PCM FORMATS").

use core::fmt;

use crate::nodes;

/// Format of one sample, by its code in the protocol (`XENSND_PCM_FORMAT_*`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum SampleFormat {
    /// Signed 8 bit.
    S8 = 0,
    /// Unsigned 8 bit.
    U8 = 1,
    /// Signed 16 bit, little-endian.
    S16Le = 2,
    /// Signed 16 bit, big-endian.
    S16Be = 3,
    /// Unsigned 16 bit, little-endian.
    U16Le = 4,
    /// Unsigned 16 bit, big-endian.
    U16Be = 5,
    /// Signed 24 bit in the low three bytes of four, little-endian.
    S24Le = 6,
    /// Signed 24 bit in the low three bytes of four, big-endian.
    S24Be = 7,
    /// Unsigned 24 bit in the low three bytes of four, little-endian.
    U24Le = 8,
    /// Unsigned 24 bit in the low three bytes of four, big-endian.
    U24Be = 9,
    /// Signed 32 bit, little-endian.
    S32Le = 10,
    /// Signed 32 bit, big-endian.
    S32Be = 11,
    /// Unsigned 32 bit, little-endian.
    U32Le = 12,
    /// Unsigned 32 bit, big-endian.
    U32Be = 13,
    /// IEEE 754 single from -1.0 to 1.0, little-endian.
    F32Le = 14,
    /// IEEE 754 single from -1.0 to 1.0, big-endian.
    F32Be = 15,
    /// IEEE 754 double from -1.0 to 1.0, little-endian.
    F64Le = 16,
    /// IEEE 754 double from -1.0 to 1.0, big-endian.
    F64Be = 17,
    /// IEC 60958 subframe, little-endian.
    Iec958SubframeLe = 18,
    /// IEC 60958 subframe, big-endian.
    Iec958SubframeBe = 19,
    /// G.711 mu-law.
    MuLaw = 20,
    /// G.711 A-law.
    ALaw = 21,
    /// IMA ADPCM.
    ImaAdpcm = 22,
    /// MPEG audio.
    Mpeg = 23,
    /// GSM 06.10.
    Gsm = 24,
}

impl SampleFormat {
    /// All formats, in the order of their codes.
    pub const ALL: [Self; 25] = [
        Self::S8,
        Self::U8,
        Self::S16Le,
        Self::S16Be,
        Self::U16Le,
        Self::U16Be,
        Self::S24Le,
        Self::S24Be,
        Self::U24Le,
        Self::U24Be,
        Self::S32Le,
        Self::S32Be,
        Self::U32Le,
        Self::U32Be,
        Self::F32Le,
        Self::F32Be,
        Self::F64Le,
        Self::F64Be,
        Self::Iec958SubframeLe,
        Self::Iec958SubframeBe,
        Self::MuLaw,
        Self::ALaw,
        Self::ImaAdpcm,
        Self::Mpeg,
        Self::Gsm,
    ];

    /// Names in xenstore (`XENSND_PCM_FORMAT_*_STR`), by code.
    const NAMES: [&str; 25] = [
        "s8",
        "u8",
        "s16_le",
        "s16_be",
        "u16_le",
        "u16_be",
        "s24_le",
        "s24_be",
        "u24_le",
        "u24_be",
        "s32_le",
        "s32_be",
        "u32_le",
        "u32_be",
        "float_le",
        "float_be",
        "float64_le",
        "float64_be",
        "iec958_subframe_le",
        "iec958_subframe_be",
        "mu_law",
        "a_law",
        "ima_adpcm",
        "mpeg",
        "gsm",
    ];

    /// The code in OPEN, and the number of the bit in [`FormatSet`].
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The format with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The name in xenstore.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.code())).copied().unwrap_or_default()
    }

    /// The format with this name in xenstore.
    ///
    /// xl writes floating formats as `f32_le`, sndif.h and Linux as `float_le`. Both are accepted.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "f32_le" => Some(Self::F32Le),
            "f32_be" => Some(Self::F32Be),
            "f64_le" => Some(Self::F64Le),
            "f64_be" => Some(Self::F64Be),
            _ => Self::ALL.into_iter().find(|format| format.name() == name),
        }
    }

    /// Bytes of one sample in memory; `None` for formats without a fixed size (ADPCM, MPEG, GSM).
    ///
    /// 24-bit samples take four bytes: the protocol has no packed 24 bit.
    pub const fn bytes_per_sample(self) -> Option<u32> {
        match self {
            Self::S8 | Self::U8 | Self::MuLaw | Self::ALaw => Some(1),
            Self::S16Le | Self::S16Be | Self::U16Le | Self::U16Be => Some(2),
            Self::S24Le
            | Self::S24Be
            | Self::U24Le
            | Self::U24Be
            | Self::S32Le
            | Self::S32Be
            | Self::U32Le
            | Self::U32Be
            | Self::F32Le
            | Self::F32Be
            | Self::Iec958SubframeLe
            | Self::Iec958SubframeBe => Some(4),
            Self::F64Le | Self::F64Be => Some(8),
            Self::ImaAdpcm | Self::Mpeg | Self::Gsm => None,
        }
    }

    /// Eight bytes of silence in whole samples, to repeat from the start of a buffer.
    ///
    /// `None` if [`bytes_per_sample`](Self::bytes_per_sample) is `None`.
    pub const fn silence(self) -> Option<[u8; 8]> {
        match self {
            Self::U8 => Some([0x80; 8]),
            // G.711, tables 1 and 2: the code of the smallest positive value.
            Self::MuLaw => Some([0xff; 8]),
            Self::ALaw => Some([0xd5; 8]),
            Self::U16Le => Some([0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80]),
            Self::U16Be => Some([0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0]),
            Self::U24Le => Some([0, 0, 0x80, 0, 0, 0, 0x80, 0]),
            Self::U24Be => Some([0, 0x80, 0, 0, 0, 0x80, 0, 0]),
            Self::U32Le => Some([0, 0, 0, 0x80, 0, 0, 0, 0x80]),
            Self::U32Be => Some([0x80, 0, 0, 0, 0x80, 0, 0, 0]),
            Self::ImaAdpcm | Self::Mpeg | Self::Gsm => None,
            _ => Some([0; 8]),
        }
    }
}

/// A set of sample formats, as in HW_PARAM_QUERY: bit n is format code n.
///
/// A peer's set may have bits without a format. Every method ignores them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FormatSet(pub u64);

impl FormatSet {
    /// No format.
    pub const EMPTY: Self = Self(0);
    /// Every format of the protocol.
    pub const ALL: Self = Self::of(&SampleFormat::ALL);

    /// The set of these formats.
    pub const fn of(formats: &[SampleFormat]) -> Self {
        let mut set = Self::EMPTY;
        let mut rest = formats;
        while let [format, tail @ ..] = rest {
            set.0 |= bit(*format);
            rest = tail;
        }
        set
    }

    /// Reads the value of a `sample-formats` node, a list such as `s16_le,s32_le`. Unknown names are skipped.
    pub fn from_list(list: &str) -> Self {
        nodes::list(list).filter_map(SampleFormat::from_name).collect()
    }

    /// Whether the format is in the set.
    pub const fn contains(self, format: SampleFormat) -> bool {
        self.0 & bit(format) != 0
    }

    /// Adds a format.
    pub const fn insert(&mut self, format: SampleFormat) {
        self.0 |= bit(format);
    }

    /// The formats in both sets.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether every format of this set is in `other` too.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & Self::ALL.0 & !other.0 == 0
    }

    /// Whether there is no format in the set.
    pub const fn is_empty(self) -> bool {
        self.0 & Self::ALL.0 == 0
    }

    /// The formats, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = SampleFormat> {
        SampleFormat::ALL.into_iter().filter(move |format| self.contains(*format))
    }
}

impl fmt::Debug for SampleFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromIterator<SampleFormat> for FormatSet {
    fn from_iter<I: IntoIterator<Item = SampleFormat>>(formats: I) -> Self {
        let mut set = Self::EMPTY;
        formats.into_iter().for_each(|format| set.insert(format));
        set
    }
}

/// Codes end at 24, so the shift never wraps.
const fn bit(format: SampleFormat) -> u64 {
    1u64.wrapping_shl(format.code() as u32)
}
