//! What dom0 has set for this domain, below `snddom/`: read when a watch says so, and in force at once.
//!
//! A value that makes no sense is named in the log and changes nothing; a node that goes away leaves the default.

use audioback::card::{CardSettings, Direction, JackPolicy, PositionChoice};
use audioback::policy::{Policy, PortSet};
use hyper::{DomainId, Nanos};
use log::LevelFilter;
use sndif::nodes;
use xen_guest::xenstore::{Path, Reply, Request, RequestError, RequestId, Store};

use super::asking::{Answer, Asking};
use super::names::{Excerpt, OWN, PathText, number, relative};
use super::port_name::Ports;

/// The token of the watch on all settings.
pub(super) const TOKEN: &str = "snddom";

/// Which guest may play, if nothing is said for it.
pub(super) const MAY_PLAY: &str = "may-play";
/// Which guest may record, if nothing is said for it.
pub(super) const MAY_RECORD: &str = "may-record";
const LOG_LEVEL: &str = "log-level";
const POSITION_SOURCE: &str = "position-source";
const JACKS: &str = "jacks";
const REPORT: &str = "report";

/// The log level without a setting, and at the start.
const DEFAULT_LOG_LEVEL: LevelFilter = LevelFilter::Info;

/// A change of a setting that isn't carried out here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// How much is logged. At the start it is [`LevelFilter::Info`].
    LogLevel(LevelFilter),
    /// Somebody asks what this domain has cost until now, by a number of his; see
    /// [`Vsnd::report`](super::Vsnd::report).
    Report(u32),
}

