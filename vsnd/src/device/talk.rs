//! What a device asks of xenstored, and what follows from the answers.

use core::fmt::{Display, Write};

use audioback::card::{Card, Direction};
use audioback::device::MAX_STREAMS;
use heapless::{String, Vec};
use hyper::{Hypervisor, Nanos};
use sndif::nodes;
use sndif::state::XenbusState;
use xen_guest::xenbus::{Outcome, Step, switch_state};
use xen_guest::xenstore::{
    Operation, Progress, Refusal, Reply, Request, RequestError, RequestId, Store, Transaction,
};

use super::super::asking::{Answer, REQUEST_TIMEOUT_NS};
use super::super::front_directory::{BadDirectory, FoundStream, Read, StreamId, Wanted};
use super::super::names::{DeviceId, Excerpt, PathText};
use super::super::port_name::Ports;
use super::super::settings::{GuestRights, log_bad_value};
use super::{Description, Device};

/// Tries of a transaction before it counts as failed.
const TRANSACTION_TRIES: u8 = 5;

/// What xenstored is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
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

/// What is under way.
pub(super) enum Talk {
    /// Nothing, or a question, if one is awaited.
    Asking(Question),
    /// A state is being written.
    Writing(XenbusState, Transaction),
}

/// What has changed and is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToRead {
    pub(super) state: bool,
    pub(super) online: bool,
    pub(super) may_play: bool,
    pub(super) may_record: bool,
    pub(super) front: bool,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// Takes note of an answer, if it is for this one; returns whether it is.
    pub(in super::super) fn hear(
        &mut self,
        id: RequestId,
        result: &Result<Reply<'_>, RequestError>,
        ports: &Ports,
        now: Nanos,
    ) -> bool {
        match &mut self.talk {
            Talk::Writing(state, transaction) => {
                let mut heard = false;
                with_operations(self.id, *state, self.directory.streams(), &mut |operations| {
                    heard = transaction.hear(operations, id, result);
                });
                heard
            }
            Talk::Asking(question) => {
                let question = *question;
                let Some(answer) = self.asking.hear(id, result, now) else { return false };
                self.answered(question, answer, ports, now);
                true
            }
        }
    }

    /// Begins to write the state that the node is to show.
    pub(super) fn begin_writing(&mut self) {
        let transaction = Transaction::new(TRANSACTION_TRIES, REQUEST_TIMEOUT_NS);
        self.talk = Talk::Writing(self.back_end.state(), transaction);
    }

    /// Goes on with writing a state, if one is being written. Returns whether that is still under way.
    pub(super) fn go_on_writing(&mut self, store: &mut Store<'_>, now: Nanos) -> bool {
        let Talk::Writing(state, transaction) = &mut self.talk else { return false };
        let state = *state;
        let mut progress = Progress::Pending;
        with_operations(self.id, state, self.directory.streams(), &mut |operations| {
            progress = transaction.poll(store, operations, now);
        });
        if progress == Progress::Pending {
            return true;
        }
        self.talk = Talk::Asking(Question::OwnState);
        self.written(state, progress, now);
        false
    }

    /// Sends a question.
    pub(super) fn ask(&mut self, store: &mut Store<'_>, question: Question, now: Nanos) {
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
        if let (Question::Right(direction), Answer::Denied) = (question, &answer) {
            // There may be one that says no.
            log::warn!("{node}: this domain may not read it; the guest has no such right");
            self.rights.deny(direction);
            return;
        }
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
            Question::Watch if reply.is_some() => {
                self.is_watched = true;
                // A watch that was there already, set after its deadline, has no first event.
                self.to_read.front = true;
            }
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
                if let Err(bad) = self.transport.take(reply, self.directory.streams()) {
                    log::warn!("{node}: {bad}");
                    self.transport.clear();
                    self.pace.failed(now);
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
}

/// Hands out the operations that write a state, and before it what a front end looks for once the state tells it to.
fn with_operations(
    id: DeviceId,
    state: XenbusState,
    streams: &[FoundStream],
    act: &mut dyn FnMut(&[Operation<'_>]),
) {
    let state_node = id.own_node(nodes::STATE);
    let mut told = Vec::<(PathText, String<RANGE_BYTES>), MAX_STREAMS>::new();
    let mut tell = |node: PathText, value: &dyn Display| {
        let mut text = String::new();
        // The longest fits, and there are no more of them.
        let _ = write!(text, "{value}");
        let _ = told.push((node, text));
    };
    match state {
        XenbusState::InitWait => OFFERS.iter().for_each(|(name, value)| tell(id.own_node(name), value)),
        // Not sooner: it takes its time, and nobody needs it before a stream is open.
        XenbusState::Connected => {
            for FoundStream { id: StreamId { pcm, stream }, config } in streams {
                if let Some(range) = config.abilities.volume {
                    let name = format_args!("{pcm}/{stream}/{}", nodes::VOLUME_RANGE);
                    tell(id.own_node(name), &range);
                }
            }
        }
        _ => {}
    }
    // Two numbers and a word always fit.
    let Ok(state_path) = state_node.path() else { return act(&[]) };
    let [expect, write] = switch_state(state_path, state);
    let mut operations = Vec::<_, { MAX_STREAMS + 2 }>::new();
    let told = told.iter().filter_map(|(node, value)| Some(Operation::Write(node.path().ok()?, value)));
    operations.extend([expect].into_iter().chain(told).chain([write]));
    act(&operations);
}

/// Octets of the longest value: two signed numbers, one without a sign, and a digit.
const RANGE_BYTES: usize = 40;

/// What is offered to a front end: the versions of the protocol that are spoken (one of version 1 has no event page), and this
/// project's extensions of it, in which no standard front end takes an interest.
const OFFERS: [(&str, &str); 3] =
    [(nodes::VERSIONS, "2"), (nodes::FEATURE_CONTROL_PAGE, "1"), (nodes::FEATURE_LINKED_START, "1")];
const _: () = assert!(sndif::PROTOCOL_VERSION == 2 && OFFERS.len() <= MAX_STREAMS);
