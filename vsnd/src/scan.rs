//! Which devices there are: asked of xenstored at the start, and when one had to wait for room. Later ones are seen by
//! the watch.

use heapless::Vec;
use hyper::{DomainId, Nanos};
use xen_guest::xenstore::{Path, Refusal, Reply, Request, RequestError, RequestId, Store};

use super::MAX_DEVICES;
use super::asking::{Answer, Asking};
use super::names::{BACKEND, DeviceId, PathText, number};

/// The token of the watch on all devices.
pub(super) const TOKEN: &str = "vsnd";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Watch,
    /// The guests that have devices.
    Guests,
    /// The devices of one guest.
    Devices(DomainId),
}

/// A walk over all guests' devices, guest by guest in the order of their numbers.
///
/// The list of guests is read anew for each of them: so it may change meanwhile, and has no limit here.
#[derive(Debug)]
pub(super) struct Scan {
    asking: Asking,
    asked: Question,
    is_watched: bool,
    next: Option<Question>,
    /// The guest that was looked at last.
    last: Option<DomainId>,
    /// One more than can be served: so one that can't be is among them, whenever there is one, and is known to wait.
    found: Vec<DeviceId, { MAX_DEVICES + 1 }>,
}

impl Scan {
    pub(super) fn new() -> Self {
        Self {
            asking: Asking::default(),
            asked: Question::Watch,
            is_watched: false,
            next: None,
            last: None,
            found: Vec::new(),
        }
    }

    /// Begins a walk. One under way begins anew.
    pub(super) fn begin(&mut self) {
        self.last = None;
        self.next = Some(Question::Guests);
    }

    /// A device that was found. To be taken before there are more: see [`drive`](Self::drive).
    pub(super) fn take_found(&mut self) -> Option<DeviceId> {
        self.found.pop()
    }

    /// Sends what is to be sent, when all that was found has been taken. Returns when it is to be called again.
    pub(super) fn drive(&mut self, store: &mut Store<'_>, now: Nanos) -> Option<Nanos> {
        let question = if self.is_watched { self.next? } else { Question::Watch };
        if !self.asking.may_ask(now) || !self.found.is_empty() {
            return self.asking.due(now);
        }
        let directory;
        let backend = Path::new(BACKEND).ok()?;
        let request = match question {
            Question::Watch => Request::Watch { path: backend, token: TOKEN },
            Question::Guests => Request::Directory(backend),
            Question::Devices(guest) => {
                directory = PathText::new(format_args!("{BACKEND}/{}", guest.0));
                Request::Directory(directory.path().ok()?)
            }
        };
        if self.asking.ask(store, request, now) == Ok(true) {
            self.asked = question;
            self.next = None;
        }
        None
    }

    /// Takes note of an answer, if it is for this one; returns whether it is.
    pub(super) fn hear(
        &mut self,
        id: RequestId,
        result: &Result<Reply<'_>, RequestError>,
        now: Nanos,
    ) -> bool {
        let Some(answer) = self.asking.hear(id, result, now) else { return false };
        // Where a walk was begun meanwhile, this answer is of the old one.
        let next = self.next;
        match (self.asked, answer) {
            (Question::Watch, Answer::Done(_)) => self.is_watched = true,
            (Question::Watch, Answer::Lost(error)) => log::warn!("{BACKEND}: {error}; trying again"),
            (Question::Watch, _) => {
                log::warn!("{BACKEND}: xenstored refuses a watch; trying again");
                self.asking.failed(now);
            }
            (asked, Answer::Lost(error)) => {
                log::warn!("{BACKEND}: {error}; trying again");
                self.next = next.or(Some(asked));
            }
            (Question::Guests, Answer::Done(reply)) if next.is_none() => self.next = self.after(&reply),
            (Question::Devices(guest), Answer::Done(reply)) => {
                for device in reply.names().filter_map(number) {
                    // What doesn't fit is found when there is room for a device again.
                    if self.found.push(DeviceId { guest, device }).is_err() {
                        break;
                    }
                }
                self.next = next.or(Some(Question::Guests));
            }
            // It has gone in between.
            (Question::Devices(_), Answer::Missing) => self.next = next.or(Some(Question::Guests)),
            // Nobody has a device.
            (Question::Guests, Answer::Missing | Answer::Done(_)) => {}
            (asked, Answer::Refused(refusal)) if refusal != Refusal::TooBig => {
                log::warn!("{BACKEND}: xenstored says {refusal:?}; trying again");
                self.next = next.or(Some(asked));
            }
            // That isn't going to change.
            (asked, Answer::Denied | Answer::Refused(_)) => {
                log::warn!("{BACKEND}: xenstored refuses to list it");
                if asked != Question::Guests {
                    self.next = next.or(Some(Question::Guests));
                }
            }
        }
        true
    }

    /// The guest after the one looked at last.
    fn after(&mut self, guests: &Reply<'_>) -> Option<Question> {
        let guests = guests.names().filter_map(number).map(DomainId);
        let next = guests.filter(|guest| self.last.is_none_or(|last| *guest > last)).min()?;
        self.last = Some(next);
        Some(Question::Devices(next))
    }
}
