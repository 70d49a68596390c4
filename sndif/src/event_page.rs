//! The event page: events from back end to front end (sndif.h, "Back to front events delivery").
//!
//! ```text
//! word 0  in_cons  the front end has taken events up to here
//! word 1  in_prod  the back end has produced events up to here
//! word 16 ...      63 slots of 64 bytes
//! ```
//!
//! Indices count for ever and wrap at 2^32; the slot is the index modulo 63 (`XENSND_IN_RING_REF`). As 63 doesn't
//! divide 2^32, the slot jumps at the wrap, from 3 to 0, and events on both sides of it could meet in one slot. The
//! writer avoids that by counting the page as full until the last event before the wrap has been taken. That is once
//! in 2^32 events: 497 days at a hundred a second.
//!
//! There is no hold-off here as the ring has: Linux's front end takes up to `in_prod` as it finds it and looks no
//! second time, so each event has to be notified.

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

/// No slot is free, or the front end's `in_cons` can't be. The event has taken no id: post the newest position later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// An event, with the number that the back end gave it: counted up by one, 16 bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Where the stream is (`struct xensnd_cur_pos_evt`).
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
    /// Attaches to a page that a front end has made. Counting goes on from the page's `in_prod`, read here and never
    /// again; ids start at 0, for Linux's front end counts them from when it connected.
    pub fn attach(page: P) -> Self {
        let prod = Wrapping(page.load(IN_PROD));
        Self { page, prod, next_id: Wrapping(0) }
    }

    /// Posts a CUR_POS event. `Ok(true)`: notify the front end; it is always so today (see the module).
    ///
    /// # Errors
    /// [`Full`]: nothing was written and no id was taken. A gap in the ids would make Linux's front end deaf for good.
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

    /// Whether [`post`](Self::post) would fail now. An `in_cons` that is ahead of what was produced, or too far behind,
    /// counts as full: that front end gets no events until it is sane again, and nobody else is hurt.
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

/// What a back end did wrong with its events, each counted up to `u32::MAX`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFaults {
    /// `in_prod` was more than a page ahead, or went backwards; what lay between was skipped.
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

    /// Takes the next event, if there is one. What makes no sense is skipped and counted, at most a page of it a call.
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

    /// What the back end did wrong so far.
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

    /// A gap is counted and lived with: the position in the event is as good as any.
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

/// Word at which the slot of this index starts: 16 to 1008, so nothing overflows.
fn slot(index: Wrapping<u32>) -> usize {
    let slot = (index.0 % EVENT_ENTRIES) as usize;
    slot.wrapping_mul(ENTRY_WORDS).wrapping_add(HEADER_WORDS)
}
