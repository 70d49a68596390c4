//! The guests that have devices, and the settings that the administrator has made for each of them.
//!
//! ```text
//! snddom/guest/DOMID/...     goes before
//! snddom/guest/UUID/...      goes before
//! snddom/guest/NAME/...
//! ```
//!
//! A guest whose UUID or name this domain can't read could be any of those that have a directory by
//! it. So it has no rights but those by its domain id, as long as there is such a directory.

use alloc::vec::Vec;

use audioback::card::Trim;
use audioback::rights::{Policy, PortSet, Right};
use hyper::{DomainId, Nanos};
use xen_guest::xenstore::{Refusal, Reply, Request, RequestError};

use crate::bounded;
use crate::connection::Connection;
use crate::device_table::MAX_DEVICES;
use crate::due::{after, earlier};
use crate::guest_directory::{GUESTS, GuestDirectory, Key};
use crate::guest_limits::LimitQuestion;
use crate::guest_rights::{ports_of, right_node};
use crate::limit_settings::{LimitNode, Limits};
use crate::paths::{OWN, PathText, number};
use crate::ports::Ports;
use crate::request_slot::{Answer, RequestSlot};
use crate::requester::Requester;
use crate::trim_settings::TrimNode;

/// The start of the tokens of the watches on guests' UUIDs and names.
const TOKEN: &str = "guest/";

/// Time that the administrator's tools have to permit reading a guest's name before the log says that it can't be read.
const GRACE_NS: u64 = 3_000_000_000;

/// A question to xenstored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// The names of all directories.
    Directories,
    /// About a guest.
    Of(DomainId, Key, About),
}

