//! Paths in xenstore, put together and taken apart; texts of others, fit for a log line.

use core::fmt::{self, Write};

use heapless::String;
use hyper::DomainId;
use sndif::nodes;
use xen_guest::xenstore::{BadText, Path};

/// The directory of all devices that this domain serves.
pub(super) const BACKEND: &str = "backend/vsnd";

/// The directory of this domain's own nodes.
pub(super) const OWN: &str = "snddom";

/// The directory in which this domain says what it is doing.
pub(super) const STATE: &str = "snddom/state";

/// Octets of the longest path that is put together here, with some to spare.
const PATH_BYTES: usize = 112;

/// A path that was put together.
#[derive(Clone, Debug, Default)]
pub(super) struct PathText(String<PATH_BYTES>);

impl PathText {
    /// A path; an empty one, which no request takes, where it would not fit. A part of a path is another path.
    pub(super) fn new(text: fmt::Arguments<'_>) -> Self {
        let mut path = String::new();
        match path.write_fmt(text) {
            Ok(()) => Self(path),
            Err(_) => Self::default(),
        }
    }

    pub(super) fn path(&self) -> Result<Path<'_>, BadText> {
        Path::new(&self.0)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device, by the guest that it is for and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeviceId {
    pub(super) guest: DomainId,
    pub(super) device: u16,
}

impl fmt::Display for DeviceId {
    /// As the path of the back end's directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BACKEND}/{}/{}", self.guest.0, self.device)
    }
}

impl DeviceId {
    /// A node in the back end's directory.
    pub(super) fn own_node(self, name: impl fmt::Display) -> PathText {
        PathText::new(format_args!("{self}/{name}"))
    }

    /// The back end's directory.
    pub(super) fn own_directory(self) -> PathText {
        PathText::new(format_args!("{self}"))
    }

    /// The front end's directory.
    pub(super) fn front_directory(self) -> PathText {
        let Self { guest, device } = self;
        PathText::new(format_args!("/local/domain/{}/device/{}/{device}", guest.0, nodes::DRIVER_NAME))
    }

    /// The front end's state.
    pub(super) fn front_state(self) -> PathText {
        PathText::new(format_args!("{}/{}", self.front_directory(), nodes::STATE))
    }

    /// The token of the watch on the front end's state.
    pub(super) fn front_token(self) -> String<24> {
        let mut token = String::new();
        // Two numbers of five digits at most.
        let _ = write!(token, "front/{}/{}", self.guest.0, self.device);
        token
    }

    /// The device whose front end's watch has this token.
    pub(super) fn from_front_token(token: &str) -> Option<Self> {
        let (guest, device) = token.strip_prefix("front/")?.split_once('/')?;
        Some(Self { guest: DomainId(number(guest)?), device: number(device)? })
    }

    /// Where the state of this device is told.
    pub(super) fn told_directory(self) -> PathText {
        PathText::new(format_args!("{STATE}/device/{}-{}", self.guest.0, self.device))
    }
}

/// What is meant by a path below [`BACKEND`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// All devices.
    All,
    /// All of a guest's.
    Guest(DomainId),
    /// One of them, and the node in its directory if it is about one.
    Device(DeviceId, Option<&'a str>),
}

impl<'a> Place<'a> {
    /// The place that a watch's path names: relative, as the watch was made, or else absolute. `None` if it is none.
    pub(super) fn of(path: &'a str, domain: DomainId) -> Option<Self> {
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

/// The path as seen from this domain's home directory. xenstored tells watches' paths as they were asked for.
pub(super) fn relative(path: &str, domain: DomainId) -> &str {
    let own = path.strip_prefix("/local/domain/").and_then(|rest| {
        let (home, rest) = rest.split_once('/')?;
        (number(home) == Some(domain.0)).then_some(rest)
    });
    own.unwrap_or(path)
}

/// A number as it stands in a path: in one way only.
pub(super) fn number(text: &str) -> Option<u16> {
    if text.len() > 1 && text.starts_with('0') {
        return None;
    }
    nodes::decimal(text).and_then(|number| u16::try_from(number).ok())
}

/// The start of somebody else's text, made fit for a log line: no control characters, no more than a few words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    start: String<40>,
    is_cut: bool,
}

impl Excerpt {
    pub(super) fn of(text: &str) -> Self {
        let mut excerpt = Self::default();
        for character in text.chars() {
            let mut escaped = String::<16>::new();
            // An escape has twelve characters at most.
            let _ = write!(escaped, "{}", character.escape_default());
            if excerpt.start.push_str(&escaped).is_err() {
                excerpt.is_cut = true;
                break;
            }
        }
        excerpt
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"{}", self.start, if self.is_cut { "..." } else { "" })
    }
}
