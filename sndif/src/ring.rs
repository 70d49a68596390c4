//! The request ring: one shared page, requests one way, responses back in the same slots (ring.h; sndif.h,
//! `DEFINE_RING_TYPES(xen_sndif, ...)`).
//!
//! ```text
//! word 0  req_prod   requests up to here were produced by the front end
//! word 1  req_event  the back end wants an event when req_prod gets here
//! word 2  rsp_prod   responses up to here were produced by the back end
//! word 3  rsp_event  the front end wants an event when rsp_prod gets here
//! word 16 ...        32 slots of 64 bytes
//! ```
//!
//! Indices wrap at 2^32, and the slot is the index modulo 32. Each end keeps its own cursors in private memory. It reads
//! the peer's index once per decision and judges it.
//!
//! # Sleep without a lost wake-up
//!
//! The peer sends an event only on request. Before an end sleeps it therefore arms its event index and looks again. The
//! full fences in `arm` and `publish` guarantee that one of the two ends sees the other. A back end serves at most one
//! ring of requests at a time, so that no guest keeps the others waiting:
//!
//! ```
//! # use sndif::{ring::*, hyper::*, Entry};
//! # fn serve(_: &Entry) -> Entry { [0; 64] }
//! # fn notify() {}
//! /// True: there is more; come again without waiting for an event.
//! fn on_event<P: SharedPage>(ring: &mut BackRing<P>) -> Result<bool, RingBroken> {
//!     for _ in 0..RING_ENTRIES {
//!         let Some(request) = ring.take()? else { break };
//!         let _ = ring.answer(&serve(&request));
//!     }
//!     if ring.publish() {
//!         notify();
//!     }
//!     Ok(ring.arm())
//! }
//! # let page: Box<PageWords> = Box::new([const { std::sync::atomic::AtomicU32::new(0) }; PAGE_WORDS]);
//! # let mut front = FrontRing::init(&*page);
//! # let mut back = BackRing::attach(&*page);
//! # front.push(&[0; 64]).unwrap();
//! # assert!(front.publish());
//! # assert!(!on_event(&mut back).unwrap());
//! # assert!(front.take().unwrap().is_some());
//! ```

use core::error::Error;
use core::fmt;
use core::num::Wrapping;

use crate::entry::{self, ENTRY_WORDS, Entry};
use hyper::SharedPage;

/// Slots in the ring (ring.h, `__CONST_RING_SIZE`).
///
/// A page holds 63 entries of 64 bytes after a header of 64 bytes; the number of slots is the next lower power of two.
pub const RING_ENTRIES: u32 = 32;

const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 1;
const RSP_PROD: usize = 2;
const RSP_EVENT: usize = 3;
/// Words in the ring's header: the four indices, private bytes, padding.
const HEADER_WORDS: usize = 16;

/// The peer's producer index is impossible: more than a ring ahead, or moved backwards. The connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingBroken;

/// No slot is free: each holds an unanswered request or an answer that isn't taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingFull;

/// An answer without a request: the caller has answered every request that it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NothingToAnswer;

impl fmt::Display for RingBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer's producer index is impossible")
    }
}

impl fmt::Display for RingFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no slot of the ring is free")
    }
}

impl fmt::Display for NothingToAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every request is answered already")
    }
}

impl Error for RingBroken {}
impl Error for RingFull {}
impl Error for NothingToAnswer {}

/// The back end's half.
#[derive(Debug)]
pub struct BackRing<P> {
    page: P,
    /// Next request to take.
    req_cons: Wrapping<u32>,
    /// Next response to write. Requests from here to `req_cons` are taken and not answered.
    rsp_prod: Wrapping<u32>,
    /// The value of `rsp_prod` in the page.
    rsp_published: Wrapping<u32>,
}

impl<P: SharedPage> BackRing<P> {
    /// Attaches to a ring that a front end initialised.
    ///
    /// Both cursors start at the page's `rsp_prod` (ring.h, `BACK_RING_ATTACH`); any value is as good as 0.
    pub fn attach(page: P) -> Self {
        let start = Wrapping(page.load(RSP_PROD));
        Self { page, req_cons: start, rsp_prod: start, rsp_published: start }
    }

    /// Takes the next request, if there is one.
    ///
    /// # Errors
    /// [`RingBroken`] if the front end claims more requests than there are free slots, or takes a request back (ring.h,
    /// `RING_REQUEST_PROD_OVERFLOW`).
    pub fn take(&mut self) -> Result<Option<Entry>, RingBroken> {
        let waiting = Wrapping(self.page.load(REQ_PROD)) - self.req_cons;
        let free = Wrapping(RING_ENTRIES) - (self.req_cons - self.rsp_prod);
        if waiting > free {
            return Err(RingBroken);
        }
        if waiting.0 == 0 {
            return Ok(None);
        }
        let request = entry::load(&self.page, slot(self.req_cons));
        self.req_cons += 1;
        Ok(Some(request))
    }

    /// Writes the answer to the oldest unanswered request; [`publish`](Self::publish) shows it to the front end.
    ///
    /// # Errors
    /// [`NothingToAnswer`]: one answer per request, so that no answer overwrites a request.
    pub fn answer(&mut self, response: &Entry) -> Result<(), NothingToAnswer> {
        if self.unanswered() == 0 {
            return Err(NothingToAnswer);
        }
        entry::store(&self.page, slot(self.rsp_prod), response);
        self.rsp_prod += 1;
        Ok(())
    }

