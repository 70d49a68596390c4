//! The directories of one guest's settings, below `snddom/guest/`: by its domain id, its UUID, its name.
//!
//! The toolstack writes UUID and name, and the guest may only read them:
//!
//! ```text
//! /local/domain/G/vm      "/vm/UUID"
//! /local/domain/G/name
//! ```

use core::fmt::Write;

use heapless::String;
use hyper::DomainId;
use xen_guest::xenstore::Path;

use crate::guest_limits::GuestLimits;
use crate::guest_rights::GuestRights;
use crate::guest_trims::GuestTrims;
use crate::paths::{OWN, PathText};

/// The directory of all guests' directories, below [`OWN`].
pub(crate) const GUESTS: &str = "guest";

/// Bytes of the longest name that a guest is known by. A longer one counts as unreadable.
const NAME_MAX_BYTES: usize = 80;

/// Bytes of a UUID's text.
const UUID_BYTES: usize = 36;

/// The ways to name a guest's directory, those first that go before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Domain,
    Uuid,
    Name,
}

impl Key {
    pub(crate) const ALL: [Self; 3] = [Self::Domain, Self::Uuid, Self::Name];

    /// The way in which this text names a directory. No text names one in two ways.
    pub(crate) fn of(directory: &str) -> Self {
        if directory.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Domain
        } else if is_uuid(directory) {
            Self::Uuid
        } else {
            Self::Name
        }
    }

    /// The node that has the guest's UUID or name.
    pub(crate) fn path(self, guest: DomainId) -> PathText {
        let node = if self == Self::Uuid { "vm" } else { "name" };
        PathText::new(format_args!("/local/domain/{}/{node}", guest.0))
    }
}

/// Eight digits, four, four, four and twelve, with hyphens between.
fn is_uuid(text: &str) -> bool {
    let is_right = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == UUID_BYTES && text.bytes().enumerate().all(is_right)
}

/// The name of a guest's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DirectoryName {
    /// The guest's UUID or name can't be read or makes no sense.
    Unknown,
    /// The guest's name can't be that of a directory.
    Impossible,
    Known(String<NAME_MAX_BYTES>),
}

impl DirectoryName {
    /// The directory's name that follows from what the guest's node has.
    fn of(key: Key, value: &str) -> Self {
        let name = if key == Key::Uuid { value.strip_prefix("/vm/").unwrap_or_default() } else { value };
        match String::try_from(name) {
            Ok(known) if Key::of(name) == key && Path::new(name).is_ok() && !name.contains('/') => {
                Self::Known(known)
            }
            Ok(_) if key == Key::Name && !name.is_empty() => Self::Impossible,
            _ => Self::Unknown,
        }
    }
}

/// One directory of a guest's settings.
#[derive(Clone, Debug)]
pub(crate) struct GuestDirectory {
    name: DirectoryName,
    pub(crate) rights: GuestRights,
    pub(crate) trims: GuestTrims,
    pub(crate) limits: GuestLimits,
    /// The node that has the guest's UUID or name is watched.
    pub(crate) is_watched: bool,
    /// That node may have changed since it was read.
    pub(crate) is_name_stale: bool,
}

impl GuestDirectory {
    pub(crate) fn new(guest: DomainId, key: Key) -> Self {
        let mut directory = Self {
            name: DirectoryName::Unknown,
            rights: GuestRights::NONE,
            trims: GuestTrims::NONE,
            limits: GuestLimits::NONE,
            is_watched: false,
            is_name_stale: key != Key::Domain,
        };
        if key == Key::Domain {
            let mut number = String::new();
            // Five digits at most.
            if write!(number, "{}", guest.0).is_ok() {
                directory.name = DirectoryName::Known(number);
                directory.forget();
            }
        }
        directory
    }

    /// Takes what the guest's node has. `None`: this domain can't see it.
    pub(crate) fn on_name(&mut self, key: Key, value: Option<&str>) {
        let name = value.map_or(DirectoryName::Unknown, |value| DirectoryName::of(key, value));
        if name != self.name {
            self.name = name;
            self.forget();
        }
    }

    /// Forgets what the directory has: it is yet to be read, if it is known.
    pub(crate) fn forget(&mut self) {
        let is_known = matches!(self.name, DirectoryName::Known(_));
        self.rights = if is_known { GuestRights::unread() } else { GuestRights::NONE };
        self.trims = if is_known { GuestTrims::unread() } else { GuestTrims::NONE };
        self.limits = if is_known { GuestLimits::unread() } else { GuestLimits::NONE };
    }

    /// Notes that the node of that name, or any (`None`), may have changed. Without a name there is none.
    pub(crate) fn set_stale(&mut self, node: Option<&str>) {
        if matches!(self.name, DirectoryName::Known(_)) {
            self.rights.set_stale(node, true);
            self.trims.set_stale(node, true);
            self.limits.on_change(node);
        }
    }

    /// Whether its name is what the guest's node has, and all its nodes have been read once.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_name_stale && self.rights.are_read() && self.trims.are_read() && self.limits.are_read()
    }

    /// Whether the guest's UUID or name isn't known, so that any directory could be its.
    pub(crate) fn is_unknown(&self) -> bool {
        self.name == DirectoryName::Unknown
    }

    /// Whether the directory has this name.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        matches!(&self.name, DirectoryName::Known(known) if known == name)
    }

    /// The path of a node. It's no path if the directory's name isn't known.
    pub(crate) fn path(&self, node: &str) -> PathText {
        match &self.name {
            DirectoryName::Known(name) => PathText::new(format_args!("{OWN}/{GUESTS}/{name}/{node}")),
            _ => PathText::default(),
        }
    }
}
