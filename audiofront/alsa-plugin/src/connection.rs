//! The connections of this process to the guest's cards.
//!
//! All streams of a card that a process opens share one connection. A card has one front end, and a program that plays and
//! records opens two PCMs. The last PCM to close ends the connection.

use std::collections::BTreeMap;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use audiofront::ignored;
use audiofront_linux::{Card, Error};
use rustix::io::Errno;

use crate::card::Failure;

/// The cards that this process is connected to.
static CARDS: Mutex<BTreeMap<u32, Weak<Connection>>> = Mutex::new(BTreeMap::new());

/// A card that this process is connected to.
struct Connection {
    card: Mutex<Card>,
    /// Pipe to a process that closes the card if this one ends without doing so. Without it the back end would play the buffer
    /// again and again. `None`: the program `audiofront` isn't installed.
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
    /// A share in this process's connection to card `index`, which is made if there is none.
    pub(crate) fn connect(index: u32) -> Result<Self, Failure> {
        let mut cards = lock(&CARDS);
        if let Some(connection) = cards.get(&index).and_then(Weak::upgrade) {
            return Ok(Self(Some(connection)));
        }
        let connection = Arc::new(Connection::open(index)?);
        cards.insert(index, Arc::downgrade(&connection));
        Ok(Self(Some(connection)))
    }

    /// The card, for one caller at a time.
    pub(crate) fn card(&self) -> Result<MutexGuard<'_, Card>, Failure> {
        let connection = self.0.as_ref().ok_or(Errno::NODEV)?;
        Ok(lock(&connection.card))
    }
}

impl Drop for SharedCard {
    fn drop(&mut self) {
        // A thread that connects meanwhile waits here: the card stays taken until it is closed.
        let _cards = lock(&CARDS);
        self.0 = None;
    }
}

/// Locks even after another thread's panic: the card's own state machine stays consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Errno::from_raw_os_error(error.kind().errno()), error.to_string())
    }
}
