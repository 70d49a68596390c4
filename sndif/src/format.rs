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
    /// The formats by code, with their names in xenstore (`XENSND_PCM_FORMAT_*_STR`) and the bytes of
    /// a sample; 0 bytes: no fixed size.
    const TABLE: [(Self, &str, u32); 25] = [
        (Self::S8, "s8", 1),
        (Self::U8, "u8", 1),
        (Self::S16Le, "s16_le", 2),
        (Self::S16Be, "s16_be", 2),
        (Self::U16Le, "u16_le", 2),
        (Self::U16Be, "u16_be", 2),
        (Self::S24Le, "s24_le", 4),
        (Self::S24Be, "s24_be", 4),
        (Self::U24Le, "u24_le", 4),
        (Self::U24Be, "u24_be", 4),
        (Self::S32Le, "s32_le", 4),
        (Self::S32Be, "s32_be", 4),
        (Self::U32Le, "u32_le", 4),
        (Self::U32Be, "u32_be", 4),
        (Self::F32Le, "float_le", 4),
        (Self::F32Be, "float_be", 4),
        (Self::F64Le, "float64_le", 8),
        (Self::F64Be, "float64_be", 8),
        (Self::Iec958SubframeLe, "iec958_subframe_le", 4),
        (Self::Iec958SubframeBe, "iec958_subframe_be", 4),
        (Self::MuLaw, "mu_law", 1),
        (Self::ALaw, "a_law", 1),
        (Self::ImaAdpcm, "ima_adpcm", 0),
        (Self::Mpeg, "mpeg", 0),
        (Self::Gsm, "gsm", 0),
    ];

    /// All formats, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.into_iter().map(|(format, ..)| format)
    }

    /// The code in OPEN, and the number of the bit in [`FormatSet`].
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The format with this code, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::TABLE.get(usize::from(code)).map(|(format, ..)| *format)
    }

    /// The name in xenstore.
    pub fn name(self) -> &'static str {
        Self::TABLE.get(usize::from(self.code())).map_or("", |(_, name, _)| name)
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
            _ => Self::all().find(|format| format.name() == name),
        }
    }

    /// Bytes of one sample in memory; `None` for formats without a fixed size (ADPCM, MPEG, GSM).
    ///
    /// 24-bit samples take four bytes: the protocol has no packed 24 bit.
    pub fn bytes_per_sample(self) -> Option<u32> {
        let (.., bytes) = Self::TABLE.get(usize::from(self.code()))?;
        (*bytes > 0).then_some(*bytes)
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
    pub const ALL: Self = Self((1 << SampleFormat::TABLE.len()) - 1);

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
        SampleFormat::all().filter(move |format| self.contains(*format))
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
