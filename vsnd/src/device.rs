//! One device's life on xenstore.
//!
//! It begins with the directory that the toolstack makes for it, and ends with that one's removal.
//! The next action follows from the nodes as they are known ([`Device::next`]), not from a script's
//! position. So nodes may change at any time and in any order; at worst a node is read once more.
//! One request is under way at a time.

mod condition;
mod connecting;
mod context;
mod exchange;
mod limits;
mod nodes;
mod published;
mod rights;
mod share;
mod state_write;

use audioback::card::Card;
use audioback::device::Device as SoundDevice;
use audioback::rights::Policy;
use audioback::turn_work::TurnWork;
use hyper::{BackOff, Clock, Hypervisor, Nanos};
use sndif::state::XenbusState;
use xen_guest::xenbus::{BackEnd, Outcome, Step, View};
use xen_guest::xenstore::{Progress, Reply, RequestError, RequestId};

use crate::connection::Connection;
use crate::due::after;
use crate::paths::DeviceId;
use crate::ports::Ports;
use crate::request_slot::RETRY;
use crate::requester::DeviceKey;
use crate::status::{DeviceStatus, Ready, StreamStatus};
use crate::stream_use::StreamUse;
use condition::Condition;
pub(crate) use context::{Common, Hardware};
use exchange::{Exchange, Question, WriteProgress};
use nodes::{Description, DeviceNodes, Effect};
use published::Published;
use share::Share;

/// Steps of a device in one call that need no answer from xenstored.
const STEPS_PER_CALL: usize = 4;

/// States that are written at a time. xenstored allows a domain ten open transactions; further
/// devices take turns.
const MAX_TRANSACTIONS: usize = 8;

/// Interval between checks for a device's turn to write.
const TURN_NS: u64 = 1_000_000;

/// Time for which a front end's state has to be stable before this side connects, or opens again.
///
/// Linux's front end handles each event of its watch on this side's state, and a watch begins with
/// an event. So it can see InitWait twice: then it revokes its rings and publishes new ones. An
/// early connection would map the revoked ones.
const SETTLE_NS: u64 = 50_000_000;

/// A device's next action.
enum Next {
    Ask(Question),
    WriteState,
    Do(Step),
    /// Wait until the front end's state is stable, and its wait after failures is over.
    Settle(Nanos),
    Nothing,
}

/// A device.
pub(crate) struct Device<H: Hypervisor, C: Card<H::Buffer>> {
    id: DeviceId,
    back_end: BackEnd,
    nodes: DeviceNodes,
    exchange: Exchange,
    sound: Option<SoundDevice<H, C>>,
    /// The rights in force.
    policy: Policy,
    share: Share,
    published: Published,
    /// As of the last call of [`has_changed`](Self::has_changed).
    condition: Condition,
    /// The front end's state has changed since the last call of [`drive`](Self::drive).
    has_front_changed: bool,
    /// The time at which the front end's state counts as stable.
    settles_at: Nanos,
    /// The time since which this side is Connected.
    connected_at: Option<Nanos>,
    /// The wait after short connections, and while this side lacks a resource for one.
    pace: BackOff,
    /// A resource is lacking, which the log says.
    is_lacking: bool,
    /// The directory is gone; the watch and the published status follow.
    is_leaving: bool,
    /// The directory has come again after this device began to leave.
    is_back: bool,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// A device whose directory was reported.
    pub(crate) fn new(id: DeviceId, key: DeviceKey) -> Self {
        Self {
            id,
            back_end: BackEnd::default(),
            nodes: DeviceNodes::new(id),
            exchange: Exchange::new(id, key),
            sound: None,
            policy: Policy::NOTHING,
            share: Share::default(),
            published: Published::default(),
            condition: Condition::default(),
            has_front_changed: false,
            settles_at: Nanos(0),
            connected_at: None,
            pace: RETRY,
            is_lacking: false,
            is_leaving: false,
            is_back: false,
        }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.id
    }

