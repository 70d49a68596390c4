//! One device's life on xenstore: from the directory that the toolstack makes for it to its removal.
//!
//! What is to be done next follows from what is known ([`Device::next`]), never from where a script was left: so nodes
//! may change at any moment, in any order, and at worst something is read once more. One request is under way at a time.

mod news;
mod talk;

use audioback::card::{Card, Direction};
use audioback::device::{Device as SoundDevice, MAX_STREAMS};
use audioback::policy::Policy;
use audioback::stream::StreamConfig;
use heapless::Vec;
use hyper::{Clock, Hypervisor, Nanos};
use sndif::nodes;
use sndif::state::XenbusState;
use xen_guest::xenbus::{BackEnd, Outcome, Step, View};
use xen_guest::xenstore::Store;

use super::asking::{Asking, BackOff};
use super::front_directory::FrontDirectory;
use super::level::is_useless;
use super::names::DeviceId;
use super::port_name::Ports;
use super::settings::{GuestRights, MAY_PLAY, MAY_RECORD};
use super::transport::Transport;
use news::Told;
use talk::{Question, Talk, ToRead};

/// Steps that a device takes in one call, none of which asks xenstored.
const STEPS_PER_CALL: usize = 4;

/// What the image has one of.
pub(super) struct Hardware<'a, H, C> {
    pub(super) hypervisor: &'a mut H,
    pub(super) card: &'a mut C,
}

/// States that are written at a time. xenstored lets a domain have ten transactions open; the others wait their turn.
const MAX_TRANSACTIONS: usize = 8;

/// How long until a device looks whether it is its turn to write.
const TURN_NS: u64 = 1_000_000;

/// How long a front end's state has to stay as it is before this side connects to it, or opens again for it.
///
/// Linux's front end looks at this side's state once for each event of a watch, and a watch has one event to begin with. So
/// it can see InitWait twice, and then it takes back what it has published and publishes anew: whoever is quick connects to
/// what is being taken back.
const SETTLE_NS: u64 = 50_000_000;

/// How long a connection lasts before all that went wrong earlier is forgotten. A front end that comes again after a shorter
/// one waits, longer each time: at first no longer than it takes to settle.
const LIVED_NS: u64 = 10_000_000_000;

/// What holds for all devices.
pub(super) struct Common<'a> {
    /// The card's ports.
    pub(super) ports: &'a Ports,
    /// What guests may do for which nothing else is said; `None` until that is known.
    pub(super) policy: Option<&'a Policy>,
    /// The domain ends: all is to be closed.
    pub(super) is_ending: bool,
    /// Devices that are writing a state.
    pub(super) writing: usize,
}

/// What is to be done next.
enum Next {
    Ask(Question),
    WriteState,
    Do(Step),
    /// Wait until the front end has settled, and has waited for its turn.
    Settle(Nanos),
    Nothing,
}

/// How far the guest's description of its card is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Description {
    Reading,
    Good,
    /// Of no use, which the log says.
    Bad,
}

