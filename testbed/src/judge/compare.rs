//! Compares played sound with heard sound.

use std::fmt;

/// How two streams of PCM compare, from frame 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Every byte of every frame is there.
    BitExact {
        /// The compared frames: all that were played.
        frames: u64,
    },
    /// They differ.
    Differs {
        /// The first frame that isn't the same.
        frame: u64,
    },
    /// All that was heard is right, but it ends early.
    Short {
        /// Whole frames that were heard.
        heard: u64,
        /// Frames that were played.
        played: u64,
    },
}

impl Comparison {
    /// Whether nothing is missing and nothing differs.
    pub fn is_exact(self) -> bool {
        matches!(self, Comparison::BitExact { .. })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Comparison::BitExact { frames } => write!(f, "bit-exact, all {frames} frames"),
            Comparison::Differs { frame } => write!(f, "differs, first at frame {frame}"),
            Comparison::Short { heard, played } => {
                write!(f, "cut short: the first {heard} of {played} frames, which are exact")
            }
        }
    }
}

/// Compares `heard`, from its first byte on, to all of `played`. Later sound doesn't count.
pub fn compare(played: &[u8], heard: &[u8], frame_bytes: usize) -> Comparison {
    let frame = |offset: usize| (offset / frame_bytes) as u64;
    let first_difference = played.iter().zip(heard).position(|(played, heard)| played != heard);
    match first_difference {
        Some(offset) => Comparison::Differs { frame: frame(offset) },
        None if heard.len() < played.len() => {
            Comparison::Short { heard: frame(heard.len()), played: frame(played.len()) }
        }
        None => Comparison::BitExact { frames: frame(played.len()) },
    }
}

/// The first frame of `heard` from which on it holds all of `played`, byte by byte.
pub fn find(played: &[u8], heard: &[u8], frame_bytes: usize) -> Option<u64> {
    let starts = (0..=heard.len().checked_sub(played.len())?).step_by(frame_bytes);
    starts
        .into_iter()
        .find(|start| heard.get(*start..).is_some_and(|heard| heard.starts_with(played)))
        .map(|start| (start / frame_bytes) as u64)
}

/// Where frames that were fed begin in what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Frames of silence before the first fed frame.
    pub silent_frames: u64,
    /// Frames of the feed that were taken before the recording began.
    pub missed_frames: u64,
    /// How the rest compares.
    pub comparison: Comparison,
}

/// Compares a recording to what was fed into the emulated input.
///
/// A recording may start with silence, when the stream runs before the emulator asks for the first bytes, and it may
/// start late in the feed, when the emulator asked before the stream ran. From there on nothing may be missing.
/// `feed(frame)` returns the bytes of a frame of the feed.
pub fn align<const N: usize>(
    recorded: &[u8],
    longest_miss: u64,
    feed: impl Fn(u64) -> [u8; N],
) -> Option<Alignment> {
    let frames: Vec<[u8; N]> = recorded.as_chunks::<N>().0.to_vec();
    let silent = frames.iter().position(|frame| *frame != [0; N])?;
    // Silence may be part of the feed: look for the place in the feed that fits the frames behind the silence.
    const CERTAIN: usize = 64;
    let sure = frames.get(silent..)?.iter().take(CERTAIN);
    let mut start = (0..longest_miss)
        .find(|start| sure.clone().enumerate().all(|(index, frame)| *frame == feed(start + index as u64)))?;
    // And the silence before that place belongs to the feed as far as it goes.
    let mut silent = silent;
    while silent > 0 && start > 0 && feed(start - 1) == [0; N] {
        silent -= 1;
        start -= 1;
    }
    let rest = frames.get(silent..)?;
    let differs = rest.iter().enumerate().position(|(index, frame)| *frame != feed(start + index as u64));
    let comparison = match differs {
        Some(frame) => Comparison::Differs { frame: (silent + frame) as u64 },
        None => Comparison::BitExact { frames: rest.len() as u64 },
    };
    Some(Alignment { silent_frames: silent as u64, missed_frames: start, comparison })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_recording_does_not_count() {
        assert_eq!(compare(&[1, 2, 3, 4], &[1, 2, 3, 4, 0, 0], 2), Comparison::BitExact { frames: 2 });
    }

    #[test]
    fn the_first_difference_is_named_by_its_frame() {
        assert_eq!(compare(&[1, 2, 3, 4, 5, 6], &[1, 2, 3, 9, 5, 9], 2), Comparison::Differs { frame: 1 });
        assert_eq!(compare(&[1, 2], &[0, 2, 7], 2), Comparison::Differs { frame: 0 });
    }

    #[test]
    fn a_recording_that_ends_early_is_not_exact() {
        let comparison = compare(&[1, 2, 3, 4], &[1, 2, 3], 2);
        assert_eq!(comparison, Comparison::Short { heard: 1, played: 2 });
        assert!(!comparison.is_exact());
    }

    #[test]
    fn nothing_heard_is_not_exact() {
        assert_eq!(compare(&[1, 2], &[], 2), Comparison::Short { heard: 0, played: 1 });
    }

    #[test]
    fn a_recording_is_found_at_a_whole_frame_and_whole() {
        assert_eq!(find(&[1, 2, 3, 4], &[9, 9, 1, 2, 3, 4, 0], 2), Some(1));
        assert_eq!(find(&[1, 2, 3, 4], &[9, 1, 2, 3, 4, 0], 2), None);
        assert_eq!(find(&[1, 2, 3, 4], &[1, 2, 3], 2), None);
        assert_eq!(find(&[1, 2, 3, 4], &[1, 2, 3, 5, 3, 4], 2), None);
    }

    fn ramp(frame: u64) -> [u8; 4] {
        ((frame + 1) as u32).to_le_bytes()
    }

    fn recording(silent: usize, from: u64, frames: u64) -> Vec<u8> {
        let mut bytes = vec![0; silent * 4];
        bytes.extend((from..from + frames).flat_map(ramp));
        bytes
    }

    #[test]
    fn a_recording_may_begin_with_silence_or_late() {
        for (silent, missed) in [(0, 0), (17, 0), (0, 480), (5, 9)] {
            let aligned = align(&recording(silent, missed, 1000), 2000, ramp).expect("aligned");
            assert_eq!((aligned.silent_frames, aligned.missed_frames), (silent as u64, missed));
            assert_eq!(aligned.comparison, Comparison::BitExact { frames: 1000 });
        }
    }

    #[test]
    fn silence_that_was_fed_is_no_silence_of_ours() {
        let feed = |frame: u64| if frame < 50 { [0; 4] } else { ramp(frame) };
        let recorded: Vec<u8> = (20..500).flat_map(feed).collect();
        let aligned = align(&recorded, 2000, feed).expect("aligned");
        assert_eq!((aligned.silent_frames, aligned.missed_frames), (0, 20));
        assert_eq!(aligned.comparison, Comparison::BitExact { frames: 480 });
    }

    #[test]
    fn a_break_is_found_where_it_is() {
        let mut bytes = recording(10, 0, 300);
        bytes.extend(recording(0, 301, 300));
        let aligned = align(&bytes, 2000, ramp).expect("aligned");
        assert_eq!(aligned.comparison, Comparison::Differs { frame: 310 });
    }

    #[test]
    fn silence_is_no_recording_of_a_ramp() {
        assert_eq!(align(&[0; 400], 2000, ramp), None);
        assert_eq!(align(&[7; 400], 2000, ramp), None);
        assert_eq!(align(&[], 2000, ramp), None);
    }
}