/// What a changed path below [`OWN`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic<'a> {
    /// All of it.
    Everything,
    /// One setting.
    Setting(&'a str),
    /// The rights of all guests.
    Guests,
    /// The rights of one guest, or one of them.
    Guest(DomainId, Option<&'a str>),
    /// The directory for this domain's own state. What is below that is told by this domain itself.
    State,
}

impl<'a> Topic<'a> {
    /// What a watch's path is about; `None`: nothing of interest.
    pub(super) fn of(path: &'a str, domain: DomainId) -> Option<Self> {
        let below = relative(path, domain).strip_prefix(OWN)?;
        if below.is_empty() {
            return Some(Self::Everything);
        }
        let mut parts = below.strip_prefix('/')?.split('/');
        match (parts.next()?, parts.next()) {
            ("guest", None) => Some(Self::Guests),
            ("guest", Some(guest)) => Some(Self::Guest(DomainId(number(guest)?), parts.next())),
            ("state", None) => Some(Self::State),
            ("state", Some(_)) => None,
            (setting, None) => Some(Self::Setting(setting)),
            (_, Some(_)) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    LogLevel,
    MayPlay,
    MayRecord,
    PositionSource,
    Jacks,
    Report,
}

impl Node {
    const ALL: [Self; 6] =
        [Self::LogLevel, Self::MayPlay, Self::MayRecord, Self::PositionSource, Self::Jacks, Self::Report];

    const fn name(self) -> &'static str {
        match self {
            Self::LogLevel => LOG_LEVEL,
            Self::MayPlay => MAY_PLAY,
            Self::MayRecord => MAY_RECORD,
            Self::PositionSource => POSITION_SOURCE,
            Self::Jacks => JACKS,
            Self::Report => REPORT,
        }
    }

    fn path(self) -> PathText {
        PathText::new(format_args!("{OWN}/{}", self.name()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Watch,
    Read(Node),
}

/// The settings.
#[derive(Debug)]
pub(super) struct Settings {
    asking: Asking,
    asked: Question,
    is_watched: bool,
    /// Nodes still to be read before what was read last is all there is.
    to_read: heapless::Vec<Node, { Node::ALL.len() }>,
    /// All have been read once.
    is_known: bool,
    policy: Policy,
    log_level: LevelFilter,
    card: CardSettings,
    /// The number of whoever has asked for a report.
    report: Option<u32>,
    /// What the image was told last.
    told: (LevelFilter, Option<u32>),
    /// The card's settings in force.
    applied: CardSettings,
}

impl Settings {
    pub(super) fn new() -> Self {
        Self {
            asking: Asking::default(),
            asked: Question::Watch,
            is_watched: false,
            to_read: heapless::Vec::new(),
            is_known: false,
            policy: Policy::default(),
            log_level: DEFAULT_LOG_LEVEL,
            card: CardSettings::default(),
            report: None,
            told: (DEFAULT_LOG_LEVEL, None),
            applied: CardSettings::default(),
        }
    }

    /// What a guest may do for which nothing else is said; `None` until that is known.
    pub(super) fn policy(&self) -> Option<&Policy> {
        self.is_known.then_some(&self.policy)
    }

    /// The watch says that a setting has changed; `None`: any of them may have.
    pub(super) fn changed(&mut self, name: Option<&str>) {
        for node in Node::ALL {
            if name.is_none_or(|name| name == node.name()) && !self.to_read.contains(&node) {
                // There is room for all.
                let _ = self.to_read.push(node);
            }
        }
    }

    /// The next change that isn't carried out here.
    pub(super) fn take_change(&mut self) -> Option<Change> {
        if self.told.0 != self.log_level {
            self.told.0 = self.log_level;
            return Some(Change::LogLevel(self.log_level));
        }
        if self.told.1 != self.report {
            self.told.1 = self.report;
            return self.report.map(Change::Report);
        }
        None
    }

    /// The card's settings, if they have changed since the last call.
    pub(super) fn take_card_settings(&mut self) -> Option<CardSettings> {
        (core::mem::replace(&mut self.applied, self.card) != self.card).then_some(self.card)
    }

    /// Sends what is to be sent. Returns when it is to be called again.
    pub(super) fn drive(&mut self, store: &mut Store<'_>, now: Nanos) -> Option<Nanos> {
        let question = if self.is_watched { Question::Read(*self.to_read.last()?) } else { Question::Watch };
        if !self.asking.may_ask(now) {
            return self.asking.due(now);
        }
        let node;
        let request = match question {
            Question::Watch => Request::Watch { path: Path::new(OWN).ok()?, token: TOKEN },
            Question::Read(which) => {
                node = which.path();
                Request::Read(node.path().ok()?)
            }
        };
        if self.asking.ask(store, request, now) == Ok(true) {
            self.asked = question;
            if let Question::Read(_) = question {
                self.to_read.pop();
            }
        }
        None
    }

    /// Takes note of an answer, if it is for this one; returns whether it is.
    pub(super) fn hear(
        &mut self,
        id: RequestId,
        result: &Result<Reply<'_>, RequestError>,
        ports: &Ports,
        now: Nanos,
    ) -> bool {
        let Some(answer) = self.asking.hear(id, result, now) else { return false };
        match (self.asked, answer) {
            (Question::Watch, Answer::Done(_)) => self.is_watched = true,
            (Question::Watch, Answer::Lost(error)) => log::warn!("{OWN}: {error}; trying again"),
            (Question::Watch, _) => {
                log::warn!("{OWN}: xenstored refuses a watch; trying again");
                self.asking.failed(now);
            }
            (Question::Read(node), Answer::Lost(error)) => {
                log::warn!("{}: {error}; trying again", node.path());
                self.changed(Some(node.name()));
            }
            (Question::Read(node), Answer::Refused(refusal)) => {
                log::warn!("{}: xenstored says {refusal:?}; trying again", node.path());
                self.changed(Some(node.name()));
            }
            (Question::Read(node), Answer::Done(reply)) => {
                self.judge(node, reply.text().ok(), ports);
            }
            (Question::Read(node), Answer::Missing) => self.reset(node),
            // A right that can't be read may be one that says no.
            (Question::Read(Node::MayPlay), Answer::Denied) => {
                log::warn!("{}: this domain may not read it; nobody has that right", Node::MayPlay.path());
                self.policy.may_play = PortSet::NONE;
            }
            (Question::Read(Node::MayRecord), Answer::Denied) => {
                log::warn!("{}: this domain may not read it; nobody has that right", Node::MayRecord.path());
                self.policy.may_record = PortSet::NONE;
            }
            (Question::Read(node), Answer::Denied) => {
                log::warn!("{}: xenstored refuses to show it; it stays as it was", node.path());
            }
        }
        self.is_known |= self.is_watched && self.to_read.is_empty() && self.asked != Question::Watch;
        true
    }

    fn reset(&mut self, node: Node) {
        match node {
            Node::LogLevel => self.log_level = DEFAULT_LOG_LEVEL,
            Node::MayPlay => self.policy.may_play = Policy::default().may_play,
            Node::MayRecord => self.policy.may_record = Policy::default().may_record,
            Node::PositionSource => self.card.position_source = PositionChoice::default(),
            Node::Jacks => self.card.jack_policy = JackPolicy::default(),
            Node::Report => self.report = None,
        }
    }

    fn judge(&mut self, node: Node, value: Option<&str>, ports: &Ports) {
        let value = value.unwrap_or("not a text");
        let good = match node {
            Node::LogLevel => log_level(value).map(|level| self.log_level = level),
            Node::MayPlay => {
                ports.in_right(value, Direction::Playback).map(|ports| self.policy.may_play = ports)
            }
            Node::MayRecord => {
                ports.in_right(value, Direction::Capture).map(|ports| self.policy.may_record = ports)
            }
            Node::PositionSource => position_source(value).map(|source| self.card.position_source = source),
            Node::Jacks => jack_policy(value).map(|policy| self.card.jack_policy = policy),
            Node::Report => nodes::decimal(value).map(|number| self.report = Some(number)),
        };
        if good.is_none() {
            log_bad_value(&node.path(), value);
        }
    }
}

/// Names a value that is ignored.
pub(super) fn log_bad_value(path: &PathText, value: &str) {
    log::warn!("{path}: {} makes no sense here and is ignored", Excerpt::of(value));
}

fn log_level(value: &str) -> Option<LevelFilter> {
    match value {
        "error" => Some(LevelFilter::Error),
        "warn" => Some(LevelFilter::Warn),
        "info" => Some(LevelFilter::Info),
        "debug" => Some(LevelFilter::Debug),
        "trace" => Some(LevelFilter::Trace),
        _ => None,
    }
}

fn position_source(value: &str) -> Option<PositionChoice> {
    match value {
        "auto" => Some(PositionChoice::Auto),
        "link" => Some(PositionChoice::Link),
        "memory" => Some(PositionChoice::Memory),
        _ => None,
    }
}

fn jack_policy(value: &str) -> Option<JackPolicy> {
    match value {
        "move" => Some(JackPolicy::Move),
        "both" => Some(JackPolicy::Both),
        "stay" => Some(JackPolicy::Stay),
        _ => None,
    }
}

/// What is said for one guest. `None`: nothing, so that the settings for all hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GuestRights {
    may_play: Option<PortSet>,
    may_record: Option<PortSet>,
}

impl GuestRights {
    /// Where a guest's right in this direction stands.
    pub(super) fn path(guest: DomainId, direction: Direction) -> PathText {
        let node = match direction {
            Direction::Playback => MAY_PLAY,
            Direction::Capture => MAY_RECORD,
        };
        PathText::new(format_args!("{OWN}/guest/{}/{node}", guest.0))
    }

    /// Takes a right; `None`: nothing is said. Returns whether it makes sense.
    pub(super) fn set(&mut self, direction: Direction, value: Option<&str>, ports: &Ports) -> bool {
        let right = match value {
            None => None,
            Some(value) => match ports.in_right(value, direction) {
                None => return false,
                right => right,
            },
        };
        match direction {
            Direction::Playback => self.may_play = right,
            Direction::Capture => self.may_record = right,
        }
        true
    }

    /// Takes a right that this domain may not read for none.
    pub(super) fn deny(&mut self, direction: Direction) {
        match direction {
            Direction::Playback => self.may_play = Some(PortSet::NONE),
            Direction::Capture => self.may_record = Some(PortSet::NONE),
        }
    }

    /// What the guest may do.
    pub(super) fn policy(&self, for_all: &Policy) -> Policy {
        Policy {
            may_play: self.may_play.unwrap_or(for_all.may_play),
            may_record: self.may_record.unwrap_or(for_all.may_record),
        }
    }
}
