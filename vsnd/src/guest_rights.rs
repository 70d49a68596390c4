//! The rights that one directory gives a guest: the ports that it may use.
//!
//! This file reads rights; `audioback::rights` enforces them when a stream is opened.

use audioback::rights::{PortSet, Right};

use crate::excerpt::Excerpt;
use crate::paths::PathText;
use crate::ports::Ports;

/// The node of a right, for one guest or as the default for all.
pub(crate) const fn right_node(right: Right) -> &'static str {
    match right {
        Right::Play => "may-play",
        Right::Record => "may-record",
        Right::Hear => "may-hear",
    }
}

/// The ports of a right's value. An invalid one gives none, which the log says.
pub(crate) fn ports_of(right: Right, value: &str, path: &PathText, ports: &Ports) -> PortSet {
    ports.in_right(value, right).unwrap_or_else(|| {
        let value = Excerpt::of(value);
        log::error!(
            "{path}: {value} is no list of ports for this right: write 0, 1 or names; until then it is 0"
        );
        PortSet::NONE
    })
}

/// A right in one directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// `None`: the directory says nothing about it.
    ports: Option<PortSet>,
    /// Its node has been read once.
    is_read: bool,
    /// Its node may have changed since it was read.
    is_stale: bool,
}

/// The rights that one directory gives a guest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestRights([Entry; Right::ALL.len()]);

impl GuestRights {
    /// A directory that says nothing.
    pub(crate) const NONE: Self =
        Self([Entry { ports: None, is_read: true, is_stale: false }; Right::ALL.len()]);

    /// Rights that are yet to be read.
    pub(crate) const fn unread() -> Self {
        Self([Entry { ports: None, is_read: false, is_stale: true }; Right::ALL.len()])
    }

    /// Whether each right has been read once.
    pub(crate) fn are_read(&self) -> bool {
        self.0.iter().all(|entry| entry.is_read)
    }

    /// The ports of a right. `None`: the directory says nothing about it.
    pub(crate) fn get(&self, right: Right) -> Option<PortSet> {
        self.0.get(right as usize)?.ports
    }

    /// Takes a right as its node has it now. `None`: the node doesn't exist.
    pub(crate) fn set(&mut self, right: Right, ports: Option<PortSet>) {
        if let Some(entry) = self.0.get_mut(right as usize) {
            entry.ports = ports;
            entry.is_read = true;
        }
    }

    /// Notes whether the node of that name, or any (`None`), may have changed since it was read.
    pub(crate) fn set_stale(&mut self, node: Option<&str>, is_stale: bool) {
        for (right, entry) in Right::ALL.into_iter().zip(&mut self.0) {
            if node.is_none_or(|node| node == right_node(right)) {
                entry.is_stale = is_stale;
            }
        }
    }

    /// A right whose node may have changed since it was read.
    pub(crate) fn stale(&self) -> Option<Right> {
        Right::ALL.into_iter().zip(&self.0).find(|(_, entry)| entry.is_stale).map(|(right, _)| right)
    }
}
