//! A device's part in what its guest may hold.

use audioback::resources::Resources;

use crate::limit_settings::{LimitNode, Limits};
use crate::usage::Usage;

/// A device's part in what its guest may hold.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// The guest's limits, as they were known last.
    pub(super) limits: Limits,
    /// What the guest's other devices hold.
    pub(super) others: Usage,
    /// The log says that the limits keep the device from being set up.
    pub(super) is_wait_logged: bool,
}

impl Share {
    /// What they leave the device.
    pub(super) fn allowed(&self) -> Resources {
        self.limits.resources.minus(self.others.resources)
    }

    /// The limit that forbids the guest another device with so many streams.
    pub(super) fn forbids(&self, streams: usize) -> Option<LimitNode> {
        // At most as many as a device has.
        let streams = self.others.streams.saturating_add(streams as u32);
        if self.others.devices >= self.limits.devices {
            Some(LimitNode::Devices)
        } else if streams > self.limits.streams {
            Some(LimitNode::Streams)
        } else {
            None
        }
    }
}
