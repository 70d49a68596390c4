//! Formats of encoded samples, and the ways into and out of the crate's words.

use core::ops::RangeInclusive;

use crate::channels::Channels;
use crate::signal::{Sample, Signal, Wide};
use crate::{float, g711, linear};

/// Frames of which it is asked at a time whether one of them is clipped.
const BLOCK_FRAMES: usize = 64;

/// The format of one encoded sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Signed 8 bit.
    S8,
    /// Unsigned 8 bit; silence is 128.
    U8,
    /// Signed 16 bit, little-endian.
    S16Le,
    /// Signed 16 bit, big-endian.
    S16Be,
    /// Unsigned 16 bit, little-endian.
    U16Le,
    /// Unsigned 16 bit, big-endian.
    U16Be,
    /// Signed 24 bit in the low three bytes of four, little-endian.
    S24Le,
    /// Signed 24 bit in the low three bytes of four, big-endian.
    S24Be,
    /// Unsigned 24 bit in the low three bytes of four, little-endian.
    U24Le,
    /// Unsigned 24 bit in the low three bytes of four, big-endian.
    U24Be,
    /// Signed 32 bit, little-endian.
    S32Le,
    /// Signed 32 bit, big-endian.
    S32Be,
    /// Unsigned 32 bit, little-endian.
    U32Le,
    /// Unsigned 32 bit, big-endian.
    U32Be,
    /// IEEE 754 single from -1.0 to 1.0, little-endian.
    F32Le,
    /// IEEE 754 single from -1.0 to 1.0, big-endian.
    F32Be,
    /// IEEE 754 double from -1.0 to 1.0, little-endian.
    F64Le,
    /// IEEE 754 double from -1.0 to 1.0, big-endian.
    F64Be,
    /// ITU-T G.711 mu-law.
    MuLaw,
    /// ITU-T G.711 A-law.
    ALaw,
}

/// The result of [`Format::decode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Samples decoded.
    pub samples: usize,
    /// Samples beyond full scale, which saturated. Only floating-point formats have any.
    pub clipped: usize,
}

