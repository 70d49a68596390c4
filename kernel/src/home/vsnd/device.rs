//! One device's life on xenstore: from the directory that the toolstack makes for it to its removal.
//!
//! What is to be done next follows from what is known ([`Device::next`]), never from where a script was left: so nodes
//! may change at any moment, in any order, and at worst something is read once more. One request is under way at a time.

use audioback::card::{Card, Direction};
use audioback::clock::Nanos;
use audioback::device::{Device as SoundDevice, MAX_STREAMS};
use audioback::hypervisor::Hypervisor;
use audioback::policy::Policy;
use audioback::stream::StreamConfig;
use heapless::Vec;
use sndif::nodes;
use sndif::state::XenbusState;
use xen_guest::xenbus::{BackEnd, Outcome, Step, View, switch_state};
use xen_guest::xenstore::{
    Operation, Progress, Refusal, Reply, Request, RequestError, RequestId, Store, Transaction,
};

use super::asking::{Answer, Asking, REQUEST_TIMEOUT_NS};
use super::front_directory::{BadDirectory, FrontDirectory, Read, Wanted};
use super::level::is_useless;
use super::names::{DeviceId, Excerpt, PathText};
use super::port_name::Ports;
use super::settings::{GuestRights, MAY_PLAY, MAY_RECORD, log_bad_value};
use super::state::{COUNTERS_INTERVAL_NS, News, NewsDue, StreamNote};
use super::transport::Transport;

/// Tries of a transaction before it counts as failed.
const TRANSACTION_TRIES: u8 = 5;

/// Steps that a device takes in one call, none of which asks xenstored.
const STEPS_PER_CALL: usize = 4;

/// What the image has one of.
pub(super) struct Hardware<'a, H, C> {
    pub(super) hypervisor: &'a mut H,
    pub(super) card: &'a mut C,
}

/// What holds for all devices.
pub(super) struct Common<'a> {
    /// The card's ports.
    pub(super) ports: &'a Ports,
    /// What guests may do for which nothing else is said; `None` until that is known.
    pub(super) policy: Option<&'a Policy>,
    /// The domain ends: all is to be closed.
    pub(super) is_ending: bool,
}

/// What xenstored is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// `state` in the back end's directory.
    OwnState,
    /// `online` there.
    Online,
    /// `frontend` there.
    Frontend,
    /// A watch on the front end's state.
    Watch,
    /// The front end's state.
    FrontState,
    /// What dom0 allows this guest.
    Right(Direction),
    /// The next piece of the front end's directory.
    Directory(Wanted),
    /// The next number of the front end's transport nodes.
    Transport,
    /// The back end's directory is to go.
    RemoveDirectory,
    /// The watch is to end.
    Unwatch,
    /// What was told of the device is to go.
    RemoveTold,
}

enum Talk {
    /// Nothing, or a question, if one is awaited.
    Asking(Question),
    /// A state is being written.
    Writing(XenbusState, Transaction),
}

/// What is to be done next.
enum Next {
    Ask(Question),
    WriteState,
    Do(Step),
    Nothing,
}

/// What has changed and is to be read.
#[derive(Clone, Copy, Debug)]
struct ToRead {
    state: bool,
    online: bool,
    may_play: bool,
    may_record: bool,
    front: bool,
}

/// How far the guest's description of its card is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Description {
    Reading,
    Good,
    /// Of no use, which the log says.
    Bad,
}

/// What was told of the device in `snddom/state`.
#[derive(Debug, Default)]
struct Told {
    /// There may be nodes.
    is_there: bool,
    state: Option<XenbusState>,
    streams: Vec<Option<(Nanos, StreamNote)>, MAX_STREAMS>,
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

    fn is_talking(&self) -> bool {
        self.asking.awaits() || matches!(self.talk, Talk::Writing(..))
    }

    /// Serves the streams. Returns when that is due again.
    pub(super) fn serve(&mut self, hardware: &mut Hardware<'_, H, C>, now: Nanos) -> Option<Nanos> {
        let sound = self.sound.as_mut()?;
        let next = sound.poll(hardware.hypervisor, hardware.card, now);
        if self.back_end.state() == XenbusState::Connected && sound.state() != XenbusState::Connected {
            self.back_end.fail();
        }
        next
    }

