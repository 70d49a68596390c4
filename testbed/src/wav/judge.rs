//! Judges a WAV file: either its samples, or one line that says what is wrong with it.

use std::io::Read;
use std::path::Path;

use super::pcm::Format;

/// The longest file that is read: 1 GiB, for the emulated machine keeps the recording in memory below 2 GiB.
const LONGEST_FILE: u64 = 1 << 30;

/// The rates that are taken.
const RATES_HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// The channel counts that are taken.
const CHANNELS: std::ops::RangeInclusive<u16> = 1..=8;

/// The samples of a WAV file.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// How they were stored.
    pub format: Format,
    /// All samples, frame by frame.
    pub values: Values,
}

/// Samples by their kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Signed, of the format's width.
    Integer(Vec<i32>),
    /// Full scale is 1.
    Float(Vec<f32>),
}

/// Reads a file that may be a WAV.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| format!("can't be read: {error}"))?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    if metadata.len() > LONGEST_FILE {
        return Err(format!("is too long: {} bytes, {LONGEST_FILE} is the limit", metadata.len()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST_FILE).read_to_end(&mut bytes))
        .map_err(|error| format!("can't be read: {error}"))?;
    Ok(bytes)
}

/// Judges the bytes of a file.
pub(super) fn judge(file: &[u8]) -> Result<Samples, String> {
    let (format, sound) = judge_chunks(file)?;
    let values = match (format.float, format.bits) {
        (true, _) => {
            let values = sound.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let values: Vec<f32> = values.collect();
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(format!("sample {index} is no number"));
            }
            Values::Float(values)
        }
        // Samples of 8 bits are the only ones without a sign.
        (false, 8) => Values::Integer(sound.iter().map(|byte| i32::from(*byte) - 128).collect()),
        (false, bits) => {
            let bytes = usize::from(bits / 8);
            let value = |sample: &[u8]| {
                let mut wide = [0; 4];
                wide[4 - bytes..].copy_from_slice(sample);
                i32::from_le_bytes(wide) >> (32 - bits)
            };
            Values::Integer(sound.chunks_exact(bytes).map(value).collect())
        }
    };
    Ok(Samples { format, values })
}

/// The format and the bytes of the samples. `hound` stumbles over chunks of odd length, and gives other reasons.
///
/// Multimedia Programming Interface and Data Specifications 1.0 (RIFF), and Microsoft's "Multiple channel audio data and
/// WAVE files" for the extensible format.
fn judge_chunks(file: &[u8]) -> Result<(Format, &[u8]), String> {
    const RIFF_HEADER_BYTES: usize = 12;
    const CHUNK_HEADER_BYTES: usize = 8;

    if file.is_empty() {
        return Err("is empty".to_owned());
    }
    if !file.starts_with(b"RIFF") || file.get(8..RIFF_HEADER_BYTES).is_some_and(|form| form != b"WAVE") {
        return Err(format!("is no WAV file{}", known_by_its_start(file)));
    }
    let mut rest = file.get(RIFF_HEADER_BYTES..).ok_or("is cut short inside its header")?;
    let mut format = None;
    while !rest.is_empty() {
        let (header, body) =
            rest.split_at_checked(CHUNK_HEADER_BYTES).ok_or("is cut short inside its header")?;
        let announced = u32_at(header, 4).unwrap_or(0) as usize;
        let name = header.get(..4).unwrap_or_default();
        if name == b"data" {
            let (format, frame_bytes) = format.ok_or("has samples before it says how they are stored")?;
            let sound = body.get(..announced).ok_or_else(|| {
                let there = body.len();
                format!("is cut short: its header announces {announced} bytes of sound, {there} are there")
            })?;
            if announced == 0 {
                return Err("is empty: it holds no frames".to_owned());
            }
            if !announced.is_multiple_of(frame_bytes) {
                return Err(format!(
                    "is cut short: {announced} bytes of sound are no whole frames of {frame_bytes}"
                ));
            }
            return Ok((format, sound));
        }
        let content = body.get(..announced).ok_or("is cut short inside its header")?;
        if name == b"fmt " {
            format = Some(judge_format(content)?);
        }
        // Chunks are padded to an even length; the last one may lack its padding.
        rest = body.get(announced + announced % 2..).unwrap_or_default();
    }
    Err(match format {
        Some(_) => "is cut short: it ends before its samples".to_owned(),
        None => "is cut short: it ends before it says how its samples are stored".to_owned(),
    })
}

