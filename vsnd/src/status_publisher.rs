//! Publishes this domain's status for people, below `snddom/state`: the card, the jacks, the use of
//! the ports, the guests, the devices and their streams.
//!
//! One write at a time, with a pause after each, keeps the load on xenstored small. A change is
//! published soon, the counters of a running stream or bus once a second.

use alloc::vec::Vec;
use core::fmt::Arguments;

use heapless::String;
use hyper::{DomainId, Nanos};
use sndif::control_page::REFRESH_INTERVAL_NS;
use xen_guest::xenstore::{Reply, Request, RequestError};

use crate::bounded;
use crate::connection::Connection;
use crate::due::{after, earlier};
use crate::guest_uses::{GuestUses, GuestWrite};
use crate::jacks::Jacks;
use crate::paths::{DeviceId, PathText, STATUS, StreamId};
use crate::port_uses::{PortLine, PortUses};
use crate::request_slot::{Answer, RequestSlot};
use crate::requester::{DeviceKey, Requester};
use crate::status::{DeviceStatus, Ready, state_word};

/// Shortest time between two writes.
const WRITE_INTERVAL_NS: u64 = 100_000_000;

/// Writes about ports and devices that may come before one about a guest that is due.
const WRITES_BEFORE_GUEST: u8 = 10;

/// Bytes of the longest report.
const REPORT_BYTES: usize = 384;

/// Bytes of the longest line, some 400, with some to spare: that of a port to which 32 guests listen.
const LINE_BYTES: usize = 448;

/// The first refresh time of control pages at or after `at`: one wake-up then serves both.
fn on_grid(at: Nanos) -> Nanos {
    Nanos(at.0.div_ceil(REFRESH_INTERVAL_NS).saturating_mul(REFRESH_INTERVAL_NS))
}

/// The node of what a guest holds.
fn guest_path(guest: DomainId) -> PathText {
    PathText::new(format_args!("{STATUS}/guest/{}", guest.0))
}

/// The subject of a write.
#[derive(Clone, Copy, Debug)]
enum Item {
    Report,
    Info,
    /// The jack of that index.
    Jack(usize),
    /// The use of the port of that index.
    Use(usize),
    /// The peaks of the port of that index.
    Peaks(usize),
    Guest(GuestWrite),
    Device(DeviceKey, DeviceId, DeviceStatus),
}

/// Publishes this domain's status.
#[derive(Debug)]
pub(crate) struct StatusPublisher {
    /// Names below [`STATUS`] and values, published once.
    info: Vec<(alloc::string::String, alloc::string::String)>,
    info_published: usize,
    pub(crate) jacks: Jacks,
    pub(crate) uses: PortUses,
    pub(crate) guests: GuestUses,
    /// The report that isn't published yet.
    report: Option<String<REPORT_BYTES>>,
    /// It is another one than the one that is being written.
    is_report_new: bool,
    slot: RequestSlot,
    /// The subject of the write under way, or else of the last one.
    item: Item,
    /// The earliest time of the next write.
    not_before: Nanos,
    /// Other writes that may come before the next one about a guest.
    writes_before_guest: u8,
    /// xenstored has refused a write. The next one waits for a change of the directory.
    is_refused: bool,
}

impl StatusPublisher {
    pub(crate) fn new(
        info: Vec<(alloc::string::String, alloc::string::String)>,
        jacks: Jacks,
        uses: PortUses,
    ) -> Self {
        Self {
            info,
            info_published: 0,
            jacks,
            uses,
            guests: GuestUses::new(),
            report: None,
            is_report_new: false,
            slot: RequestSlot::new(Requester::StatusPublisher),
            item: Item::Info,
            not_before: Nanos(0),
            writes_before_guest: WRITES_BEFORE_GUEST,
            is_refused: false,
        }
    }

    /// Takes a report, to be published once, before all else.
    pub(crate) fn report(&mut self, report: Arguments<'_>) {
        self.report = Some(bounded::format(report));
        self.is_report_new = true;
    }

    /// Tries again after a refusal: the administrator may have allowed it.
    pub(crate) fn try_again(&mut self) {
        self.is_refused = false;
    }

    /// Whether a write is under way.
    pub(crate) fn is_publishing(&self) -> bool {
        self.slot.is_taken()
    }

