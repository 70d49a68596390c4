//! The names of the card's ports in xenstore: `output-0`, `input-1`.

use core::fmt;

use audioback::card::Direction;

use crate::paths::number;

/// A port's name: its direction, and its number among the ports of that direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortName {
    pub(crate) direction: Direction,
    pub(crate) number: u16,
}

impl PortName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (direction, rest) = match text.split_once('-')? {
            ("output", rest) => (Direction::Playback, rest),
            ("input", rest) => (Direction::Capture, rest),
            _ => return None,
        };
        Some(Self { direction, number: number(rest)? })
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match self.direction {
            Direction::Playback => "output",
            Direction::Capture => "input",
        };
        write!(f, "{noun}-{}", self.number)
    }
}