impl Question {
    /// The number of the guest that it is about.
    const fn domain(self) -> u16 {
        match self {
            Self::Directories => 0,
            Self::Of(domain, ..) => domain.0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// A watch on the guest's UUID or name.
    Watch,
    Unwatch,
    /// The guest's UUID or name.
    Name,
    /// A right in the directory of that name.
    Right(Right),
    /// A volume or mute in it.
    Trim(TrimNode),
    /// The limits in it.
    Limit(LimitQuestion),
}

/// Whether there are directories by each [`Key`], in the order of [`Key::ALL`].
type Exist = [bool; Key::ALL.len()];

/// A guest.
#[derive(Debug)]
struct Guest {
    domain: DomainId,
    /// In the order of [`Key::ALL`].
    directories: [GuestDirectory; Key::ALL.len()],
    /// It has a device.
    is_present: bool,
    /// The time since which its UUID or name is missed.
    missed_since: Option<Nanos>,
    is_miss_logged: bool,
}

impl Guest {
    fn new(domain: DomainId) -> Self {
        Self {
            domain,
            directories: Key::ALL.map(|key| GuestDirectory::new(domain, key)),
            is_present: true,
            missed_since: None,
            is_miss_logged: false,
        }
    }

    /// The same, with the watches that another one with its id has left.
    fn with_watches_of(mut self, other: &Self) -> Self {
        for (own, other) in self.directories.iter_mut().zip(&other.directories) {
            own.is_watched = other.is_watched;
        }
        self
    }

    fn directory_mut(&mut self, key: Key) -> Option<&mut GuestDirectory> {
        self.directories.get_mut(key as usize)
    }

    /// The next question about it, if there are directories by these keys.
    fn next(&self, exist: &Exist) -> Option<Question> {
        Key::ALL.into_iter().zip(&self.directories).zip(exist).find_map(|((key, directory), exists)| {
            let about = if !self.is_present {
                directory.is_watched.then_some(About::Unwatch)?
            } else if !exists {
                return None;
            } else if !directory.is_watched && key != Key::Domain {
                About::Watch
            } else if directory.is_name_stale {
                About::Name
            } else if let Some(right) = directory.rights.stale() {
                About::Right(right)
            } else if let Some(trim) = directory.trims.stale() {
                About::Trim(trim)
            } else {
                About::Limit(directory.limits.stale()?)
            };
            Some(Question::Of(self.domain, key, about))
        })
    }

    /// Whether all directories that it may have are known, and have been read once.
    fn is_settled(&self, exist: &Exist) -> bool {
        self.directories.iter().zip(exist).all(|(directory, exists)| !exists || directory.is_settled())
    }

    fn is_watched(&self) -> bool {
        self.directories.iter().any(|directory| directory.is_watched)
    }

    /// The ports of a right, by the first directory that has it. `None`: none has it.
    fn right(&self, right: Right, exist: &Exist) -> Option<PortSet> {
        self.directories.iter().zip(exist).filter(|(_, exists)| **exists).find_map(|(directory, _)| {
            if directory.is_unknown() { Some(PortSet::NONE) } else { directory.rights.get(right) }
        })
    }
}

/// The guests that have devices, and their settings.
#[derive(Debug)]
pub(crate) struct Guests {
    slot: RequestSlot,
    /// The question under way, or else the last one.
    asked: Question,
    /// With room for [`MAX_DEVICES`] guests.
    guests: Vec<Guest>,
    /// The place of the guest that is asked about first.
    first: usize,
    /// Guests have come or gone.
    is_table_stale: bool,
    /// `None`: it isn't known yet.
    exist: Option<Exist>,
    is_exist_stale: bool,
}

impl Guests {
    /// Takes all memory.
    pub(crate) fn new() -> Self {
        Self {
            slot: RequestSlot::new(Requester::Guests),
            asked: Question::Directories,
            guests: Vec::with_capacity(MAX_DEVICES),
            first: 0,
            is_table_stale: false,
            exist: None,
            is_exist_stale: false,
        }
    }

    /// Handles that a device has come or gone.
    pub(crate) fn on_devices_change(&mut self) {
        self.is_table_stale = true;
    }

    /// Handles a change in a guest's directory of that name: of one node, or of any (`None`).
    pub(crate) fn on_directory_change(&mut self, name: &str, node: Option<&str>) {
        self.is_exist_stale = true;
        for directory in self.guests.iter_mut().flat_map(|guest| &mut guest.directories) {
            if directory.has_name(name) {
                directory.set_stale(node);
            }
        }
    }

    /// Handles that any directory may have changed.
    pub(crate) fn on_change(&mut self) {
        self.is_exist_stale = true;
        for directory in self.guests.iter_mut().flat_map(|guest| &mut guest.directories) {
            directory.set_stale(None);
        }
    }

    /// Handles an event of the watch with this token, if it is one on a guest's UUID or name.
    pub(crate) fn on_watch(&mut self, token: &str) {
        let Some(domain) = token.strip_prefix(TOKEN).and_then(number) else { return };
        let its = self.guests.iter_mut().filter(|guest| guest.domain.0 == domain);
        for (key, directory) in its.flat_map(|guest| Key::ALL.into_iter().zip(&mut guest.directories)) {
            directory.is_name_stale = key != Key::Domain;
        }
    }

    /// A guest's rights, given those of guests that have none of their own. `None`: they are being
    /// read.
    pub(crate) fn policy(&self, domain: DomainId, default: &Policy) -> Option<Policy> {
        let exist = self.exist.as_ref()?;
        let guest = self.guests.iter().find(|guest| guest.domain == domain)?;
        let is_asked = self.slot.is_taken()
            && matches!(self.asked, Question::Of(asked, _, About::Name) if asked == domain);
        if is_asked || !guest.is_settled(exist) {
            return None;
        }
        let mut policy = *default;
        for right in Right::ALL {
            if let Some(ports) = guest.right(right, exist) {
                *policy.ports_mut(right) = ports;
            }
        }
        Some(policy)
    }

    /// The volume and mute that the administrator gives a guest, each by the first directory that has it.
    pub(crate) fn trim(&self, domain: DomainId) -> Trim {
        let Some((guest, exist)) = self.get(domain).zip(self.exist.as_ref()) else { return Trim::default() };
        let of = |node| {
            let known = guest.directories.iter().zip(exist).filter(|(_, exists)| **exists);
            known.filter_map(|(directory, _)| directory.trims.get(node)).next().unwrap_or_default()
        };
        Trim { mdb: of(TrimNode::Volume).mdb, is_muted: of(TrimNode::Mute).is_muted }
    }

    /// What a guest may hold, each by the first directory that has it. `None`: it is being read.
    pub(crate) fn limits(&self, domain: DomainId) -> Option<Limits> {
        let (guest, exist) = self.get(domain).zip(self.exist.as_ref())?;
        if !guest.is_settled(exist) {
            return None;
        }
        let mut limits = Limits::default();
        for node in LimitNode::ALL {
            let mut known = guest.directories.iter().zip(exist).filter(|(_, exists)| **exists);
            if let Some(limit) = known.find_map(|(directory, _)| directory.limits.get(node)) {
                *limits.get_mut(node) = limit;
            }
        }
        Some(limits)
    }

    /// Takes the guests that have devices, if one has come or gone.
    pub(crate) fn update(&mut self, present: impl Fn(DomainId) -> bool, all: impl Iterator<Item = DomainId>) {
        if !core::mem::take(&mut self.is_table_stale) {
            return;
        }
        for guest in &mut self.guests {
            let was_present = core::mem::replace(&mut guest.is_present, present(guest.domain));
            if !was_present && guest.is_present {
                // Another one may have the id now.
                *guest = Guest::new(guest.domain).with_watches_of(guest);
            }
        }
        for domain in all {
            if self.guests.iter().any(|guest| guest.domain == domain) {
                continue;
            }
            if self.guests.len() < MAX_DEVICES {
                self.guests.push(Guest::new(domain));
            } else {
                // One that has gone still has a watch. Then there is room.
                self.is_table_stale = true;
            }
        }
    }

    /// Sends the next question, if there is one. Returns the time at which to call again.
    pub(crate) fn drive(&mut self, connection: &mut Connection<'_>, now: Nanos) -> Option<Nanos> {
        let next = self.log_misses(now);
        if !self.slot.is_taken() {
            self.guests.retain(|guest| guest.is_present || guest.is_watched());
        }
        let Some((place, question)) = self.next() else { return next };
        if !self.slot.is_free(now) {
            return earlier(next, self.slot.due(now));
        }
        let path = self.path(question);
        let token = bounded::format::<16>(format_args!("{TOKEN}{}", question.domain()));
        let sent = path.path().and_then(|path| {
            let request = match question {
                Question::Directories | Question::Of(_, _, About::Limit(LimitQuestion::Names)) => {
                    Request::Directory(path)
                }
                Question::Of(_, _, About::Watch) => Request::Watch { path, token: &token },
                Question::Of(_, _, About::Unwatch) => Request::Unwatch { path, token: &token },
                Question::Of(_, _, About::Name | About::Right(_) | About::Trim(_) | About::Limit(_)) => {
                    Request::Read(path)
                }
            };
            self.slot.send(connection, request, now)
        });
        if sent == Ok(true) {
            self.asked = question;
            self.first = place.saturating_add(1);
            self.set_stale(question, false);
        }
        earlier(next, self.slot.due(now))
    }

    /// The next question, and the place of the guest that it is about. Guests take turns.
    fn next(&self) -> Option<(usize, Question)> {
        if self.is_exist_stale {
            return Some((self.first, Question::Directories));
        }
        let exist = self.exist.as_ref()?;
        let questions =
            || self.guests.iter().enumerate().filter_map(|(place, guest)| Some((place, guest.next(exist)?)));
        questions().find(|(place, _)| *place >= self.first).or_else(|| questions().next())
    }

    /// The node that a question is about.
    fn path(&self, question: Question) -> PathText {
        match question {
            Question::Directories => PathText::new(format_args!("{OWN}/{GUESTS}")),
            Question::Of(domain, key, About::Right(right)) => self.node(domain, key, right_node(right)),
            Question::Of(domain, key, About::Trim(node)) => self.node(domain, key, node.name()),
            Question::Of(domain, key, About::Limit(question)) => self.node(domain, key, question.node()),
            Question::Of(domain, key, _) => key.path(domain),
        }
    }

    /// The path of a node in a guest's directory.
    fn node(&self, domain: DomainId, key: Key, node: &str) -> PathText {
        let directory = self.get(domain).and_then(|guest| guest.directories.get(key as usize));
        directory.map(|directory| directory.path(node)).unwrap_or_default()
    }

    fn get(&self, domain: DomainId) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.domain == domain)
    }

