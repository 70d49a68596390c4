//! PCM: the format of a recording, and samples as the card takes them.

use std::path::Path;

use anyhow::{Context, Result};

/// How the samples of a recording are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Frames a second.
    pub rate_hz: u32,
    /// Samples a frame.
    pub channels: u16,
    /// Bits a sample: 8, 16, 24 or 32.
    pub bits: u16,
    /// Whether samples are floating point, of 32 bits.
    pub float: bool,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.channels {
            1 => write!(f, "mono")?,
            2 => write!(f, "stereo")?,
            channels => write!(f, "{channels} channels")?,
        }
        write!(f, " {} Hz {} bit", self.rate_hz, self.bits)?;
        if self.float { write!(f, " float") } else { Ok(()) }
    }
}

/// A frame that the card plays: two samples of 16 bits.
pub const FRAME_BYTES: usize = 4;

/// PCM as the card takes it: stereo, signed, 16 bits, little endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcm {
    /// Frames a second, one of [`CARD_RATES_HZ`](super::convert::CARD_RATES_HZ).
    pub rate_hz: u32,
    /// Whole frames.
    pub bytes: Vec<u8>,
}

impl Pcm {
    /// Its frames.
    pub fn frames(&self) -> u64 {
        (self.bytes.len() / FRAME_BYTES) as u64
    }

    /// Its length in time.
    pub fn duration(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.frames() * 1_000_000_000 / u64::from(self.rate_hz))
    }

    /// Writes it as a WAV file.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        self.to_wav()
            .and_then(|file| Ok(std::fs::write(path, file)?))
            .with_context(|| format!("can't write {}", path.display()))
    }

    /// The bytes of a WAV file of it.
    ///
    /// # Errors
    /// When it's too long for one.
    pub fn to_wav(&self) -> Result<Vec<u8>> {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: self.rate_hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec)?;
        for sample in self.bytes.as_chunks::<2>().0 {
            writer.write_sample(i16::from_le_bytes(*sample))?;
        }
        writer.finalize()?;
        Ok(file.into_inner())
    }
}
