//! The list of all devices: read at the start, and when a device that had to wait may find room.
//!
//! Devices that come later are reported by the watch.

use heapless::Vec;
use hyper::{DomainId, Nanos};
use xen_guest::xenstore::{Refusal, Reply, Request, RequestError};

use crate::connection::Connection;
use crate::device_table::MAX_DEVICES;
use crate::paths::{BACKEND, DeviceId, PathText, number};
use crate::request_slot::Answer;
use crate::requester::Requester;
use crate::watch::Watch;

/// The token of the watch on all devices.
pub(crate) const TOKEN: &str = "vsnd";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
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
    watch: Watch<Question>,
    next: Option<Question>,
    /// The guest whose devices were read last.
    last: Option<DomainId>,
    /// The list was read to its end.
    has_ended: bool,
    /// Devices were left out of it.
    is_partial: bool,
    /// One more than are served, so that the device that has to wait is among them and becomes
    /// known.
    found: Vec<DeviceId, { MAX_DEVICES + 1 }>,
}

impl DeviceScan {
    pub(crate) fn new() -> Self {
        Self {
            watch: Watch::new(Requester::DeviceScan, BACKEND, TOKEN),
            next: None,
            last: None,
            has_ended: false,
            is_partial: false,
            found: Vec::new(),
        }
    }

    /// Begins a scan, or begins the current one again.
    pub(crate) fn begin(&mut self) {
        (self.last, self.has_ended, self.is_partial) = (None, false, false);
        self.next = Some(Question::Guests);
    }

    /// Takes a device that was found. [`drive`](Self::drive) continues when all have been taken.
    pub(crate) fn take_found(&mut self) -> Option<DeviceId> {
        self.found.pop()
    }

    /// Whether a scan of all devices has ended, and all of it was taken. Asking takes it.
    pub(crate) fn take_end(&mut self) -> bool {
        self.found.is_empty() && core::mem::take(&mut self.has_ended) && !self.is_partial
    }

    /// Sends the next question, if there is one. Returns the time at which to call again.
    pub(crate) fn drive(&mut self, connection: &mut Connection<'_>, now: Nanos) -> Option<Nanos> {
        let next = self.next.filter(|_| self.found.is_empty());
        let asked = self.watch.ask(connection, next, now, |slot, connection, question| {
            let directory = match question {
                Question::Guests => PathText::new(format_args!("{BACKEND}")),
                Question::Devices(guest) => PathText::new(format_args!("{BACKEND}/{}", guest.0)),
            };
            slot.send(connection, Request::Directory(directory.path()?), now)
        });
        if asked.is_ok() {
            self.next = None;
        }
        asked.err().flatten()
    }

    /// Handles an answer.
    pub(crate) fn on_reply(&mut self, result: Result<Reply<'_>, RequestError>, now: Nanos) {
        // A scan that was begun meanwhile goes on as it was begun: this answer is the old one's.
        let next = self.next;
        let Some((asked, answer)) = self.watch.on_reply(result, now) else { return };
        match (asked, answer) {
            (Question::Guests, Answer::Done(reply)) if next.is_none() => {
                self.next = self.guest_after_last(&reply).map(Question::Devices);
                self.has_ended = self.next.is_none();
            }
            (Question::Devices(guest), Answer::Done(reply)) => {
                for device in reply.names().filter_map(number) {
                    // The rest is found when there is room for a device again.
                    if self.found.push(DeviceId { guest, device }).is_err() {
                        self.is_partial = true;
                        break;
                    }
                }
                self.next = next.or(Some(Question::Guests));
            }
            // The guest has gone since the list was read.
            (Question::Devices(_), Answer::Missing) => self.next = next.or(Some(Question::Guests)),
            // Without the directory, no guest has a device.
            (Question::Guests, Answer::Missing | Answer::Done(_)) => self.has_ended = next.is_none(),
            // Another try would end the same way.
            (asked, Answer::Denied | Answer::Failed(RequestError::Refused(Refusal::TooBig))) => {
                log::warn!("{BACKEND}: xenstored refuses to list it");
                self.is_partial = true;
                if asked != Question::Guests {
                    self.next = next.or(Some(Question::Guests));
                }
            }
            (asked, Answer::Failed(error)) => {
                log::warn!("{BACKEND}: {error}; trying again");
                self.next = next.or(Some(asked));
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
