//! The card's outputs and inputs by their names: `output-0`, `input-1`; and by what people call them: `Rear Line Out`.
//!
//! The names stand in a stream's `unique-id`, where the guest's owner chooses what the stream is connected to, and in the
//! rights, where whoever set up this domain says what a guest may be connected to.

use alloc::boxed::Box;
use alloc::vec::Vec as List;
use core::fmt;

use audioback::card::{Card, Direction, Port, PortIndex, PortLabel};
use heapless::Vec;
use sndif::nodes;

use super::names::number;
use super::state::Jack;

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
    fn parse(text: &str) -> Option<Self> {
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

/// What counts of a text that people may spell in many ways: letters and digits, without regard to case.
fn key(text: &str) -> impl Iterator<Item = u8> {
    let counts = |octet: &u8| octet.is_ascii_alphanumeric() || !octet.is_ascii();
    text.bytes().filter(counts).map(|octet| octet.to_ascii_lowercase())
}

/// The ports of a card.
#[derive(Debug)]
pub(super) struct Ports {
    ports: Vec<Port, MAX_PORTS>,
    /// What people call them; empty where they have no word.
    labels: List<PortLabel>,
}

impl Ports {
    /// The ports of a card; those from 64 on have no name.
    pub(super) fn new<B, C: Card<B>>(card: &C) -> Self {
        let ports = card.ports().iter().take(MAX_PORTS).copied();
        let labels = (0..MAX_PORTS as u8).map(|index| card.port_name(PortIndex(index)).unwrap_or_default());
        Self { ports: ports.collect(), labels: labels.take(card.ports().len()).collect() }
    }

    /// All of them, in the card's order.
    pub(super) fn as_slice(&self) -> &[Port] {
        &self.ports
    }

    /// The jacks that can tell whether something is plugged; nothing of them has been told.
    pub(super) fn jacks<B, C: Card<B>>(&self, card: &C) -> Box<[Jack]> {
        let jacks = (0..self.ports.len() as u8).map(PortIndex).filter_map(|port| {
            Some(Jack { port, name: self.name(port)?, is_plugged: card.is_plugged(port)?, is_told: false })
        });
        jacks.collect()
    }

    /// The name of the port that a text means, if it means one.
    fn parse(&self, text: &str) -> Option<PortName> {
        PortName::parse(text).or_else(|| {
            // A text of which nothing counts would be that of ports without a label.
            key(text).next()?;
            let index = self.labels.iter().position(|label| key(label).eq(key(text)))?;
            self.name(PortIndex(u8::try_from(index).ok()?))
        })
    }

    /// The port of that name.
    pub(super) fn find(&self, name: PortName) -> Option<PortIndex> {
        let mut of_direction =
            self.ports.iter().zip(0u8..).filter(|(port, _)| port.direction == name.direction);
        of_direction.nth(name.number.into()).map(|(_, index)| PortIndex(index))
    }

    /// The port's name.
    pub(super) fn name(&self, index: PortIndex) -> Option<PortName> {
        let direction = self.ports.get(usize::from(index.0))?.direction;
        let before =
            self.ports.iter().take(index.0.into()).filter(|port| port.direction == direction).count();
        Some(PortName { direction, number: u16::try_from(before).ok()? })
    }

    /// The port for a stream: the one that its `unique-id` names, or else the first of its direction.
    ///
    /// # Errors
    /// If the name is that of a port which the card hasn't, or of one that goes the other way.
    pub(super) fn for_stream(&self, unique_id: &str, direction: Direction) -> Result<PortIndex, BadPort> {
        let name = self.parse(unique_id).unwrap_or(PortName { direction, number: 0 });
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
            let name = self.parse(item).filter(|name| name.direction == direction)?;
            set.insert(self.find(name)?);
        }
        (set != PortSet::NONE).then_some(set)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_port_without_a_word_for_it_is_meant_by_no_text() {
        let port = Port {
            direction: Direction::Playback,
            formats: sndif::format::FormatSet::EMPTY,
            rates_hz: Default::default(),
            channels_min: 1,
            channels_max: 2,
            buffer_bytes_min: 0,
            buffer_bytes_max: 0,
            volume: None,
        };
        let ports = Ports { ports: [port; 2].into_iter().collect(), labels: vec![PortLabel::new(); 2] };
        for text in ["", "-", " /_", "x", "output", "input-0x"] {
            assert_eq!(ports.parse(text), None, "{text:?}");
        }
        let second = PortName { direction: Direction::Playback, number: 1 };
        assert_eq!(ports.parse("output-1"), Some(second));
    }
}
