//! The administrator's limits of what a guest may hold.
//!
//! ```text
//! snddom/guest/3/limits/devices        snddom/guest/3/limits/channels
//! snddom/guest/3/limits/streams        snddom/guest/3/limits/pages
//! snddom/guest/3/limits/open-streams
//! ```
//!
//! An invalid value is the default, which the log says. Without its node each has its default.

use audioback::resources::Resources;
use sndif::nodes;

use crate::excerpt::Excerpt;
use crate::paths::PathText;

/// The directory of a guest's limits, below the guest's own.
pub(crate) const DIRECTORY: &str = "limits";

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitNode {
    Devices,
    Streams,
    OpenStreams,
    Channels,
    Pages,
}

impl LimitNode {
    pub(crate) const ALL: [Self; 5] =
        [Self::Devices, Self::Streams, Self::OpenStreams, Self::Channels, Self::Pages];

    /// Its node in [`DIRECTORY`].
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Streams => "streams",
            Self::OpenStreams => "open-streams",
            Self::Channels => "channels",
            Self::Pages => "pages",
        }
    }

    /// Its node in the guest's directory.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Devices => "limits/devices",
            Self::Streams => "limits/streams",
            Self::OpenStreams => "limits/open-streams",
            Self::Channels => "limits/channels",
            Self::Pages => "limits/pages",
        }
    }

    /// The limit of a node's value. An invalid one is the default, which the log says.
    pub(crate) fn parse(self, value: &str, path: &PathText) -> u32 {
        nodes::decimal(value).unwrap_or_else(|| {
            let (value, default) = (Excerpt::of(value), Limits::default().get(self));
            log::error!("{path}: {value} is no number; until then the limit is {default}");
            default
        })
    }
}

/// What a guest may hold.
///
/// With the defaults, eight guests that take all they can leave room for others: see docs/safety.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Devices that are served.
    pub(crate) devices: u32,
    /// Streams of these devices.
    pub(crate) streams: u32,
    /// The rest.
    pub(crate) resources: Resources,
}

impl Default for Limits {
    fn default() -> Self {
        Self { devices: 3, streams: 12, resources: Resources { open_streams: 6, channels: 24, pages: 800 } }
    }
}

impl Limits {
    pub(crate) const fn get(&self, node: LimitNode) -> u32 {
        match node {
            LimitNode::Devices => self.devices,
            LimitNode::Streams => self.streams,
            LimitNode::OpenStreams => self.resources.open_streams,
            LimitNode::Channels => self.resources.channels,
            LimitNode::Pages => self.resources.pages,
        }
    }

    pub(crate) const fn get_mut(&mut self, node: LimitNode) -> &mut u32 {
        match node {
            LimitNode::Devices => &mut self.devices,
            LimitNode::Streams => &mut self.streams,
            LimitNode::OpenStreams => &mut self.resources.open_streams,
            LimitNode::Channels => &mut self.resources.channels,
            LimitNode::Pages => &mut self.resources.pages,
        }
    }
}

#[cfg(test)]
mod tests {
    use audioback::device::MAX_STREAMS;
    use hyper::MAX_BUFFER_PAGES;

    use super::*;
    use crate::device_table::MAX_DEVICES;

    #[test]
    fn a_node_s_path_is_the_directory_and_its_name() {
        for node in LimitNode::ALL {
            assert_eq!(node.path(), alloc::format!("{DIRECTORY}/{}", node.name()));
        }
    }

    /// The image's capacities: `MAX_CHANNELS` of xen-guest's driver domain, and of the kernel for Xen `MAX_BUFFERS` and the
    /// pages of `WINDOW_BYTES`, of which the first isn't a guest's.
    const CHANNELS: u32 = 240;
    const BUFFERS: u32 = 64;
    const SLOTS: u32 = 8_191;

    #[test]
    fn eight_guests_that_take_all_they_can_leave_room_for_a_ninth() {
        let Limits { devices, streams, resources } = Limits::default();
        assert!(9 * devices <= MAX_DEVICES as u32);
        assert!(9 * resources.channels <= CHANNELS);
        assert!(9 * resources.open_streams <= BUFFERS);
        // Two more for what is mapped for the time of one request: a page directory and a page of volumes.
        assert!(9 * resources.pages + 2 <= SLOTS);
        // No limit forbids what another one permits: all streams are connected with control pages, and the open ones have buffers
        // of half the largest size.
        assert_eq!(resources.channels, 2 * streams);
        let buffers = resources.open_streams * MAX_BUFFER_PAGES as u32 / 2;
        assert!(2 * streams + devices + buffers <= resources.pages);
        assert!(streams <= MAX_STREAMS as u32);
    }
}