    /// Does what follows from what is known, and asks for what isn't. Returns when it is to be called again.
    pub(super) fn drive(
        &mut self,
        store: &mut Store<'_>,
        hardware: &mut Hardware<'_, H, C>,
        common: &Common<'_>,
        now: Nanos,
    ) -> Option<Nanos> {
        self.apply_rights(hardware, common);
        for _ in 0..STEPS_PER_CALL {
            // Streams don't go on playing because xenstored is slow: this doesn't wait for anything.
            if self.step(common) == Step::Close {
                self.act(Step::Close, hardware, common);
            }
            if store.broken().is_some() {
                return None;
            }
            if let Talk::Writing(state, transaction) = &mut self.talk {
                let progress =
                    with_operations(self.id, *state, |operations| transaction.poll(store, operations, now));
                let state = *state;
                if progress == Progress::Pending {
                    return None;
                }
                self.talk = Talk::Asking(Question::OwnState);
                self.written(state, progress, now);
            }
            if !self.asking.may_ask(now) {
                return self.asking.due(now);
            }
            match self.next(common) {
                Next::Ask(question) => {
                    self.ask(store, question, now);
                    return self.asking.due(now);
                }
                Next::WriteState => {
                    let transaction = Transaction::new(TRANSACTION_TRIES, REQUEST_TIMEOUT_NS);
                    self.talk = Talk::Writing(self.back_end.state(), transaction);
                }
                Next::Do(step) => self.act(step, hardware, common),
                Next::Nothing => return None,
            }
        }
        // Only what a guest does over and over takes more steps.
        Some(now)
    }

    /// Takes note of an answer, if it is for this one; returns whether it is.
    pub(super) fn hear(
        &mut self,
        id: RequestId,
        result: &Result<Reply<'_>, RequestError>,
        ports: &Ports,
        now: Nanos,
    ) -> bool {
        match &mut self.talk {
            Talk::Writing(state, transaction) => {
                with_operations(self.id, *state, |operations| transaction.hear(operations, id, result))
            }
            Talk::Asking(question) => {
                let question = *question;
                let Some(answer) = self.asking.hear(id, result, now) else { return false };
                self.answered(question, answer, ports, now);
                true
            }
        }
    }

    /// What there is to tell people.
    pub(super) fn news(&self, ports: &Ports, now: Nanos) -> NewsDue {
        if self.is_leaving {
            return NewsDue::Never;
        }
        let state = self.back_end.state();
        if self.told.state != Some(state) {
            return NewsDue::Now(News::State(state));
        }
        let Some(sound) = &self.sound else { return NewsDue::Never };
        let mut later: Option<Nanos> = None;
        for (index, found) in self.directory.streams().iter().enumerate() {
            let Some(stream) = sound.stream(index) else { break };
            let note = StreamNote::of(stream, ports.name(found.config.port));
            let due = match self.told.streams.get(index) {
                Some(Some((_, told))) if *told == note => continue,
                Some(Some((at, told))) if !told.differs_in_kind(&note) => {
                    Nanos(at.0.saturating_add(COUNTERS_INTERVAL_NS))
                }
                _ => now,
            };
            if due <= now {
                return NewsDue::Now(News::Stream(index, found.id, note));
            }
            later = Some(later.map_or(due, |later| later.min(due)));
        }
        later.map_or(NewsDue::Never, NewsDue::At)
    }

    /// Something is being told: there is something to remove, once this device is gone.
    pub(super) fn is_being_told(&mut self) {
        self.told.is_there = true;
    }

