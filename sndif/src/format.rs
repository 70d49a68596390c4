//! Sample formats: code in OPEN, bit in HW_PARAM_QUERY, name in xenstore (sndif.h, "PCM FORMATS").

/// Format of one sample, by its code in the protocol (`XENSND_PCM_FORMAT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum SampleFormat {
    /// Signed 16 bit, little-endian.
    S16Le = 2,
    /// Signed 32 bit, little-endian.
    S32Le = 10,
}

/// A set of sample formats, as HW_PARAM_QUERY has it: bit n is format code n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FormatSet(pub u64);
