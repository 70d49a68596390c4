//! The names of the card's ports in xenstore: `output-0`, `input-1`, `monitor-0`.

use core::fmt;

use audioback::card::Direction;
use audioback::rights::Right;

use crate::paths::number;

/// A port's name: its kind, and its number among the ports of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PortName {
    /// The right that the port needs says what it is.
    pub(crate) right: Right,
    pub(crate) number: u16,
}

impl PortName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (noun, rest) = text.split_once('-')?;
        let right = Right::ALL.into_iter().find(|right| port_noun(*right) == noun)?;
        Some(Self { right, number: number(rest)? })
    }

    /// The first output or input. It's never a monitor.
    pub(crate) const fn first(direction: Direction) -> Self {
        let right = match direction {
            Direction::Playback => Right::Play,
            Direction::Capture => Right::Record,
        };
        Self { right, number: 0 }
    }

    /// The direction of streams on the port.
    pub(crate) const fn direction(self) -> Direction {
        match self.right {
            Right::Play => Direction::Playback,
            Right::Record | Right::Hear => Direction::Capture,
        }
    }
}

/// The word for ports that need this right.
const fn port_noun(right: Right) -> &'static str {
    match right {
        Right::Play => "output",
        Right::Record => "input",
        Right::Hear => "monitor",
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", port_noun(self.right), self.number)
    }
}