    /// Notes whether the node that a question reads has to be read again.
    fn set_stale(&mut self, question: Question, is_stale: bool) {
        let Question::Of(domain, key, about) = question else {
            self.is_exist_stale = is_stale;
            return;
        };
        let guest = self.guests.iter_mut().find(|guest| guest.domain == domain);
        let Some(directory) = guest.and_then(|guest| guest.directory_mut(key)) else { return };
        match about {
            About::Name => directory.is_name_stale = is_stale,
            About::Right(right) => directory.rights.set_stale(Some(right_node(right)), is_stale),
            About::Trim(node) => directory.trims.set_stale(Some(node.name()), is_stale),
            About::Limit(question) => directory.limits.set_stale(question, is_stale),
            // They are asked for until there is an answer.
            About::Watch | About::Unwatch => {}
        }
    }

    /// Handles an answer.
    pub(crate) fn on_reply(&mut self, result: Result<Reply<'_>, RequestError>, ports: &Ports, now: Nanos) {
        let answer = self.slot.on_reply(result, now);
        let question = self.asked;
        let path = self.path(question);
        match (&answer, question) {
            // Another try would end the same way.
            (
                Answer::Failed(RequestError::Refused(Refusal::TooBig)),
                Question::Directories | Question::Of(_, _, About::Limit(LimitQuestion::Names)),
            )
            | (Answer::Failed(RequestError::Refused(_)), Question::Of(_, _, About::Unwatch)) => {}
            (Answer::Failed(error), _) => {
                log::warn!("{path}: {error}; trying again");
                self.set_stale(question, true);
                return;
            }
            _ => {}
        }
        let Question::Of(domain, key, about) = question else {
            self.on_directories(&answer, &path);
            return;
        };
        let Some(guest) = self.guests.iter_mut().find(|guest| guest.domain == domain) else { return };
        let Some(directory) = guest.directory_mut(key) else { return };
        match (about, answer) {
            (About::Watch, Answer::Done(_)) => {
                directory.is_watched = true;
                // A watch that was set after its deadline exists already, and has no first event.
                directory.is_name_stale = true;
            }
            (About::Watch, _) => {
                log::warn!("{path}: xenstored refuses a watch; trying again");
                self.slot.failed(now);
            }
            (About::Unwatch, _) => directory.is_watched = false,
            (About::Name, answer) => {
                let name = match &answer {
                    Answer::Done(reply) => reply.text().ok(),
                    _ => None,
                };
                directory.on_name(key, name);
            }
            (About::Right(right), Answer::Done(reply)) => {
                let value = reply.text().unwrap_or("not a text");
                directory.rights.set(right, Some(ports_of(right, value, &path, ports)));
            }
            (About::Right(right), Answer::Missing) => directory.rights.set(right, None),
            (About::Trim(node), Answer::Done(reply)) => {
                directory.trims.set(node, Some(reply.text().unwrap_or("not a text")), &path);
            }
            (About::Trim(node), Answer::Missing) => directory.trims.set(node, None, &path),
            (About::Trim(node), _) => {
                log::warn!("{path}: this domain may not read it; it keeps its value");
                directory.trims.set_read(node);
            }
            (About::Limit(question), answer) => directory.limits.on_answer(question, &answer, &path),
            // The node may forbid it.
            (About::Right(right), _) => {
                log::error!("{path}: this domain may not read it; the guest doesn't have this right");
                directory.rights.set(right, Some(PortSet::NONE));
            }
        }
    }

