//! The limits that one directory gives a guest.

use xen_guest::xenstore::{Refusal, RequestError};

use crate::limit_settings::{DIRECTORY, LimitNode, Limits};
use crate::paths::PathText;
use crate::request_slot::Answer;

/// A limit in one directory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// `None`: the directory says nothing about it.
    value: Option<u32>,
    /// Its node has been read since it is there, or isn't there.
    is_read: bool,
    /// Its node has to be read.
    is_stale: bool,
}

/// A question about the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitQuestion {
    /// The names of those that there are. Most guests have none.
    Names,
    Value(LimitNode),
}

impl LimitQuestion {
    /// The node that it is about, below the guest's directory.
    pub(crate) const fn node(self) -> &'static str {
        match self {
            Self::Names => DIRECTORY,
            Self::Value(node) => node.path(),
        }
    }
}

/// The limits that one directory gives a guest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestLimits {
    entries: [Entry; LimitNode::ALL.len()],
    /// The names may have changed since they were read.
    are_names_stale: bool,
    /// The names have been read once.
    are_names_read: bool,
}

impl GuestLimits {
    /// A directory that says nothing.
    pub(crate) const NONE: Self = Self {
        entries: [Entry { value: None, is_read: true, is_stale: false }; LimitNode::ALL.len()],
        are_names_stale: false,
        are_names_read: true,
    };

    /// Limits that are yet to be read.
    pub(crate) const fn unread() -> Self {
        Self { are_names_stale: true, are_names_read: false, ..Self::NONE }
    }

    /// Whether all have been read once.
    pub(crate) fn are_read(&self) -> bool {
        self.are_names_read && self.entries.iter().all(|entry| entry.is_read)
    }

    /// A limit. `None`: the directory says nothing about it.
    pub(crate) fn get(&self, node: LimitNode) -> Option<u32> {
        self.entries.get(node as usize)?.value
    }

    /// Takes the answer to a question. A limit that can't be read is the default, and never none.
    pub(crate) fn on_answer(&mut self, question: LimitQuestion, answer: &Answer<'_>, path: &PathText) {
        match (question, answer) {
            (LimitQuestion::Names, Answer::Done(reply)) => {
                self.on_names(|node| reply.names().any(|name| name == node));
            }
            (LimitQuestion::Names, Answer::Missing) => self.on_names(|_| false),
            // Nodes with other names fill the directory. Those that have a meaning are read all the same.
            (LimitQuestion::Names, Answer::Failed(RequestError::Refused(Refusal::TooBig))) => {
                log::warn!("{path}: it has too many nodes to be listed");
                self.on_names(|_| true);
            }
            (LimitQuestion::Value(node), Answer::Done(reply)) => {
                let value = reply.text().unwrap_or("not a text");
                self.set(node, Some(node.parse(value, path)));
            }
            (LimitQuestion::Value(node), Answer::Missing) => self.set(node, None),
            (LimitQuestion::Value(node), _) => {
                let default = Limits::default().get(node);
                log::error!("{path}: this domain may not read it; until then the limit is {default}");
                self.set(node, Some(default));
            }
            (LimitQuestion::Names, _) => {
                log::error!("{path}: this domain may not read it; until then each limit is the default");
                self.on_names(|_| false);
                LimitNode::ALL.into_iter().for_each(|node| self.set(node, Some(Limits::default().get(node))));
            }
        }
    }

    /// Takes a limit as its node has it now. `None`: the node doesn't exist.
    fn set(&mut self, node: LimitNode, value: Option<u32>) {
        if let Some(entry) = self.entries.get_mut(node as usize) {
            entry.value = value;
            entry.is_read = true;
        }
    }

    /// Takes the names of the limits that there are: these are read, and the others don't exist.
    fn on_names(&mut self, is_listed: impl Fn(&str) -> bool) {
        self.are_names_read = true;
        for (node, entry) in LimitNode::ALL.into_iter().zip(&mut self.entries) {
            entry.is_stale = is_listed(node.name());
            entry.value = entry.value.filter(|_| entry.is_stale);
            entry.is_read = !entry.is_stale || entry.value.is_some();
        }
    }

    /// Notes that the node of that name in the guest's directory, or any (`None`), may have changed since it was read.
    pub(crate) fn on_change(&mut self, node: Option<&str>) {
        self.are_names_stale |= node.is_none_or(|node| node == DIRECTORY);
    }

    /// Notes whether the answer to this question is out of date.
    pub(crate) fn set_stale(&mut self, question: LimitQuestion, is_stale: bool) {
        match question {
            LimitQuestion::Names => self.are_names_stale = is_stale,
            LimitQuestion::Value(node) => {
                if let Some(entry) = self.entries.get_mut(node as usize) {
                    entry.is_stale = is_stale;
                }
            }
        }
    }

    /// The next question.
    pub(crate) fn stale(&self) -> Option<LimitQuestion> {
        if self.are_names_stale {
            return Some(LimitQuestion::Names);
        }
        let mut entries = LimitNode::ALL.into_iter().zip(&self.entries);
        entries.find(|(_, entry)| entry.is_stale).map(|(node, _)| LimitQuestion::Value(node))
    }
}