    /// The device whose status is being written.
    pub(crate) fn device(&self) -> Option<DeviceKey> {
        match self.item {
            Item::Device(device, ..) if self.slot.is_taken() => Some(device),
            _ => None,
        }
    }

    /// Writes the next item that is due. Returns the time at which to call again.
    pub(crate) fn drive(
        &mut self,
        connection: &mut Connection<'_>,
        now: Nanos,
        next_status: impl FnOnce() -> Ready<(DeviceKey, DeviceId, DeviceStatus)>,
    ) -> Option<Nanos> {
        if self.is_refused || self.slot.is_taken() {
            return None;
        }
        let item = match self.next_item(now, next_status) {
            Ok(item) => item,
            Err(later) => return Some(on_grid(later?.max(self.not_before))),
        };
        if now < self.not_before {
            return Some(on_grid(self.not_before));
        }
        if !self.slot.is_free(now) {
            return self.slot.due(now);
        }
        let line: String<LINE_BYTES>;
        let (path, value) = match item {
            Item::Report => {
                (PathText::new(format_args!("{STATUS}/report")), self.report.as_deref().unwrap_or_default())
            }
            Item::Info => {
                let (name, value) = self.info.get(self.info_published)?;
                (PathText::new(format_args!("{STATUS}/{name}")), value.as_str())
            }
            Item::Jack(index) => {
                let jack = self.jacks.get(index)?;
                let path = PathText::new(format_args!("{STATUS}/port/{}/jack", jack.name));
                (path, if jack.is_plugged { "plugged" } else { "unplugged" })
            }
            Item::Use(index) => {
                let PortLine { name, port_use, .. } = self.uses.get(index)?;
                line = bounded::format(format_args!("{}", port_use.line(name.right)));
                (PathText::new(format_args!("{STATUS}/port/{name}/use")), line.as_str())
            }
            Item::Peaks(index) => {
                let PortLine { name, port_use, peak_request, .. } = self.uses.get(index)?;
                line = bounded::format(format_args!("{}", peak_request.as_ref()?.line(port_use.state)));
                (PathText::new(format_args!("{STATUS}/port/{name}/peak")), line.as_str())
            }
            Item::Guest(GuestWrite::Use(guest, guest_use)) => {
                line = bounded::format(format_args!("{guest_use}"));
                (guest_path(guest), line.as_str())
            }
            Item::Guest(GuestWrite::Removal(guest)) => (guest_path(guest), ""),
            Item::Device(_, id, DeviceStatus::State(state)) => (id.status_directory(), state_word(state)),
            Item::Device(_, id, DeviceStatus::Stream(_, StreamId { pcm, stream }, status)) => {
                line = bounded::format(format_args!("{status}"));
                (PathText::new(format_args!("{}/{pcm}-{stream}", id.status_directory())), line.as_str())
            }
        };
        let sent = path.path().and_then(|path| {
            let request = match item {
                Item::Guest(GuestWrite::Removal(_)) => Request::Remove(path),
                _ => Request::Write(path, value),
            };
            self.slot.send(connection, request, now)
        });
        match sent {
            Ok(true) => {
                self.item = item;
                self.writes_before_guest = match item {
                    Item::Guest(_) => WRITES_BEFORE_GUEST,
                    _ => self.writes_before_guest.saturating_sub(1),
                };
                self.is_report_new &= !matches!(item, Item::Report);
                self.set_jack_published(true);
                match item {
                    Item::Use(index) => self.uses.on_sent(index),
                    Item::Peaks(index) => self.uses.on_peaks_sent(index),
                    Item::Guest(write) => self.guests.on_sent(write),
                    Item::Report | Item::Info | Item::Jack(_) | Item::Device(..) => {}
                }
                self.not_before = after(now, WRITE_INTERVAL_NS);
            }
            Ok(false) => {}
            Err(bad) => {
                // Only an info has a name or a value from elsewhere.
                log::error!("{path}: can't be published: {bad:?}");
                self.info_published = self.info_published.saturating_add(1);
                return Some(self.slot.due(now).unwrap_or(now));
            }
        }
        None
    }

