//! The list of all devices: read at the start, and when a device that had to wait may find room.
//!
//! Devices that come later are reported by the watch.

use heapless::Vec;
use hyper::{DomainId, Nanos};
use xen_guest::xenstore::{Path, Refusal, Reply, Request, RequestError};

use crate::connection::Connection;
use crate::device_table::MAX_DEVICES;
use crate::paths::{BACKEND, DeviceId, PathText, number};
use crate::request_slot::{Answer, RequestSlot};
use crate::requester::Requester;

/// The token of the watch on all devices.
pub(crate) const TOKEN: &str = "vsnd";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Watch,
    /// The guests that have devices.
    Guests,
    /// The devices of one guest.
    Devices(DomainId),
}

/// Reads the list of all devices, guest by guest in the order of their numbers.
///
/// The list of guests is read anew for each of them: it may change meanwhile, and has no limit.
#[derive(Debug)]
pub(crate) struct DeviceScan {
    slot: RequestSlot,
    asked: Question,
    is_watched: bool,
    next: Option<Question>,
    /// The guest whose devices were read last.
    last: Option<DomainId>,
    /// One more than are served, so that the device that has to wait is among them and becomes
    /// known.
    found: Vec<DeviceId, { MAX_DEVICES + 1 }>,
}

impl DeviceScan {
    pub(crate) fn new() -> Self {
        Self {
            slot: RequestSlot::new(Requester::DeviceScan),
            asked: Question::Watch,
            is_watched: false,
            next: None,
            last: None,
            found: Vec::new(),
        }
    }

    /// Begins a scan, or begins the current one again.
    pub(crate) fn begin(&mut self) {
        self.last = None;
        self.next = Some(Question::Guests);
    }

    /// Takes a device that was found. [`drive`](Self::drive) continues when all have been taken.
    pub(crate) fn take_found(&mut self) -> Option<DeviceId> {
        self.found.pop()
    }

    /// Sends the next question, if there is one. Returns the time at which to call again.
    pub(crate) fn drive(&mut self, connection: &mut Connection<'_>, now: Nanos) -> Option<Nanos> {
        let question = if self.is_watched { self.next? } else { Question::Watch };
        if !self.slot.is_free(now) || !self.found.is_empty() {
            return self.slot.due(now);
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
        if self.slot.send(connection, request, now) == Ok(true) {
            self.asked = question;
            self.next = None;
        }
        None
    }

    /// Handles an answer.
    pub(crate) fn on_reply(&mut self, result: Result<Reply<'_>, RequestError>, now: Nanos) {
        // A scan that was begun meanwhile goes on as it was begun: this answer is the old one's.
        let next = self.next;
        match (self.asked, self.slot.on_reply(result, now)) {
            (Question::Watch, Answer::Done(_)) => self.is_watched = true,
            (Question::Watch, Answer::Lost(error)) => log::warn!("{BACKEND}: {error}; trying again"),
            (Question::Watch, Answer::Missing | Answer::Denied | Answer::Refused(_)) => {
                log::warn!("{BACKEND}: xenstored refuses a watch; trying again");
                self.slot.failed(now);
            }
            (asked, Answer::Lost(error)) => {
                log::warn!("{BACKEND}: {error}; trying again");
                self.next = next.or(Some(asked));
            }
            (Question::Guests, Answer::Done(reply)) if next.is_none() => {
                self.next = self.guest_after_last(&reply).map(Question::Devices);
            }
            (Question::Devices(guest), Answer::Done(reply)) => {
                for device in reply.names().filter_map(number) {
                    // The rest is found when there is room for a device again.
                    if self.found.push(DeviceId { guest, device }).is_err() {
                        break;
                    }
                }
                self.next = next.or(Some(Question::Guests));
            }
            // The guest has gone since the list was read.
            (Question::Devices(_), Answer::Missing) => self.next = next.or(Some(Question::Guests)),
            // Without the directory, no guest has a device.
            (Question::Guests, Answer::Missing | Answer::Done(_)) => {}
            (asked, Answer::Refused(refusal)) if refusal != Refusal::TooBig => {
                log::warn!("{BACKEND}: xenstored says {refusal:?}; trying again");
                self.next = next.or(Some(asked));
            }
            // Another try would end the same way.
            (Question::Guests, Answer::Denied | Answer::Refused(_)) => {
                log::warn!("{BACKEND}: xenstored refuses to list it");
            }
            (Question::Devices(_), Answer::Denied | Answer::Refused(_)) => {
                log::warn!("{BACKEND}: xenstored refuses to list it");
                self.next = next.or(Some(Question::Guests));
            }
        }
    }

    /// The guest after the one whose devices were read last.
    fn guest_after_last(&mut self, guests: &Reply<'_>) -> Option<DomainId> {
        let guests = guests.names().filter_map(number).map(DomainId);
        let next = guests.filter(|guest| self.last.is_none_or(|last| *guest > last)).min()?;
        self.last = Some(next);
        Some(next)
    }
}
