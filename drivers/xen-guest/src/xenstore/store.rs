//! The client: pending requests, partial messages, deadlines.

use heapless::{Deque, Vec};
use hyper::Nanos;
use xen_sys::xs_wire::{self, HEADER_BYTES, Header, PAYLOAD_MAX_BYTES, StoreRing};

use super::error::{BadText, BrokenStore, Oddity, Refusal, RequestError, SubmitError};
use super::ring::RingEnd;
use super::text::{self, Path};

/// Limit of pending requests. Of unanswered ones past their deadline, the oldest makes room for the next request.
pub const MAX_IN_FLIGHT: usize = 32;

/// Bytes that can wait for space in the ring: at least one message of any size.
const OUTBOX_BYTES: usize = 8192;

/// Length of the longest message in bytes.
const MESSAGE_MAX_BYTES: usize = HEADER_BYTES + PAYLOAD_MAX_BYTES;

/// Identifies a request until its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u32);

/// A transaction's number from xenstored; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionId(u32);

impl TransactionId {
    /// The number in an answer to [`Request::TransactionStart`].
    pub(super) fn parse(reply: &Reply<'_>) -> Option<Self> {
        let text = reply.text().ok()?;
        // `parse` alone would accept a leading plus sign.
        let number = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok()? } else { 0 };
        (number != 0).then_some(Self(number))
    }
}

/// A request to xenstored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request<'a> {
    /// A node's value; see [`Reply::text`].
    Read(Path<'a>),
    /// Names of a node's children; see [`Reply::names`]. Refused as too big above 4096 bytes.
    Directory(Path<'a>),
    /// Writes a value; creates the node and its parents if needed.
    Write(Path<'a>, &'a str),
    /// Removes a node and all below it.
    Remove(Path<'a>),
    /// Watches a node and all below it. An event comes at every change, and at once unless the
    /// watch already existed.
    Watch {
        /// The node to watch.
        path: Path<'a>,
        /// The token in each event.
        token: &'a str,
    },
    /// Ends a watch.
    Unwatch {
        /// The watched node.
        path: Path<'a>,
        /// The watch's token.
        token: &'a str,
    },
    /// Begins a transaction; see [`Transaction`](super::Transaction).
    TransactionStart,
    /// Ends the transaction that carries it: commits or drops it.
    TransactionEnd {
        /// Commit.
        commit: bool,
    },
}

/// The answer to a successful request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    payload: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The answer as text: the value read.
    ///
    /// # Errors
    /// The answer isn't text.
    pub fn text(&self) -> Result<&'a str, BadText> {
        text::received(self.payload)
    }

    /// The names in an answer to [`Request::Directory`]. Invalid names are omitted.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.payload.split(|byte| *byte == 0).filter_map(|name| {
            let name = core::str::from_utf8(name).ok()?;
            Path::new(name).ok().filter(|_| !name.contains('/')).map(Path::as_str)
        })
    }
}

/// A message from xenstored, or a request's end.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request has ended, with or without success. Reported once for each.
    Reply {
        /// The request.
        id: RequestId,
        /// The outcome.
        result: Result<Reply<'a>, RequestError>,
    },
    /// A watched node has changed, or its watch has begun.
    Watch {
        /// The changed node, or the watched one.
        path: &'a str,
        /// The watch's token.
        token: &'a str,
    },
    /// An invalid message was dropped.
    Dropped(Oddity),
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    id: u32,
    kind: u32,
    transaction: u32,
    deadline: Nanos,
    /// Its end was reported: drop an answer.
    abandoned: bool,
}

/// A connection to xenstored.
#[derive(Debug)]
pub struct Store<'a> {
    ring: RingEnd<'a>,
    outbox: Deque<u8, OUTBOX_BYTES>,
    inbox: Vec<u8, MESSAGE_MAX_BYTES>,
    /// The inbox's message was reported; clear it before the next.
    told: bool,
    in_flight: Vec<InFlight, MAX_IN_FLIGHT>,
    next_id: u32,
    notify: bool,
    broken: Option<BrokenStore>,
}

