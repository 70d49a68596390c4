//! The administrator's settings for this domain, below `snddom/`: read when a watch reports a
//! change, in force at once.
//!
//! An invalid value is logged and changes nothing, but a right is none then. Without its node a
//! setting has its default.

use audioback::card::{CardSettings, JackPolicy, MAX_PORT_SETUPS, PortIndex, PortSetup, PositionChoice};
use audioback::rights::{Policy, PortSet, Right};
use hyper::{DomainId, Nanos};
use log::LevelFilter;
use sndif::nodes;
use xen_guest::xenstore::{Refusal, Reply, Request, RequestError};

use crate::bounded;
use crate::connection::Connection;
use crate::excerpt::Excerpt;
use crate::guest_directory::GUESTS;
use crate::guest_rights::{ports_of, right_node};
use crate::paths::{OWN, PathText, relative};
use crate::port_name::PortName;
use crate::port_settings::{self, PortNode, UnknownPorts};
use crate::ports::Ports;
use crate::request_slot::Answer;
use crate::requester::Requester;
use crate::watch::Watch;

/// The token of the watch on all settings.
pub(crate) const TOKEN: &str = "snddom";

/// The log level at the start, and without a setting.
const DEFAULT_LOG_LEVEL: LevelFilter = LevelFilter::Info;

/// A change of a setting that the caller of [`Vsnd::poll`](crate::Vsnd::poll) has to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The log level. At the start it is [`LevelFilter::Info`].
    LogLevel(LevelFilter),
    /// The administrator asks for a report of this domain's costs, by a number; see
    /// [`Vsnd::report`](crate::Vsnd::report).
    Report(u32),
}

/// The subject of a path at or below [`OWN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic<'a> {
    /// All settings and rights.
    Everything,
    /// One setting, or those of all ports.
    Setting(&'a str),
    /// All settings of one port, or one of them.
    Port(&'a str, Option<&'a str>),
    /// The directories of all guests.
    Guests,
    /// The directory of that name of one guest, or a node in it.
    Guest(&'a str, Option<&'a str>),
    /// The directory of this domain's status. Nodes below are this domain's own writes, and no
    /// topic.
    Status,
}

impl<'a> Topic<'a> {
    /// Parses a watch's path. `None`: the path is of no interest.
    pub(crate) fn of(path: &'a str, domain: DomainId) -> Option<Self> {
        let below = relative(path, domain).strip_prefix(OWN)?;
        if below.is_empty() {
            return Some(Self::Everything);
        }
        let mut parts = below.strip_prefix('/')?.split('/');
        match (parts.next()?, parts.next()) {
            (GUESTS, None) => Some(Self::Guests),
            (GUESTS, Some(guest)) => Some(Self::Guest(guest, parts.next())),
            (port_settings::DIRECTORY, Some(port)) => Some(Self::Port(port, parts.next())),
            ("state", None) => Some(Self::Status),
            ("state", Some(_)) => None,
            (setting, None) => Some(Self::Setting(setting)),
            (_, Some(_)) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    LogLevel,
    /// A right of guests that have none of their own.
    Right(Right),
    PositionSource,
    Jacks,
    Report,
    /// The directory of the ports that have settings.
    Ports,
    Port(PortName, PortNode),
}

impl Node {
    /// All but those of single ports, which are read if the directory has them.
    const COMMON: [Self; 8] = [
        Self::LogLevel,
        Self::Right(Right::Play),
        Self::Right(Right::Record),
        Self::Right(Right::Hear),
        Self::PositionSource,
        Self::Jacks,
        Self::Report,
        Self::Ports,
    ];

    /// The number of all nodes.
    const COUNT: usize = Self::COMMON.len() + PortNode::ALL.len() * MAX_PORT_SETUPS;

    const fn name(self) -> &'static str {
        match self {
            Self::LogLevel => "log-level",
            Self::Right(right) => right_node(right),
            Self::PositionSource => "position-source",
            Self::Jacks => "jacks",
            Self::Report => "report",
            Self::Ports => port_settings::DIRECTORY,
            Self::Port(_, node) => node.name(),
        }
    }

    fn path(self) -> PathText {
        let name = self.name();
        match self {
            Self::Port(port, _) => {
                PathText::new(format_args!("{OWN}/{}/{port}/{name}", port_settings::DIRECTORY))
            }
            _ => PathText::new(format_args!("{OWN}/{name}")),
        }
    }
}

/// The settings that are carried out outside of this file.
#[derive(Clone, Copy, Debug)]
struct Values {
    log_level: LevelFilter,
    card: CardSettings,
    /// The number of the report that was asked for.
    report: Option<u32>,
    /// By port: the number of the peaks that were asked for.
    peaks: [Option<u32>; MAX_PORT_SETUPS],
}

impl Values {
    fn new() -> Self {
        Self {
            log_level: DEFAULT_LOG_LEVEL,
            card: CardSettings::default(),
            report: None,
            peaks: [None; MAX_PORT_SETUPS],
        }
    }
}

/// Reads the settings.
#[derive(Debug)]
pub(crate) struct Settings {
    watch: Watch<Node>,
    /// Nodes that may have changed since they were read.
    stale: heapless::Vec<Node, { Node::COUNT }>,
    /// All nodes have been read once.
    is_known: bool,
    policy: Policy,
    unknown_ports: UnknownPorts,
    values: Values,
    /// The values that were taken last.
    taken: Values,
}

impl Settings {
    pub(crate) fn new() -> Self {
        Self {
            watch: Watch::new(Requester::Settings, OWN, TOKEN),
            stale: heapless::Vec::new(),
            is_known: false,
            policy: Policy::default(),
            unknown_ports: UnknownPorts::default(),
            values: Values::new(),
            taken: Values::new(),
        }
    }

