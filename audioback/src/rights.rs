//! The rights of guests. They come from the administrator only; a guest's own nodes have no influence.

use crate::card::{Direction, PortIndex};

/// A set of ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortSet(u64);

impl PortSet {
    /// No port.
    pub const NONE: Self = Self(0);
    /// All ports below 64, the most that a set can hold.
    pub const ALL: Self = Self(u64::MAX);

    /// Adds a port. Returns whether the set contains it: a port from 64 on never fits.
    pub const fn insert(&mut self, port: PortIndex) -> bool {
        self.0 |= bit(port);
        self.contains(port)
    }

    /// Whether a port is in the set.
    pub const fn contains(self, port: PortIndex) -> bool {
        self.0 & bit(port) != 0
    }
}

/// The port's bit; 0 for ports from 64 on.
const fn bit(port: PortIndex) -> u64 {
    match 1u64.checked_shl(port.0 as u32) {
        Some(bit) => bit,
        None => 0,
    }
}

/// The rights of one guest on one device.
///
/// Recording listens to a room, so it needs an explicit right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Ports for playback streams. Default: all.
    pub may_play: PortSet,
    /// Ports for capture streams. Default: none.
    pub may_record: PortSet,
}

impl Default for Policy {
    fn default() -> Self {
        Self { may_play: PortSet::ALL, may_record: PortSet::NONE }
    }
}

impl Policy {
    /// No rights.
    pub const NOTHING: Self = Self { may_play: PortSet::NONE, may_record: PortSet::NONE };

    /// Whether the guest may open a stream in this direction on this port.
    pub const fn permits(&self, direction: Direction, port: PortIndex) -> bool {
        match direction {
            Direction::Playback => self.may_play.contains(port),
            Direction::Capture => self.may_record.contains(port),
        }
    }
}