impl<'a> Store<'a> {
    /// A connection through this page. Send an event on its channel if
    /// [`take_notify`](Self::take_notify) returns true.
    pub fn attach(page: &'a StoreRing) -> Self {
        Self {
            ring: RingEnd::attach(page),
            outbox: Deque::new(),
            inbox: Vec::new(),
            told: false,
            in_flight: Vec::new(),
            next_id: 1,
            notify: false,
            broken: None,
        }
    }

    /// Sends a request, as part of a transaction if one is given.
    ///
    /// Its end comes as an [`Event::Reply`], by `deadline` at the latest if [`next`](Self::next)
    /// is called then.
    ///
    /// # Errors
    /// The request can't be sent; then no event comes.
    pub fn submit(
        &mut self,
        request: Request<'_>,
        transaction: Option<TransactionId>,
        deadline: Nanos,
    ) -> Result<RequestId, SubmitError> {
        if self.broken.is_some() {
            return Err(SubmitError::Broken);
        }
        let (kind, pieces) = message(&request).map_err(SubmitError::BadText)?;
        let transaction = transaction.map_or(0, |transaction| transaction.0);
        if !self.make_room() {
            return Err(SubmitError::Full);
        }
        let id = self.enqueue(kind, transaction, &pieces)?;
        // There is room.
        let _ = self.in_flight.push(InFlight { id, kind, transaction, deadline, abandoned: false });
        self.flush();
        Ok(RequestId(id))
    }

    /// Puts a message into the outbox. Returns its number.
    fn enqueue(&mut self, kind: u32, transaction: u32, pieces: &[&str]) -> Result<u32, SubmitError> {
        let payload_bytes = pieces.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
        if payload_bytes > PAYLOAD_MAX_BYTES {
            return Err(SubmitError::BadText(BadText::TooLong));
        }
        let message_bytes = payload_bytes.saturating_add(HEADER_BYTES);
        let room = OUTBOX_BYTES.saturating_sub(self.outbox.len());
        if message_bytes > room {
            return Err(SubmitError::Full);
        }
        let id = self.fresh_id();
        // The check above ensures space.
        let header = Header { kind, req_id: id, tx_id: transaction, len: payload_bytes as u32 };
        for byte in emit(header) {
            let _ = self.outbox.push_back(byte);
        }
        for byte in pieces.iter().flat_map(|piece| piece.bytes()) {
            let _ = self.outbox.push_back(byte);
        }
        Ok(id)
    }

    /// Makes room for a request. The answer to one that is forgotten is dropped as unasked, should it come after all: no number
    /// comes again soon.
    fn make_room(&mut self) -> bool {
        if self.in_flight.is_full() {
            let abandoned = self.in_flight.iter().enumerate().filter(|(_, request)| request.abandoned);
            let oldest = abandoned.min_by_key(|(_, request)| request.deadline);
            let Some((index, _)) = oldest else { return false };
            self.in_flight.swap_remove(index);
        }
        true
    }

    /// A number without a pending request. Never 0, the number of watch events.
    fn fresh_id(&mut self) -> u32 {
        // One more number than pending requests suffices.
        for _ in 0..=MAX_IN_FLIGHT {
            let id = self.next_id;
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.iter().any(|request| request.id == id) {
                return id;
            }
        }
        self.next_id
    }

