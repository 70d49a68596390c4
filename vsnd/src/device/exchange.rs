//! A device's exchange with xenstored: one question, or one transaction, at a time.

use hyper::Nanos;
use sndif::state::XenbusState;
use xen_guest::xenstore::{Progress, Reply, Request, RequestError, RequestId, Transaction};

use crate::card_config::{FoundStream, ReadKind};
use crate::connection::{Connection, REQUEST_TIMEOUT_NS};
use crate::paths::{DeviceId, PathText};
use crate::request_slot::{Answer, RequestSlot};
use crate::requester::{DeviceKey, Requester};

use super::state_write::StateWrite;

/// Tries of a transaction before it counts as failed.
const TRANSACTION_TRIES: u8 = 5;

/// A question to xenstored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// `state` in the back end's directory.
    OwnState,
    /// `online` in the back end's directory.
    Online,
    /// `frontend` in the back end's directory.
    Frontend,
    /// A watch on the front end's state.
    Watch,
    /// The front end's state.
    FrontState,
    /// The next node of the card's description.
    Config(ReadKind),
    /// The next of the front end's transport nodes.
    Transport,
    /// Removal of the back end's directory.
    RemoveDirectory,
    /// The end of the watch.
    Unwatch,
    /// Removal of the published status.
    RemoveStatus,
}

#[derive(Debug)]
enum Current {
    /// A question, if the slot is taken; or else nothing.
    Question(Question),
    StateWrite(XenbusState, Transaction),
}

/// The progress of writing a state.
pub(super) enum WriteProgress {
    /// No state is being written.
    Idle,
    Pending,
    /// Writing this state has ended in this way.
    Ended(XenbusState, Progress),
}

/// A device's exchange with xenstored.
#[derive(Debug)]
pub(super) struct Exchange {
    id: DeviceId,
    pub(super) slot: RequestSlot,
    current: Current,
    /// What the question under way was about is no more: its answer doesn't count.
    is_void: bool,
}

impl Exchange {
    pub(super) fn new(id: DeviceId, key: DeviceKey) -> Self {
        let slot = RequestSlot::new(Requester::Device(key));
        Self { id, slot, current: Current::Question(Question::OwnState), is_void: false }
    }

    pub(super) fn is_writing(&self) -> bool {
        matches!(self.current, Current::StateWrite(..))
    }

    /// Whether a question or a transaction is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.slot.is_taken() || self.is_writing()
    }

    /// Sends a question about the node at `path`. Returns whether it was sent.
    pub(super) fn ask(
        &mut self,
        connection: &mut Connection<'_>,
        question: Question,
        path: &PathText,
        now: Nanos,
    ) -> bool {
        let token = self.id.front_token();
        let sent = path.path().and_then(|path| {
            let request = match question {
                Question::Watch => Request::Watch { path, token: &token },
                Question::Unwatch => Request::Unwatch { path, token: &token },
                Question::Config(ReadKind::Names) => Request::Directory(path),
                Question::RemoveDirectory | Question::RemoveStatus => Request::Remove(path),
                Question::OwnState
                | Question::Online
                | Question::Frontend
                | Question::FrontState
                | Question::Config(ReadKind::Value)
                | Question::Transport => Request::Read(path),
            };
            self.slot.send(connection, request, now)
        });
        match sent {
            Ok(true) => {
                self.current = Current::Question(question);
                self.is_void = false;
            }
            Ok(false) => {}
            Err(bad) => log::error!("{}: \"{path}\" can't be asked for: {bad:?}", self.id),
        }
        sent == Ok(true)
    }

    /// Lets an answer to this question not count, if it is under way.
    pub(super) fn void(&mut self, question: Question) {
        self.is_void |=
            self.slot.is_taken() && matches!(self.current, Current::Question(asked) if asked == question);
    }

    /// Begins to write a state.
    pub(super) fn begin_write(&mut self, state: XenbusState) {
        self.current = Current::StateWrite(state, Transaction::new(TRANSACTION_TRIES, REQUEST_TIMEOUT_NS));
    }

    /// Continues to write a state, if one is being written.
    pub(super) fn advance_write(
        &mut self,
        connection: &mut Connection<'_>,
        streams: &[FoundStream],
        now: Nanos,
    ) -> WriteProgress {
        let Current::StateWrite(state, transaction) = &mut self.current else { return WriteProgress::Idle };
        let state = *state;
        let write = StateWrite::new(self.id, state, streams);
        match connection.advance(self.slot.requester(), transaction, &write.operations(), now) {
            Progress::Pending => WriteProgress::Pending,
            ended => {
                self.current = Current::Question(Question::OwnState);
                WriteProgress::Ended(state, ended)
            }
        }
    }

    /// Handles a reply. Returns a question with its answer, or `None` for a transaction's reply, and for one that doesn't count.
    pub(super) fn on_reply<'a>(
        &mut self,
        id: RequestId,
        result: Result<Reply<'a>, RequestError>,
        streams: &[FoundStream],
        now: Nanos,
    ) -> Option<(Question, Answer<'a>)> {
        match &mut self.current {
            Current::Question(question) => {
                let answer = self.slot.on_reply(result, now);
                (!self.is_void).then_some((*question, answer))
            }
            Current::StateWrite(state, transaction) => {
                let write = StateWrite::new(self.id, *state, streams);
                transaction.hear(&write.operations(), id, &result);
                None
            }
        }
    }
}
