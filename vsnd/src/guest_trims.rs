//! The volume and mute that one directory gives a guest.

use audioback::card::Trim;

use crate::paths::PathText;
use crate::trim_settings::TrimNode;

/// A node in one directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// A gain in which the node's part counts. `None`: the directory says nothing about it.
    value: Option<Trim>,
    /// The node has been read once.
    is_read: bool,
    /// The node may have changed since it was read.
    is_stale: bool,
}

/// The volume and mute in one directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestTrims([Entry; TrimNode::ALL.len()]);

impl GuestTrims {
    /// A directory that says nothing.
    pub(crate) const NONE: Self =
        Self([Entry { value: None, is_read: true, is_stale: false }; TrimNode::ALL.len()]);

    /// Nodes that are yet to be read.
    pub(crate) const fn unread() -> Self {
        Self([Entry { value: None, is_read: false, is_stale: true }; TrimNode::ALL.len()])
    }

    /// Whether each node has been read once.
    pub(crate) fn are_read(&self) -> bool {
        self.0.iter().all(|entry| entry.is_read)
    }

    /// A gain in which the node's part counts. `None`: the directory says nothing about it.
    pub(crate) fn get(&self, node: TrimNode) -> Option<Trim> {
        self.0.get(node as usize)?.value
    }

    /// Takes a node as it is now. `None`: it doesn't exist. An invalid value changes nothing.
    pub(crate) fn set(&mut self, node: TrimNode, value: Option<&str>, path: &PathText) {
        let Some(entry) = self.0.get_mut(node as usize) else { return };
        entry.is_read = true;
        let mut trim = Trim::default();
        match value {
            None => entry.value = None,
            Some(value) if node.set(&mut trim, value).is_some() => entry.value = Some(trim),
            Some(value) => node.log_invalid(path, value),
        }
    }

    /// Notes that a node can't be read. It keeps its value.
    pub(crate) fn set_read(&mut self, node: TrimNode) {
        if let Some(entry) = self.0.get_mut(node as usize) {
            entry.is_read = true;
        }
    }

    /// Notes whether the node of that name, or any (`None`), may have changed since it was read.
    pub(crate) fn set_stale(&mut self, name: Option<&str>, is_stale: bool) {
        for (node, entry) in TrimNode::ALL.into_iter().zip(&mut self.0) {
            if name.is_none_or(|name| name == node.name()) {
                entry.is_stale = is_stale;
            }
        }
    }

    /// A node that may have changed since it was read.
    pub(crate) fn stale(&self) -> Option<TrimNode> {
        TrimNode::ALL.into_iter().zip(&self.0).find(|(_, entry)| entry.is_stale).map(|(node, _)| node)
    }
}