/// The result of [`Format::encode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Samples encoded.
    pub samples: usize,
    /// Frames in which at least one channel saturated.
    pub clipped_frames: usize,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 20] = [
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
        Self::MuLaw,
        Self::ALaw,
    ];

    /// Bytes of one sample: 1, 2, 4 or 8.
    pub const fn bytes_per_sample(self) -> usize {
        match self {
            Self::S8 | Self::U8 | Self::MuLaw | Self::ALaw => 1,
            Self::S16Le | Self::S16Be | Self::U16Le | Self::U16Be => 2,
            Self::F64Le | Self::F64Be => 8,
            _ => 4,
        }
    }

    /// Decodes samples until `bytes` or `samples` end. Bytes that are no whole sample are left alone.
    ///
    /// | format | result |
    /// |---|---|
    /// | linear | exact; the fourth byte of a 24-bit sample is ignored |
    /// | floating | the nearest sample, ties up: exact for multiples of 2^-31 in \[-1.0, 1.0) |
    /// | G.711 | the value of the code in tables 1 and 2, exact |
    ///
    /// +1.0 becomes 1.0 - 2^-31 and isn't clipped. Numbers beyond full scale and infinities saturate and are counted.
    /// NaN is silence.
    ///
    /// ```
    /// use pcm::Format;
    ///
    /// let mut samples = [0; 2];
    /// let decoded = Format::F32Le.decode(&[0, 0, 0, 0x3f, 0, 0, 0xc0, 0x7f], &mut samples);
    /// assert_eq!((decoded.samples, decoded.clipped), (2, 0));
    /// assert_eq!(samples, [1 << 30, 0]); // 0.5 and NaN
    /// ```
    pub fn decode(self, bytes: &[u8], samples: &mut [Sample]) -> Decoded {
        use linear::widen;
        match self {
            Self::S8 => exact(bytes, samples, |[byte]: [u8; 1]| widen::<8>(byte.into())),
            Self::U8 => exact(bytes, samples, |[byte]: [u8; 1]| to_signed(widen::<8>(byte.into()))),
            Self::S16Le => exact(bytes, samples, |word| widen::<16>(u16::from_le_bytes(word).into())),
            Self::S16Be => exact(bytes, samples, |word| widen::<16>(u16::from_be_bytes(word).into())),
            Self::U16Le => {
                exact(bytes, samples, |word| to_signed(widen::<16>(u16::from_le_bytes(word).into())))
            }
            Self::U16Be => {
                exact(bytes, samples, |word| to_signed(widen::<16>(u16::from_be_bytes(word).into())))
            }
            Self::S24Le => exact(bytes, samples, |word| widen::<24>(u32::from_le_bytes(word))),
            Self::S24Be => exact(bytes, samples, |word| widen::<24>(u32::from_be_bytes(word))),
            Self::U24Le => exact(bytes, samples, |word| to_signed(widen::<24>(u32::from_le_bytes(word)))),
            Self::U24Be => exact(bytes, samples, |word| to_signed(widen::<24>(u32::from_be_bytes(word)))),
            Self::S32Le => exact(bytes, samples, i32::from_le_bytes),
            Self::S32Be => exact(bytes, samples, i32::from_be_bytes),
            Self::U32Le => exact(bytes, samples, |word| to_signed(i32::from_le_bytes(word))),
            Self::U32Be => exact(bytes, samples, |word| to_signed(i32::from_be_bytes(word))),
            Self::F32Le => counted(bytes, samples, |word| float::decode_single(u32::from_le_bytes(word))),
            Self::F32Be => counted(bytes, samples, |word| float::decode_single(u32::from_be_bytes(word))),
            Self::F64Le => counted(bytes, samples, |word| float::decode_double(u64::from_le_bytes(word))),
            Self::F64Be => counted(bytes, samples, |word| float::decode_double(u64::from_be_bytes(word))),
            Self::MuLaw => exact(bytes, samples, |[code]: [u8; 1]| g711::decode_mu(code)),
            Self::ALaw => exact(bytes, samples, |[code]: [u8; 1]| g711::decode_a(code)),
        }
    }

    /// Encodes samples until `samples` or `bytes` end, with one rounding and one saturation.
    ///
    /// | format | result |
    /// |---|---|
    /// | linear | the nearest number, ties up; the fourth byte of S24 is a copy of the sign, that of U24 is 0 |
    /// | floating | the nearest number, ties to even, from -1.0 to 1.0 |
    /// | G.711 | by the decision values of tables 1 and 2; on one of them, the code of the greater magnitude |
    ///
    /// A sample is clipped if it rounds to a number beyond the format's range; in G.711, beyond its last decision
    /// value. `channels` says how many samples make a frame, for the count. Bytes after the last sample aren't
    /// written.
    ///
    /// Decoding and encoding again gives the same bytes in every linear format, but for the fourth byte of 24-bit
    /// samples. It gives the same floating-point number if that is a multiple of 2^-31 from -1.0 to 1.0 other than
    /// -0.0 and, in F64, 1.0. It gives the same code of G.711, but for mu-law's 0x7f, its second zero.
    ///
    /// ```
    /// use pcm::{Channels, Format, Wide};
    ///
    /// let mut bytes = [0; 6];
    /// let loud: [Wide; 3] = [1 << 46, 1 << 48, -(1 << 46)];
    /// let encoded = Format::S16Be.encode(Channels::MONO, &loud, &mut bytes);
    /// assert_eq!((encoded.samples, encoded.clipped_frames), (3, 1));
    /// assert_eq!(bytes, [0x40, 0, 0x7f, 0xff, 0xc0, 0]);
    /// ```
    pub fn encode<S: Signal>(self, channels: Channels, samples: &[S], bytes: &mut [u8]) -> Encoded {
        use linear::narrow;
        let count = samples.len().min(bytes.len() / self.bytes_per_sample());
        let samples = samples.get(..count).unwrap_or(samples);
        let range = self.range();
        let clipped_frames = clipped_frames(channels, samples, &range);
        match self {
            Self::S8 => each(samples, bytes, range, |wide| (narrow::<8>(wide) as i8).to_le_bytes()),
            Self::U8 => each(samples, bytes, range, |wide| (narrow::<8>(wide) as u8 ^ 1 << 7).to_le_bytes()),
            Self::S16Le => each(samples, bytes, range, |wide| (narrow::<16>(wide) as i16).to_le_bytes()),
            Self::S16Be => each(samples, bytes, range, |wide| (narrow::<16>(wide) as i16).to_be_bytes()),
            Self::U16Le => {
                each(samples, bytes, range, |wide| (narrow::<16>(wide) as u16 ^ 1 << 15).to_le_bytes())
            }
            Self::U16Be => {
                each(samples, bytes, range, |wide| (narrow::<16>(wide) as u16 ^ 1 << 15).to_be_bytes())
            }
            Self::S24Le => each(samples, bytes, range, |wide| narrow::<24>(wide).to_le_bytes()),
            Self::S24Be => each(samples, bytes, range, |wide| narrow::<24>(wide).to_be_bytes()),
            // From -2^23 to 2^23 - 1, moved to start at 0.
            Self::U24Le => {
                each(samples, bytes, range, |wide| narrow::<24>(wide).wrapping_add(1 << 23).to_le_bytes())
            }
            Self::U24Be => {
                each(samples, bytes, range, |wide| narrow::<24>(wide).wrapping_add(1 << 23).to_be_bytes())
            }
            Self::S32Le => each(samples, bytes, range, |wide| narrow::<32>(wide).to_le_bytes()),
            Self::S32Be => each(samples, bytes, range, |wide| narrow::<32>(wide).to_be_bytes()),
            Self::U32Le => each(samples, bytes, range, |wide| to_signed(narrow::<32>(wide)).to_le_bytes()),
            Self::U32Be => each(samples, bytes, range, |wide| to_signed(narrow::<32>(wide)).to_be_bytes()),
            Self::F32Le => each(samples, bytes, range, |wide| float::encode_single(wide).to_le_bytes()),
            Self::F32Be => each(samples, bytes, range, |wide| float::encode_single(wide).to_be_bytes()),
            Self::F64Le => each(samples, bytes, range, |wide| float::encode_double(wide).to_le_bytes()),
            Self::F64Be => each(samples, bytes, range, |wide| float::encode_double(wide).to_be_bytes()),
            Self::MuLaw => each(samples, bytes, range, |wide| [g711::encode_mu(wide)]),
            Self::ALaw => each(samples, bytes, range, |wide| [g711::encode_a(wide)]),
        }
        Encoded { samples: count, clipped_frames }
    }

    /// Frames with a sample that [`encode`](Self::encode) clips. `channels` says how many samples make a frame.
    ///
    /// ```
    /// use pcm::{Channels, Format, Wide};
    ///
    /// let frames: [Wide; 4] = [1 << 46, 1 << 48, -(1 << 46), 0];
    /// assert_eq!(Format::S16Be.clipped_frames(Channels::STEREO, &frames), 1);
    /// ```
    pub fn clipped_frames<S: Signal>(self, channels: Channels, samples: &[S]) -> usize {
        clipped_frames(channels, samples, &self.range())
    }

    /// The values that aren't clipped.
    const fn range(self) -> RangeInclusive<Wide> {
        match self {
            Self::S8 | Self::U8 => linear::range::<8>(),
            Self::S16Le | Self::S16Be | Self::U16Le | Self::U16Be => linear::range::<16>(),
            Self::S24Le | Self::S24Be | Self::U24Le | Self::U24Be => linear::range::<24>(),
            Self::S32Le | Self::S32Be | Self::U32Le | Self::U32Be => linear::range::<32>(),
            Self::F32Le | Self::F32Be | Self::F64Le | Self::F64Be => float::RANGE,
            Self::MuLaw => g711::MU_RANGE,
            Self::ALaw => g711::A_RANGE,
        }
    }
}

