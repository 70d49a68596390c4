//! The connection to xenstored, with the requester of each request under way.

use heapless::LinearMap;
use hyper::Nanos;
use xen_guest::xenstore::{
    Event, MAX_IN_FLIGHT, Operation, Progress, Reply, Request, RequestError, RequestId, Store, SubmitError,
    Transaction,
};

use crate::due::after;
use crate::requester::Requester;

/// Time that xenstored has for an answer. libxl gives a back end ten seconds for each of its steps.
pub(crate) const REQUEST_TIMEOUT_NS: u64 = 2_000_000_000;

/// A message from xenstored.
pub(crate) enum Message<'a> {
    /// The end of a request, for the part that made it.
    Reply { requester: Requester, id: RequestId, result: Result<Reply<'a>, RequestError> },
    /// A change below a watched path.
    Watch { path: &'a str, token: &'a str },
    /// A message for nobody. It is dropped.
    Dropped,
}

/// The connection to xenstored.
pub(crate) struct Connection<'s> {
    store: Store<'s>,
    /// The requesters of all requests whose end hasn't been reported.
    requesters: LinearMap<RequestId, Requester, MAX_IN_FLIGHT>,
    is_break_logged: bool,
}

impl<'s> Connection<'s> {
    pub(crate) fn new(store: Store<'s>) -> Self {
        Self { store, requesters: LinearMap::new(), is_break_logged: false }
    }

    /// Sends a request. Its end comes as a [`Message::Reply`] with this requester.
    ///
    /// # Errors
    /// If it can't be sent; then no reply comes.
    pub(crate) fn submit(
        &mut self,
        requester: Requester,
        request: Request<'_>,
        now: Nanos,
    ) -> Result<(), SubmitError> {
        let id = self.store.submit(request, None, after(now, REQUEST_TIMEOUT_NS))?;
        self.remember(id, requester);
        Ok(())
    }

    /// Takes a transaction one request further, if none of its requests is under way.
    pub(crate) fn advance(
        &mut self,
        requester: Requester,
        transaction: &mut Transaction,
        operations: &[Operation<'_>],
        now: Nanos,
    ) -> Progress {
        let progress = transaction.poll(&mut self.store, operations, now);
        if let Some(id) = transaction.awaited() {
            self.remember(id, requester);
        }
        progress
    }

    fn remember(&mut self, id: RequestId, requester: Requester) {
        if self.requesters.insert(id, requester).is_err() {
            log::error!("xenstore: more than {MAX_IN_FLIGHT} requests; one's reply will be dropped");
        }
    }

    /// The next message, or a request whose deadline has passed by `now`.
    pub(crate) fn next(&mut self, now: Nanos) -> Option<Message<'_>> {
        Some(match self.store.next(now)? {
            Event::Reply { id, result } => match self.requesters.remove(&id) {
                Some(requester) => Message::Reply { requester, id, result },
                None => Message::Dropped,
            },
            Event::Watch { path, token } => Message::Watch { path, token },
            Event::Dropped(oddity) => {
                log::debug!("xenstore: a message was dropped: {oddity:?}");
                Message::Dropped
            }
            // The enum may grow; an unknown event has no receiver.
            _ => Message::Dropped,
        })
    }

    /// The earliest deadline of a request under way.
    pub(crate) fn deadline(&self) -> Option<Nanos> {
        self.store.deadline()
    }

    /// Whether xenstored needs an event. Asking takes the wish.
    pub(crate) fn take_notify(&mut self) -> bool {
        self.store.take_notify()
    }

    /// Whether the connection can't be used any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.store.broken().is_some()
    }

    /// Logs once that the connection is broken, if it is.
    pub(crate) fn log_break(&mut self) {
        if let Some(broken) = self.store.broken()
            && !core::mem::replace(&mut self.is_break_logged, true)
        {
            log::error!(
                "the connection to xenstored is broken: {broken:?}; no right could be withdrawn any more, so the domain ends"
            );
        }
    }
}
