//! This process's connections to the guest's cards.
//!
//! All streams of a card in a process share one connection. A card has one front end, but a program
//! that plays and records opens two PCMs. The last PCM to close ends the connection.

use std::collections::BTreeMap;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use audiofront::ignored;
use audiofront_linux::{Card, Error};
use rustix::io::Errno;

use crate::card::Failure;

/// The cards with a connection.
static CARDS: Mutex<BTreeMap<u32, Weak<Connection>>> = Mutex::new(BTreeMap::new());

/// A connected card.
struct Connection {
    card: Mutex<Card>,
    /// Pipe to a process that closes the card if this process ends without doing so. Otherwise the
    /// back end would play the buffer again and again. `None`: the program `audiofront` isn't
    /// installed.
    _guard: Option<ChildStdin>,
}

impl Connection {
    fn open(index: u32) -> Result<Self, Failure> {
        let card = Mutex::new(Card::connect(index)?);
        let guard = Command::new("audiofront")
            .args(["guard", "--detach", &index.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let guard = guard.ok().and_then(|mut guard| {
            let pipe = guard.stdin.take();
            ignored(
                guard.wait(),
                "it detaches at once, and a program that ignores SIGCHLD has nothing to wait for",
            );
            pipe
        });
        Ok(Self { card, _guard: guard })
    }
}

/// A share in a connection. The connection ends with its last share.
pub(crate) struct SharedCard(Option<Arc<Connection>>);

impl SharedCard {
    /// Shares this process's connection to card `index`, and connects first if needed.
    pub(crate) fn connect(index: u32) -> Result<Self, Failure> {
        let mut cards = lock(&CARDS);
        if let Some(connection) = cards.get(&index).and_then(Weak::upgrade) {
            return Ok(Self(Some(connection)));
        }
        let connection = Arc::new(Connection::open(index)?);
        cards.insert(index, Arc::downgrade(&connection));
        Ok(Self(Some(connection)))
    }

    /// Locks the card for one caller.
    pub(crate) fn card(&self) -> Result<MutexGuard<'_, Card>, Failure> {
        let connection = self.0.as_ref().ok_or(Errno::NODEV)?;
        Ok(lock(&connection.card))
    }
}

impl Drop for SharedCard {
    fn drop(&mut self) {
        // A thread that connects meanwhile waits here, because the card is in use until it is
        // closed.
        let _cards = lock(&CARDS);
        self.0 = None;
    }
}

/// Locks even after another thread's panic: the card's state machine stays consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Errno::from_raw_os_error(error.kind().errno()), error.to_string())
    }
}
