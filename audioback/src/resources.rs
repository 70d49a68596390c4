//! What a guest holds of this domain's room, and how much of it the guest may hold.

use core::fmt;

/// A kind of room that all guests share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Streams that are open. A stream that doesn't stop counts, too.
    OpenStreams,
    /// Event channels: two for each stream of a connected device.
    Channels,
    /// Mapped pages: two for each stream of a connected device, its control page, and the buffers of open streams.
    Pages,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenStreams => "open streams",
            Self::Channels => "event channels",
            Self::Pages => "mapped pages",
        })
    }
}

/// An amount of each [`Resource`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Open streams.
    pub open_streams: u32,
    /// Event channels.
    pub channels: u32,
    /// Mapped pages.
    pub pages: u32,
}

impl Resources {
    /// More than there can be.
    pub const UNLIMITED: Self = Self { open_streams: u32::MAX, channels: u32::MAX, pages: u32::MAX };

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            open_streams: self.open_streams.saturating_add(other.open_streams),
            channels: self.channels.saturating_add(other.channels),
            pages: self.pages.saturating_add(other.pages),
        }
    }

    /// What is left after `other`: at least nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            open_streams: self.open_streams.saturating_sub(other.open_streams),
            channels: self.channels.saturating_sub(other.channels),
            pages: self.pages.saturating_sub(other.pages),
        }
    }

    /// The first kind of which this is more than `room`.
    pub const fn beyond(&self, room: &Self) -> Option<Resource> {
        if self.open_streams > room.open_streams {
            Some(Resource::OpenStreams)
        } else if self.channels > room.channels {
            Some(Resource::Channels)
        } else if self.pages > room.pages {
            Some(Resource::Pages)
        } else {
            None
        }
    }
}