/// A device.
pub(super) struct Device<H: Hypervisor, C: Card<H::Buffer>> {
    id: DeviceId,
    back_end: BackEnd,
    view: View,
    to_read: ToRead,
    /// Whether `frontend` names the directory that it has to name.
    front_is_right: Option<bool>,
    is_watched: bool,
    /// The front end's state has changed since this device was last driven.
    front_moves: bool,
    /// When the front end counts as settled.
    settles_at: Nanos,
    /// Since when this side is Connected.
    connected_at: Option<Nanos>,
    /// Between connections that don't last, and while this side lacks something for one.
    pace: BackOff,
    /// It lacks something, which the log says.
    lacks: bool,
    rights: GuestRights,
    /// In force.
    policy: Policy,
    description: Description,
    directory: FrontDirectory,
    transport: Transport,
    /// What the `state` node says, as far as this side has written it.
    shown: XenbusState,
    talk: Talk,
    asking: Asking,
    sound: Option<SoundDevice<H, C>>,
    told: Told,
    is_leaving: bool,
    /// Its directory has changed after it was gone.
    is_back: bool,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// A device whose directory was heard of.
    pub(super) fn new(id: DeviceId) -> Self {
        Self {
            id,
            back_end: BackEnd::new(),
            view: View { directory: true, online: true, own_node: None, front: None },
            to_read: ToRead { state: true, online: true, may_play: true, may_record: true, front: false },
            front_is_right: None,
            is_watched: false,
            front_moves: false,
            settles_at: Nanos(0),
            connected_at: None,
            pace: BackOff::default(),
            lacks: false,
            rights: GuestRights::default(),
            policy: Policy::NOTHING,
            description: Description::Reading,
            directory: FrontDirectory::new(),
            transport: Transport::default(),
            shown: XenbusState::Initialising,
            talk: Talk::Asking(Question::OwnState),
            asking: Asking::default(),
            sound: None,
            told: Told::default(),
            is_leaving: false,
            is_back: false,
        }
    }

    pub(super) fn id(&self) -> DeviceId {
        self.id
    }

    /// A watch says that a node in the back end's directory has changed; `None`: the directory as a whole.
    pub(super) fn own_changed(&mut self, node: Option<&str>) {
        self.is_back |= self.is_leaving;
        self.to_read.state |= matches!(node, None | Some(nodes::STATE));
        self.to_read.online |= matches!(node, None | Some(nodes::ONLINE));
    }

    /// A watch says that the front end's state has changed.
    pub(super) fn front_changed(&mut self) {
        self.to_read.front = true;
        self.front_moves = true;
    }

    /// A watch says that a right of the guest's has changed; `None`: any of them may have.
    pub(super) fn rights_changed(&mut self, name: Option<&str>) {
        self.to_read.may_play |= matches!(name, None | Some(MAY_PLAY));
        self.to_read.may_record |= matches!(name, None | Some(MAY_RECORD));
    }

    /// Whether nothing of it is left, here and in xenstore: it can be forgotten.
    pub(super) fn is_gone(&self) -> bool {
        self.is_leaving && !self.is_watched && !self.told.is_there && !self.is_talking()
    }

    /// Whether its directory was heard of after it had gone.
    pub(super) fn is_back(&self) -> bool {
        self.is_back
    }

    /// Whether it is closed, and the node says so.
    pub(super) fn is_closed(&self) -> bool {
        let shows = self.shown == self.back_end.state() || !self.view.directory;
        self.is_leaving || (self.back_end.state() == XenbusState::Closed && shows && !self.is_talking())
    }

