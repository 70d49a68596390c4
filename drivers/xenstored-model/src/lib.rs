//! A xenstored over a page: nodes, watches, transactions. Written from docs/misc/xenstore.txt, sharing no code with the
//! client.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::SeqCst;

use xen_sys::xs_wire::StoreRing;

type Nodes = BTreeMap<String, Vec<u8>>;

#[derive(Debug)]
struct Open {
    nodes: Nodes,
    version: u64,
    changed: Vec<String>,
}

pub struct Stored<'a> {
    page: &'a StoreRing,
    inbox: Vec<u8>,
    outbox: VecDeque<u8>,
    pub nodes: Nodes,
    pub watches: Vec<(String, String)>,
    open: BTreeMap<u32, Open>,
    next_transaction: u32,
    version: u64,
    /// Reads requests, and answers none.
    pub silent: bool,
    /// Kind, transaction and payload of each request, in order.
    pub requests: Vec<(u32, u32, Vec<u8>)>,
    /// Commits to be refused with EAGAIN.
    pub conflicts: u32,
}

impl<'a> Stored<'a> {
    pub fn new(page: &'a StoreRing) -> Self {
        Self {
            page,
            inbox: Vec::new(),
            outbox: VecDeque::new(),
            nodes: Nodes::new(),
            watches: Vec::new(),
            open: BTreeMap::new(),
            next_transaction: 7,
            version: 0,
            silent: false,
            requests: Vec::new(),
            conflicts: 0,
        }
    }

    pub fn set(&mut self, path: &str, value: &str) {
        self.nodes.insert(path.to_owned(), value.as_bytes().to_vec());
        self.version += 1;
        self.fire(path);
    }

    pub fn value(&self, path: &str) -> Option<&str> {
        self.nodes.get(path).map(|value| core::str::from_utf8(value).expect("text"))
    }

    pub fn open_transactions(&self) -> usize {
        self.open.len()
    }

    /// Reads requests, answers them, and moves what fits.
    pub fn run(&mut self) {
        let (mut cons, prod) = (self.page.req_cons.load(SeqCst), self.page.req_prod.load(SeqCst));
        while cons != prod {
            self.inbox.push(self.page.req[cons as usize % 1024].load(SeqCst));
            cons = cons.wrapping_add(1);
        }
        self.page.req_cons.store(cons, SeqCst);
        while self.inbox.len() >= 16 {
            let word = |at: usize| u32::from_le_bytes(self.inbox[at..at + 4].try_into().expect("4"));
            let (kind, id, transaction, len) = (word(0), word(4), word(8), word(12) as usize);
            assert!(len <= 4096, "xenstored would cut the connection");
            if self.inbox.len() < 16 + len {
                break;
            }
            let payload: Vec<u8> = self.inbox.drain(..16 + len).skip(16).collect();
            self.requests.push((kind, transaction, payload.clone()));
            if !self.silent {
                self.handle(kind, id, transaction, &payload);
            }
        }
        let (cons, mut prod) = (self.page.rsp_cons.load(SeqCst), self.page.rsp_prod.load(SeqCst));
        while prod.wrapping_sub(cons) < 1024
            && let Some(octet) = self.outbox.pop_front()
        {
            self.page.rsp[prod as usize % 1024].store(octet, SeqCst);
            prod = prod.wrapping_add(1);
        }
        self.page.rsp_prod.store(prod, SeqCst);
    }

    /// Puts a message into the outbox.
    pub fn send(&mut self, kind: u32, id: u32, transaction: u32, payload: &[u8]) {
        for word in [kind, id, transaction, payload.len() as u32] {
            self.outbox.extend(word.to_le_bytes());
        }
        self.outbox.extend(payload);
    }

    /// Puts octets into the outbox, whatever they are.
    pub fn send_raw(&mut self, octets: &[u8]) {
        self.outbox.extend(octets);
    }