    /// The rights of guests that have none of their own; `None` until they have been read.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.is_known.then_some(&self.policy)
    }

    /// Handles the watch's event: a setting has changed, or any of them (`None`).
    pub(crate) fn on_change(&mut self, name: Option<&str>) {
        for node in Node::COMMON {
            if name.is_none_or(|name| name == node.name()) {
                self.set_stale(node);
            }
        }
    }

    /// Handles the watch's event: a setting of a port has changed, or any of them (`None`).
    pub(crate) fn on_port_change(&mut self, port: &str, name: Option<&str>, ports: &Ports) {
        match PortName::parse(port).filter(|port| port_settings::index(*port, ports).is_some()) {
            Some(port) => {
                for node in PortNode::ALL {
                    if name.is_none_or(|name| name == node.name()) {
                        self.set_stale(Node::Port(port, node));
                    }
                }
            }
            None => self.unknown_ports.log(port),
        }
    }

    /// Notes that a node may have changed since it was read.
    fn set_stale(&mut self, node: Node) {
        if !self.stale.contains(&node) {
            bounded::append(&mut self.stale, node);
        }
    }

    /// The next change for the caller of [`Vsnd::poll`](crate::Vsnd::poll).
    pub(crate) fn take_change(&mut self) -> Option<Change> {
        let Values { log_level, report, .. } = self.values;
        if core::mem::replace(&mut self.taken.log_level, log_level) != log_level {
            return Some(Change::LogLevel(log_level));
        }
        if core::mem::replace(&mut self.taken.report, report) != report {
            return report.map(Change::Report);
        }
        None
    }

    /// The card's settings, if they have changed since they were taken last.
    pub(crate) fn take_card_settings(&mut self) -> Option<CardSettings> {
        let card = self.values.card;
        (core::mem::replace(&mut self.taken.card, card) != card).then_some(card)
    }

    /// The next port whose peaks are asked for, with the number of the request. Ask until there is none.
    pub(crate) fn take_peak_request(&mut self) -> Option<(PortIndex, u32)> {
        let places = self.taken.peaks.iter_mut().zip(self.values.peaks);
        (0..).map(PortIndex).zip(places).find_map(|(port, (taken, number))| {
            let number = number.filter(|_| core::mem::replace(taken, number) != number)?;
            Some((port, number))
        })
    }

    /// Sends the next question, if there is one. Returns the time at which to call again.
    pub(crate) fn drive(&mut self, connection: &mut Connection<'_>, now: Nanos) -> Option<Nanos> {
        let asked = self.watch.ask(connection, self.stale.last().copied(), now, |slot, connection, node| {
            let path = node.path();
            let request = match node {
                Node::Ports => Request::Directory(path.path()?),
                _ => Request::Read(path.path()?),
            };
            slot.send(connection, request, now)
        });
        if let Ok(node) = asked {
            self.stale.retain(|stale| *stale != node);
        }
        asked.err().flatten()
    }

    /// Handles an answer.
    pub(crate) fn on_reply(&mut self, result: Result<Reply<'_>, RequestError>, ports: &Ports, now: Nanos) {
        let Some((node, answer)) = self.watch.on_reply(result, now) else { return };
        match answer {
            Answer::Done(reply) if node == Node::Ports => self.on_ports(&reply, ports),
            Answer::Done(reply) => {
                let value = reply.text().unwrap_or("not a text");
                if self.set(node, value, ports).is_none() {
                    match node {
                        Node::Port(_, PortNode::Trim(trim)) => trim.log_invalid(&node.path(), value),
                        _ => log_invalid_value(&node.path(), value),
                    }
                }
            }
            Answer::Missing => self.reset(node, ports),
            // Nodes with other names fill the directory. Those that have a meaning are read all the same.
            Answer::Failed(RequestError::Refused(Refusal::TooBig)) if node == Node::Ports => {
                log::warn!("{}: it has too many nodes to be listed", node.path());
                for port in ports.indexes().filter_map(|index| ports.name(index)).take(MAX_PORT_SETUPS) {
                    PortNode::ALL.into_iter().for_each(|node| self.set_stale(Node::Port(port, node)));
                }
            }
            Answer::Failed(error) => {
                log::warn!("{}: {error}; trying again", node.path());
                self.set_stale(node);
            }
            Answer::Denied => self.deny(node),
        }
        self.is_known |= self.stale.is_empty();
    }

