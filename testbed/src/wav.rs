//! WAV files: what is accepted, and what becomes of it on the way to the card.

pub mod convert;
pub mod judge;
mod pcm;

use std::path::Path;

use anyhow::{Context, Result};

use crate::BadInput;
pub use pcm::{FRAME_BYTES, Format, Pcm};

/// A recording that was read and made fit for the card.
pub struct Recording {
    /// The file's format.
    pub format: Format,
    /// The samples for the card.
    pub pcm: Pcm,
    /// The conversion in words; `None` if the card plays the file as it is.
    pub conversion: Option<String>,
}

/// Reads a WAV file and converts it to what the card offers.
///
/// # Errors
/// [`BadInput`], one line, when the file can't be played.
pub fn load(path: &Path) -> Result<Recording> {
    let refuse = |why: String| BadInput(format!("{}: {why}", path.display()));
    let file = judge::read(path).map_err(refuse)?;
    let samples = judge::judge(&file).map_err(refuse)?;
    let format = samples.format;
    let (pcm, conversion) = convert::to_card(samples);
    Ok(Recording { format, pcm, conversion })
}

/// The PCM in a WAV file of the emulator, and its rate.
///
/// The emulator writes the lengths in the header only when it ends in good order, so the file's own length counts.
///
/// # Errors
/// When the file isn't there or is no stereo file of 16 bits.
pub fn read_emulated(path: &Path) -> Result<Pcm> {
    const HEADER_BYTES: usize = 44;
    let mut file = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let header = file.get(..HEADER_BYTES).with_context(|| format!("{} has no header", path.display()))?;
    let channels = u16::from_le_bytes([header[22], header[23]]);
    let bits = u16::from_le_bytes([header[34], header[35]]);
    anyhow::ensure!((channels, bits) == (2, 16), "{}: {channels} channels, {bits} bits", path.display());
    let rate_hz = u32::from_le_bytes([header[24], header[25], header[26], header[27]]);
    file.drain(..HEADER_BYTES);
    Ok(Pcm { rate_hz, bytes: file })
}