/// The format and the size of a frame.
fn judge_format(chunk: &[u8]) -> Result<(Format, usize), String> {
    const PCM: u16 = 1;
    const FLOAT: u16 = 3;
    const EXTENSIBLE: u16 = 0xfffe;
    const SUB_FORMAT: usize = 24;

    let field = |at| u16_at(chunk, at).ok_or("has a format chunk that is cut short");
    let mut tag = field(0)?;
    if tag == EXTENSIBLE {
        tag = field(SUB_FORMAT)?;
    }
    let channels = field(2)?;
    let rate_hz = u32_at(chunk, 4).ok_or("has a format chunk that is cut short")?;
    let frame_bytes = field(12)?;
    let bits = field(14)?;
    if tag != PCM && tag != FLOAT {
        let codec = codec(tag).map_or_else(|| format!("format {tag:#06x}"), str::to_owned);
        return Err(format!("is compressed ({codec}); only PCM is played"));
    }
    let float = tag == FLOAT;
    if float && bits != 32 {
        return Err(format!("has floating-point samples of {bits} bits; 32 are played"));
    }
    if !float && ![8, 16, 24, 32].contains(&bits) {
        return Err(format!("has samples of {bits} bits; 8, 16, 24 and 32 are played"));
    }
    if !CHANNELS.contains(&channels) {
        return Err(format!(
            "has {channels} channels; {} to {} are played",
            CHANNELS.start(),
            CHANNELS.end()
        ));
    }
    if !RATES_HZ.contains(&rate_hz) {
        return Err(format!(
            "has a rate of {rate_hz} Hz; {} to {} are played",
            RATES_HZ.start(),
            RATES_HZ.end()
        ));
    }
    // At most 8 channels of 4 bytes.
    let expected = channels * bits / 8;
    if frame_bytes != expected {
        return Err(format!(
            "contradicts itself: frames of {frame_bytes} bytes for {channels} channels of {bits} bits"
        ));
    }
    Ok((Format { rate_hz, channels, bits, float }, usize::from(expected)))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Names of the commoner compressed formats, by their tag (RFC 2361).
fn codec(tag: u16) -> Option<&'static str> {
    Some(match tag {
        0x0002 => "Microsoft ADPCM",
        0x0006 => "A-law",
        0x0007 => "mu-law",
        0x0011 => "IMA ADPCM",
        0x0031 => "GSM 6.10",
        0x0050 => "MPEG",
        0x0055 => "MP3",
        0x00ff => "AAC",
        0x0161 => "WMA",
        0x2000 => "AC-3",
        0xf1ac => "FLAC",
        _ => return None,
    })
}

