//! A requester's one place for a request under way.

use hyper::{BackOff, Nanos};
use xen_guest::xenstore::{BadText, Refusal, Reply, Request, RequestError, SubmitError};

use crate::connection::Connection;
use crate::requester::Requester;

/// The wait after a failure.
pub(crate) const RETRY: BackOff = BackOff::new(Nanos(50_000_000), Nanos(5_000_000_000));

/// The end of a request.
pub(crate) enum Answer<'a> {
    /// xenstored has done it.
    Done(Reply<'a>),
    /// The node doesn't exist.
    Missing,
    /// This domain has no right to it. xenstored also says so of a missing node in a directory that
    /// can't be read.
    Denied,
    /// Any other refusal, no answer, or an invalid one. Another try is due when
    /// [`RequestSlot::is_free`] allows it.
    Failed(RequestError),
}

/// A requester's one place for a request under way, with the wait after a failure.
///
/// One request each keeps any requester from flooding xenstored, and makes queues unnecessary.
#[derive(Debug)]
pub(crate) struct RequestSlot {
    requester: Requester,
    is_taken: bool,
    back_off: BackOff,
}

impl RequestSlot {
    pub(crate) fn new(requester: Requester) -> Self {
        Self { requester, is_taken: false, back_off: RETRY }
    }

    /// The part of this domain that the slot belongs to.
    pub(crate) fn requester(&self) -> Requester {
        self.requester
    }

    /// Whether a request may be sent now: none is under way, and the wait after the last failure is
    /// over.
    pub(crate) fn is_free(&self, now: Nanos) -> bool {
        !self.is_taken && self.back_off.is_over(now)
    }

    /// Whether a request is under way.
    pub(crate) fn is_taken(&self) -> bool {
        self.is_taken
    }

    /// Sends a request. Returns whether it was sent: the connection may be broken, or have no room
    /// now.
    ///
    /// # Errors
    /// If the request has a text that can't be sent, ever.
    pub(crate) fn send(
        &mut self,
        connection: &mut Connection<'_>,
        request: Request<'_>,
        now: Nanos,
    ) -> Result<bool, BadText> {
        match connection.submit(self.requester, request, now) {
            Ok(()) => {
                self.is_taken = true;
                Ok(true)
            }
            Err(SubmitError::BadText(bad)) => {
                self.back_off.failed(now);
                Err(bad)
            }
            // A full connection has replies to come, and each of them is a reason for the next try.
            Err(_) => Ok(false),
        }
    }

    /// Takes the end of the request, and frees the slot.
    pub(crate) fn on_reply<'a>(&mut self, result: Result<Reply<'a>, RequestError>, now: Nanos) -> Answer<'a> {
        self.is_taken = false;
        match result {
            Ok(reply) => {
                self.back_off.succeeded();
                Answer::Done(reply)
            }
            // For some requests these are answers as good as any; the requester judges.
            Err(RequestError::Refused(Refusal::NoEntry)) => Answer::Missing,
            Err(RequestError::Refused(Refusal::Access | Refusal::Permission)) => Answer::Denied,
            Err(error) => {
                self.back_off.failed(now);
                Answer::Failed(error)
            }
        }
    }

    /// Makes the next request wait, for an answer that was of no use.
    pub(crate) fn failed(&mut self, now: Nanos) {
        self.back_off.failed(now);
    }

    /// The time from which a request may be sent, if only the wait after a failure forbids it.
    pub(crate) fn due(&self, now: Nanos) -> Option<Nanos> {
        if self.is_taken { None } else { self.back_off.due(now) }
    }
}
