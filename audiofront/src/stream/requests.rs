//! The requests of one stream: ring, numbers, and requests without an answer.

use core::num::Wrapping;

use heapless::Vec;
use hyper::SharedPage;
use sndif::request::{Request, RequestBody};
use sndif::response::Response;
use sndif::ring::{FrontRing, RING_ENTRIES, RingBroken, RingFull};

use crate::error::RequestError;
use crate::event::Fault;

/// The request ring of a stream, with its unanswered requests.
#[derive(Debug)]
pub(super) struct Requests<P> {
    ring: FrontRing<P>,
    next_id: Wrapping<u16>,
    pending: Vec<Request, { RING_ENTRIES as usize }>,
}

impl<P: SharedPage> Requests<P> {
    /// An empty ring on a zeroed page.
    pub(super) fn init(page: P) -> Self {
        Self { ring: FrontRing::init(page), next_id: Wrapping(0), pending: Vec::new() }
    }

    pub(super) fn into_page(self) -> P {
        self.ring.into_page()
    }

    /// Requests without an answer.
    pub(super) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Puts a request on the ring. Returns its number, and whether the back end wants an event for
    /// it.
    pub(super) fn push(&mut self, body: RequestBody) -> Result<(u16, bool), RequestError> {
        if self.pending.is_full() {
            return Err(RequestError::RingFull);
        }
        // A request may stay unanswered until the numbers wrap. At most 32 numbers are in use.
        while self.pending.iter().any(|pending| pending.id == self.next_id.0) {
            self.next_id += 1;
        }
        let id = self.next_id.0;
        let request = Request { id, body };
        self.ring.push(&request.emit()).map_err(|RingFull| RequestError::RingFull)?;
        self.next_id += 1;
        self.pending.push(request).map_err(|_| RequestError::RingFull)?;
        Ok((id, self.ring.publish()))
    }

    /// Takes the next response. `None`: no response is left, and the back end will notify of the
    /// next one.
    pub(super) fn take(&mut self) -> Result<Option<Response>, RingBroken> {
        // An honest back end needs at most two rounds. One that moves its index back and forth
        // loses its wake-up.
        for _ in 0..RING_ENTRIES {
            match self.ring.take()? {
                Some(entry) => return Ok(Some(Response::parse(&entry))),
                None if self.ring.arm() => {}
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Finds the request for a response and removes it from the unanswered ones.
    pub(super) fn settle(&mut self, response: &Response) -> Result<Request, Fault> {
        let id = response.id;
        let found = self.pending.iter().find(|pending| pending.id == id);
        let request = *found.ok_or(Fault::UnknownAnswer { id })?;
        let asked = request.operation();
        if response.operation != asked.code() {
            return Err(Fault::WrongOperation { id, asked, answered: response.operation });
        }
        self.pending.retain(|pending| pending.id != id);
        Ok(request)
    }
}
