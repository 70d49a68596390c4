//! The states of a card in xenstore, as its front end sees them (xenbus.h; sndif.h, "STATE
//! DIAGRAMS").

use std::fs::File;
use std::time::Duration;

use audiofront::ignored;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sndif::nodes;
use sndif::state::XenbusState;

use crate::deadline::Deadline;
use crate::directory::CardInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::xenstore::Store;

/// Longest wait for the back end's next state.
const STATE_WITHIN: Duration = Duration::from_secs(10);

/// Longest wait for another process to release the card, and the interval between attempts.
const FREE_WITHIN: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// This process's hold on a card in xenstore. Dropping it closes the card.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) store: Store,
    front_path: String,
    back_path: String,
    /// Whether the front end's node is this process's to write.
    is_open: bool,
    _lock: File,
}

impl Handshake {
    /// Takes the card for this process and prepares it to be connected. Closes the card first if a
    /// program that no longer runs left it open.
    pub(crate) fn begin(store: Store, info: &CardInfo) -> Result<Self> {
        let mut this = Self::with(store, info, take(info.index)?)?;
        this.close_what_was_left()?;
        this.wait_for("is ready for a connection", |state| state == Some(XenbusState::InitWait))?;
        this.show(XenbusState::Initialising)?;
        this.is_open = true;
        Ok(this)
    }

    /// Wraps the card as it is. This process holds its lock.
    fn with(store: Store, info: &CardInfo, lock: File) -> Result<Self> {
        let mut this = Self {
            store,
            front_path: info.path(),
            back_path: info.back_path.clone(),
            is_open: false,
            _lock: lock,
        };
        this.store.watch(&format!("{}/{}", this.back_path, nodes::STATE), "state")?;
        Ok(this)
    }

    fn close_what_was_left(&mut self) -> Result<()> {
        self.is_open = is_left(self.front_state()?);
        self.close()
    }

    /// Whether this node in the back end's directory is `1`.
    pub(crate) fn offers(&mut self, feature: &str) -> Result<bool> {
        Ok(self.store.read(&format!("{}/{feature}", self.back_path))?.as_deref() == Some("1"))
    }

    /// Publishes nodes below the card's directory and waits until the back end has connected.
    pub(crate) fn connect(&mut self, nodes: Vec<(String, String)>) -> Result<()> {
        let front_path = &self.front_path;
        let mut nodes: Vec<(String, String)> =
            nodes.into_iter().map(|(node, value)| (format!("{front_path}/{node}"), value)).collect();
        nodes.push((format!("{front_path}/{}", nodes::STATE), XenbusState::Initialised.node().to_owned()));
        self.store.write_together(&nodes)?;
        self.wait_for("connects", |state| state != Some(XenbusState::InitWait))?;
        if self.back_state()? != Some(XenbusState::Connected) {
            return Err(Error::new(
                ErrorKind::Gone,
                format!("{} did not connect: its state changed, but not to 4", self.back_path),
            )
            .advice("the driver domain's console says why"));
        }
        self.show(XenbusState::Connected)
    }

    /// Whether the back end is still connected. Reads xenstore only after a change.
    pub(crate) fn is_connected(&mut self) -> Result<bool> {
        Ok(!self.store.has_fired()? || self.back_state()? == Some(XenbusState::Connected))
    }

