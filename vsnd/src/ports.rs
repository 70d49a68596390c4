//! The card's ports by their names (`output-0`) and by their labels (`Rear Line Out`).
//!
//! A stream's `unique-id` names its port, chosen by the guest's owner. A right names the ports that
//! a guest may use, chosen by the administrator of this domain.

use alloc::vec::Vec as List;

use audioback::card::{Card, Direction, MAX_RATES, Port, PortIndex, PortLabel};
use audioback::rights::{PortSet, Right};
use heapless::Vec;
use sndif::nodes;

use crate::port_name::PortName;

/// Ports that have names: the capacity of a [`PortSet`].
const MAX_PORTS: usize = 64;

/// The reason why a stream can't use the port that its `unique-id` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPort {
    /// The port has the other direction.
    #[error("the stream's type doesn't go with {0}")]
    Direction(PortName),
    /// The card has no such port.
    #[error("the card has no {0}")]
    NoSuchPort(PortName),
}

/// The significant bytes of a label: letters and digits, without regard to case.
fn key(text: &str) -> impl Iterator<Item = u8> {
    let is_significant = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    text.bytes().filter(is_significant).map(|byte| byte.to_ascii_lowercase())
}

/// The ports of a card.
#[derive(Debug)]
pub(crate) struct Ports {
    ports: Vec<Port, MAX_PORTS>,
    /// The rates of each port before any setting was in force, in Hz.
    rates_at_start: List<[u32; MAX_RATES]>,
    /// Empty for a port without a label.
    labels: List<PortLabel>,
}

impl Ports {
    /// The ports of a card; those from 64 on have no name.
    pub(crate) fn new<B, C: Card<B>>(card: &C) -> Self {
        let ports: Vec<Port, MAX_PORTS> = card.ports().iter().take(MAX_PORTS).copied().collect();
        let labels = (0..MAX_PORTS as u8).map(|index| card.port_name(PortIndex(index)).unwrap_or_default());
        Self {
            rates_at_start: ports.iter().map(|port| port.rates_hz).collect(),
            labels: labels.take(card.ports().len()).collect(),
            ports,
        }
    }

    /// Takes the ports' abilities as they are now. Numbers, kinds and so names never change.
    pub(crate) fn update<B, C: Card<B>>(&mut self, card: &C) {
        let now = || card.ports().iter().take(MAX_PORTS);
        if now().map(Right::of).eq(self.ports.iter().map(Right::of)) {
            self.ports.iter_mut().zip(now()).for_each(|(known, port)| *known = *port);
        } else {
            log::error!("the card has other ports than at the start; their abilities stay as they were");
        }
    }

    /// The rates of a port before any setting was in force, in Hz, and `0`.
    pub(crate) fn rates_at_start(&self, name: PortName) -> &[u32] {
        let rates = self.find(name).and_then(|index| self.rates_at_start.get(usize::from(index.0)));
        rates.map_or(&[], |rates| rates.as_slice())
    }

    /// All ports, in the card's order.
    pub(crate) fn as_slice(&self) -> &[Port] {
        &self.ports
    }

    /// The indexes of all ports.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = PortIndex> + Clone {
        (0..).map(PortIndex).take(self.ports.len())
    }

    /// All ports with their names, in the card's order.
    pub(crate) fn named(&self) -> impl Iterator<Item = (PortIndex, PortName)> + Clone {
        self.indexes().filter_map(|port| Some((port, self.name(port)?)))
    }

    /// The name of the port that a text means, by its name or its label.
    fn parse(&self, text: &str) -> Option<PortName> {
        PortName::parse(text).or_else(|| {
            // A text without significant bytes would match each port without a label.
            key(text).next()?;
            let index = self.labels.iter().position(|label| key(label).eq(key(text)))?;
            self.name(PortIndex(u8::try_from(index).ok()?))
        })
    }

    /// The port of that name.
    pub(crate) fn find(&self, name: PortName) -> Option<PortIndex> {
        let mut of_kind = self.ports.iter().zip(0u8..).filter(|(port, _)| Right::of(port) == name.right);
        of_kind.nth(name.number.into()).map(|(_, index)| PortIndex(index))
    }

    /// The port's name.
    pub(crate) fn name(&self, index: PortIndex) -> Option<PortName> {
        let right = Right::of(self.ports.get(usize::from(index.0))?);
        let before = self.ports.iter().take(index.0.into()).filter(|port| Right::of(port) == right).count();
        Some(PortName { right, number: u16::try_from(before).ok()? })
    }

    /// The port that a stream's `unique-id` names, or else the first output or input: never a monitor.
    ///
    /// # Errors
    /// If the card doesn't have the named port, or if that has the other direction.
    pub(crate) fn for_stream(&self, unique_id: &str, direction: Direction) -> Result<PortIndex, BadPort> {
        let name = self.parse(unique_id).unwrap_or(PortName::first(direction));
        if name.direction() != direction {
            return Err(BadPort::Direction(name));
        }
        self.find(name).ok_or(BadPort::NoSuchPort(name))
    }

    /// The ports of a right: `0` none, `1` all, or a list of names. `None`: the value is invalid.
    ///
    /// All ports that need another right are none of them.
    pub(crate) fn in_right(&self, value: &str, right: Right) -> Option<PortSet> {
        match value {
            "0" => return Some(PortSet::NONE),
            "1" => return Some(PortSet::ALL),
            _ => {}
        }
        let mut set = PortSet::NONE;
        for item in nodes::list(value) {
            let name = self.parse(item).filter(|name| name.right == right)?;
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
    fn no_text_means_a_port_without_a_label() {
        let port = Port {
            direction: Direction::Playback,
            formats: sndif::format::FormatSet::EMPTY,
            rates_hz: Default::default(),
            is_monitor: false,
            channels_min: 1,
            channels_max: 2,
            buffer_bytes_min: 0,
            buffer_bytes_max: 0,
            volume: None,
        };
        let ports = Ports {
            ports: [port; 2].into_iter().collect(),
            rates_at_start: vec![port.rates_hz; 2],
            labels: vec![PortLabel::new(); 2],
        };
        for text in ["", "-", " /_", "x", "output", "input-0x"] {
            assert_eq!(ports.parse(text), None, "{text:?}");
        }
        let second = PortName { right: Right::Play, number: 1 };
        assert_eq!(ports.parse("output-1"), Some(second));
    }
}
