//! Signals for the emulated microphone.

use crate::wav::{FRAME_BYTES, Pcm};

/// A signal, given as what each of its frames is.
#[derive(Clone, Debug)]
pub enum Source {
    /// A count: the frame's number, from 1 on, in 32 bits, the low half left. No two frames are alike for a day.
    Ramp,
    /// Nothing at all.
    Silence,
    /// A recording, again and again.
    Recording(Pcm),
}

impl Source {
    /// A frame of the signal.
    pub fn frame(&self, index: u64) -> [u8; FRAME_BYTES] {
        match self {
            // Wraps after 2^32 frames.
            Source::Ramp => (index as u32).wrapping_add(1).to_le_bytes(),
            Source::Silence => [0; FRAME_BYTES],
            Source::Recording(pcm) => {
                let frames = pcm.bytes.as_chunks::<FRAME_BYTES>().0;
                match frames.len() as u64 {
                    0 => [0; FRAME_BYTES],
                    length => frames[(index % length) as usize],
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_never_breaks_and_is_never_silent() {
        assert_eq!(Source::Ramp.frame(0), [1, 0, 0, 0]);
        assert_eq!(Source::Ramp.frame(0xffff), [0, 0, 1, 0]);
    }

    #[test]
    fn a_recording_starts_again() {
        let source = Source::Recording(Pcm { rate_hz: 48_000, bytes: vec![1, 2, 3, 4, 5, 6, 7, 8] });
        assert_eq!(source.frame(3), [5, 6, 7, 8]);
        let empty = Source::Recording(Pcm { rate_hz: 48_000, bytes: Vec::new() });
        assert_eq!(empty.frame(3), [0; 4]);
    }
}