    /// Moves bytes both ways and returns the next event or time-out by `now`.
    ///
    /// Call it until it returns `None`, then see [`take_notify`](Self::take_notify). A call reads
    /// at most one message.
    pub fn next(&mut self, now: Nanos) -> Option<Event<'_>> {
        self.flush();
        let complete = self.fill();
        if let Some(broken) = self.broken {
            let request = self.in_flight.iter().position(|request| !request.abandoned)?;
            let id = RequestId(self.in_flight.swap_remove(request).id);
            return Some(Event::Reply { id, result: Err(RequestError::Broken(broken)) });
        }
        if complete {
            self.told = true;
            return Some(self.tell());
        }
        let overdue =
            self.in_flight.iter_mut().find(|request| !request.abandoned && request.deadline <= now)?;
        overdue.abandoned = true;
        Some(Event::Reply { id: RequestId(overdue.id), result: Err(RequestError::TimedOut) })
    }

    /// Bytes were moved: send xenstored an event. The call clears the request for it.
    pub fn take_notify(&mut self) -> bool {
        core::mem::take(&mut self.notify)
    }

    /// The earliest deadline of the pending requests.
    pub fn deadline(&self) -> Option<Nanos> {
        self.in_flight.iter().filter(|request| !request.abandoned).map(|request| request.deadline).min()
    }

    /// Why the connection is unusable, if it is.
    pub fn broken(&self) -> Option<BrokenStore> {
        self.broken
    }

    /// Sends waiting bytes, as far as they fit.
    fn flush(&mut self) {
        while self.broken.is_none() && !self.outbox.is_empty() {
            let (front, _) = self.outbox.as_slices();
            match self.ring.send(front) {
                Ok(0) => break,
                Ok(sent) => {
                    for _ in 0..sent {
                        self.outbox.pop_front();
                    }
                    self.notify = true;
                }
                Err(broken) => self.broken = Some(broken),
            }
        }
    }

    /// Reads the present bytes of one message. Returns whether it is complete.
    fn fill(&mut self) -> bool {
        if core::mem::take(&mut self.told) {
            self.inbox.clear();
        }
        // First the header, then the length that it states.
        while self.broken.is_none() {
            let wanted_bytes = match parse(&self.inbox) {
                None => HEADER_BYTES,
                Some(header) if header.len as usize > PAYLOAD_MAX_BYTES => {
                    self.broken = Some(BrokenStore::TooLong(header.len));
                    break;
                }
                Some(header) => HEADER_BYTES.saturating_add(header.len as usize),
            };
            let have_bytes = self.inbox.len();
            // After the header, a message is complete only without payload.
            if have_bytes >= HEADER_BYTES && have_bytes == wanted_bytes {
                return true;
            }
            // The longest message fits.
            let _ = self.inbox.resize(wanted_bytes, 0);
            let received = match self.inbox.get_mut(have_bytes..) {
                Some(free) => self.ring.receive(free),
                None => Ok(0),
            };
            match received {
                Ok(received) => {
                    self.inbox.truncate(have_bytes.saturating_add(received));
                    if received == 0 {
                        return false;
                    }
                    self.notify = true;
                }
                Err(broken) => self.broken = Some(broken),
            }
        }
        false
    }

    /// The complete message in the inbox as an event.
    fn tell(&mut self) -> Event<'_> {
        let header = parse(&self.inbox).unwrap_or_default();
        let unused_start = self.unused_start(&header);
        if header.kind == xs_wire::WATCH_EVENT {
            let payload = self.inbox.get(HEADER_BYTES..).unwrap_or_default();
            return watch_event(payload).unwrap_or(Event::Dropped(Oddity::BadWatchEvent));
        }
        let index = self.in_flight.iter().position(|request| request.id == header.req_id);
        let request = index.map(|index| self.in_flight.swap_remove(index));
        if let Some(transaction) = unused_start {
            // xenstored allows a domain few transactions. This reply is unused, and nobody waits for that of
            // the end. If the request can't be sent, only the one transaction is lost.
            let _ = self.enqueue(xs_wire::TRANSACTION_END, transaction, &["F\0"]);
        }
        let request = match request {
            None => return Event::Dropped(Oddity::Unasked(header.req_id)),
            Some(InFlight { abandoned: true, .. }) => return Event::Dropped(Oddity::Late(header.req_id)),
            Some(request) => request,
        };
        let payload = self.inbox.get(HEADER_BYTES..).unwrap_or_default();
        let result = if header.tx_id != request.transaction {
            Err(RequestError::Garbled)
        } else if header.kind == xs_wire::ERROR {
            let name = payload.strip_suffix(&[0]).unwrap_or(payload);
            match Refusal::from_name(name) {
                // An earlier request for it succeeded after its deadline: the node is watched, as
                // wanted.
                Refusal::Exists if request.kind == xs_wire::WATCH => Ok(Reply { payload: &[] }),
                refusal => Err(RequestError::Refused(refusal)),
            }
        } else if header.kind == request.kind {
            Ok(Reply { payload })
        } else {
            Err(RequestError::Garbled)
        };
        Event::Reply { id: RequestId(request.id), result }
    }

    /// The unused transaction that the inbox's message reports, if any.
    fn unused_start(&self, header: &Header) -> Option<u32> {
        let request = self.in_flight.iter().find(|request| request.id == header.req_id);
        let is_unused =
            request.is_none_or(|request| request.abandoned && request.kind == xs_wire::TRANSACTION_START);
        let payload = self.inbox.get(HEADER_BYTES..)?;
        (is_unused && header.kind == xs_wire::TRANSACTION_START)
            .then(|| TransactionId::parse(&Reply { payload }))?
            .map(|transaction| transaction.0)
    }
}

