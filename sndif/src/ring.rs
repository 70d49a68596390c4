//! The request ring: one shared page, requests one way, responses back in the same slots (ring.h; sndif.h,
//! `DEFINE_RING_TYPES(xen_sndif, ...)`).
//!
//! ```text
//! word 0  req_prod   the front end has produced requests up to here
//! word 1  req_event  the back end wants an event when req_prod gets here
//! word 2  rsp_prod   the back end has produced responses up to here
//! word 3  rsp_event  the front end wants an event when rsp_prod gets here
//! word 16 ...        32 slots of 64 bytes
//! ```
//!
//! Indices count for ever and wrap at 2^32; the slot is the index modulo 32. Each end keeps its own cursors in
//! private memory and only ever *reads* the peer's index, once, and judges it.
//!
//! # Going to sleep without losing a wake-up
//!
//! The peer sends no event unless it was asked to. So before it sleeps, an end arms its event index and looks once
//! more; the full fences in `arm` and `publish` make sure that one of the two ends sees the other. A back end serves at
//! most a ring's worth at a time, so that a guest that never stops asking can't keep the others waiting:
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

use core::num::Wrapping;

use crate::entry::{self, ENTRY_WORDS, Entry};
use hyper::SharedPage;

/// Slots in the ring: 64-byte entries in what is left of a page after a header of 64 bytes, rounded down to a power
/// of two (ring.h, `__CONST_RING_SIZE`).
pub const RING_ENTRIES: u32 = 32;

const REQ_PROD: usize = 0;
const REQ_EVENT: usize = 1;
const RSP_PROD: usize = 2;
const RSP_EVENT: usize = 3;
/// Words in the ring's header: the four indices, private bytes, padding.
const HEADER_WORDS: usize = 16;

/// The peer's producer index can't be: it is more than a ring ahead, or has gone backwards. The connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingBroken;

/// No slot is free: every one holds a request that isn't answered, or an answer that isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingFull;

/// An answer to no request: all that were taken have been answered. A mistake of the caller's, not of the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NothingToAnswer;

/// The back end's half.
#[derive(Debug)]
pub struct BackRing<P> {
    page: P,
    /// Next request to take.
    req_cons: Wrapping<u32>,
    /// Next response to write. Between it and `req_cons` lie the requests that were taken and not yet answered.
    rsp_prod: Wrapping<u32>,
    /// What the page says of `rsp_prod`.
    rsp_published: Wrapping<u32>,
}

impl<P: SharedPage> BackRing<P> {
    /// Attaches to a ring that a front end has initialised. The starting point is where the front end says that
    /// responses begin (ring.h, `BACK_RING_ATTACH`): any is as good as 0.
    pub fn attach(page: P) -> Self {
        let start = Wrapping(page.load(RSP_PROD));
        Self { page, req_cons: start, rsp_prod: start, rsp_published: start }
    }

    /// Takes the next request, if there is one.
    ///
    /// # Errors
    /// [`RingBroken`] when the front end claims more requests than there are slots without an answer outstanding, or
    /// takes one back (ring.h, `RING_REQUEST_PROD_OVERFLOW`).
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

    /// Writes the answer to the oldest request that has none; [`publish`](Self::publish) shows it to the front end.
    ///
    /// # Errors
    /// [`NothingToAnswer`]: each request taken is answered exactly once, so that no answer ever overwrites a request.
    pub fn answer(&mut self, response: &Entry) -> Result<(), NothingToAnswer> {
        if self.unanswered() == 0 {
            return Err(NothingToAnswer);
        }
        entry::store(&self.page, slot(self.rsp_prod), response);
        self.rsp_prod += 1;
        Ok(())
    }

    /// Shows the answers written so far to the front end. True: it wants an event.
    #[must_use = "the front end sleeps until it is notified"]
    pub fn publish(&mut self) -> bool {
        let notify = publish(&self.page, RSP_PROD, RSP_EVENT, self.rsp_published, self.rsp_prod);
        self.rsp_published = self.rsp_prod;
        notify
    }

    /// Asks for an event on the next request, before going to sleep. True: a request came in meanwhile, or the ring is
    /// broken; don't sleep, take.
    #[must_use = "a request that came meanwhile brings no event"]
    pub fn arm(&mut self) -> bool {
        arm(&self.page, REQ_PROD, REQ_EVENT, self.req_cons)
    }

    /// Requests taken and not yet answered, 0 to 32.
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
    /// What the page says of `req_prod`.
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

    /// Shows the requests written so far to the back end. True: it wants an event.
    #[must_use = "the back end sleeps until it is notified"]
    pub fn publish(&mut self) -> bool {
        let notify = publish(&self.page, REQ_PROD, REQ_EVENT, self.req_published, self.req_prod);
        self.req_published = self.req_prod;
        notify
    }

    /// Takes the next response, if there is one.
    ///
    /// # Errors
    /// [`RingBroken`] when the back end claims more responses than there are requests, or takes one back.
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

    /// Asks for an event on the next response, before going to sleep. True: a response came in meanwhile, or the ring
    /// is broken; don't sleep, take.
    #[must_use = "a response that came meanwhile brings no event"]
    pub fn arm(&mut self) -> bool {
        arm(&self.page, RSP_PROD, RSP_EVENT, self.rsp_cons)
    }

    /// Gives the page back, to end its grant.
    pub fn into_page(self) -> P {
        self.page
    }
}

/// Word at which the slot of this index starts: 16 to 512, so nothing overflows.
fn slot(index: Wrapping<u32>) -> usize {
    let slot = (index.0 % RING_ENTRIES) as usize;
    slot.wrapping_mul(ENTRY_WORDS).wrapping_add(HEADER_WORDS)
}

/// Moves a producer index from `old` to `new`; true if the peer's event index lies in (old, new] (ring.h,
/// `RING_PUSH_*_AND_CHECK_NOTIFY`). The store is a release, so the entries are seen before the index.
fn publish(
    page: &impl SharedPage,
    prod: usize,
    event: usize,
    old: Wrapping<u32>,
    new: Wrapping<u32>,
) -> bool {
    page.store(prod, new.0);
    // The peer arms, then looks at our index; we move the index, then look at what it armed. Without a full fence
    // on each side both may look too early, and the peer sleeps on work.
    page.fence();
    new - Wrapping(page.load(event)) < new - old
}

/// Sets an event index to the next entry, then looks whether it is there already (ring.h, `RING_FINAL_CHECK_FOR_*`).
fn arm(page: &impl SharedPage, prod: usize, event: usize, cons: Wrapping<u32>) -> bool {
    page.store(event, (cons + Wrapping(1)).0);
    page.fence();
    page.load(prod) != cons.0
}
