//! A device's nodes in xenstore, as far as they are known.

use audioback::device::MAX_STREAMS;
use audioback::stream::StreamConfig;
use heapless::Vec;
use sndif::nodes;
use sndif::state::XenbusState;
use xen_guest::xenbus::View;
use xen_guest::xenstore::{Refusal, Reply, RequestError};

use crate::bounded;
use crate::card_config::{BadConfig, CardConfigReader, ReadKind, ReadProgress};
use crate::excerpt::Excerpt;
use crate::paths::{DeviceId, PathText};
use crate::ports::Ports;
use crate::request_slot::Answer;
use crate::stream_settings::is_unusable;
use crate::transport::TransportReader;

use super::exchange::Question;

/// Nodes that are read again when they may have changed, by the questions that read them.
const KEPT: [Question; 3] = [Question::OwnState, Question::Online, Question::FrontState];

/// The progress of reading the guest's description of its card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Description {
    Reading,
    Good,
    /// The card can't be served, which the log says.
    Bad,
}

/// The effect of an answer beyond the nodes themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// The toolstack has removed the back end's directory and made another one.
    DirectoryReplaced,
    WatchRefused,
    /// The front end can't be connected to.
    TransportFailed,
    StatusRemoved,
}

/// A device's nodes in xenstore, as far as they are known.
pub(super) struct DeviceNodes {
    id: DeviceId,
    pub(super) view: View,
    /// Those of [`KEPT`] that may have changed since they were read.
    stale: Vec<Question, { KEPT.len() }>,
    /// Whether `frontend` names the directory that it has to name; `None`: it is unread.
    pub(super) is_frontend_right: Option<bool>,
    /// The front end's state is watched.
    pub(super) is_watched: bool,
    pub(super) description: Description,
    pub(super) config: CardConfigReader,
    pub(super) transport: TransportReader,
    /// The state that the `state` node shows, as far as this side has written it.
    pub(super) shown: XenbusState,
}

impl DeviceNodes {
    pub(super) fn new(id: DeviceId) -> Self {
        Self {
            id,
            view: View { directory: true, online: true, own_node: None, front: None },
            stale: KEPT.into_iter().filter(|question| *question != Question::FrontState).collect(),
            is_frontend_right: None,
            is_watched: false,
            description: Description::Reading,
            config: CardConfigReader::new(),
            transport: TransportReader::default(),
            shown: XenbusState::Initialising,
        }
    }

    /// Handles a change of a node in the back end's directory, or of any of them (`None`).
    pub(super) fn on_own_change(&mut self, node: Option<&str>) {
        for (name, question) in [(nodes::STATE, Question::OwnState), (nodes::ONLINE, Question::Online)] {
            if node.is_none_or(|node| node == name) {
                self.set_stale(question, true);
            }
        }
    }

    /// The node that a question is about.
    pub(super) fn path(&self, question: Question) -> PathText {
        match question {
            Question::OwnState => self.id.own_node(nodes::STATE),
            Question::Online => self.id.own_node(nodes::ONLINE),
            Question::Frontend => self.id.own_node(nodes::FRONTEND),
            Question::Watch | Question::Unwatch | Question::FrontState => self.id.front_state(),
            Question::Config(_) => self.config.next(self.id).1,
            Question::Transport => self.transport.next(self.id, self.config.streams()).unwrap_or_default(),
            Question::RemoveDirectory => self.id.own_directory(),
            Question::RemoveStatus => self.id.status_directory(),
        }
    }

    /// Notes whether the node that a question reads has to be read again.
    pub(super) fn set_stale(&mut self, question: Question, is_stale: bool) {
        self.stale.retain(|stale| *stale != question);
        // Other nodes are asked for until there is an answer.
        if is_stale && KEPT.contains(&question) {
            bounded::append(&mut self.stale, question);
        }
    }

    /// Whether the node that a question reads may have changed since it was read.
    pub(super) fn is_stale(&self, question: Question) -> bool {
        self.stale.contains(&question)
    }

