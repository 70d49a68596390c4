//! Paths in xenstore: composing and parsing.

use core::fmt::{self, Write};

use heapless::String;
use hyper::DomainId;
use sndif::nodes;
use xen_guest::xenstore::{BadText, Path};

use crate::bounded;

/// The directory of all devices that this domain serves.
pub(crate) const BACKEND: &str = "backend/vsnd";

/// The directory of this domain's settings and status.
pub(crate) const OWN: &str = "snddom";

/// The directory in which this domain publishes its status.
pub(crate) const STATUS: &str = "snddom/state";

/// Bytes of the longest path that is composed here, with some to spare.
const PATH_BYTES: usize = 112;

/// A composed path.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathText(String<PATH_BYTES>);

impl PathText {
    /// A path. One that doesn't fit becomes empty, which no request takes: cut, it would be another.
    pub(crate) fn new(text: fmt::Arguments<'_>) -> Self {
        let mut path = String::new();
        match path.write_fmt(text) {
            Ok(()) => Self(path),
            Err(_) => Self::default(),
        }
    }

    pub(crate) fn path(&self) -> Result<Path<'_>, BadText> {
        Path::new(&self.0)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device, by its guest and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceId {
    pub(crate) guest: DomainId,
    pub(crate) device: u16,
}

impl fmt::Display for DeviceId {
    /// Writes the path of the back end's directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BACKEND}/{}/{}", self.guest.0, self.device)
    }
}

impl DeviceId {
    /// A node in the back end's directory.
    pub(crate) fn own_node(self, name: impl fmt::Display) -> PathText {
        PathText::new(format_args!("{self}/{name}"))
    }

    /// The back end's directory.
    pub(crate) fn own_directory(self) -> PathText {
        PathText::new(format_args!("{self}"))
    }

    /// The front end's directory.
    pub(crate) fn front_directory(self) -> PathText {
        let Self { guest, device } = self;
        PathText::new(format_args!("/local/domain/{}/device/{}/{device}", guest.0, nodes::DRIVER_NAME))
    }

    /// The front end's state.
    pub(crate) fn front_state(self) -> PathText {
        PathText::new(format_args!("{}/{}", self.front_directory(), nodes::STATE))
    }

    /// The token of the watch on the front end's state.
    pub(crate) fn front_token(self) -> String<24> {
        // Two numbers of five digits at most.
        bounded::format(format_args!("front/{}/{}", self.guest.0, self.device))
    }

    /// The device whose front end's watch has this token.
    pub(crate) fn from_front_token(token: &str) -> Option<Self> {
        let (guest, device) = token.strip_prefix("front/")?.split_once('/')?;
        Some(Self { guest: DomainId(number(guest)?), device: number(device)? })
    }

    /// The directory of the device's published status.
    pub(crate) fn status_directory(self) -> PathText {
        PathText::new(format_args!("{STATUS}/device/{}-{}", self.guest.0, self.device))
    }
}

/// A stream of a device, as the guest numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamId {
    pub(crate) pcm: u16,
    pub(crate) stream: u16,
}

impl StreamId {
    /// The stream's directory.
    pub(crate) fn path(self, device: DeviceId) -> PathText {
        PathText::new(format_args!("{}/{}/{}", device.front_directory(), self.pcm, self.stream))
    }
}

/// The subject of a path at or below [`BACKEND`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// All devices.
    All,
    /// All devices of a guest.
    Guest(DomainId),
    /// One device, or one node in its directory.
    Device(DeviceId, Option<&'a str>),
}

impl<'a> Place<'a> {
    /// Parses a watch's path, relative or absolute. `None`: it has another subject.
    pub(crate) fn of(path: &'a str, domain: DomainId) -> Option<Self> {
        let below = relative(path, domain).strip_prefix(BACKEND)?;
        if below.is_empty() {
            return Some(Self::All);
        }
        let mut parts = below.strip_prefix('/')?.split('/');
        let guest = DomainId(number(parts.next()?)?);
        match parts.next() {
            None => Some(Self::Guest(guest)),
            Some(device) => Some(Self::Device(DeviceId { guest, device: number(device)? }, parts.next())),
        }
    }
}

/// The path as seen from this domain's home directory.
///
/// xenstored reports paths in the form of the watch, relative or absolute.
pub(crate) fn relative(path: &str, domain: DomainId) -> &str {
    let own = path.strip_prefix("/local/domain/").and_then(|rest| {
        let (home, rest) = rest.split_once('/')?;
        (number(home) == Some(domain.0)).then_some(rest)
    });
    own.unwrap_or(path)
}

/// A number in a path, without leading zeros: each number has one name.
pub(crate) fn number(text: &str) -> Option<u16> {
    if text.len() > 1 && text.starts_with('0') {
        return None;
    }
    nodes::decimal(text).and_then(|number| u16::try_from(number).ok())
}