    /// Takes note of what was told.
    pub(super) fn told(&mut self, news: News, now: Nanos) {
        match news {
            News::State(state) => self.told.state = Some(state),
            News::Stream(index, _, note) => {
                if let Some(place) = self.told.streams.get_mut(index) {
                    *place = Some((now, note));
                }
            }
        }
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

    fn next(&self, common: &Common<'_>) -> Next {
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

    fn ask(&mut self, store: &mut Store<'_>, question: Question, now: Nanos) {
        let node = self.node(question);
        let token = self.id.front_token();
        let asked = node.path().and_then(|path| {
            let request = match question {
                Question::Watch => Request::Watch { path, token: &token },
                Question::Unwatch => Request::Unwatch { path, token: &token },
                Question::Directory(Wanted::Names) => Request::Directory(path),
                Question::RemoveDirectory | Question::RemoveTold => Request::Remove(path),
                _ => Request::Read(path),
            };
            self.asking.ask(store, request, now)
        });
        match asked {
            Ok(true) => {
                self.talk = Talk::Asking(question);
                self.forget_change(question);
            }
            Ok(false) => {}
            Err(bad) => log::error!("{}: \"{node}\" can't be asked for: {bad:?}", self.id),
        }
    }

    /// What is being read need not be read again, unless it changes once more.
    fn forget_change(&mut self, question: Question) {
        match question {
            Question::OwnState => self.to_read.state = false,
            Question::Online => self.to_read.online = false,
            Question::FrontState => self.to_read.front = false,
            Question::Right(Direction::Playback) => self.to_read.may_play = false,
            Question::Right(Direction::Capture) => self.to_read.may_record = false,
            _ => {}
        }
    }

    /// The node that a question is about.
    fn node(&self, question: Question) -> PathText {
        match question {
            Question::OwnState => self.id.own_node(nodes::STATE),
            Question::Online => self.id.own_node(nodes::ONLINE),
            Question::Frontend => self.id.own_node(nodes::FRONTEND),
            Question::Watch | Question::Unwatch | Question::FrontState => self.id.front_state(),
            Question::Right(direction) => GuestRights::path(self.id.guest, direction),
            Question::Directory(_) => self.directory.next(self.id).1,
            Question::Transport => self.transport.next(self.id, self.directory.streams()).unwrap_or_default(),
            Question::RemoveDirectory => self.id.own_directory(),
            Question::RemoveTold => self.id.told_directory(),
        }
    }

    fn answered(&mut self, question: Question, answer: Answer<'_>, ports: &Ports, now: Nanos) {
        let node = self.node(question);
        let reply = match answer {
            Answer::Done(reply) => Some(reply),
            Answer::Missing | Answer::Denied => None,
            // The one refusal that is the guest's doing.
            Answer::Refused(Refusal::TooBig) if question == Question::Directory(Wanted::Names) => {
                self.describe_as_bad(&node, &BadDirectory::TooLarge);
                return;
            }
            Answer::Refused(refusal) => {
                log::warn!("{node}: xenstored says {refusal:?}; trying again");
                self.recall_change(question);
                return;
            }
            Answer::Lost(error) => {
                log::warn!("{node}: {error}; trying again");
                self.recall_change(question);
                return;
            }
        };
        let text = reply.as_ref().map(|reply| reply.text().unwrap_or("no text"));
        match question {
            Question::OwnState => {
                self.view.own_node = text.and_then(XenbusState::from_node);
                // The toolstack's first state, after this side's: another directory, made after the old one was removed.
                let is_another = self.view.own_node == Some(XenbusState::Initialising)
                    && self.shown != XenbusState::Initialising;
                self.view.directory = text.is_some() && !is_another;
                self.is_back |= is_another;
            }
            Question::Online => self.view.online = text == Some("1"),
            Question::Frontend => self.judge_frontend(&node, text),
            Question::Watch if reply.is_some() => self.is_watched = true,
            Question::Watch => {
                log::warn!("{node}: xenstored refuses a watch; trying again");
                self.asking.failed(now);
            }
            Question::FrontState => self.view.front = text.and_then(XenbusState::from_node),
            Question::Right(direction) => {
                if !self.rights.set(direction, text, ports) {
                    log_bad_value(&node, text.unwrap_or_default());
                }
            }
            Question::Directory(_) => match self.directory.take(reply, ports) {
                Ok(Read::Partly) => {}
                Ok(Read::Wholly) => self.description = Description::Good,
                Err(bad) => self.describe_as_bad(&node, &bad),
            },
            Question::Transport => {
                if let Err(bad) = self.transport.take(reply) {
                    log::warn!("{node}: {bad}");
                    self.transport.clear();
                    self.back_end.done(Step::Connect, Outcome::Failed);
                }
            }
            // Whoever else has removed it: it is gone.
            Question::RemoveDirectory => self.view.directory = false,
            Question::Unwatch => self.is_watched = false,
            Question::RemoveTold => self.told.is_there = false,
        }
    }

    /// A question that has no answer is to be asked again.
    fn recall_change(&mut self, question: Question) {
        match question {
            Question::OwnState => self.to_read.state = true,
            Question::Online => self.to_read.online = true,
            Question::FrontState => self.to_read.front = true,
            Question::Right(Direction::Playback) => self.to_read.may_play = true,
            Question::Right(Direction::Capture) => self.to_read.may_record = true,
            // These are asked again as long as the answer is missing.
            _ => {}
        }
    }

    fn judge_frontend(&mut self, node: &PathText, text: Option<&str>) {
        let expected = self.id.front_directory();
        self.front_is_right = Some(text == Some(expected.as_str()));
        if self.front_is_right == Some(false) {
            let named = Excerpt::of(text.unwrap_or_default());
            log::warn!("{node}: {named} instead of {expected}; the device stays closed");
            self.description = Description::Bad;
        }
    }

    fn describe_as_bad(&mut self, node: &PathText, bad: &BadDirectory) {
        log::warn!("{node}: {bad}; the device stays closed");
        self.description = Description::Bad;
    }

    /// A state was written, or not.
    fn written(&mut self, state: XenbusState, progress: Progress, now: Nanos) {
        match progress {
            // Whoever calls has seen that it is over.
            Progress::Pending => {}
            Progress::Committed => {
                self.shown = state;
                self.view.own_node = Some(state);
            }
            Progress::Missing => {
                self.view.directory = false;
                self.view.own_node = None;
            }
            Progress::Failed(error) => {
                let node = self.id.own_node(nodes::STATE);
                log::warn!("{node}: {} was not written: {error:?}; trying again", state.code());
                self.to_read.state = true;
                self.asking.failed(now);
            }
        }
    }

    /// Does a step for which xenstored need not be asked.
    fn act(&mut self, step: Step, hardware: &mut Hardware<'_, H, C>, common: &Common<'_>) {
        let outcome = match step {
            Step::SetUp => self.set_up(common),
            Step::Connect => self.connect(hardware),
            Step::Close => self.close(hardware),
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
                self.told.streams.clear();
                // As many as there are streams.
                let _ = self.told.streams.resize(configs.len(), None);
                self.sound = Some(sound);
                Outcome::Done
            }
            Err(error) => {
                log::error!("{}: can't be set up: {error:?}", self.id);
                Outcome::Failed
            }
        }
    }

    fn connect(&mut self, hardware: &mut Hardware<'_, H, C>) -> Outcome {
        let Some(sound) = &mut self.sound else { return Outcome::Failed };
        let connected = sound.connect(hardware.hypervisor, self.transport.nodes());
        self.transport.clear();
        match connected {
            Ok(()) => Outcome::Done,
            Err(error) => {
                log::warn!("{}: the front end can't be connected to: {error:?}", self.id);
                Outcome::Failed
            }
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

/// Hands out the operations that write a state.
fn with_operations<T>(id: DeviceId, state: XenbusState, act: impl FnOnce(&[Operation<'_>]) -> T) -> T {
    let (state_node, versions_node) = (id.own_node(nodes::STATE), id.own_node(nodes::VERSIONS));
    let (Ok(state_path), Ok(versions_path)) = (state_node.path(), versions_node.path()) else {
        // Two numbers and a word always fit.
        return act(&[]);
    };
    let [expect, write] = switch_state(state_path, state);
    if state == XenbusState::InitWait {
        // A front end looks there once the state tells it to.
        act(&[expect, Operation::Write(versions_path, VERSIONS), write])
    } else {
        act(&[expect, write])
    }
}

/// The versions of the protocol that are spoken: a front end of version 1 has no event page.
const VERSIONS: &str = "2";
const _: () = assert!(sndif::PROTOCOL_VERSION == 2);
