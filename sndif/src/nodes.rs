//! Names in xenstore and the grammar of their values (sndif.h, "Backend XenBus Nodes", "Frontend XenBus Nodes",
//! "XENSTORE FIELD AND PATH NAME STRINGS").
//!
//! A front end's directory is `/local/domain/DOMID/device/vsnd/DEV`. It has a directory for each PCM device, and that one
//! for each stream, both numbered from 0. A directory inherits missing nodes from the one above. The guest can rewrite
//! all of it at any time: read each node once, with a bound, and judge the copy.

use core::fmt;

use hyper::GrantRef;

/// The device class: `device/vsnd` and `backend/vsnd` (`XENSND_DRIVER_NAME`).
pub const DRIVER_NAME: &str = "vsnd";

/// Back end: its protocol versions, a list such as `1,2`.
pub const VERSIONS: &str = "versions";
/// Front end: the protocol version that it chose.
pub const VERSION: &str = "version";
/// Both ends: see [`XenbusState`](crate::state::XenbusState).
pub const STATE: &str = "state";
/// Back end: path of the front end's directory.
pub const FRONTEND: &str = "frontend";
/// Front end: the back end's domain.
pub const BACKEND_ID: &str = "backend-id";
/// Front end: path of the back end's directory.
pub const BACKEND: &str = "backend";
/// Back end: `1` while the device is wanted, `0` to take it down.
pub const ONLINE: &str = "online";

/// Card: short name, up to 32 bytes, optional.
pub const SHORT_NAME: &str = "short-name";
/// Card: long name, up to 80 bytes, optional.
pub const LONG_NAME: &str = "long-name";

/// Card, device or stream: fewest channels; 1 if absent.
pub const CHANNELS_MIN: &str = "channels-min";
/// Card, device or stream: most channels.
pub const CHANNELS_MAX: &str = "channels-max";
/// Card, device or stream: list of frame rates in Hz, in any order; see [`decimals`].
pub const SAMPLE_RATES: &str = "sample-rates";
/// Card, device or stream: list of formats; see [`FormatSet::from_list`](crate::format::FormatSet::from_list).
pub const SAMPLE_FORMATS: &str = "sample-formats";
/// Card, device or stream: size of the largest buffer, in bytes.
pub const BUFFER_SIZE: &str = "buffer-size";

/// Stream: `p` or `c`; see [`Direction`].
pub const TYPE: &str = "type";
/// Stream: a string that is unique among the streams of the front end.
pub const UNIQUE_ID: &str = "unique-id";

/// Stream: grant reference of the request ring's page.
pub const RING_REF: &str = "ring-ref";
/// Stream: event channel of the request ring.
pub const EVENT_CHANNEL: &str = "event-channel";
/// Stream: grant reference of the event page.
pub const EVT_RING_REF: &str = "evt-ring-ref";
/// Stream: event channel of the event page.
pub const EVT_EVENT_CHANNEL: &str = "evt-event-channel";

/// Back end: `1` if it writes a control page; see [`CONTROL_PAGE_REF`]. An extension of sndif.
pub const FEATURE_CONTROL_PAGE: &str = "feature-control-page";
/// Front end, in the card's directory: grant reference of the control page, granted writable. An extension of sndif.
pub const CONTROL_PAGE_REF: &str = "control-page-ref";
/// Back end: `1` if it takes the linked start, an extension of sndif.
pub const FEATURE_LINKED_START: &str = "feature-linked-start";
/// Back end, in a directory for each stream (`0/1`): the stream's [`VolumeRange`]. An extension of sndif.
///
/// It is absent if neither volume nor mute can be set. A front end that ignores it can set any volume and get the result.
pub const VOLUME_RANGE: &str = "volume-range";

/// Separator of the items of a list (`XENSND_LIST_SEPARATOR`).
pub const LIST_SEPARATOR: char = ',';

/// Direction of a stream, seen from the guest: the value of [`TYPE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the guest to the link: `p`.
    Playback,
    /// From the link to the guest: `c`.
    Capture,
}

impl Direction {
    /// Whether the samples go from the guest to the link.
    pub const fn is_playback(self) -> bool {
        matches!(self, Self::Playback)
    }

    /// The value of the node (`XENSND_STREAM_TYPE_*`).
    pub const fn node(self) -> &'static str {
        match self {
            Self::Playback => "p",
            Self::Capture => "c",
        }
    }

    /// The direction with this value in the node.
    pub fn from_node(value: &str) -> Option<Self> {
        match value {
            "p" => Some(Self::Playback),
            "c" => Some(Self::Capture),
            _ => None,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Playback => "playback",
            Self::Capture => "capture",
        })
    }
}

/// The nodes of a stream that the back end connects to, as the front end publishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportNodes {
    /// [`RING_REF`]: the request ring's page.
    pub ring_ref: GrantRef,
    /// [`EVENT_CHANNEL`]: the front end's port for the request ring.
    pub event_channel: u32,
    /// [`EVT_RING_REF`]: the event page.
    pub evt_ring_ref: GrantRef,
    /// [`EVT_EVENT_CHANNEL`]: the front end's port for the event page.
    pub evt_event_channel: u32,
}

/// The volumes of a stream: the value of [`VOLUME_RANGE`], a list of its fields in order, such as `-74000,0,1000,1`.
///
/// The unit is 0.001 dB, as in SET_VOLUME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeRange {
    /// The least volume, apart from mute.
    pub min_mdb: i32,
    /// The greatest volume.
    pub max_mdb: i32,
    /// The step between two volumes; 0 if there is only one.
    pub step_mdb: u32,
    /// Whether channels can be muted: 1 or 0.
    pub can_mute: bool,
}

impl VolumeRange {
    /// The range with this value in the node.
    pub fn from_node(value: &str) -> Option<Self> {
        let mut items = value.split(LIST_SEPARATOR);
        let mut item = || items.next();
        let range = Self {
            min_mdb: item()?.parse().ok()?,
            max_mdb: item()?.parse().ok()?,
            step_mdb: decimal(item()?)?,
            can_mute: decimal(item()?)? != 0,
        };
        item().is_none().then_some(range)
    }
}

impl fmt::Display for VolumeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min_mdb, max_mdb, step_mdb, can_mute } = *self;
        write!(f, "{min_mdb},{max_mdb},{step_mdb},{}", u8::from(can_mute))
    }
}

/// A number in a node: decimal digits and nothing else, up to `u32::MAX`.
pub fn decimal(value: &str) -> Option<u32> {
    // `parse` alone accepts a leading plus sign.
    if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None }
}

/// The items of a list, without blanks around them and without empty ones.
pub fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(LIST_SEPARATOR).map(|item| item.trim_matches(' ')).filter(|item| !item.is_empty())
}

/// The numbers of a list such as `44100,48000`; other items are skipped.
pub fn decimals(value: &str) -> impl Iterator<Item = u32> {
    list(value).filter_map(decimal)
}
