//! Requests on their way to xenstored: a test reads them, reorders them, or makes their replies go
//! astray.

use std::sync::atomic::Ordering::SeqCst;

use xen_sys::xs_wire::StoreRing;

/// Bytes of a message's header: kind, id, transaction, length of the payload.
const HEADER_BYTES: usize = 16;

/// An id that no request has.
const UNKNOWN_ID: u32 = 4_000_000;

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its kind (xs_wire.h).
    pub kind: u32,
    pub id: u32,
    pub transaction: u32,
    pub payload: Vec<u8>,
}

impl Request {
    /// The path that it is about.
    pub fn path(&self) -> String {
        let path = self.payload.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(path).into_owned()
    }
}

/// All whole requests on the page that xenstored hasn't read.
pub fn requests(page: &StoreRing) -> Vec<Request> {
    let (cons, prod) = (page.req_cons.load(SeqCst), page.req_prod.load(SeqCst));
    let bytes: Vec<u8> = (0..prod.wrapping_sub(cons))
        .map(|at| page.req[cons.wrapping_add(at) as usize % page.req.len()].load(SeqCst))
        .collect();
    let mut rest = &bytes[..];
    let mut requests = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(HEADER_BYTES) {
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("4 bytes"));
        let Some((payload, after)) = after.split_at_checked(word(12) as usize) else { break };
        let (kind, id, transaction) = (word(0), word(4), word(8));
        requests.push(Request { kind, id, transaction, payload: payload.to_vec() });
        rest = after;
    }
    requests
}

/// Puts requests in the place of those on the page, which are the same in another order, or with
/// other headers.
pub fn replace_requests(page: &StoreRing, requests: &[Request]) {
    let mut at = page.req_cons.load(SeqCst);
    for Request { kind, id, transaction, payload } in requests {
        let header = [*kind, *id, *transaction, payload.len() as u32].map(u32::to_le_bytes).concat();
        for byte in header.iter().chain(payload) {
            page.req[at as usize % page.req.len()].store(*byte, SeqCst);
            at = at.wrapping_add(1);
        }
    }
}

/// Makes the replies of these requests go astray: xenstored does what they ask, and answers an
/// unknown id. Returns the requests as they were.
pub fn lose_replies(page: &StoreRing, is_lost: impl Fn(&Request) -> bool) -> Vec<Request> {
    let mut requests = requests(page);
    let mut lost = Vec::new();
    for request in requests.iter_mut().filter(|request| is_lost(request)) {
        lost.push(request.clone());
        request.id = UNKNOWN_ID;
    }
    replace_requests(page, &requests);
    lost
}