    /// Handles the names of all directories.
    fn on_directories(&mut self, answer: &Answer<'_>, path: &PathText) {
        let exist = match answer {
            Answer::Done(reply) => Key::ALL.map(|key| reply.names().any(|name| Key::of(name) == key)),
            Answer::Missing => [false; Key::ALL.len()],
            Answer::Denied | Answer::Failed(_) => {
                let any = [true; Key::ALL.len()];
                if self.exist != Some(any) {
                    log::error!(
                        "{path}: it can't be listed or has too many nodes, so that any guest may have one by its name"
                    );
                }
                any
            }
        };
        self.exist = Some(exist);
        for guest in &mut self.guests {
            let gone = guest.directories.iter_mut().zip(exist).filter(|(_, exists)| !exists);
            gone.for_each(|(directory, _)| directory.forget());
        }
    }

    /// Logs once for each guest that its rights are withheld because its UUID or name is missed.
    ///
    /// Returns the time at which to call again.
    fn log_misses(&mut self, now: Nanos) -> Option<Nanos> {
        let exist = self.exist?;
        let mut next = None;
        for guest in self.guests.iter_mut().filter(|guest| guest.is_present && guest.is_settled(&exist)) {
            let mut keys = Key::ALL.into_iter().zip(&guest.directories).zip(exist);
            let Some(((key, _), _)) = keys.find(|((_, directory), exists)| *exists && directory.is_unknown())
            else {
                guest.missed_since = None;
                guest.is_miss_logged = false;
                continue;
            };
            let due = after(*guest.missed_since.get_or_insert(now), GRACE_NS);
            if guest.is_miss_logged {
                continue;
            }
            if now < due {
                next = earlier(next, Some(due));
                continue;
            }
            guest.is_miss_logged = true;
            log::error!(
                "{}: this domain can't read it or use it, and {OWN}/{GUESTS} has directories by it: the guest has no \
                 rights but those by its domain id; permit reading it in dom0: snddom names",
                key.path(guest.domain)
            );
        }
        next
    }
}
