//! Which pieces of a sound are in what was heard, when all of it in one piece isn't.

use std::fmt;

/// Frames that are sure to be the same sound.
const CERTAIN: usize = 16;

/// Pieces that are listed.
const LISTED: usize = 6;

/// Frames of what was played that are in what was heard, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The first of them, of those that were played.
    pub from: usize,
    /// Where it is among those that were heard.
    pub at: usize,
    /// Their number.
    pub frames: usize,
}

/// The pieces of a sound, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces(Vec<Piece>);

impl Pieces {
    /// Finds the pieces of a sound that doesn't repeat itself, such as noise.
    pub fn of<const N: usize>(played: &[u8], heard: &[u8]) -> Self {
        let (played, heard) = (played.as_chunks::<N>().0, heard.as_chunks::<N>().0);
        let mut pieces: Vec<Piece> = Vec::new();
        let mut from = 0;
        while let Some(sought) = played.get(from..from + CERTAIN) {
            let begun = pieces.last().map_or(0, |piece| piece.from + piece.frames);
            let Some(at) = heard.windows(CERTAIN).position(|frames| frames == sought) else {
                from += CERTAIN / 2;
                continue;
            };
            let same = |(one, other): &(&[u8; N], &[u8; N])| one == other;
            let after = played.iter().skip(from).zip(heard.iter().skip(at)).take_while(same).count();
            let before = played
                .iter()
                .take(from)
                .skip(begun)
                .rev()
                .zip(heard.iter().take(at).rev())
                .take_while(same)
                .count();
            pieces.push(Piece { from: from - before, at: at - before, frames: before + after });
            from += after;
        }
        Self(pieces)
    }
}

impl fmt::Display for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing of it");
        }
        for (number, Piece { from, at, frames }) in self.0.iter().take(LISTED).enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{from} to {} at {at}", from + frames)?;
        }
        match self.0.len().checked_sub(LISTED) {
            Some(rest @ 1..) => write!(f, " and {rest} more pieces"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames that are all different, of two bytes each.
    fn sound(frames: std::ops::Range<u16>) -> Vec<u8> {
        frames.flat_map(|frame| (frame + 1).to_le_bytes()).collect()
    }

    #[test]
    fn a_whole_sound_is_one_piece() {
        let heard = [vec![0; 10], sound(0..100), vec![0; 10]].concat();
        let pieces = Pieces::of::<2>(&sound(0..100), &heard);
        assert_eq!(pieces.0, [Piece { from: 0, at: 5, frames: 100 }]);
    }

    #[test]
    fn a_gap_a_loss_and_a_repetition_are_told_to_the_frame() {
        let parts = [sound(0..37), vec![0; 6], sound(37..60), sound(75..100), sound(90..120)];
        let pieces = Pieces::of::<2>(&sound(0..120), &parts.concat());
        let expected = [(0, 0, 37), (37, 40, 23), (75, 63, 25), (100, 98, 20)];
        assert_eq!(pieces.0, expected.map(|(from, at, frames)| Piece { from, at, frames }));
        assert_eq!(pieces.to_string(), "0 to 37 at 0, 37 to 60 at 40, 75 to 100 at 63, 100 to 120 at 98");
    }

    #[test]
    fn nothing_and_many_pieces_are_told_in_a_line() {
        assert_eq!(Pieces::of::<2>(&sound(0..50), &[0; 200]).to_string(), "nothing of it");
        let parts: Vec<u8> =
            (0..9).flat_map(|part| [sound(part * 20..part * 20 + 20), vec![0; 2]].concat()).collect();
        assert!(Pieces::of::<2>(&sound(0..180), &parts).to_string().ends_with("and 3 more pieces"));
    }
}
