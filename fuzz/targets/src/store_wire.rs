//! xenstored's answers, events and ring indices, as an enemy writes them.

use std::sync::atomic::Ordering::Relaxed;

use hyper::Nanos;
use testbed::ignored;
use xen_guest::xenstore::{Event, MAX_IN_FLIGHT, Operation, Path, Request, RequestId, Store, Transaction};
use xen_sys::xs_wire::{RING_BYTES, StoreRing};

use crate::bytes::Bytes;

/// Most events of one turn: a ring full of headers, a message that had begun, and an end for each request.
const MOST_EVENTS: usize = RING_BYTES / 16 + 1 + MAX_IN_FLIGHT;

/// Time that each request has.
const TIMEOUT_NS: u64 = 1_000;

/// The client with its enemy.
struct Rig<'a> {
    page: &'a StoreRing,
    store: Store<'a>,
    now: Nanos,
    transaction: Transaction,
    /// Requests whose end is yet to be reported.
    pending: Vec<RequestId>,
}

/// An enemy's xenstored: no panic, every turn ends, and the end of each request is reported once.
pub fn run(input: &[u8]) {
    let page = StoreRing::default();
    let mut bytes = Bytes::new(input);
    let mut rig = Rig {
        page: &page,
        store: Store::attach(&page),
        now: Nanos(0),
        transaction: Transaction::new(2, TIMEOUT_NS),
        pending: Vec::new(),
    };
    while !bytes.is_empty() {
        rig.act(&mut bytes);
    }
    rig.now = Nanos(u64::MAX);
    rig.hear();
    assert_eq!(rig.pending, [], "requests without an end");
}

impl Rig<'_> {
    fn act(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() % 16 {
            0..=4 => self.write_message(bytes),
            5 => {
                let length = usize::from(bytes.u8());
                self.write(bytes.slice(length));
            }
            6 => self.page.rsp_prod.store(bytes.u32(), Relaxed),
            7 => self.page.req_cons.store(bytes.u32(), Relaxed),
            8 => self.page.req_cons.store(self.page.req_prod.load(Relaxed), Relaxed),
            9..=11 => self.submit(bytes),
            12 => self.now = Nanos(self.now.0.saturating_add(bytes.sized())),
            13 => self.poll_transaction(),
            14 => self.transaction = Transaction::new(bytes.u8(), TIMEOUT_NS),
            _ => {
                // These indices are the client's own.
                self.page.rsp_cons.store(bytes.u32(), Relaxed);
                self.page.req_prod.store(bytes.u32(), Relaxed);
            }
        }
        self.hear();
    }

    /// Writes a message with a valid frame and any content.
    fn write_message(&mut self, bytes: &mut Bytes<'_>) {
        let kind = u32::from(bytes.u8() % 20);
        let [id, transaction] = [bytes.sized() as u32, bytes.sized() as u32];
        let length = usize::from(bytes.u8());
        let payload = bytes.slice(length);
        let header = [kind, id, transaction, payload.len() as u32];
        self.write(&header.map(u32::to_le_bytes).concat());
        self.write(payload);
    }

    /// Writes bytes to the response ring; the client reads in between if they don't fit.
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(RING_BYTES / 4) {
            let mut prod = self.page.rsp_prod.load(Relaxed);
            for byte in piece {
                self.page.rsp[prod as usize % RING_BYTES].store(*byte, Relaxed);
                prod = prod.wrapping_add(1);
            }
            self.page.rsp_prod.store(prod, Relaxed);
            self.hear();
        }
    }

    fn submit(&mut self, bytes: &mut Bytes<'_>) {
        let length = usize::from(bytes.u8() % 16);
        let Ok(text) = str::from_utf8(bytes.slice(length)) else { return };
        let Ok(path) = Path::new(text) else { return };
        let request = match bytes.u8() % 8 {
            0 => Request::Directory(path),
            1 => Request::Write(path, text),
            2 => Request::Remove(path),
            3 => Request::Watch { path, token: text },
            4 => Request::Unwatch { path, token: text },
            5 => Request::TransactionStart,
            6 => Request::TransactionEnd { commit: true },
            _ => Request::Read(path),
        };
        let deadline = Nanos(self.now.0.saturating_add(TIMEOUT_NS));
        if let Ok(id) = self.store.submit(request, None, deadline) {
            assert!(!self.pending.contains(&id), "a number twice");
            self.pending.push(id);
        }
        assert!(self.pending.len() <= MAX_IN_FLIGHT);
    }

    fn poll_transaction(&mut self) {
        let before = self.transaction.awaited();
        let progress = self.transaction.poll(&mut self.store, &operations(), self.now);
        ignored(progress, "anything may come of what makes no sense, but a panic");
        if let Some(id) = self.transaction.awaited().filter(|_| before.is_none()) {
            assert!(!self.pending.contains(&id), "a number twice");
            self.pending.push(id);
        }
    }

    /// Takes all events that there are.
    fn hear(&mut self) {
        for _ in 0..=MOST_EVENTS {
            let Some(event) = self.store.next(self.now) else {
                let is_overdue = self.store.deadline().is_some_and(|deadline| deadline <= self.now);
                assert!(!is_overdue || self.pending.is_empty(), "a deadline went by");
                return;
            };
            match event {
                Event::Reply { id, result } => {
                    let place = self.pending.iter().position(|pending| *pending == id);
                    self.pending.swap_remove(place.expect("an end that is reported once"));
                    self.transaction.hear(&operations(), id, &result);
                    if let Ok(reply) = result {
                        assert!(!reply.text().is_ok_and(|text| text.contains('\0')));
                        assert!(reply.names().all(|name| !name.is_empty() && !name.contains('/')));
                    }
                }
                Event::Watch { path, token } => {
                    assert!(Path::new(path).is_ok());
                    assert!(!token.contains('\0'));
                }
                _ => {}
            }
        }
        panic!("a turn that doesn't end");
    }
}

fn operations() -> [Operation<'static>; 2] {
    let path = Path::new("a/b").expect("a path");
    [Operation::Expect(path), Operation::Write(path, "v")]
}