/// The kind of a file that is no WAV, by its first bytes.
fn known_by_its_start(file: &[u8]) -> &'static str {
    let starts = |with: &[u8]| file.starts_with(with);
    match () {
        () if starts(b"RIFF") => ": it's a RIFF file of another kind",
        () if starts(b"RIFX") || starts(b"RF64") || starts(b"riff") => {
            ": it's of a kin that isn't played (RIFX, RF64, W64)"
        }
        () if starts(b"fLaC") => ": it's FLAC",
        () if starts(b"OggS") => ": it's Ogg",
        () if starts(b"ID3") || starts(b"\xff\xfb") || starts(b"\xff\xf3") => ": it's MP3",
        () if starts(b"FORM") => ": it's AIFF",
        () if starts(b".snd") => ": it's AU",
        () => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut chunk = name.to_vec();
        chunk.extend((content.len() as u32).to_le_bytes());
        chunk.extend(content);
        chunk.extend(vec![0; content.len() % 2]);
        chunk
    }

    fn format(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
        let frame_bytes = channels * bits / 8;
        let mut content = Vec::new();
        content.extend(tag.to_le_bytes());
        content.extend(channels.to_le_bytes());
        content.extend(rate_hz.to_le_bytes());
        content.extend((rate_hz * u32::from(frame_bytes)).to_le_bytes());
        content.extend(frame_bytes.to_le_bytes());
        content.extend(bits.to_le_bytes());
        chunk(b"fmt ", &content)
    }

    fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
        let body = chunks.concat();
        let mut file = b"RIFF".to_vec();
        file.extend((body.len() as u32 + 4).to_le_bytes());
        file.extend(b"WAVE");
        file.extend(body);
        file
    }

    fn refused(file: &[u8], why: &str) {
        let line = judge(file).expect_err(why);
        assert!(line.contains(why), "{line:?} should say {why:?}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn takes_every_width() {
        for (bits, bytes, value) in [
            (8, &[0x81][..], 1),
            (16, &[0xff, 0x7f], 32_767),
            (24, &[0, 0, 0x80], -8_388_608),
            (32, &[1, 0, 0, 0x80], -2_147_483_647),
        ] {
            let file = wav(&[format(1, 1, 44_100, bits), chunk(b"data", bytes)]);
            let samples = judge(&file).expect("a WAV");
            assert_eq!(samples.values, Values::Integer(vec![value]));
            assert_eq!(samples.format, Format { rate_hz: 44_100, channels: 1, bits, float: false });
        }
        let file = wav(&[format(3, 2, 192_000, 32), chunk(b"data", &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xbf])]);
        assert_eq!(judge(&file).expect("a WAV").values, Values::Float(vec![1.0, -0.5]));
    }

    #[test]
    fn other_chunks_are_passed_over() {
        let file = wav(&[
            chunk(b"LIST", b"odd"),
            format(1, 2, 48_000, 16),
            chunk(b"fact", &[0; 4]),
            chunk(b"data", &[1, 0, 2, 0]),
            chunk(b"id3 ", b"later"),
        ]);
        assert_eq!(judge(&file).expect("a WAV").values, Values::Integer(vec![1, 2]));
    }

    #[test]
    fn what_is_cut_short_is_refused_wherever_it_is_cut() {
        let file = wav(&[format(1, 2, 48_000, 16), chunk(b"data", &[7; 400])]);
        for length in 4..file.len() {
            refused(&file[..length], "is cut short");
        }
        judge(&file).expect("the whole file is fine");
    }

    #[test]
    fn what_is_empty_is_refused() {
        refused(b"", "is empty");
        refused(&wav(&[format(1, 2, 48_000, 16), chunk(b"data", b"")]), "is empty");
    }

    #[test]
    fn half_a_frame_is_refused() {
        refused(&wav(&[format(1, 2, 48_000, 16), chunk(b"data", &[0; 6])]), "no whole frames");
    }

    #[test]
    fn compressed_sound_is_refused_by_name() {
        refused(&wav(&[format(6, 1, 8_000, 8), chunk(b"data", &[0; 6])]), "compressed (A-law)");
        refused(&wav(&[format(0x55, 2, 48_000, 0), chunk(b"data", &[0; 6])]), "compressed (MP3)");
        refused(&wav(&[format(0x1234, 2, 48_000, 4), chunk(b"data", &[0; 6])]), "compressed (format 0x1234)");
    }

    #[test]
    fn what_is_no_wav_is_refused() {
        refused(b"hello", "is no WAV file");
        refused(b"RI", "is no WAV file");
        refused(b"fLaC\0\0\0\x22 and so on", "it's FLAC");
        refused(b"RIFF\x04\0\0\0AVI LIST", "RIFF file of another kind");
        refused(&[0; 4096], "is no WAV file");
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let data = chunk(b"data", &[0; 72]);
        refused(&wav(&[format(1, 9, 48_000, 16), data.clone()]), "9 channels");
        refused(&wav(&[format(1, 0, 48_000, 16), data.clone()]), "0 channels");
        refused(&wav(&[format(1, 2, 7_999, 16), data.clone()]), "7999 Hz");
        refused(&wav(&[format(1, 2, 384_000, 16), data.clone()]), "384000 Hz");
        refused(&wav(&[format(1, 2, 48_000, 12), data.clone()]), "12 bits");
        refused(&wav(&[format(3, 2, 48_000, 64), data]), "floating-point samples of 64 bits");
    }

    #[test]
    fn contradictions_are_refused() {
        let mut contradiction = format(1, 2, 48_000, 16);
        contradiction[8 + 12] = 3;
        refused(&wav(&[contradiction, chunk(b"data", &[0; 12])]), "contradicts itself");
        refused(&wav(&[chunk(b"data", &[0; 12])]), "before it says how");
        let nan = chunk(b"data", &f32::NAN.to_le_bytes());
        refused(&wav(&[format(3, 1, 48_000, 32), nan]), "sample 0 is no number");
    }
}
