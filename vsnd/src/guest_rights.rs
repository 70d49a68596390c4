//! The rights of one guest: the ports it may play to and record from.
//!
//! This file reads rights; `audioback::rights` enforces them when a stream is opened.

use audioback::card::Direction;
use audioback::rights::{Policy, PortSet};
use hyper::DomainId;

use crate::paths::{OWN, PathText};
use crate::ports::Ports;

/// The node of the right to play, for one guest or as the default for all.
pub(crate) const MAY_PLAY: &str = "may-play";
/// The node of the right to record, for one guest or as the default for all.
pub(crate) const MAY_RECORD: &str = "may-record";

/// The node of the right in this direction.
pub(crate) const fn right_node(direction: Direction) -> &'static str {
    match direction {
        Direction::Playback => MAY_PLAY,
        Direction::Capture => MAY_RECORD,
    }
}

/// The rights that are set for one guest. `None`: the default for all guests holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GuestRights {
    may_play: Option<PortSet>,
    may_record: Option<PortSet>,
}

impl GuestRights {
    /// The node of a guest's right in this direction.
    pub(crate) fn path(guest: DomainId, direction: Direction) -> PathText {
        PathText::new(format_args!("{OWN}/guest/{}/{}", guest.0, right_node(direction)))
    }

    /// Takes a right's value; `None`: the node doesn't exist. Returns whether the value is valid.
    pub(crate) fn set(&mut self, direction: Direction, value: Option<&str>, ports: &Ports) -> bool {
        let right = value.map(|value| ports.in_right(value, direction));
        let is_valid = right != Some(None);
        if is_valid {
            *self.right_mut(direction) = right.flatten();
        }
        is_valid
    }

    /// Takes the right away: a node that this domain may not read may forbid it.
    pub(crate) fn deny(&mut self, direction: Direction) {
        *self.right_mut(direction) = Some(PortSet::NONE);
    }

    fn right_mut(&mut self, direction: Direction) -> &mut Option<PortSet> {
        match direction {
            Direction::Playback => &mut self.may_play,
            Direction::Capture => &mut self.may_record,
        }
    }

    /// The guest's rights, given the default for all guests.
    pub(crate) fn policy(&self, default: &Policy) -> Policy {
        Policy {
            may_play: self.may_play.unwrap_or(default.may_play),
            may_record: self.may_record.unwrap_or(default.may_record),
        }
    }
}