    /// The item to write next, or the time at which there may be one.
    fn next_item(
        &self,
        now: Nanos,
        next_status: impl FnOnce() -> Ready<(DeviceKey, DeviceId, DeviceStatus)>,
    ) -> Ready<Item> {
        if self.report.is_some() {
            return Ok(Item::Report);
        }
        if self.info_published < self.info.len() {
            return Ok(Item::Info);
        }
        if let Some(index) = self.uses.first_peaks() {
            return Ok(Item::Peaks(index));
        }
        let jack = self.jacks.first_unpublished().map(Item::Jack).ok_or(None);
        let port_use = self.uses.next(now).map(Item::Use);
        let device = next_status().map(|(key, id, status)| Item::Device(key, id, status));
        // They take turns, so that a loose contact or a busy guest doesn't keep the others waiting.
        let turns = match self.item {
            Item::Jack(_) => [port_use, device, jack],
            Item::Use(_) => [device, jack, port_use],
            Item::Report | Item::Info | Item::Peaks(_) | Item::Guest(_) | Item::Device(..) => {
                [jack, port_use, device]
            }
        };
        // News of who listens don't wait for those of what guests hold, but these aren't put off for ever.
        let guest = self.guests.next().map(Item::Guest).ok_or(None);
        let is_guest_first = guest.is_ok() && self.writes_before_guest == 0;
        let mut next = None;
        for turn in [guest].into_iter().filter(|_| is_guest_first).chain(turns).chain([guest]) {
            match turn {
                Ok(item) => return Ok(item),
                Err(later) => next = earlier(next, later),
            }
        }
        Err(next)
    }

    /// Notes whether the jack that is being written, if it is one, needs another write.
    fn set_jack_published(&mut self, is_published: bool) {
        match self.item {
            Item::Jack(index) => self.jacks.set_published(index, is_published),
            Item::Report | Item::Info | Item::Use(_) | Item::Peaks(_) | Item::Guest(_) | Item::Device(..) => {
            }
        }
    }

    /// Forgets the report that was written, unless there is a newer one.
    fn end_report(&mut self) {
        if !self.is_report_new {
            self.report = None;
        }
    }

    /// Handles an answer. Returns the device's status that is published now, if it was one.
    pub(crate) fn on_reply(
        &mut self,
        result: Result<Reply<'_>, RequestError>,
        now: Nanos,
    ) -> Option<(DeviceKey, DeviceStatus)> {
        match self.slot.on_reply(result, now) {
            Answer::Done(_) => match self.item {
                Item::Jack(_) => {}
                Item::Use(index) => self.uses.on_published(index, now),
                Item::Peaks(index) => self.uses.on_peaks_published(index),
                Item::Report => self.end_report(),
                Item::Info => self.info_published = self.info_published.saturating_add(1),
                Item::Guest(write) => self.guests.on_written(write),
                Item::Device(device, _, status) => return Some((device, status)),
            },
            Answer::Missing if matches!(self.item, Item::Guest(GuestWrite::Removal(_))) => {
                if let Item::Guest(write) = self.item {
                    self.guests.on_written(write);
                }
            }
            Answer::Missing | Answer::Denied => {
                log::info!("{STATUS}: this domain may not write there, and publishes nothing");
                self.set_jack_published(false);
                self.is_refused = true;
            }
            Answer::Failed(RequestError::Refused(refusal)) => match self.item {
                Item::Report => {
                    log::warn!("{STATUS}: xenstored says {refusal:?} to a report; it is left out");
                    self.end_report();
                }
                Item::Info => {
                    log::warn!("{STATUS}: xenstored says {refusal:?} to a node; it is left out");
                    self.info_published = self.info_published.saturating_add(1);
                }
                Item::Peaks(index) => {
                    log::warn!("{STATUS}: xenstored says {refusal:?} to peaks; they are left out");
                    self.uses.on_peaks_published(index);
                }
                Item::Jack(_) | Item::Use(_) | Item::Guest(_) | Item::Device(..) => {
                    log::warn!("{STATUS}: xenstored says {refusal:?}; publishing ends");
                    self.is_refused = true;
                }
            },
            Answer::Failed(error) => {
                log::warn!("{STATUS}: {error}; trying again");
                self.set_jack_published(false);
            }
        }
        None
    }
}
