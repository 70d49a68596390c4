//! Ports of a card, and sets of them.

/// One output or input of the card: `0..ports().len()`, stable while the card lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortIndex(pub u8);

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

    /// A port alone; none from 64 on.
    pub const fn of(port: PortIndex) -> Self {
        Self(bit(port))
    }

    /// The ports that are in both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
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