    fn fire(&mut self, changed: &str) {
        let hit: Vec<_> = self
            .watches
            .iter()
            .filter(|(path, _)| {
                changed == path
                    || changed.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'))
            })
            .cloned()
            .collect();
        for (_, token) in hit {
            self.send(15, 0, 0, format!("{changed}\0{token}\0").as_bytes());
        }
    }

    fn handle(&mut self, kind: u32, id: u32, transaction: u32, payload: &[u8]) {
        match self.answer(kind, transaction, payload) {
            Ok(answer) => self.send(kind, id, transaction, &answer),
            Err(name) => self.send(16, id, transaction, format!("{name}\0").as_bytes()),
        }
        // The first event of a watch comes behind the answer.
        if kind == 4 {
            let (path, token) = self.watches.last().cloned().expect("just added");
            self.send(15, 0, 0, format!("{path}\0{token}\0").as_bytes());
        }
    }

    fn answer(&mut self, kind: u32, transaction: u32, payload: &[u8]) -> Result<Vec<u8>, &'static str> {
        let ok = || Ok(b"OK\0".to_vec());
        let strings: Vec<String> = payload
            .split(|octet| *octet == 0)
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect();
        let ends_with_nul = payload.last() == Some(&0);
        match kind {
            6 => {
                assert_eq!((payload, transaction), (&b"\0"[..], 0));
                let number = self.next_transaction;
                self.next_transaction += 1;
                let open = Open { nodes: self.nodes.clone(), version: self.version, changed: Vec::new() };
                self.open.insert(number, open);
                return Ok(format!("{number}\0").into_bytes());
            }
            7 => {
                let open = self.open.remove(&transaction).ok_or("ENOENT")?;
                if payload == b"T\0" {
                    if self.conflicts > 0 {
                        self.conflicts -= 1;
                        return Err("EAGAIN");
                    }
                    if open.version != self.version {
                        return Err("EAGAIN");
                    }
                    self.nodes = open.nodes;
                    self.version += 1;
                    open.changed.iter().for_each(|path| self.fire(path));
                } else {
                    assert_eq!(payload, b"F\0");
                }
                return ok();
            }
            10 => return Ok(format!("/local/domain/{}\0", strings[0]).into_bytes()),
            21 => {
                self.watches.clear();
                self.open.clear();
                return ok();
            }
            4 => {
                assert!(ends_with_nul);
                self.watches.push((strings[0].clone(), strings[1].clone()));
                return ok();
            }
            5 => {
                let wanted = (strings[0].clone(), strings[1].clone());
                let before = self.watches.len();
                self.watches.retain(|watch| *watch != wanted);
                return if self.watches.len() < before { ok() } else { Err("ENOENT") };
            }
            _ => {}
        }
        let path = strings[0].clone();
        let nodes = match transaction {
            0 => &mut self.nodes,
            number => &mut self.open.get_mut(&number).ok_or("ENOENT")?.nodes,
        };
        let below = format!("{path}/");
        let changed = match kind {
            1 => {
                let mut names: Vec<&str> =
                    nodes.keys().filter_map(|node| node.strip_prefix(&below)?.split('/').next()).collect();
                names.dedup();
                let list: String = names.iter().map(|name| format!("{name}\0")).collect();
                return if list.is_empty() && !nodes.contains_key(&path) {
                    Err("ENOENT")
                } else {
                    Ok(list.into())
                };
            }
            2 => return nodes.get(&path).cloned().ok_or("ENOENT"),
            11 => {
                let value = payload[path.len() + 1..].to_vec();
                nodes.insert(path.clone(), value);
                path
            }
            12 => {
                nodes.entry(path.clone()).or_default();
                path
            }
            13 => {
                nodes.retain(|node, _| *node != path && !node.starts_with(&below));
                path
            }
            _ => return Err("ENOSYS"),
        };
        if transaction == 0 {
            self.version += 1;
            self.fire(&changed);
        } else if let Some(open) = self.open.get_mut(&transaction) {
            open.changed.push(changed);
        }
        ok()
    }
}
