//! Who may do what. What a guest writes about itself has no say here: rights come from whoever set this domain up.

use crate::card::{Direction, PortIndex};

/// Some of a card's ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortSet(u64);

impl PortSet {
    /// No port.
    pub const NONE: Self = Self(0);
    /// All ports that a set can hold: those below 64.
    pub const ALL: Self = Self(u64::MAX);

    /// Adds a port. Returns whether it is in the set now: one from 64 on never is.
    pub const fn insert(&mut self, port: PortIndex) -> bool {
        self.0 |= bit(port);
        self.contains(port)
    }

    /// Whether a port is in the set.
    pub const fn contains(self, port: PortIndex) -> bool {
        self.0 & bit(port) != 0
    }
}

impl FromIterator<PortIndex> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortIndex>>(ports: I) -> Self {
        let mut set = Self::NONE;
        ports.into_iter().for_each(|port| {
            set.insert(port);
        });
        set
    }
}

/// The port's bit; none for ports that a set can't hold.
const fn bit(port: PortIndex) -> u64 {
    match 1u64.checked_shl(port.0 as u32) {
        Some(bit) => bit,
        None => 0,
    }
}

/// What one guest may do with one device.
///
/// Recording is an ear in the room: it is off unless somebody allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Ports on which the guest may open playback streams. Default: all.
    pub may_play: PortSet,
    /// Ports on which the guest may open capture streams. Default: none.
    pub may_record: PortSet,
}

impl Default for Policy {
    fn default() -> Self {
        Self { may_play: PortSet::ALL, may_record: PortSet::NONE }
    }
}

impl Policy {
    /// Nothing at all.
    pub const NOTHING: Self = Self { may_play: PortSet::NONE, may_record: PortSet::NONE };

    /// Whether a stream in this direction may be opened on this port.
    pub const fn permits(&self, direction: Direction, port: PortIndex) -> bool {
        match direction {
            Direction::Playback => self.may_play.contains(port),
            Direction::Capture => self.may_record.contains(port),
        }
    }
}