    /// Handles the names of the ports that have settings: these are read, and all others have defaults.
    fn on_ports(&mut self, reply: &Reply<'_>, ports: &Ports) {
        let listed = |port| reply.names().any(|name| PortName::parse(name) == Some(port));
        let Values { card, peaks, .. } = &mut self.values;
        for (index, (setup, peaks)) in ports.indexes().zip(card.ports.iter_mut().zip(peaks)) {
            if !ports.name(index).is_some_and(listed) {
                *setup = PortSetup::default();
                *peaks = None;
            }
        }
        reply.names().for_each(|name| self.on_port_change(name, None, ports));
    }

    /// Handles a node that this domain may not read. A right may be forbidden there.
    fn deny(&mut self, node: Node) {
        let Node::Right(right) = node else {
            log::warn!("{}: this domain may not read it; the setting keeps its value", node.path());
            return;
        };
        *self.policy.ports_mut(right) = PortSet::NONE;
        log::error!("{}: this domain may not read it; no guest has this right by default", node.path());
    }

    /// Puts a setting's default in force.
    fn reset(&mut self, node: Node, ports: &Ports) {
        let default = Values::new();
        match node {
            Node::LogLevel => self.values.log_level = default.log_level,
            Node::Right(right) => *self.policy.ports_mut(right) = Policy::default().ports(right),
            Node::PositionSource => self.values.card.position_source = default.card.position_source,
            Node::Jacks => self.values.card.jack_policy = default.card.jack_policy,
            Node::Report => self.values.report = default.report,
            Node::Ports => {
                self.values.card.ports = default.card.ports;
                self.values.peaks = default.peaks;
            }
            Node::Port(port, PortNode::Peak) => {
                if let Some(peaks) = self.peak_request(port, ports) {
                    *peaks = None;
                }
            }
            Node::Port(port, node) => {
                if let Some(setup) = self.port_setup(port, ports) {
                    node.reset(setup);
                }
            }
        }
    }

    /// Puts a value in force; `None`: it is invalid.
    fn set(&mut self, node: Node, value: &str, ports: &Ports) -> Option<()> {
        match node {
            Node::LogLevel => self.values.log_level = named(value, &LOG_LEVELS)?,
            Node::Right(right) => *self.policy.ports_mut(right) = ports_of(right, value, &node.path(), ports),
            Node::PositionSource => self.values.card.position_source = named(value, &POSITION_SOURCES)?,
            Node::Jacks => self.values.card.jack_policy = named(value, &JACK_POLICIES)?,
            Node::Report => self.values.report = Some(nodes::decimal(value)?),
            // A directory's names are handled where they are received.
            Node::Ports => {}
            Node::Port(port, PortNode::Peak) => {
                *self.peak_request(port, ports)? = Some(nodes::decimal(value)?);
            }
            Node::Port(port, node) => {
                let rates_hz = ports.rates_at_start(port);
                node.set(self.port_setup(port, ports)?, value, rates_hz)?;
            }
        }
        Some(())
    }

    fn peak_request(&mut self, port: PortName, ports: &Ports) -> Option<&mut Option<u32>> {
        self.values.peaks.get_mut(port_settings::index(port, ports)?)
    }

    fn port_setup(&mut self, port: PortName, ports: &Ports) -> Option<&mut PortSetup> {
        self.values.card.ports.get_mut(port_settings::index(port, ports)?)
    }
}

/// Logs a value that is ignored.
fn log_invalid_value(path: &PathText, value: &str) {
    log::warn!("{path}: {} is invalid here and ignored", Excerpt::of(value));
}

const LOG_LEVELS: [(&str, LevelFilter); 5] = [
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];

const POSITION_SOURCES: [(&str, PositionChoice); 3] =
    [("auto", PositionChoice::Auto), ("link", PositionChoice::Link), ("memory", PositionChoice::Memory)];

const JACK_POLICIES: [(&str, JackPolicy); 3] =
    [("move", JackPolicy::Move), ("both", JackPolicy::Both), ("stay", JackPolicy::Stay)];

/// The value of that name.
fn named<T: Copy>(name: &str, values: &[(&str, T)]) -> Option<T> {
    values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
