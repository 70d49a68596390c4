//! A xenstored behind a page in memory, with one client: the other end of a xenstore ring in tests.
//!
//! It answers requests as `docs/misc/xenstore.txt` says, with transactions, watches and rights. Switches make it fail:
//! silence, refusals, conflicts, garbage, and answers that are lost, late, overtaken by events, or in another order. It shares no code and no number with a client. A message of more than 4096
//! bytes panics, where xenstored would disconnect.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::SeqCst;

use xen_sys::xs_wire::StoreRing;

/// Types of messages (io/xs_wire.h), written out here a second time on purpose.
mod kind {
    pub(super) const DIRECTORY: u32 = 1;
    pub(super) const READ: u32 = 2;
    pub(super) const WATCH: u32 = 4;
    pub(super) const UNWATCH: u32 = 5;
    pub(super) const TRANSACTION_START: u32 = 6;
    pub(super) const TRANSACTION_END: u32 = 7;
    pub(super) const WRITE: u32 = 11;
    pub(super) const RM: u32 = 13;
    pub(super) const WATCH_EVENT: u32 = 15;
    pub(super) const ERROR: u32 = 16;
    /// No type of xenstored's.
    pub(super) const UNKNOWN: u32 = 99;
}

/// Bytes of a message's header.
const HEADER_BYTES: usize = 16;

/// Nodes by path. A directory without a value of its own may be missing.
pub type Nodes = BTreeMap<String, Vec<u8>>;

/// Most open transactions of the client; one more fails with ENOSPC.
const MAX_TRANSACTIONS: usize = 10;

/// Most bytes of a payload.
const PAYLOAD_MAX_BYTES: usize = 4096;

#[derive(Debug)]
struct Open {
    /// The nodes at its start, with its own changes.
    nodes: Nodes,
    version: u64,
    /// Paths that it read or changed. A commit fails if one of them changed meanwhile.
    touched: Vec<String>,
    changes: Vec<Changed>,
}

/// A change that watches report.
#[derive(Clone, Debug)]
struct Changed {
    path: String,
    /// `None`: the node was removed, with all below it.
    value: Option<Vec<u8>>,
}

/// A request of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its type (xs_wire.h).
    pub kind: u32,
    /// Its transaction; 0 outside of one.
    pub transaction: u32,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The daemon, with one client.
#[derive(Debug)]
pub struct Stored<'a> {
    page: &'a StoreRing,
    inbox: Vec<u8>,
    outbox: VecDeque<u8>,
    /// The client's home, the base of relative paths. Empty leaves them as they are.
    pub home: String,
    /// All nodes.
    pub nodes: Nodes,
    /// The client's watches: the path as requested, and the token.
    pub watches: Vec<(String, String)>,
    open: BTreeMap<u32, Open>,
    next_transaction: u32,
    version: u64,
    /// The version at which a node last changed.
    changed_at: BTreeMap<String, u64>,
    /// Reads requests and answers none.
    pub silent: bool,
    /// Answers wait until this ends, or until [`release_answers`](Self::release_answers). Events overtake them.
    pub holds_answers: bool,
    /// Number of answers that are lost from now on. The requests are carried out.
    pub loses_answers: u32,
    /// Answers that wait, in the order of their requests.
    held: Vec<Vec<u8>>,
    /// The requests so far, in order.
    pub requests: Vec<Seen>,
    /// Whether [`requests`](Self::requests) grows.
    pub keeps_requests: bool,
    /// Number of commits that fail with EAGAIN.
    pub conflicts: u32,
    /// Every request fails with this error.
    pub refuses: Option<&'static str>,
    /// Requests at or below these paths fail with EIO.
    pub refuses_paths: Vec<String>,
    /// Answers have an unknown type.
    pub garbles: bool,
    /// Paths at or below which the client may write; `None` allows all.
    pub may_write: Option<Vec<String>>,
    /// Missing nodes at or below these paths fail with EACCES, as in a directory without read access.
    pub hidden: Vec<String>,
}