    /// Whether it is writing a state.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.talk, Talk::Writing(..))
    }

    fn is_talking(&self) -> bool {
        self.asking.awaits() || self.is_writing()
    }

    /// Serves the streams. Returns when that is due again.
    pub(super) fn serve(
        &mut self,
        hardware: &mut Hardware<'_, H, C>,
        clock: &dyn Clock,
        now: Nanos,
    ) -> Option<Nanos> {
        let sound = self.sound.as_mut()?;
        let next = sound.poll(hardware.hypervisor, hardware.card, clock);
        if self.back_end.state() == XenbusState::Connected && sound.state() != XenbusState::Connected {
            self.connection_ends(now);
            self.back_end.fail();
        }
        next
    }

    /// Does what follows from what is known, and asks for what isn't. Returns when it is to be called again.
    pub(super) fn drive(
        &mut self,
        store: &mut Store<'_>,
        hardware: &mut Hardware<'_, H, C>,
        common: &mut Common<'_>,
        now: Nanos,
    ) -> Option<Nanos> {
        self.apply_rights(hardware, common);
        if core::mem::take(&mut self.front_moves) {
            self.settles_at = Nanos(now.0.saturating_add(SETTLE_NS));
            // What was read may be what it takes back.
            self.transport.clear();
        }
        for _ in 0..STEPS_PER_CALL {
            // Streams don't go on playing because xenstored is slow: this doesn't wait for anything.
            if self.step(common) == Step::Close {
                self.act(Step::Close, hardware, common, now);
            }
            if store.broken().is_some() {
                return None;
            }
            if self.go_on_writing(store, now) {
                return None;
            }
            if !self.asking.may_ask(now) {
                return self.asking.due(now);
            }
            match self.next(common, now) {
                Next::Ask(question) => {
                    self.ask(store, question, now);
                    return self.asking.due(now);
                }
                Next::WriteState if common.writing >= MAX_TRANSACTIONS => {
                    return Some(Nanos(now.0.saturating_add(TURN_NS)));
                }
                Next::WriteState => {
                    common.writing = common.writing.saturating_add(1);
                    self.begin_writing();
                }
                Next::Do(step) => self.act(step, hardware, common, now),
                Next::Settle(until) => return Some(until),
                Next::Nothing => return None,
            }
        }
        // Only what a guest does over and over takes more steps.
        Some(now)
    }

    /// The step that is due.
    fn step(&self, common: &Common<'_>) -> Step {
        if self.is_leaving {
            return Step::Wait;
        }
        let view = View { online: self.view.online && !common.is_ending, ..self.view };
        match self.back_end.step(&view) {
            // The domain ends, the device doesn't: another driver domain may take it over.
            Step::RemoveDirectory if self.view.online => Step::Wait,
            step => step,
        }
    }

    fn next(&self, common: &Common<'_>, now: Nanos) -> Next {
        if self.is_leaving {
            return if self.is_watched {
                Next::Ask(Question::Unwatch)
            } else if self.told.is_there {
                Next::Ask(Question::RemoveTold)
            } else {
                Next::Nothing
            };
        }
        if self.to_read.state {
            return Next::Ask(Question::OwnState);
        }
        if self.view.directory {
            if self.to_read.online {
                return Next::Ask(Question::Online);
            }
            if self.to_read.may_play {
                return Next::Ask(Question::Right(Direction::Playback));
            }
            if self.to_read.may_record {
                return Next::Ask(Question::Right(Direction::Capture));
            }
            if self.shown != self.back_end.state() {
                return Next::WriteState;
            }
        }
        match self.step(common) {
            Step::SetUp => self.next_of_set_up(common),
            Step::Connect | Step::Reopen if self.to_read.front => Next::Ask(Question::FrontState),
            Step::Connect | Step::Reopen if self.is_early(now) => {
                Next::Settle(self.pace.due(now).unwrap_or(now).max(self.settles_at))
            }
            Step::Connect => match self.transport.next(self.id, self.directory.streams()) {
                Some(_) => Next::Ask(Question::Transport),
                None => Next::Do(Step::Connect),
            },
            Step::Reopen => Next::Do(Step::Reopen),
            Step::Forget => Next::Do(Step::Forget),
            Step::RemoveDirectory => Next::Ask(Question::RemoveDirectory),
            // Done before anything else, if it can be done at all now.
            Step::Close => Next::Nothing,
            // After all else, so that a guest which writes this node all the time keeps nothing from being done.
            Step::Wait if self.to_read.front && self.is_watched => Next::Ask(Question::FrontState),
            Step::Wait => Next::Nothing,
        }
    }

    /// Whether it is too early for a connection.
    fn is_early(&self, now: Nanos) -> bool {
        now < self.settles_at || !self.pace.is_over(now)
    }

    fn next_of_set_up(&self, common: &Common<'_>) -> Next {
        match (self.front_is_right, self.description) {
            (None, _) => Next::Ask(Question::Frontend),
            (Some(true), _) if !self.is_watched => Next::Ask(Question::Watch),
            (Some(true), Description::Reading) => {
                Next::Ask(Question::Directory(self.directory.next(self.id).0))
            }
            // Before the rights are known, nobody gets any.
            (Some(true), Description::Good) if common.policy.is_none() => Next::Nothing,
            _ => Next::Do(Step::SetUp),
        }
    }

    /// Does a step for which xenstored need not be asked.
    fn act(&mut self, step: Step, hardware: &mut Hardware<'_, H, C>, common: &Common<'_>, now: Nanos) {
        let outcome = match step {
            Step::SetUp => self.set_up(common),
            Step::Connect => self.connect(hardware, now),
            Step::Close => {
                self.connection_ends(now);
                self.close(hardware)
            }
            Step::Reopen => {
                self.transport.clear();
                // Where nothing was set up, nothing will be: the settings are read once only.
                let is_open = self.sound.as_mut().is_some_and(SoundDevice::reopen);
                if is_open { Outcome::Done } else { Outcome::Failed }
            }
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
        if self.description == Description::Bad {
            return Outcome::Failed;
        }
        let streams = self.directory.streams();
        for found in streams.iter().filter(|found| is_useless(&found.config.abilities)) {
            let path = found.id.path(self.id);
            log::warn!("{path}: nothing of what its settings allow can be had on the card's port");
        }
        let configs: Vec<StreamConfig, MAX_STREAMS> = streams.iter().map(|found| found.config).collect();
        let guest = self.id.guest;
        match SoundDevice::new(guest, self.policy, common.ports.as_slice(), &configs) {
            Ok(sound) => {
                log::info!("{}: a card with {} streams", self.id, configs.len());
                self.told.set_up(configs.len());
                self.sound = Some(sound);
                Outcome::Done
            }
            Err(error) => {
                log::error!("{}: can't be set up: {error}", self.id);
                Outcome::Failed
            }
        }
    }

    fn connect(&mut self, hardware: &mut Hardware<'_, H, C>, now: Nanos) -> Outcome {
        let Some(sound) = &mut self.sound else { return Outcome::Failed };
        let connected =
            sound.connect(hardware.hypervisor, self.transport.nodes(), self.transport.control_page(), now);
        self.transport.clear();
        match connected {
            Ok(()) => {
                self.connected_at = Some(now);
                self.lacks = false;
                Outcome::Done
            }
            // Not the front end's fault: it is connected to when another one has left.
            Err(error) if error.is_shortage() => {
                self.pace.failed(now);
                if !core::mem::replace(&mut self.lacks, true) {
                    log::error!("{}: nothing is left to connect it with: {error:?}; trying again", self.id);
                }
                Outcome::Underway
            }
            Err(error) => {
                self.pace.failed(now);
                log::warn!("{}: the front end can't be connected to: {error:?}", self.id);
                Outcome::Failed
            }
        }
    }

    /// A connection is about to end, if there is one.
    fn connection_ends(&mut self, now: Nanos) {
        let Some(since) = self.connected_at.take() else { return };
        if now.0.saturating_sub(since.0) >= LIVED_NS {
            self.back_end.lived();
            self.pace.succeeded();
        } else {
            self.pace.failed(now);
        }
    }

    fn close(&mut self, hardware: &mut Hardware<'_, H, C>) -> Outcome {
        let Some(sound) = &mut self.sound else { return Outcome::Done };
        // While it is Closing it tries by itself, each time it is served.
        if !matches!(sound.state(), XenbusState::Closing | XenbusState::Closed) {
            sound.close(hardware.hypervisor, hardware.card);
        }
        if sound.state() == XenbusState::Closed { Outcome::Done } else { Outcome::Underway }
    }

    /// Puts the guest's rights in force.
    fn apply_rights(&mut self, hardware: &mut Hardware<'_, H, C>, common: &Common<'_>) {
        let Some(for_all) = common.policy else { return };
        let policy = self.rights.policy(for_all);
        if policy == self.policy {
            return;
        }
        self.policy = policy;
        if let Some(sound) = &mut self.sound {
            log::info!("{}: its rights have changed", self.id);
            sound.set_policy(hardware.hypervisor, hardware.card, policy);
        }
    }
}