    /// Shows the answers so far to the front end. True if it wants an event.
    #[must_use = "the front end sleeps until it is notified"]
    pub fn publish(&mut self) -> bool {
        let notify = publish(&self.page, RSP_PROD, RSP_EVENT, self.rsp_published, self.rsp_prod);
        self.rsp_published = self.rsp_prod;
        notify
    }

    /// Asks for an event on the next request, before a sleep.
    ///
    /// True if a request came meanwhile or the ring is broken: take again and don't sleep.
    #[must_use = "no event announces a request that came meanwhile"]
    pub fn arm(&mut self) -> bool {
        arm(&self.page, REQ_PROD, REQ_EVENT, self.req_cons)
    }

    /// Number of requests that are taken and not answered, 0 to 32.
    pub fn unanswered(&self) -> u32 {
        (self.req_cons - self.rsp_prod).0
    }

    /// Gives the page back, to unmap it.
    pub fn into_page(self) -> P {
        self.page
    }
}

/// The front end's half.
#[derive(Debug)]
pub struct FrontRing<P> {
    page: P,
    /// Next request to write.
    req_prod: Wrapping<u32>,
    /// The value of `req_prod` in the page.
    req_published: Wrapping<u32>,
    /// Next response to take.
    rsp_cons: Wrapping<u32>,
}

impl<P: SharedPage> FrontRing<P> {
    /// Initialises the page, before its reference is published (ring.h, `SHARED_RING_INIT`, `FRONT_RING_INIT`).
    pub fn init(page: P) -> Self {
        (0..HEADER_WORDS).for_each(|word| page.store(word, 0));
        page.store(REQ_EVENT, 1);
        page.store(RSP_EVENT, 1);
        let start = Wrapping(0);
        Self { page, req_prod: start, req_published: start, rsp_cons: start }
    }

    /// Writes a request; [`publish`](Self::publish) shows it to the back end.
    ///
    /// # Errors
    /// [`RingFull`]: take responses first.
    pub fn push(&mut self, request: &Entry) -> Result<(), RingFull> {
        if (self.req_prod - self.rsp_cons).0 >= RING_ENTRIES {
            return Err(RingFull);
        }
        entry::store(&self.page, slot(self.req_prod), request);
        self.req_prod += 1;
        Ok(())
    }

    /// Shows the requests so far to the back end. True if it wants an event.
    #[must_use = "the back end sleeps until it is notified"]
    pub fn publish(&mut self) -> bool {
        let notify = publish(&self.page, REQ_PROD, REQ_EVENT, self.req_published, self.req_prod);
        self.req_published = self.req_prod;
        notify
    }

    /// Takes the next response, if there is one.
    ///
    /// # Errors
    /// [`RingBroken`] if the back end claims more responses than requests, or takes a response back.
    pub fn take(&mut self) -> Result<Option<Entry>, RingBroken> {
        let waiting = Wrapping(self.page.load(RSP_PROD)) - self.rsp_cons;
        if waiting > self.req_published - self.rsp_cons {
            return Err(RingBroken);
        }
        if waiting.0 == 0 {
            return Ok(None);
        }
        let response = entry::load(&self.page, slot(self.rsp_cons));
        self.rsp_cons += 1;
        Ok(Some(response))
    }

    /// Asks for an event on the next response, before a sleep.
    ///
    /// True if a response came meanwhile or the ring is broken: take again and don't sleep.
    #[must_use = "no event announces a response that came meanwhile"]
    pub fn arm(&mut self) -> bool {
        arm(&self.page, RSP_PROD, RSP_EVENT, self.rsp_cons)
    }

    /// Gives the page back, to end its grant.
    pub fn into_page(self) -> P {
        self.page
    }
}

/// The first word of an index's slot: 16 to 512, so nothing overflows.
fn slot(index: Wrapping<u32>) -> usize {
    let slot = (index.0 % RING_ENTRIES) as usize;
    slot.wrapping_mul(ENTRY_WORDS).wrapping_add(HEADER_WORDS)
}

/// Moves a producer index from `old` to `new` (ring.h, `RING_PUSH_*_AND_CHECK_NOTIFY`).
///
/// True if the peer's event index lies in (old, new]. The store is a release: the peer sees the entries before the index.
fn publish(
    page: &impl SharedPage,
    prod: usize,
    event: usize,
    old: Wrapping<u32>,
    new: Wrapping<u32>,
) -> bool {
    page.store(prod, new.0);
    // The peer arms its event index and then reads ours; we move our index and then read the armed one. Without a full
    // fence on each side both may read too early, and the peer sleeps although there is work.
    page.fence();
    new - Wrapping(page.load(event)) < new - old
}

/// Sets an event index to the next entry, then checks for that entry (ring.h, `RING_FINAL_CHECK_FOR_*`).
fn arm(page: &impl SharedPage, prod: usize, event: usize, cons: Wrapping<u32>) -> bool {
    page.store(event, (cons + Wrapping(1)).0);
    page.fence();
    page.load(prod) != cons.0
}