impl<'a> Stored<'a> {
    /// An empty daemon at the other end of `page`.
    pub fn new(page: &'a StoreRing) -> Self {
        Self {
            page,
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            home: String::new(),
            nodes: Nodes::new(),
            watches: Vec::new(),
            open: BTreeMap::new(),
            next_transaction: 7,
            version: 0,
            changed_at: BTreeMap::new(),
            silent: false,
            holds_answers: false,
            loses_answers: 0,
            held: Vec::new(),
            requests: Vec::new(),
            keeps_requests: true,
            conflicts: 0,
            refuses: None,
            refuses_paths: Vec::new(),
            garbles: false,
            may_write: None,
            hidden: Vec::new(),
        }
    }

    /// Another domain writes a node.
    pub fn set(&mut self, path: &str, value: &str) {
        self.set_raw(path, value.as_bytes());
    }

    /// Another domain writes a node with any bytes.
    pub fn set_raw(&mut self, path: &str, value: &[u8]) {
        let path = self.absolute(path);
        self.change(Changed { path, value: Some(value.to_vec()) });
    }

    /// Another domain removes a node and all below it.
    pub fn remove(&mut self, path: &str) {
        let path = self.absolute(path);
        if exists(&self.nodes, &path) {
            self.change(Changed { path, value: None });
        }
    }

    /// The value of a node, as text. Panics at other bytes.
    pub fn value(&self, path: &str) -> Option<&str> {
        let value = self.nodes.get(&self.absolute(path))?;
        Some(core::str::from_utf8(value).expect("text"))
    }

    /// Whether a node exists, or one below it.
    pub fn exists(&self, path: &str) -> bool {
        exists(&self.nodes, &self.absolute(path))
    }

    /// Number of the client's open transactions.
    pub fn open_transactions(&self) -> usize {
        self.open.len()
    }

    /// Takes requests off the ring, answers them, and puts as much on the ring as fits.
    pub fn run(&mut self) {
        let (mut cons, prod) = (self.page.req_cons.load(SeqCst), self.page.req_prod.load(SeqCst));
        while cons != prod {
            self.inbox.push(self.page.req[cons as usize % 1024].load(SeqCst));
            cons = cons.wrapping_add(1);
        }
        self.page.req_cons.store(cons, SeqCst);
        while self.inbox.len() >= HEADER_BYTES {
            let word = |at: usize| u32::from_le_bytes(self.inbox[at..at + 4].try_into().expect("4"));
            let (kind, id, transaction, len) = (word(0), word(4), word(8), word(12) as usize);
            assert!(len <= PAYLOAD_MAX_BYTES, "xenstored would cut the connection");
            if self.inbox.len() < HEADER_BYTES + len {
                break;
            }
            let payload: Vec<u8> = self.inbox.drain(..HEADER_BYTES + len).skip(HEADER_BYTES).collect();
            if self.keeps_requests {
                self.requests.push(Seen { kind, transaction, payload: payload.clone() });
            }
            if !self.silent {
                self.handle(kind, id, transaction, &payload);
            }
        }
        if !self.holds_answers {
            self.release_answers(|_| 0);
        }
        let (cons, mut prod) = (self.page.rsp_cons.load(SeqCst), self.page.rsp_prod.load(SeqCst));
        while prod.wrapping_sub(cons) < 1024
            && let Some(byte) = self.outbox.pop_front()
        {
            self.page.rsp[prod as usize % 1024].store(byte, SeqCst);
            prod = prod.wrapping_add(1);
        }
        self.page.rsp_prod.store(prod, SeqCst);
    }

    /// Whether the client has bytes to read.
    pub fn has_sent(&self) -> bool {
        self.page.rsp_cons.load(SeqCst) != self.page.rsp_prod.load(SeqCst)
    }

