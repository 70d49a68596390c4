//! The toolstack's requests to the domain as a whole: `control/shutdown`.

use hyper::Nanos;
use xen_guest::xenstore::{Path, Reply, Request, RequestError};

use crate::connection::Connection;
use crate::excerpt::Excerpt;
use crate::request_slot::{Answer, RequestSlot};
use crate::requester::Requester;

/// The toolstack writes its request here, and waits for an empty value.
const SHUTDOWN: &str = "control/shutdown";

/// The token of the watch on that node.
pub(crate) const TOKEN: &str = "shutdown";

/// The reason for the domain's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// The domain ends for good.
    PowerOff,
    /// The domain is started again.
    Reboot,
    /// The toolstack's other word for [`PowerOff`](Self::PowerOff).
    Halt,
}

impl ShutdownReason {
    fn from_node(value: &str) -> Option<Self> {
        match value {
            "poweroff" => Some(Self::PowerOff),
            "reboot" => Some(Self::Reboot),
            "halt" => Some(Self::Halt),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Watch,
    Read,
    Acknowledge,
}

/// Reads and acknowledges the toolstack's requests.
#[derive(Debug)]
pub(crate) struct ShutdownRequests {
    slot: RequestSlot,
    asked: Question,
    is_watched: bool,
    /// The node may have changed since it was read.
    is_stale: bool,
    /// The request that isn't acknowledged yet.
    unacknowledged: Option<ShutdownReason>,
}

impl ShutdownRequests {
    pub(crate) fn new() -> Self {
        Self {
            slot: RequestSlot::new(Requester::Shutdown),
            asked: Question::Watch,
            is_watched: false,
            is_stale: false,
            unacknowledged: None,
        }
    }

    /// Handles the watch's event: the node has changed.
    pub(crate) fn on_change(&mut self) {
        self.is_stale = true;
    }

    /// Whether a request has yet to be acknowledged.
    pub(crate) fn is_busy(&self) -> bool {
        self.unacknowledged.is_some()
    }

    /// Sends the next question, if there is one. Returns the time at which to call again.
    pub(crate) fn drive(&mut self, connection: &mut Connection<'_>, now: Nanos) -> Option<Nanos> {
        let question = if !self.is_watched {
            Question::Watch
        } else if self.unacknowledged.is_some() {
            Question::Acknowledge
        } else if self.is_stale {
            Question::Read
        } else {
            return None;
        };
        if !self.slot.is_free(now) {
            return self.slot.due(now);
        }
        let path = Path::new(SHUTDOWN).ok()?;
        let request = match question {
            Question::Watch => Request::Watch { path, token: TOKEN },
            Question::Read => Request::Read(path),
            Question::Acknowledge => Request::Write(path, ""),
        };
        if self.slot.send(connection, request, now) == Ok(true) {
            self.asked = question;
            if question == Question::Read {
                self.is_stale = false;
            }
        }
        None
    }

    /// Handles an answer. Returns the reason if the domain is to end.
    pub(crate) fn on_reply(
        &mut self,
        result: Result<Reply<'_>, RequestError>,
        now: Nanos,
    ) -> Option<ShutdownReason> {
        match (self.asked, self.slot.on_reply(result, now)) {
            (Question::Watch, Answer::Done(_)) => self.is_watched = true,
            (Question::Read, Answer::Done(reply)) => {
                let value = reply.text().unwrap_or("no text");
                let reason = ShutdownReason::from_node(value);
                // An empty value is an acknowledgement.
                if reason.is_none() && !value.is_empty() {
                    log::warn!("{SHUTDOWN}: {} isn't supported", Excerpt::of(value));
                }
                self.unacknowledged = reason;
                return reason;
            }
            (Question::Read, Answer::Missing) => {}
            (Question::Read, Answer::Lost(error)) => {
                log::warn!("{SHUTDOWN}: {error}; trying again");
                self.is_stale = true;
            }
            (Question::Read, Answer::Refused(refusal)) => {
                log::warn!("{SHUTDOWN}: xenstored says {refusal:?}; trying again");
                self.is_stale = true;
            }
            (Question::Acknowledge, Answer::Done(_)) => self.unacknowledged = None,
            // The toolstack sees the domain's end in any case.
            (Question::Acknowledge, Answer::Missing | Answer::Denied | Answer::Refused(_)) => {
                log::warn!("{SHUTDOWN}: xenstored refuses the acknowledgement");
                self.unacknowledged = None;
            }
            (Question::Watch | Question::Acknowledge, Answer::Lost(error)) => {
                log::warn!("{SHUTDOWN}: {error}; trying again");
            }
            (Question::Watch, Answer::Missing | Answer::Denied | Answer::Refused(_))
            | (Question::Read, Answer::Denied) => {
                log::warn!("{SHUTDOWN}: xenstored refuses access");
                self.slot.failed(now);
            }
        }
        None
    }
}