/// From unsigned to signed and back: the top bit turns.
fn to_signed(sample: Sample) -> Sample {
    sample ^ Sample::MIN
}

/// Decodes with a function that can't clip.
fn exact<const N: usize>(
    bytes: &[u8],
    samples: &mut [Sample],
    decode: impl Fn([u8; N]) -> Sample,
) -> Decoded {
    let (words, _) = bytes.as_chunks();
    for (sample, word) in samples.iter_mut().zip(words) {
        *sample = decode(*word);
    }
    Decoded { samples: samples.len().min(words.len()), clipped: 0 }
}

/// Decodes with a function that says whether it clipped.
fn counted<const N: usize>(
    bytes: &[u8],
    samples: &mut [Sample],
    decode: impl Fn([u8; N]) -> (Sample, bool),
) -> Decoded {
    let (words, _) = bytes.as_chunks();
    let mut clipped = 0usize;
    for (sample, word) in samples.iter_mut().zip(words) {
        let (decoded, is_clipped) = decode(*word);
        *sample = decoded;
        // It ends at the number of samples.
        clipped = clipped.wrapping_add(usize::from(is_clipped));
    }
    Decoded { samples: samples.len().min(words.len()), clipped }
}

/// Encodes samples that are held to a range.
fn each<S: Signal, const N: usize>(
    samples: &[S],
    bytes: &mut [u8],
    range: RangeInclusive<Wide>,
    encode: impl Fn(Wide) -> [u8; N],
) {
    let (words, _) = bytes.as_chunks_mut();
    let (start, end) = (*range.start(), *range.end());
    for (word, sample) in words.iter_mut().zip(samples) {
        *word = encode(sample.to_wide().max(start).min(end));
    }
}

/// Frames with a sample out of a range.
fn clipped_frames<S: Signal>(channels: Channels, samples: &[S], range: &RangeInclusive<Wide>) -> usize {
    let (start, end) = (*range.start(), *range.end());
    // One comparison for both ends: values below the start wrap to the top.
    let span = end.wrapping_sub(start).cast_unsigned();
    let is_clipped = |sample: S| sample.to_wide().wrapping_sub(start).cast_unsigned() > span;
    let frame_samples = channels.count();
    let mut clipped_frames = 0usize;
    // A block of whole frames: no frame is counted twice.
    for block in samples.chunks(BLOCK_FRAMES * frame_samples) {
        // Clipping is rare, and looking for frames is slow.
        if block.iter().fold(false, |any, sample| any | is_clipped(*sample)) {
            let frames = block.chunks(frame_samples);
            // There are no more frames than samples.
            clipped_frames = frames.fold(clipped_frames, |clipped, frame| {
                clipped.wrapping_add(usize::from(frame.iter().any(|sample| is_clipped(*sample))))
            });
        }
    }
    clipped_frames
}