    /// Puts a message into the outbox, or where it waits or is lost.
    pub fn send(&mut self, kind: u32, id: u32, transaction: u32, payload: &[u8]) {
        let header = [kind, id, transaction, payload.len() as u32].map(u32::to_le_bytes).concat();
        let message = [&header, payload].concat();
        match kind {
            kind::WATCH_EVENT => self.outbox.extend(message),
            _ if self.loses_answers > 0 => self.loses_answers -= 1,
            _ if self.holds_answers => self.held.push(message),
            _ => self.outbox.extend(message),
        }
    }

    /// Puts the answers that wait into the outbox. `choose` says which of so many that are left is next: 0 is the oldest.
    pub fn release_answers(&mut self, mut choose: impl FnMut(usize) -> usize) {
        while !self.held.is_empty() {
            let next = choose(self.held.len()) % self.held.len();
            self.outbox.extend(self.held.remove(next));
        }
    }

    /// Puts any bytes into the outbox.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.outbox.extend(bytes);
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') || path.starts_with('@') || self.home.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.home)
        }
    }

    fn change(&mut self, changed: Changed) {
        self.version += 1;
        if changed.value.is_none() {
            for path in self.nodes.keys().filter(|node| is_at_or_below(node, &changed.path)) {
                self.changed_at.insert(path.clone(), self.version);
            }
        }
        self.changed_at.insert(changed.path.clone(), self.version);
        apply(&mut self.nodes, &changed);
        self.fire(&changed);
    }

    /// Sends events to watches at or above the change, and below a removed node, with the path as the client requested it.
    fn fire(&mut self, changed: &Changed) {
        let mut events = Vec::new();
        for (asked, token) in &self.watches {
            let watched = self.absolute(asked);
            let is_below =
                |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
            if changed.path == watched || is_below(&changed.path, &watched) {
                events.push((format!("{asked}{}", &changed.path[watched.len()..]), token.clone()));
            } else if changed.value.is_none() && is_below(&watched, &changed.path) {
                events.push((asked.clone(), token.clone()));
            }
        }
        for (path, token) in events {
            self.send(kind::WATCH_EVENT, 0, 0, format!("{path}\0{token}\0").as_bytes());
        }
    }

    fn handle(&mut self, kind: u32, id: u32, transaction: u32, payload: &[u8]) {
        if self.garbles {
            return self.send(kind::UNKNOWN, id, transaction, b"\xff\xfe");
        }
        let answer = match self.refuses {
            Some(name) => Err(name),
            None => self.answer(kind, transaction, payload),
        };
        let is_watched = kind == kind::WATCH && answer.is_ok();
        match answer {
            Ok(answer) => self.send(kind, id, transaction, &answer),
            Err(name) => self.send(kind::ERROR, id, transaction, format!("{name}\0").as_bytes()),
        }
        // The first event of a watch follows the answer.
        if is_watched {
            let (path, token) = self.watches.last().cloned().expect("just added");
            self.send(kind::WATCH_EVENT, 0, 0, format!("{path}\0{token}\0").as_bytes());
        }
    }

    fn answer(&mut self, kind: u32, transaction: u32, payload: &[u8]) -> Result<Vec<u8>, &'static str> {
        let ok = || Ok(b"OK\0".to_vec());
        let strings: Vec<String> =
            payload.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        let ends_with_nul = payload.last() == Some(&0);
        let about = self.absolute(&strings[0]);
        let is_refused = |place: &String| is_at_or_below(&about, &self.absolute(place));
        if self.refuses_paths.iter().any(is_refused) {
            return Err("EIO");
        }
        match kind {
            kind::TRANSACTION_START => {
                assert_eq!((payload, transaction), (&b"\0"[..], 0));
                let number = self.next_transaction;
                self.next_transaction += 1;
                if self.open.len() >= MAX_TRANSACTIONS {
                    return Err("ENOSPC");
                }
                let open = Open {
                    nodes: self.nodes.clone(),
                    version: self.version,
                    touched: Vec::new(),
                    changes: Vec::new(),
                };
                self.open.insert(number, open);
                return Ok(format!("{number}\0").into_bytes());
            }
            kind::TRANSACTION_END => {
                let open = self.open.remove(&transaction).ok_or("ENOENT")?;
                if payload == b"T\0" {
                    if self.conflicts > 0 {
                        self.conflicts -= 1;
                        return Err("EAGAIN");
                    }
                    let is_newer =
                        |path| self.changed_at.get(path).is_some_and(|version| *version > open.version);
                    if open.touched.iter().any(is_newer) {
                        return Err("EAGAIN");
                    }
                    open.changes.into_iter().for_each(|changed| self.change(changed));
                } else {
                    assert_eq!(payload, b"F\0");
                }
                return ok();
            }
            kind::WATCH => {
                assert!(ends_with_nul);
                let wanted = (strings[0].clone(), strings[1].clone());
                if self.watches.contains(&wanted) {
                    return Err("EEXIST");
                }
                self.watches.push(wanted);
                return ok();
            }
            kind::UNWATCH => {
                let wanted = (strings[0].clone(), strings[1].clone());
                let before = self.watches.len();
                self.watches.retain(|watch| *watch != wanted);
                return if self.watches.len() < before { ok() } else { Err("ENOENT") };
            }
            _ => {}
        }
        let path = self.absolute(&strings[0]);
        let missing =
            if self.hidden.iter().any(|hidden| is_at_or_below(&path, hidden)) { "EACCES" } else { "ENOENT" };
        let may_write = match &self.may_write {
            Some(places) => places.iter().any(|place| is_at_or_below(&path, &self.absolute(place))),
            None => true,
        };
        let nodes = match transaction {
            0 => &self.nodes,
            number => {
                let open = self.open.get_mut(&number).ok_or("ENOENT")?;
                open.touched.push(path.clone());
                &open.nodes
            }
        };
        if matches!(kind, kind::WRITE | kind::RM) && !may_write {
            return Err("EACCES");
        }
        let changed = match kind {
            kind::DIRECTORY => {
                let below = format!("{path}/");
                let mut names: Vec<&str> =
                    nodes.keys().filter_map(|node| node.strip_prefix(&below)?.split('/').next()).collect();
                names.dedup();
                let list: String = names.iter().map(|name| format!("{name}\0")).collect();
                return if list.is_empty() && !nodes.contains_key(&path) {
                    Err(missing)
                } else if list.len() > PAYLOAD_MAX_BYTES {
                    Err("E2BIG")
                } else {
                    Ok(list.into())
                };
            }
            kind::READ => {
                let below = exists(nodes, &path).then(Vec::new);
                return nodes.get(&path).cloned().or(below).ok_or(missing);
            }
            kind::WRITE => {
                let value = payload[strings[0].len() + 1..].to_vec();
                Changed { path, value: Some(value) }
            }
            kind::RM if !exists(nodes, &path) => return Err(missing),
            kind::RM => Changed { path, value: None },
            _ => return Err("ENOSYS"),
        };
        match self.open.get_mut(&transaction) {
            Some(open) => {
                apply(&mut open.nodes, &changed);
                open.changes.push(changed);
            }
            None => self.change(changed),
        }
        ok()
    }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn exists(nodes: &Nodes, path: &str) -> bool {
    nodes
        .range(path.to_owned()..)
        .take_while(|(node, _)| node.starts_with(path))
        .any(|(node, _)| is_at_or_below(node, path))
}

fn apply(nodes: &mut Nodes, changed: &Changed) {
    match &changed.value {
        Some(value) => {
            nodes.insert(changed.path.clone(), value.clone());
        }
        None => nodes.retain(|node, _| !is_at_or_below(node, &changed.path)),
    }
}
