//! What the toolstack tells the domain as a whole: `control/shutdown`.

use hyper::Nanos;
use xen_guest::xenstore::{Path, Reply, Request, RequestError, RequestId, Store};

use super::asking::{Answer, Asking};
use super::names::Excerpt;

/// Where the toolstack writes what it wants, and where it looks for the answer: an empty value.
const SHUTDOWN: &str = "control/shutdown";

/// The token of the watch on it.
pub(super) const TOKEN: &str = "shutdown";

/// Why the domain is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// For good.
    PowerOff,
    /// To be started again.
    Reboot,
    /// For good, as [`PowerOff`](Self::PowerOff); the toolstack has two words for it.
    Halt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Watch,
    Read,
    Acknowledge,
}

/// The talk with the toolstack.
#[derive(Debug)]
pub(super) struct Control {
    asking: Asking,
    asked: Question,
    is_watched: bool,
    is_changed: bool,
    /// What is wanted, and isn't acknowledged yet.
    wanted: Option<ShutdownReason>,
}

impl Control {
    pub(super) fn new() -> Self {
        Self {
            asking: Asking::default(),
            asked: Question::Watch,
            is_watched: false,
            is_changed: false,
            wanted: None,
        }
    }

    /// The watch says that the node has changed.
    pub(super) fn changed(&mut self) {
        self.is_changed = true;
    }

    /// Whether xenstored has yet to hear, or to answer, that a request to end was seen.
    pub(super) fn is_busy(&self) -> bool {
        self.wanted.is_some()
    }

    /// Sends what is to be sent. Returns when it is to be called again.
    pub(super) fn drive(&mut self, store: &mut Store<'_>, now: Nanos) -> Option<Nanos> {
        let question = if !self.is_watched {
            Question::Watch
        } else if self.wanted.is_some() {
            Question::Acknowledge
        } else if self.is_changed {
            Question::Read
        } else {
            return None;
        };
        if !self.asking.may_ask(now) {
            return self.asking.due(now);
        }
        let path = Path::new(SHUTDOWN).ok()?;
        let request = match question {
            Question::Watch => Request::Watch { path, token: TOKEN },
            Question::Read => Request::Read(path),
            Question::Acknowledge => Request::Write(path, ""),
        };
        if self.asking.ask(store, request, now) == Ok(true) {
            self.asked = question;
            if question == Question::Read {
                self.is_changed = false;
            }
        }
        None
    }

    /// Takes note of an answer, if it is for this one. `Some(Some(..))`: the domain is to end.
    pub(super) fn hear(
        &mut self,
        id: RequestId,
        result: &Result<Reply<'_>, RequestError>,
        now: Nanos,
    ) -> Option<Option<ShutdownReason>> {
        let answer = self.asking.hear(id, result, now)?;
        match (self.asked, answer) {
            (Question::Watch, Answer::Done(_)) => self.is_watched = true,
            (Question::Read, Answer::Done(reply)) => {
                let reason = self.judge(reply.text().unwrap_or("no text"));
                self.wanted = reason;
                return Some(reason);
            }
            (Question::Read, Answer::Missing) => {}
            (Question::Read, Answer::Lost(error)) => {
                log::warn!("{SHUTDOWN}: {error}; trying again");
                self.is_changed = true;
            }
            (Question::Read, Answer::Refused(refusal)) => {
                log::warn!("{SHUTDOWN}: xenstored says {refusal:?}; trying again");
                self.is_changed = true;
            }
            (Question::Acknowledge, Answer::Done(_)) => self.wanted = None,
            // Whoever wants the domain to end will see it end.
            (Question::Acknowledge, Answer::Missing | Answer::Denied | Answer::Refused(_)) => {
                log::warn!("{SHUTDOWN}: can't be acknowledged");
                self.wanted = None;
            }
            (_, Answer::Lost(error)) => log::warn!("{SHUTDOWN}: {error}; trying again"),
            (_, Answer::Missing | Answer::Denied | Answer::Refused(_)) => {
                log::warn!("{SHUTDOWN}: xenstored refuses to show it");
                self.asking.failed(now);
            }
        }
        Some(None)
    }

    fn judge(&self, value: &str) -> Option<ShutdownReason> {
        match value {
            "poweroff" => Some(ShutdownReason::PowerOff),
            "reboot" => Some(ShutdownReason::Reboot),
            "halt" => Some(ShutdownReason::Halt),
            // An acknowledgement.
            "" => None,
            other => {
                log::warn!("{SHUTDOWN}: {} isn't supported", Excerpt::of(other));
                None
            }
        }
    }
}
