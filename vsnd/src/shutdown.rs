//! The toolstack's requests to the domain as a whole: `control/shutdown`.

use hyper::Nanos;
use xen_guest::xenstore::{Path, Reply, Request, RequestError};

use crate::connection::Connection;
use crate::excerpt::Excerpt;
use crate::request_slot::Answer;
use crate::requester::Requester;
use crate::watch::Watch;

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
    /// The connection to xenstored can't be used any more. No right could be withdrawn, and no request to end would be heard, so
    /// the domain ends as crashed: what supervises it can start it anew.
    Deaf,
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
    Read,
    Acknowledge,
}

/// Reads and acknowledges the toolstack's requests.
#[derive(Debug)]
pub(crate) struct ShutdownRequests {
    watch: Watch<Question>,
    /// The node may have changed since it was read.
    is_stale: bool,
    /// The request that isn't acknowledged yet.
    unacknowledged: Option<ShutdownReason>,
}

impl ShutdownRequests {
    pub(crate) fn new() -> Self {
        Self {
            watch: Watch::new(Requester::Shutdown, SHUTDOWN, TOKEN),
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
        let read = self.is_stale.then_some(Question::Read);
        let next = if self.unacknowledged.is_some() { Some(Question::Acknowledge) } else { read };
        let asked = self.watch.ask(connection, next, now, |slot, connection, question| {
            let path = Path::new(SHUTDOWN)?;
            let request = match question {
                Question::Read => Request::Read(path),
                Question::Acknowledge => Request::Write(path, ""),
            };
            slot.send(connection, request, now)
        });
        if asked == Ok(Question::Read) {
            self.is_stale = false;
        }
        asked.err().flatten()
    }

    /// Handles an answer. Returns the reason if the domain is to end.
    pub(crate) fn on_reply(
        &mut self,
        result: Result<Reply<'_>, RequestError>,
        now: Nanos,
    ) -> Option<ShutdownReason> {
        match self.watch.on_reply(result, now)? {
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
            (Question::Read, Answer::Failed(error)) => {
                log::warn!("{SHUTDOWN}: {error}; trying again");
                self.is_stale = true;
            }
            (Question::Acknowledge, Answer::Done(_)) => self.unacknowledged = None,
            // The toolstack sees the domain's end in any case.
            (
                Question::Acknowledge,
                Answer::Missing | Answer::Denied | Answer::Failed(RequestError::Refused(_)),
            ) => {
                log::warn!("{SHUTDOWN}: xenstored refuses the acknowledgement");
                self.unacknowledged = None;
            }
            (Question::Acknowledge, Answer::Failed(error)) => {
                log::warn!("{SHUTDOWN}: {error}; trying again");
            }
            (Question::Read, Answer::Denied) => {
                log::warn!("{SHUTDOWN}: xenstored refuses access");
                self.watch.slot.failed(now);
            }
        }
        None
    }
}
