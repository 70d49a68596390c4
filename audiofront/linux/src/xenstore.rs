//! Xenstore by `/dev/xen/xenbus`: requests with a deadline, and queued watch events.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use rustix::fs::OFlags;
use xen_sys::xs_wire::{self, HEADER_BYTES, PAYLOAD_MAX_BYTES};

use crate::deadline::{Deadline, Woken, wait};
use crate::error::{Error, ErrorKind, Result};

/// Longest wait for xenstored's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Queued watch events. A watch reports that a node changed, not how often.
const EVENTS_KEPT: usize = 64;

/// Attempts at a transaction.
const TRANSACTION_TRIES: u32 = 16;

/// A connection. Its watches and pending requests end with it.
#[derive(Debug)]
pub(crate) struct Store<F = File> {
    file: F,
    next_id: u32,
    /// The bytes received of the next message.
    inbox: Vec<u8>,
    /// Tokens of the watches that have fired.
    fired: VecDeque<String>,
}

impl Store {
    pub(crate) const PATH: &str = "/dev/xen/xenbus";

    pub(crate) fn open() -> io::Result<Self> {
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(Self::PATH).map(Self::new)
    }
}

impl<F: Read + Write + AsFd> Store<F> {
    /// A connection over a non-blocking file.
    fn new(file: F) -> Self {
        Self { file, next_id: 1, inbox: Vec::new(), fired: VecDeque::new() }
    }

    /// The node's value. `None`: the node doesn't exist, or this guest can't read it.
    pub(crate) fn read(&mut self, path: &str) -> Result<Option<String>> {
        let payload = match self.ask(xs_wire::READ, 0, &[path, "\0"]) {
            Err(Refusal::Named(name)) if name == "ENOENT" || name == "EACCES" => return Ok(None),
            other => other.map_err(|refusal| refusal.at("read", path))?,
        };
        Ok(String::from_utf8(payload).ok())
    }

