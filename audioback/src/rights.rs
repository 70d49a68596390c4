//! The rights of guests. They come from the administrator only; a guest's own nodes have no influence.

use crate::card::{Direction, Port};
use crate::port_set::PortIndex;
pub use crate::port_set::PortSet;

/// A kind of right. Each port needs exactly one, which follows from what the port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To play to an output.
    Play,
    /// To record from an input, which listens to a room.
    Record,
    /// To record from a monitor, which listens to other guests.
    Hear,
}

impl Right {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Play, Self::Record, Self::Hear];

    /// The right that a stream on this port needs.
    pub const fn of(port: &Port) -> Self {
        match (port.direction, port.is_monitor) {
            (Direction::Playback, _) => Self::Play,
            (Direction::Capture, false) => Self::Record,
            (Direction::Capture, true) => Self::Hear,
        }
    }
}

/// The rights of one guest on one device.
///
/// A set counts for ports of its own kind alone: no set of inputs, not even [`PortSet::ALL`], has a monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Outputs that it may play to. Default: all.
    pub may_play: PortSet,
    /// Inputs that it may record from. Default: none.
    pub may_record: PortSet,
    /// Monitors that it may record from. Default: none.
    pub may_hear: PortSet,
}

impl Default for Policy {
    fn default() -> Self {
        Self { may_play: PortSet::ALL, ..Self::NOTHING }
    }
}

impl Policy {
    /// No rights.
    pub const NOTHING: Self =
        Self { may_play: PortSet::NONE, may_record: PortSet::NONE, may_hear: PortSet::NONE };

    /// The ports of this kind that the guest may use.
    pub const fn ports(&self, right: Right) -> PortSet {
        match right {
            Right::Play => self.may_play,
            Right::Record => self.may_record,
            Right::Hear => self.may_hear,
        }
    }

    /// The same, to change them.
    pub const fn ports_mut(&mut self, right: Right) -> &mut PortSet {
        match right {
            Right::Play => &mut self.may_play,
            Right::Record => &mut self.may_record,
            Right::Hear => &mut self.may_hear,
        }
    }

    /// Whether the guest may open a stream on this port, which needs that [right](Right::of).
    pub const fn permits(&self, right: Right, port: PortIndex) -> bool {
        self.ports(right).contains(port)
    }
}