    /// Handles a change of a node in the back end's directory, or of any of them (`None`).
    pub(crate) fn on_own_change(&mut self, node: Option<&str>) {
        self.is_back |= self.is_leaving;
        self.nodes.on_own_change(node);
    }

    /// Handles a change of the front end's state.
    pub(crate) fn on_front_change(&mut self) {
        self.nodes.set_stale(Question::FrontState, true);
        self.has_front_changed = true;
        // It may be revoking the rings whose nodes have been read.
        self.forget_rings();
    }

    /// Whether nothing of it is left, here and in xenstore, so that it can be forgotten.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_leaving && !self.nodes.is_watched && !self.published.is_there() && !self.exchange.is_busy()
    }

    /// Whether its directory has come again after it began to leave.
    pub(crate) fn is_back(&self) -> bool {
        self.is_back
    }

    /// Whether it is closed, and the node says so.
    pub(crate) fn is_closed(&self) -> bool {
        let is_shown = self.nodes.shown == self.back_end.state() || !self.nodes.view.directory;
        self.is_leaving
            || (self.back_end.state() == XenbusState::Closed && is_shown && !self.exchange.is_busy())
    }

    /// Whether it is writing a state.
    pub(crate) fn is_writing(&self) -> bool {
        self.exchange.is_writing()
    }

    /// The next part of its status to publish.
    pub(crate) fn next_status(&self, ports: &Ports, now: Nanos) -> Ready<DeviceStatus> {
        if self.is_leaving {
            return Err(None);
        }
        let streams = self.nodes.config.streams().iter().enumerate().map_while(|(index, found)| {
            let stream = self.sound.as_ref()?.stream(index)?;
            Some((found.id, StreamStatus::of(stream, ports.name(found.config.port))))
        });
        self.published.next(self.back_end.state(), streams, now)
    }

    /// What its streams do on their ports.
    pub(crate) fn uses(&self) -> impl Iterator<Item = StreamUse> {
        let streams = (0..).map_while(|index| self.sound.as_ref()?.stream(index));
        streams.map(|stream| StreamUse::of(self.id.guest, stream))
    }

    /// Notes that its status is being written.
    pub(crate) fn on_publishing(&mut self) {
        self.published.begin();
    }

    /// Notes that this status has been published.
    pub(crate) fn on_published(&mut self, status: DeviceStatus, now: Nanos) {
        self.published.on_published(status, now);
    }

    /// Handles a reply from xenstored.
    pub(crate) fn on_reply(
        &mut self,
        id: RequestId,
        result: Result<Reply<'_>, RequestError>,
        ports: &Ports,
        now: Nanos,
    ) {
        let streams = self.nodes.config.streams();
        let Some((question, answer)) = self.exchange.on_reply(id, result, streams, now) else { return };
        match self.nodes.on_answer(question, answer, ports) {
            Effect::None => {}
            Effect::DirectoryReplaced => self.is_back = true,
            Effect::WatchRefused => self.exchange.slot.failed(now),
            Effect::TransportFailed => {
                self.pace.failed(now);
                self.back_end.done(Step::Connect, Outcome::Failed);
            }
            Effect::StatusRemoved => self.published.removed(),
        }
    }

    /// Serves the streams. Returns the time at which to call again, and whether a call of [`drive`](Self::drive) is due.
    pub(crate) fn serve(
        &mut self,
        hardware: &mut Hardware<'_, H, C>,
        (clock, now): (&dyn Clock, Nanos),
        turn: &mut TurnWork,
    ) -> (Option<Nanos>, bool) {
        let Some(sound) = &mut self.sound else { return (None, false) };
        let next = sound.poll_within(hardware.hypervisor, hardware.card, clock, turn);
        if self.back_end.state() == XenbusState::Connected && sound.state() != XenbusState::Connected {
            self.on_connection_end(now);
            self.back_end.fail();
        }
        (next, self.has_changed())
    }

    /// Whether its condition has changed since the last call.
    fn has_changed(&mut self) -> bool {
        self.sound.as_ref().is_some_and(|sound| self.condition.update(sound))
    }

    /// Takes the next actions, until one needs an answer from xenstored.
    ///
    /// Returns the time at which to call again.
    pub(crate) fn drive(
        &mut self,
        connection: &mut Connection<'_>,
        hardware: &mut Hardware<'_, H, C>,
        common: &mut Common<'_>,
        now: Nanos,
    ) -> Option<Nanos> {
        self.apply_rights(hardware, common);
        self.apply_limits(common);
        let next = self.take_steps(connection, hardware, common, now);
        self.log_wait(common);
        // A stream that doesn't stop is tried again when it is served.
        if self.has_changed() { Some(now) } else { next }
    }

    fn take_steps(
        &mut self,
        connection: &mut Connection<'_>,
        hardware: &mut Hardware<'_, H, C>,
        common: &mut Common<'_>,
        now: Nanos,
    ) -> Option<Nanos> {
        if core::mem::take(&mut self.has_front_changed) {
            self.settles_at = after(now, SETTLE_NS);
        }
        for _ in 0..STEPS_PER_CALL {
            // Closing comes first: streams must not play on because xenstored is slow.
            if self.step(common) == Step::Close {
                self.act(Step::Close, hardware, common, now);
            }
            if connection.is_broken() {
                return None;
            }
            match self.exchange.advance_write(connection, self.nodes.config.streams(), now) {
                WriteProgress::Idle => {}
                WriteProgress::Pending => return None,
                WriteProgress::Ended(state, progress) => self.on_state_written(state, progress, now),
            }
            if !self.exchange.slot.is_free(now) {
                return self.exchange.slot.due(now);
            }
            match self.next(common, now) {
                Next::Ask(question) => {
                    let path = self.nodes.path(question);
                    if self.exchange.ask(connection, question, &path, now) {
                        self.nodes.set_stale(question, false);
                    }
                    return self.exchange.slot.due(now);
                }
                Next::WriteState if common.writing >= MAX_TRANSACTIONS => return Some(after(now, TURN_NS)),
                Next::WriteState => {
                    common.writing = common.writing.saturating_add(1);
                    self.exchange.begin_write(self.back_end.state());
                }
                Next::Do(step) => self.act(step, hardware, common, now),
                Next::Settle(until) => return Some(until),
                Next::Nothing => return None,
            }
        }
        // Only a guest that changes its nodes all the time makes more steps due.
        Some(now)
    }

    /// The next step of the handshake with the front end and the toolstack.
    fn step(&self, common: &Common<'_>) -> Step {
        if self.is_leaving {
            return Step::Wait;
        }
        let view = &self.nodes.view;
        match self.back_end.step(&View { online: view.online && !common.is_ending, ..*view }) {
            // The domain ends, but the device doesn't: another driver domain may take it over.
            Step::RemoveDirectory if view.online => Step::Wait,
            step => step,
        }
    }

    /// The next action.
    fn next(&self, common: &Common<'_>, now: Nanos) -> Next {
        let nodes = &self.nodes;
        if self.is_leaving {
            return if nodes.is_watched {
                Next::Ask(Question::Unwatch)
            } else if self.published.is_there() {
                Next::Ask(Question::RemoveStatus)
            } else {
                Next::Nothing
            };
        }
        if nodes.is_stale(Question::OwnState) {
            return Next::Ask(Question::OwnState);
        }
        if nodes.view.directory {
            if nodes.is_stale(Question::Online) {
                return Next::Ask(Question::Online);
            }
            if nodes.shown != self.back_end.state() {
                return Next::WriteState;
            }
        }
        match self.step(common) {
            Step::SetUp => self.next_of_set_up(common),
            Step::Connect | Step::Reopen if nodes.is_stale(Question::FrontState) => {
                Next::Ask(Question::FrontState)
            }
            Step::Connect | Step::Reopen if now < self.settles_at || !self.pace.is_over(now) => {
                Next::Settle(self.pace.due(now).unwrap_or(now).max(self.settles_at))
            }
            Step::Connect => match nodes.transport.next(self.id, nodes.config.streams()) {
                Some(_) => Next::Ask(Question::Transport),
                None => Next::Do(Step::Connect),
            },
            Step::Reopen => Next::Do(Step::Reopen),
            Step::Forget => Next::Do(Step::Forget),
            Step::RemoveDirectory => Next::Ask(Question::RemoveDirectory),
            // Closing comes before all else, so it has been tried in this call.
            Step::Close => Next::Nothing,
            // Last, so that a guest which keeps writing this node doesn't delay all else.
            Step::Wait if nodes.is_stale(Question::FrontState) && nodes.is_watched => {
                Next::Ask(Question::FrontState)
            }
            Step::Wait => Next::Nothing,
        }
    }

    fn next_of_set_up(&self, common: &Common<'_>) -> Next {
        let nodes = &self.nodes;
        match (nodes.is_frontend_right, nodes.description) {
            (None, _) => Next::Ask(Question::Frontend),
            (Some(true), _) if !nodes.is_watched => Next::Ask(Question::Watch),
            (Some(true), Description::Reading) => Next::Ask(Question::Config(nodes.config.next(self.id).0)),
            // No guest has rights before they are known.
            (Some(true), Description::Good) if self.rights(common).is_none() => Next::Nothing,
            (Some(true), Description::Good) if self.share.forbids(nodes.config.streams().len()).is_some() => {
                Next::Nothing
            }
            (Some(true), Description::Good | Description::Bad) | (Some(false), _) => Next::Do(Step::SetUp),
        }
    }

    /// Takes a step that needs no answer from xenstored.
    fn act(&mut self, step: Step, hardware: &mut Hardware<'_, H, C>, common: &Common<'_>, now: Nanos) {
        let outcome = match step {
            Step::SetUp => self.set_up(common),
            Step::Connect => self.connect(hardware, now),
            Step::Close => {
                self.on_connection_end(now);
                self.close(hardware)
            }
            Step::Reopen => self.reopen(common),
            Step::Forget => {
                log::info!("{}: gone", self.id);
                self.is_leaving = true;
                self.sound = None;
                Outcome::Done
            }
            Step::Wait | Step::RemoveDirectory => return,
        };
        self.back_end.done(step, outcome);
    }

    fn set_up(&mut self, common: &Common<'_>) -> Outcome {
        if self.nodes.description == Description::Bad {
            return Outcome::Failed;
        }
        let configs = self.nodes.offers(common.ports);
        match SoundDevice::new(self.id.guest, self.policy, common.ports.as_slice(), &configs) {
            Ok(sound) => {
                log::info!("{}: a card with {} streams", self.id, configs.len());
                self.published.set_up(configs.len());
                self.sound = Some(sound);
                self.allow();
                Outcome::Done
            }
            Err(error) => {
                log::error!("{}: can't be set up: {error}", self.id);
                Outcome::Failed
            }
        }
    }

    /// Forgets the nodes of the front end's rings, also one that is being read.
    fn forget_rings(&mut self) {
        self.nodes.transport.clear();
        self.exchange.void(Question::Transport);
    }

    fn reopen(&mut self, common: &Common<'_>) -> Outcome {
        self.forget_rings();
        // A device that was never set up stays closed: its description is read once only.
        if !self.sound.as_mut().is_some_and(SoundDevice::reopen) {
            return Outcome::Failed;
        }
        // Settings may have changed the card's ports since.
        if self.nodes.config.update_offers(common.ports) { self.set_up(common) } else { Outcome::Done }
    }

    /// Handles the end of writing a state.
    fn on_state_written(&mut self, state: XenbusState, progress: Progress, now: Nanos) {
        match progress {
            Progress::Pending => {}
            Progress::Committed => {
                self.nodes.shown = state;
                self.nodes.view.own_node = Some(state);
            }
            Progress::Missing => {
                self.nodes.view.directory = false;
                self.nodes.view.own_node = None;
            }
            Progress::Failed(error) => {
                let path = self.nodes.path(Question::OwnState);
                log::warn!("{path}: {} was not written: {error:?}; trying again", state.code());
                self.nodes.set_stale(Question::OwnState, true);
                self.exchange.slot.failed(now);
            }
        }
    }
}
