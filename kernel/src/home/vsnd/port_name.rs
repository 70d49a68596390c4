//! The card's outputs and inputs by their names: `output-0`, `input-1`.
//!
//! The names stand in a stream's `unique-id`, where the guest's owner chooses what the stream is connected to, and in the
//! rights, where whoever set up this domain says what a guest may be connected to.

use core::fmt;

use audioback::card::{Direction, Port, PortIndex};
use heapless::Vec;
use sndif::nodes;

use super::names::number;

/// Ports that can be named: what a `PortSet` holds.
const MAX_PORTS: usize = 64;

/// A port's name: its direction, and its number among those of the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortName {
    pub(super) direction: Direction,
    pub(super) number: u16,
}

impl PortName {
    /// The name, if the text is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (direction, rest) = match text.split_once('-')? {
            ("output", rest) => (Direction::Playback, rest),
            ("input", rest) => (Direction::Capture, rest),
            _ => return None,
        };
        Some(Self { direction, number: number(rest)? })
    }
}

/// What the ports of this direction are called.
pub(super) const fn noun(direction: Direction) -> &'static str {
    match direction {
        Direction::Playback => "output",
        Direction::Capture => "input",
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", noun(self.direction), self.number)
    }
}

/// Why a stream can't be connected to what its `unique-id` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadPort {
    /// The stream goes the other way.
    Direction(PortName),
    /// The card has no such port.
    NoSuchPort(PortName),
}

impl fmt::Display for BadPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direction(name) => write!(f, "the stream's type doesn't go with {name}"),
            Self::NoSuchPort(name) => write!(f, "the card has no {name}"),
        }
    }
}

/// The ports of a card.
#[derive(Debug)]
pub(super) struct Ports(Vec<Port, MAX_PORTS>);

impl Ports {
    /// The ports of a card; those from 64 on have no name.
    pub(super) fn new(ports: &[Port]) -> Self {
        Self(ports.iter().take(MAX_PORTS).copied().collect())
    }

    /// All of them, in the card's order.
    pub(super) fn as_slice(&self) -> &[Port] {
        &self.0
    }

    /// The port of that name.
    pub(super) fn find(&self, name: PortName) -> Option<PortIndex> {
        let mut of_direction = self.0.iter().zip(0u8..).filter(|(port, _)| port.direction == name.direction);
        of_direction.nth(name.number.into()).map(|(_, index)| PortIndex(index))
    }

    /// The port's name.
    pub(super) fn name(&self, index: PortIndex) -> Option<PortName> {
        let direction = self.0.get(usize::from(index.0))?.direction;
        let before = self.0.iter().take(index.0.into()).filter(|port| port.direction == direction).count();
        Some(PortName { direction, number: u16::try_from(before).ok()? })
    }

    /// The port for a stream: the one that its `unique-id` names, or else the first of its direction.
    ///
    /// # Errors
    /// If the name is that of a port which the card hasn't, or of one that goes the other way.
    pub(super) fn for_stream(&self, unique_id: &str, direction: Direction) -> Result<PortIndex, BadPort> {
        let name = PortName::parse(unique_id).unwrap_or(PortName { direction, number: 0 });
        if name.direction != direction {
            return Err(BadPort::Direction(name));
        }
        self.find(name).ok_or(BadPort::NoSuchPort(name))
    }

    /// The ports that a right names: `0` none, `1` all, or a list of names. `None` if it is nothing of that.
    pub(super) fn in_right(&self, value: &str, direction: Direction) -> Option<audioback::policy::PortSet> {
        use audioback::policy::PortSet;
        match value {
            "0" => return Some(PortSet::NONE),
            "1" => return Some(PortSet::ALL),
            _ => {}
        }
        let mut set = PortSet::NONE;
        for item in nodes::list(value) {
            let name = PortName::parse(item).filter(|name| name.direction == direction)?;
            set.insert(self.find(name)?);
        }
        (set != PortSet::NONE).then_some(set)
    }
}
