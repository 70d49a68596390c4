//! A part's watch in xenstore, and the questions that follow from it.

use hyper::Nanos;
use xen_guest::xenstore::{BadText, Path, Reply, Request, RequestError};

use crate::connection::Connection;
use crate::request_slot::{Answer, RequestSlot};
use crate::requester::Requester;

/// A part's watch in xenstore, and its place for a request.
///
/// The watch is set before the first question `Q`. So no change between question and event is missed.
#[derive(Debug)]
pub(crate) struct Watch<Q> {
    path: &'static str,
    token: &'static str,
    pub(crate) slot: RequestSlot,
    is_set: bool,
    /// The question under way, or else the last one. `None`: the watch itself.
    asked: Option<Q>,
}

impl<Q: Copy> Watch<Q> {
    pub(crate) fn new(requester: Requester, path: &'static str, token: &'static str) -> Self {
        Self { path, token, slot: RequestSlot::new(requester), is_set: false, asked: None }
    }

    /// Sets the watch, or else asks the next question, if there is one. `send` sends its request.
    ///
    /// Returns the question that was sent.
    ///
    /// # Errors
    /// If none was sent, with the time at which to call again.
    pub(crate) fn ask(
        &mut self,
        connection: &mut Connection<'_>,
        next: Option<Q>,
        now: Nanos,
        send: impl FnOnce(&mut RequestSlot, &mut Connection<'_>, Q) -> Result<bool, BadText>,
    ) -> Result<Q, Option<Nanos>> {
        let question = if self.is_set { Some(next.ok_or(None)?) } else { None };
        if !self.slot.is_free(now) {
            return Err(self.slot.due(now));
        }
        let sent = match question {
            Some(question) => send(&mut self.slot, connection, question),
            None => Path::new(self.path)
                .and_then(|path| self.slot.send(connection, Request::Watch { path, token: self.token }, now)),
        };
        if sent != Ok(true) {
            return Err(None);
        }
        self.asked = question;
        question.ok_or(None)
    }

    /// Takes an answer. Returns it with its question, or `None` for the watch's answer.
    pub(crate) fn on_reply<'a>(
        &mut self,
        result: Result<Reply<'a>, RequestError>,
        now: Nanos,
    ) -> Option<(Q, Answer<'a>)> {
        let answer = self.slot.on_reply(result, now);
        if let Some(question) = self.asked {
            return Some((question, answer));
        }
        match answer {
            Answer::Done(_) => self.is_set = true,
            Answer::Missing | Answer::Denied | Answer::Failed(RequestError::Refused(_)) => {
                log::warn!("{}: xenstored refuses a watch; trying again", self.path);
                self.slot.failed(now);
            }
            Answer::Failed(error) => log::warn!("{}: {error}; trying again", self.path),
        }
        None
    }
}