    /// Handles an answer.
    pub(super) fn on_answer(&mut self, question: Question, answer: Answer<'_>, ports: &Ports) -> Effect {
        let path = self.path(question);
        match (answer, question) {
            (Answer::Done(reply), _) => self.on_reply(question, Some(reply), &path, ports),
            (Answer::Missing | Answer::Denied, _) => self.on_reply(question, None, &path, ports),
            // The one refusal that the guest causes.
            (Answer::Failed(RequestError::Refused(Refusal::TooBig)), Question::Config(ReadKind::Names)) => {
                self.reject_config(&path, &BadConfig::TooLarge);
                Effect::None
            }
            (Answer::Failed(error), _) => {
                log::warn!("{path}: {error}; trying again");
                self.set_stale(question, true);
                Effect::None
            }
        }
    }

    /// Handles a node's value; `None`: this domain can't see the node.
    fn on_reply(
        &mut self,
        question: Question,
        reply: Option<Reply<'_>>,
        path: &PathText,
        ports: &Ports,
    ) -> Effect {
        let text = reply.as_ref().map(|reply| reply.text().unwrap_or("no text"));
        match question {
            Question::OwnState => return self.on_own_state(text),
            Question::Online => self.view.online = text == Some("1"),
            Question::Frontend => self.on_frontend(path, text),
            Question::Watch if reply.is_some() => {
                self.is_watched = true;
                // A watch that was set after its deadline exists already, and has no first event.
                self.set_stale(Question::FrontState, true);
            }
            Question::Watch => {
                log::warn!("{path}: xenstored refuses a watch; trying again");
                return Effect::WatchRefused;
            }
            Question::FrontState => self.view.front = text.and_then(XenbusState::from_node),
            Question::Config(_) => match self.config.take(reply, ports) {
                Ok(ReadProgress::Partial) => {}
                Ok(ReadProgress::Complete) => self.description = Description::Good,
                Err(bad) => self.reject_config(path, &bad),
            },
            Question::Transport => {
                if let Err(bad) = self.transport.take(reply, self.config.streams()) {
                    log::warn!("{path}: {bad}");
                    self.transport.clear();
                    return Effect::TransportFailed;
                }
            }
            // If another domain has removed it, that is as good.
            Question::RemoveDirectory => self.view.directory = false,
            Question::Unwatch => self.is_watched = false,
            Question::RemoveStatus => return Effect::StatusRemoved,
        }
        Effect::None
    }

    /// The streams with what the card's ports offer now. The log says which of them offer nothing.
    pub(super) fn offers(&mut self, ports: &Ports) -> Vec<StreamConfig, MAX_STREAMS> {
        self.config.update_offers(ports);
        let streams = self.config.streams();
        for found in streams.iter().filter(|found| is_unusable(&found.config.abilities)) {
            let path = found.id.path(self.id);
            log::warn!("{path}: the card's port has nothing of what these settings allow");
        }
        streams.iter().map(|found| found.config).collect()
    }

    fn on_own_state(&mut self, text: Option<&str>) -> Effect {
        self.view.own_node = text.and_then(XenbusState::from_node);
        // After this side's states, the toolstack's first one is that of another directory.
        let is_replaced =
            self.view.own_node == Some(XenbusState::Initialising) && self.shown != XenbusState::Initialising;
        self.view.directory = text.is_some() && !is_replaced;
        if is_replaced { Effect::DirectoryReplaced } else { Effect::None }
    }

    fn on_frontend(&mut self, path: &PathText, text: Option<&str>) {
        let expected = self.id.front_directory();
        let is_right = text == Some(expected.as_str());
        self.is_frontend_right = Some(is_right);
        if !is_right {
            let named = Excerpt::of(text.unwrap_or_default());
            log::warn!("{path}: {named} instead of {expected}; the device stays closed");
            self.description = Description::Bad;
        }
    }

    fn reject_config(&mut self, path: &PathText, bad: &BadConfig) {
        log::warn!("{path}: {bad}; the device stays closed");
        self.description = Description::Bad;
    }
}
