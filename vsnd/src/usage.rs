//! What a guest holds with its devices.

use core::fmt;

use audioback::resources::Resources;

use crate::limit_settings::{LimitNode, Limits};

/// What some of a guest's devices hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Devices that are set up.
    pub(crate) devices: u32,
    /// Their streams.
    pub(crate) streams: u32,
    pub(crate) resources: Resources,
}

impl Usage {
    /// Both together.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            devices: self.devices.saturating_add(other.devices),
            streams: self.streams.saturating_add(other.streams),
            resources: self.resources.plus(other.resources),
        }
    }

    /// What is left without `other`.
    pub(crate) const fn minus(self, other: Self) -> Self {
        Self {
            devices: self.devices.saturating_sub(other.devices),
            streams: self.streams.saturating_sub(other.streams),
            resources: self.resources.minus(other.resources),
        }
    }

    const fn get(&self, node: LimitNode) -> u32 {
        match node {
            LimitNode::Devices => self.devices,
            LimitNode::Streams => self.streams,
            LimitNode::OpenStreams => self.resources.open_streams,
            LimitNode::Channels => self.resources.channels,
            LimitNode::Pages => self.resources.pages,
        }
    }
}

/// What a guest holds, and what it may hold: one line in one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuestUse {
    pub(crate) usage: Usage,
    pub(crate) limits: Limits,
}

impl fmt::Display for GuestUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in LimitNode::ALL.into_iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            let word = if node == LimitNode::OpenStreams { "open_streams" } else { node.name() };
            write!(f, "{space}{word}={}/{}", self.usage.get(node), self.limits.get(node))?;
        }
        Ok(())
    }
}