/// A request's type and the pieces of its payload (docs/misc/xenstore.txt): every string but a value
/// ends with a NUL.
fn message<'p>(request: &Request<'p>) -> Result<(u32, Vec<&'p str, 4>), BadText> {
    const NUL: &str = "\0";
    let (kind, pieces): (_, &[&str]) = match request {
        Request::Read(path) => (xs_wire::READ, &[path.as_str(), NUL]),
        Request::Directory(path) => (xs_wire::DIRECTORY, &[path.as_str(), NUL]),
        Request::Write(path, value) => (xs_wire::WRITE, &[path.as_str(), NUL, text::value(value)?]),
        Request::Remove(path) => (xs_wire::RM, &[path.as_str(), NUL]),
        Request::Watch { path, token } => (xs_wire::WATCH, &[path.as_str(), NUL, text::token(token)?, NUL]),
        Request::Unwatch { path, token } => {
            (xs_wire::UNWATCH, &[path.as_str(), NUL, text::token(token)?, NUL])
        }
        Request::TransactionStart => (xs_wire::TRANSACTION_START, &[NUL]),
        Request::TransactionEnd { commit } => {
            (xs_wire::TRANSACTION_END, &[if *commit { "T" } else { "F" }, NUL])
        }
    };
    // At most four.
    Ok((kind, pieces.iter().copied().collect()))
}

fn watch_event(payload: &[u8]) -> Option<Event<'_>> {
    let mut strings = payload.split(|byte| *byte == 0);
    let path = core::str::from_utf8(strings.next()?).ok()?;
    let token = core::str::from_utf8(strings.next()?).ok()?;
    // Both end with a NUL, so a third exists, even if empty.
    strings.next()?;
    Path::new(path).ok()?;
    Some(Event::Watch { path, token })
}

fn emit(header: Header) -> impl Iterator<Item = u8> {
    [header.kind, header.req_id, header.tx_id, header.len].into_iter().flat_map(u32::to_le_bytes)
}

/// The header at the start of a message, if complete.
fn parse(message: &[u8]) -> Option<Header> {
    let (words, _) = message.first_chunk::<HEADER_BYTES>()?.as_chunks::<4>();
    match words {
        [kind, req_id, tx_id, len] => Some(Header {
            kind: u32::from_le_bytes(*kind),
            req_id: u32::from_le_bytes(*req_id),
            tx_id: u32::from_le_bytes(*tx_id),
            len: u32::from_le_bytes(*len),
        }),
        _ => None,
    }
}
