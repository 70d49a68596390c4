//! The event page: events from back end to front end (sndif.h, "Back to front events delivery").
//!
//! ```text
//! word 0  in_cons  events up to here were taken by the front end
//! word 1  in_prod  events up to here were produced by the back end
//! word 16 ...      63 slots of 64 bytes
//! ```
//!
//! Indices wrap at 2^32, and the slot is the index modulo 63 (`XENSND_IN_RING_REF`). 63 doesn't divide 2^32, so the slot
//! jumps from 3 to 0 at the wrap, and events on both sides could share a slot. The writer therefore counts the page as
//! full until the last event before the wrap was taken. That happens once in 2^32 events: every 497 days at 100 Hz.
//!
//! The page has no event index as the ring has. Linux's front end takes events up to the `in_prod` that it reads first
//! and doesn't look again, so each event needs a notification.

use core::error::Error;
use core::fmt;
use core::num::Wrapping;

use crate::entry::{self, ENTRY_BYTES, ENTRY_WORDS, Entry};
use hyper::SharedPage;

/// Slots in the page (`XENSND_IN_RING_LEN`).
pub const EVENT_ENTRIES: u32 = 63;

const IN_CONS: usize = 0;
const IN_PROD: usize = 1;
/// Words in the page's header (`struct xensnd_event_page`).
const HEADER_WORDS: usize = 16;
/// `XENSND_EVT_CUR_POS`
const CUR_POS: u8 = 0;

/// No slot is free, or the front end's `in_cons` is impossible. The event took no id: post the newest position later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no slot of the event page is free")
    }
}

impl Error for Full {}

/// An event and its number, which the back end counts up by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The position of the stream (`struct xensnd_cur_pos_evt`).
    CurPos {
        /// The event's number.
        id: u16,
        /// Bytes played or captured since the stream started.
        bytes: u64,
    },
}

/// The back end's half.
#[derive(Debug)]
pub struct EventWriter<P> {
    page: P,
    prod: Wrapping<u32>,
    next_id: Wrapping<u16>,
}

impl<P: SharedPage> EventWriter<P> {
    /// Attaches to a page that a front end initialised.
    ///
    /// The count goes on from the page's `in_prod`, which is read here only. Ids start at 0, because Linux's front end
    /// counts them from its connection.
    pub fn attach(page: P) -> Self {
        let prod = Wrapping(page.load(IN_PROD));
        Self { page, prod, next_id: Wrapping(0) }
    }

    /// Posts a CUR_POS event. `Ok(true)` asks for a notification, today after each event.
    ///
    /// # Errors
    /// [`Full`]: nothing was written and no id was taken. Linux's front end ignores all events after a gap in the ids.
    pub fn post(&mut self, bytes: u64) -> Result<bool, Full> {
        if self.is_full() {
            return Err(Full);
        }
        let mut event = [0; ENTRY_BYTES];
        entry::put(&mut event, 0, self.next_id.0.to_le_bytes());
        entry::put(&mut event, 2, [CUR_POS]);
        entry::put(&mut event, 8, bytes.to_le_bytes());
        entry::store(&self.page, slot(self.prod), &event);
        self.prod += 1;
        self.next_id += 1;
        self.page.store(IN_PROD, self.prod.0);
        Ok(true)
    }

    /// Whether [`post`](Self::post) would fail now.
    ///
    /// An `in_cons` ahead of `in_prod`, or more than a page behind it, counts as full: that front end gets no events
    /// until its index is possible again.
    pub fn is_full(&self) -> bool {
        let cons = Wrapping(self.page.load(IN_CONS));
        let untaken = self.prod - cons;
        let wraps_between = cons > self.prod;
        untaken.0 >= EVENT_ENTRIES || wraps_between
    }

    /// Gives the page back, to unmap it.
    pub fn into_page(self) -> P {
        self.page
    }
}

/// Faults of a back end's events, each counted up to `u32::MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFaults {
    /// `in_prod` was more than a page ahead, or went backwards. The events between were skipped.
    pub bad_index: u32,
    /// An event's id wasn't the one after the last: events were lost.
    pub id_gaps: u32,
    /// Events of a type that the protocol doesn't have.
    pub unknown_type: u32,
}

/// The front end's half.
#[derive(Debug)]
pub struct EventReader<P> {
    page: P,
    cons: Wrapping<u32>,
    expected_id: Wrapping<u16>,
    faults: EventFaults,
}

impl<P: SharedPage> EventReader<P> {
    /// Initialises the page, before its reference is published.
    pub fn init(page: P) -> Self {
        (0..HEADER_WORDS).for_each(|word| page.store(word, 0));
        Self { page, cons: Wrapping(0), expected_id: Wrapping(0), faults: EventFaults::default() }
    }

    /// Takes the next event, if there is one. Invalid events are skipped and counted, at most a page of them per call.
    pub fn take(&mut self) -> Option<Event> {
        for _ in 0..EVENT_ENTRIES {
            let prod = Wrapping(self.page.load(IN_PROD));
            let waiting = prod - self.cons;
            if waiting.0 == 0 {
                return None;
            }
            if waiting.0 > EVENT_ENTRIES {
                self.faults.bad_index = self.faults.bad_index.saturating_add(1);
                self.release_until(prod);
                return None;
            }
            let event = entry::load(&self.page, slot(self.cons));
            self.release_until(self.cons + Wrapping(1));
            if let Some(event) = self.judge(&event) {
                return Some(event);
            }
        }
        None
    }

    /// The back end's faults so far.
    pub fn faults(&self) -> EventFaults {
        self.faults
    }

    /// Gives the page back, to end its grant.
    pub fn into_page(self) -> P {
        self.page
    }

    fn release_until(&mut self, index: Wrapping<u32>) {
        self.cons = index;
        self.page.store(IN_CONS, index.0);
    }

    /// Checks an event. A gap in the ids is counted; the event's position is valid all the same.
    fn judge(&mut self, event: &Entry) -> Option<Event> {
        let id = entry::get_u16(event, 0);
        if Wrapping(id) != self.expected_id {
            self.faults.id_gaps = self.faults.id_gaps.saturating_add(1);
        }
        self.expected_id = Wrapping(id) + Wrapping(1);
        if entry::get_u8(event, 2) == CUR_POS {
            Some(Event::CurPos { id, bytes: entry::get_u64(event, 8) })
        } else {
            self.faults.unknown_type = self.faults.unknown_type.saturating_add(1);
            None
        }
    }
}

/// The first word of an index's slot: 16 to 1008, so nothing overflows.
fn slot(index: Wrapping<u32>) -> usize {
    let slot = (index.0 % EVENT_ENTRIES) as usize;
    slot.wrapping_mul(ENTRY_WORDS).wrapping_add(HEADER_WORDS)
}