    /// Closes the card and waits until the back end has released everything. Without a back end
    /// this returns at once. Further calls do nothing.
    pub(crate) fn close(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_open) {
            return Ok(());
        }
        self.show(XenbusState::Closing)?;
        let closed = self.wait_for("closes", |state| {
            // InitWait: the back end was already there, or has moved on to it.
            matches!(
                state,
                None | Some(XenbusState::InitWait | XenbusState::Closed | XenbusState::Initialising)
            )
        });
        // The next front end may not know this node and would leave it as it is.
        let removed = self.store.remove(&format!("{}/{}", self.front_path, nodes::CONTROL_PAGE_REF));
        self.show(XenbusState::Closed)?;
        closed.and(removed)
    }

    fn wait_for(&mut self, what: &str, is_there: impl Fn(Option<XenbusState>) -> bool) -> Result<()> {
        let deadline = Deadline::after(STATE_WITHIN);
        loop {
            let state = self.back_state()?;
            if is_there(state) {
                return Ok(());
            }
            if state.is_none() {
                return Err(Error::new(
                    ErrorKind::Gone,
                    format!("the back end's directory {} is gone", self.back_path),
                )
                .advice(
                    "start the driver domain, and attach the card anew: xl vsnd-detach, xl vsnd-attach",
                ));
            }
            if deadline.is_over() {
                let state = state.map_or("none", XenbusState::node);
                let what = format!(
                    "{}: not seen within {} s that it {what}; its state is {state}",
                    self.back_path,
                    STATE_WITHIN.as_secs()
                );
                return Err(Error::new(ErrorKind::TimedOut, what)
                    .advice("see the driver domain's console, and `xl vsnd-list` in dom0"));
            }
            self.store.wait(deadline)?;
        }
    }

    fn front_state(&mut self) -> Result<Option<XenbusState>> {
        state(&mut self.store, &self.front_path)
    }

    fn back_state(&mut self) -> Result<Option<XenbusState>> {
        state(&mut self.store, &self.back_path)
    }

    fn show(&mut self, state: XenbusState) -> Result<()> {
        self.store.write(&format!("{}/{}", self.front_path, nodes::STATE), state.node())
    }
}

/// Closes the card if a program that no longer runs left it open. `false`: a running program uses
/// it.
pub(crate) fn close_what_was_left(mut store: Store, info: &CardInfo) -> Result<bool> {
    // Check first without the lock, which others may need.
    if !is_left(state(&mut store, &info.path())?) {
        return Ok(true);
    }
    let Some(lock) = try_lock(&device(info.index)?)? else { return Ok(false) };
    let mut left = Handshake::with(store, info, lock)?;
    left.close_what_was_left()?;
    Ok(true)
}

/// Whether a front end in this state has something open.
fn is_left(state: Option<XenbusState>) -> bool {
    !matches!(state, None | Some(XenbusState::Initialising | XenbusState::Closed))
}

impl Drop for Handshake {
    fn drop(&mut self) {
        ignored(self.close(), "callers that want the error call `close` first");
    }
}

fn state(store: &mut Store, path: &str) -> Result<Option<XenbusState>> {
    Ok(store.read(&format!("{path}/{}", nodes::STATE))?.and_then(|value| XenbusState::from_node(&value)))
}

/// The kernel's directory of the card's device. The lock on it ends with the process in every case.
fn device(index: u32) -> Result<String> {
    let path = format!("/sys/bus/xen/devices/{}-{index}", nodes::DRIVER_NAME);
    if std::fs::exists(format!("{path}/driver")).unwrap_or(false) {
        return Err(Error::new(
            ErrorKind::Busy,
            format!("card {index} is used by the kernel's driver snd_xen_front"),
        )
        .advice(format!(
            "take it from the driver: echo {}-{index} > {path}/driver/unbind; for good: blacklist snd_xen_front in \
             /etc/modprobe.d",
            nodes::DRIVER_NAME
        )));
    }
    Ok(path)
}

/// Tries to lock a card's device. `None`: another process holds the lock.
fn try_lock(path: &str) -> Result<Option<File>> {
    let directory = File::open(path)
        .map_err(|error| Error::new(ErrorKind::NotFound, format!("the kernel's device {path}: {error}")))?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(directory)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::new(ErrorKind::Other, format!("{path} can't be locked: {error}"))),
    }
}

/// Locks the card's device for this process. A guard that closes a left card holds the lock only
/// briefly.
fn take(index: u32) -> Result<File> {
    let path = device(index)?;
    let deadline = Deadline::after(FREE_WITHIN);
    loop {
        if let Some(lock) = try_lock(&path)? {
            return Ok(lock);
        }
        if deadline.is_over() {
            return Err(Error::new(ErrorKind::Busy, format!("card {index} is used by another program"))
                .advice(format!("find it: fuser -v {path}")));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
