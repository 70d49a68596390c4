//! A WAV file, to the reader and the conversion for the card.

use std::path::PathBuf;
use std::sync::OnceLock;

use testbed::BadInput;
use testbed::wav::convert::CARD_RATES_HZ;
use testbed::wav::{FRAME_BYTES, load};

/// A file of this process: the reader takes paths. In memory, where the system has a place for that.
fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        folder.join(format!("snddom-fuzz-{}.wav", std::process::id()))
    })
}

/// Where the rate is if the format comes first, as it does in most files.
const RATE: std::ops::Range<usize> = 24..28;

/// The file, in most cases at a rate that the card has: to convert another costs as much as a thousand files.
fn mostly_at_a_rate_of_the_card(input: &[u8]) -> Vec<u8> {
    let mut file = input.to_vec();
    if !input.len().is_multiple_of(64)
        && let Some(rate) = file.get_mut(RATE)
    {
        rate.copy_from_slice(&48_000_u32.to_le_bytes());
    }
    file
}

/// A file that may be a WAV: it is refused with one line, or becomes whole frames at a rate of the card.
pub fn run(input: &[u8]) {
    let file = file();
    std::fs::write(file, mostly_at_a_rate_of_the_card(input)).expect("a file");
    match load(file) {
        Ok(recording) => {
            let pcm = recording.pcm;
            assert!(CARD_RATES_HZ.contains(&pcm.rate_hz));
            assert_eq!(pcm.bytes.len() % FRAME_BYTES, 0);
            assert!(pcm.frames() > 0, "a recording without frames");
        }
        Err(error) => {
            assert!(error.is::<BadInput>(), "{error:#}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
