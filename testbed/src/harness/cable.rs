//! A cable: what is played comes back in one piece, without a gap and without a place in time. That is what a test of tones
//! wants, which a room that corrects its place would break.

use crate::wav::FRAME_BYTES;

/// A cable from the output to the input: how far along the output is what the input hears.
#[derive(Default)]
pub(super) struct Cable {
    heard_bytes: usize,
    flows: bool,
}

impl Cable {
    /// What is played comes in pieces of 1024 frames, what is heard goes in pieces of 10 ms: so much has to be there
    /// before it flows, and it flows until there is not enough.
    const AHEAD_BYTES: usize = 4096 * FRAME_BYTES;

    /// The input hears what is under way on the cable, and nothing older.
    pub(super) fn turn_on(&mut self, played: &[u8]) {
        *self = Cable { heard_bytes: played.len().saturating_sub(Cable::AHEAD_BYTES), flows: false };
    }

    /// The next bytes, or silence where there aren't as many.
    pub(super) fn read(&mut self, played: &[u8], bytes: usize) -> Vec<u8> {
        let ahead = played.get(self.heard_bytes..).unwrap_or_default();
        self.flows = ahead.len() >= if self.flows { bytes } else { Cable::AHEAD_BYTES.max(bytes) };
        match ahead.get(..bytes) {
            Some(heard) if self.flows => {
                self.heard_bytes += bytes;
                heard.to_vec()
            }
            _ => vec![0; bytes],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cable;

    #[test]
    fn a_cable_gives_back_what_is_under_way_and_what_follows() {
        const AHEAD: usize = Cable::AHEAD_BYTES;
        let played: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let mut cable = Cable::default();
        cable.turn_on(&played[..AHEAD + 1_000]);
        assert_eq!(cable.read(&played[..AHEAD + 1_000], 1_920), played[1_000..2_920]);
        // It flows until it runs dry, and then again when enough is there; nothing is lost.
        assert_eq!(cable.read(&played[..4_840], 1_920), played[2_920..4_840]);
        assert_eq!(cable.read(&played[..4_840], 1_920), [0; 1_920]);
        assert_eq!(cable.read(&played[..6_760], 1_920), [0; 1_920]);
        assert_eq!(cable.read(&played, 1_920), played[4_840..6_760]);
    }

    #[test]
    fn a_cable_on_which_nothing_was_played_is_silent() {
        let mut cable = Cable::default();
        cable.turn_on(&[]);
        assert_eq!(cable.read(&[], 1_920), [0; 1_920]);
        assert_eq!(cable.read(&[1; 4_096], 1_920), [0; 1_920]);
    }
}