    /// The names in a node; empty if the node doesn't exist.
    pub(crate) fn names(&mut self, path: &str) -> Result<Vec<String>> {
        let payload = match self.ask(xs_wire::DIRECTORY, 0, &[path, "\0"]) {
            Err(Refusal::Named(name)) if name == "ENOENT" || name == "EACCES" => return Ok(Vec::new()),
            other => other.map_err(|refusal| refusal.at("list", path))?,
        };
        let names = payload.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect())
    }

    pub(crate) fn write(&mut self, path: &str, value: &str) -> Result<()> {
        let answer = self.ask(xs_wire::WRITE, 0, &[path, "\0", value]);
        answer.map(drop).map_err(|refusal| refusal.at("write", path))
    }

    /// Removes a node. A missing node is no error.
    pub(crate) fn remove(&mut self, path: &str) -> Result<()> {
        match self.ask(xs_wire::RM, 0, &[path, "\0"]) {
            Err(Refusal::Named(name)) if name == "ENOENT" => Ok(()),
            other => other.map(drop).map_err(|refusal| refusal.at("remove", path)),
        }
    }

    /// Writes nodes, all or none.
    pub(crate) fn write_together(&mut self, nodes: &[(String, String)]) -> Result<()> {
        for _ in 0..TRANSACTION_TRIES {
            let number = self
                .ask(xs_wire::TRANSACTION_START, 0, &["\0"])
                .map_err(|refusal| refusal.at("begin", "it"))?;
            let transaction = std::str::from_utf8(&number)
                .ok()
                .and_then(|number| number.trim_end_matches('\0').parse().ok())
                .ok_or_else(|| Error::new(ErrorKind::Other, "xenstore: invalid transaction number"))?;
            let written = nodes.iter().try_for_each(|(path, value)| {
                let answer = self.ask(xs_wire::WRITE, transaction, &[path, "\0", value]);
                answer.map(drop).map_err(|refusal| refusal.at("write", path))
            });
            let end = if written.is_ok() { "T\0" } else { "F\0" };
            let ended = self.ask(xs_wire::TRANSACTION_END, transaction, &[end]);
            written?;
            match ended {
                Ok(_) => return Ok(()),
                // Another domain changed something meanwhile.
                Err(Refusal::Named(name)) if name == "EAGAIN" => {}
                Err(refusal) => return Err(refusal.at("write", "the card's nodes")),
            }
        }
        Err(Error::new(ErrorKind::Busy, "xenstore: concurrent changes made every attempt fail"))
    }

    /// Watches a node and everything below it. The watch fires once at once.
    pub(crate) fn watch(&mut self, path: &str, token: &str) -> Result<()> {
        let answer = self.ask(xs_wire::WATCH, 0, &[path, "\0", token, "\0"]);
        answer.map(drop).map_err(|refusal| refusal.at("watch", path))
    }

    /// Waits until a watch fires. `false`: the deadline passed or a signal came first.
    pub(crate) fn wait(&mut self, deadline: Deadline) -> Result<bool> {
        while self.fired.is_empty() {
            if self.take_message()?.is_some() {
                // The answer belongs to a request that timed out.
                continue;
            }
            if !self.fired.is_empty() {
                break;
            }
            match wait(&[self.file.as_fd()], deadline.left()).map_err(io::Error::from).map_err(broken)? {
                Woken::Readable => {}
                Woken::TimedOut | Woken::Interrupted => return Ok(false),
            }
        }
        self.fired.clear();
        Ok(true)
    }

    /// Whether a watch has fired, without waiting.
    pub(crate) fn has_fired(&mut self) -> Result<bool> {
        // Bounded: xenstored can send only answers under way and watch events.
        for _ in 0..EVENTS_KEPT {
            let had = self.fired.len();
            if self.take_message()?.is_none() && self.fired.len() == had {
                break;
            }
        }
        let fired = !self.fired.is_empty();
        self.fired.clear();
        Ok(fired)
    }

    fn ask(&mut self, kind: u32, transaction: u32, pieces: &[&str]) -> std::result::Result<Vec<u8>, Refusal> {
        let payload: Vec<u8> = pieces.concat().into_bytes();
        if payload.len() > PAYLOAD_MAX_BYTES {
            return Err(Refusal::Named("E2BIG".to_owned()));
        }
        let id = self.next_id;
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        let mut message = Vec::with_capacity(HEADER_BYTES + payload.len());
        for word in [kind, id, transaction, payload.len() as u32] {
            message.extend(word.to_le_bytes());
        }
        message.extend(payload);
        self.file.write_all(&message).map_err(Refusal::Io)?;
        let deadline = Deadline::after(ANSWER_WITHIN);
        loop {
            match self.take_message().map_err(Refusal::Other)? {
                Some(answer) if answer.id == id && answer.kind == xs_wire::ERROR => {
                    let name = String::from_utf8_lossy(&answer.payload);
                    return Err(Refusal::Named(name.trim_end_matches('\0').to_owned()));
                }
                Some(answer) if answer.id == id => return Ok(answer.payload),
                Some(_) => {}
                None if deadline.is_over() => return Err(Refusal::TimedOut),
                None => {
                    wait(&[self.file.as_fd()], deadline.left()).map_err(|error| Refusal::Io(error.into()))?;
                }
            }
        }
    }

    /// Takes the next complete answer. Watch events before it are queued.
    fn take_message(&mut self) -> Result<Option<Answer>> {
        loop {
            let wanted = match self.inbox.first_chunk::<HEADER_BYTES>() {
                None => HEADER_BYTES,
                Some(header) => {
                    let length = field(header, 3) as usize;
                    if length > PAYLOAD_MAX_BYTES {
                        return Err(Error::new(ErrorKind::Other, "xenstore: a message is too long"));
                    }
                    HEADER_BYTES + length
                }
            };
            let have = self.inbox.len();
            if have >= HEADER_BYTES && have == wanted {
                let message = std::mem::take(&mut self.inbox);
                let (header, payload) = message.split_at(HEADER_BYTES);
                let (kind, id) = (field(header, 0), field(header, 1));
                if kind == xs_wire::WATCH_EVENT {
                    let token = payload.split(|byte| *byte == 0).nth(1).unwrap_or_default();
                    if self.fired.len() < EVENTS_KEPT {
                        self.fired.push_back(String::from_utf8_lossy(token).into_owned());
                    }
                    return Ok(None);
                }
                return Ok(Some(Answer { id, kind, payload: payload.to_vec() }));
            }
            self.inbox.resize(wanted, 0);
            let read = self.file.read(&mut self.inbox[have..]);
            self.inbox.truncate(have + read.as_ref().copied().unwrap_or(0));
            match read {
                Ok(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }
}

impl<F: AsFd> AsFd for Store<F> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

struct Answer {
    id: u32,
    kind: u32,
    payload: Vec<u8>,
}

/// Why a request failed.
enum Refusal {
    Named(String),
    TimedOut,
    Io(io::Error),
    Other(Error),
}

impl Refusal {
    fn at(self, what: &str, path: &str) -> Error {
        match self {
            Self::Named(name) => {
                let kind = if name == "EACCES" { ErrorKind::Denied } else { ErrorKind::Other };
                Error::new(kind, format!("xenstore: can't {what} {path}: {name}"))
            }
            Self::TimedOut => Error::new(
                ErrorKind::TimedOut,
                format!("xenstore: no answer within {} s to {what} {path}", ANSWER_WITHIN.as_secs()),
            ),
            Self::Io(error) => broken(error),
            Self::Other(error) => error,
        }
    }
}

fn broken(error: io::Error) -> Error {
    Error::new(ErrorKind::Other, format!("{}: {error}", Store::<File>::PATH))
}

/// Word `index` of a header.
fn field(header: &[u8], index: usize) -> u32 {
    header.as_chunks::<4>().0.get(index).map_or(0, |word| u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread::JoinHandle;

    use super::*;

    fn message(kind: u32, id: u32, payload: &[u8]) -> Vec<u8> {
        let words = [kind, id, 0, payload.len() as u32];
        words.iter().flat_map(|word| word.to_le_bytes()).chain(payload.iter().copied()).collect()
    }

    /// The requests that a daemon received: kinds and payloads.
    type Asked = Vec<(u32, Vec<u8>)>;

    /// A store, and a daemon that serves one request for each of `answers`. Each answer is computed
    /// from the request's number.
    fn store(answers: Vec<fn(u32) -> Vec<u8>>) -> (Store<UnixStream>, JoinHandle<Asked>) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let daemon = std::thread::spawn(move || {
            let serve = |answer: &fn(u32) -> Vec<u8>| {
                let mut header = [0; HEADER_BYTES];
                theirs.read_exact(&mut header).unwrap();
                let mut payload = vec![0; field(&header, 3) as usize];
                theirs.read_exact(&mut payload).unwrap();
                // In two pieces, as on a real connection.
                let bytes = answer(field(&header, 1));
                let (first, second) = bytes.split_at(bytes.len() / 2);
                theirs.write_all(first).unwrap();
                theirs.write_all(second).unwrap();
                (field(&header, 0), payload)
            };
            answers.iter().map(serve).collect()
        });
        (Store::new(ours), daemon)
    }

    #[test]
    fn values_are_read_and_missing_ones_are_none() {
        let (mut store, daemon) = store(vec![
            |id| message(xs_wire::READ, id, b"4"),
            |id| message(xs_wire::ERROR, id, b"ENOENT\0"),
            |id| message(xs_wire::ERROR, id, b"EIO\0"),
        ]);
        assert_eq!(store.read("a/state").unwrap().as_deref(), Some("4"));
        assert_eq!(store.read("b").unwrap(), None);
        assert!(store.read("c").unwrap_err().to_string().contains("can't read c: EIO"));
        let asked = daemon.join().unwrap();
        assert_eq!(asked[0], (xs_wire::READ, b"a/state\0".to_vec()));
    }

    #[test]
    fn names_come_apart() {
        let (mut store, _daemon) = store(vec![|id| message(xs_wire::DIRECTORY, id, b"0\x001\0state\0")]);
        assert_eq!(store.names("a").unwrap(), ["0", "1", "state"]);
    }

    #[test]
    fn watches_that_fire_on_the_way_are_kept_and_late_answers_are_dropped() {
        let (mut store, _daemon) = store(vec![|id| {
            let event = message(xs_wire::WATCH_EVENT, 0, b"a/state\0state\0");
            let late = message(xs_wire::READ, id.wrapping_sub(1), b"old");
            [event.clone(), late, message(xs_wire::READ, id, b"new"), event].concat()
        }]);
        assert_eq!(store.read("a").unwrap().as_deref(), Some("new"));
        assert!(store.wait(Deadline::after(ANSWER_WITHIN)).unwrap());
    }

    #[test]
    fn a_transaction_is_done_again_when_others_came_between() {
        let answers: Vec<fn(u32) -> Vec<u8>> = vec![
            |id| message(xs_wire::TRANSACTION_START, id, b"7\0"),
            |id| message(xs_wire::WRITE, id, b"OK\0"),
            |id| message(xs_wire::ERROR, id, b"EAGAIN\0"),
            |id| message(xs_wire::TRANSACTION_START, id, b"8\0"),
            |id| message(xs_wire::WRITE, id, b"OK\0"),
            |id| message(xs_wire::TRANSACTION_END, id, b"OK\0"),
        ];
        let (mut store, daemon) = store(answers);
        store.write_together(&[("a".to_owned(), "1".to_owned())]).unwrap();
        assert_eq!(daemon.join().unwrap()[4], (xs_wire::WRITE, b"a\x001".to_vec()));
    }

    #[test]
    fn a_message_that_is_too_long_is_an_error() {
        let (mut store, _daemon) = store(vec![|id| {
            let mut long = message(xs_wire::READ, id, b"");
            long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
            long
        }]);
        assert!(store.read("a").unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn a_daemon_that_is_gone_is_an_error() {
        let (mut store, daemon) = store(vec![]);
        daemon.join().unwrap();
        assert!(store.read("a").is_err());
    }
}
