//! The states through which a card goes in xenstore, as its front end sees them (xenbus.h; sndif.h, "STATE DIAGRAMS").

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

/// Longest wait for another process to release the card, and the interval of the tries.
const FREE_WITHIN: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The card as this process holds it in xenstore. It is closed when this goes.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) store: Store,
    front_path: String,
    back_path: String,
    /// What the front end's node says is ours to say.
    is_open: bool,
    _lock: File,
}

impl Handshake {
    /// Takes the card for this process, and brings it to where it can be connected: what another program has left, of
    /// which nothing is alive, is closed first.
    pub(crate) fn begin(store: Store, info: &CardInfo) -> Result<Self> {
        let mut this = Self::with(store, info, take(info.index)?)?;
        this.close_what_was_left()?;
        this.wait_for("is ready for a connection", |state| state == Some(XenbusState::InitWait))?;
        this.show(XenbusState::Initialising)?;
        this.is_open = true;
        Ok(this)
    }

    /// The card as it is, of which this process has the lock.
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

    /// Whether the back end says `1` in this node of its directory.
    pub(crate) fn offers(&mut self, feature: &str) -> Result<bool> {
        Ok(self.store.read(&format!("{}/{feature}", self.back_path))?.as_deref() == Some("1"))
    }

    /// Publishes nodes below the card's directory, and waits until the back end has connected to them.
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
                format!("{} is not connected to: its state went to another than 4", self.back_path),
            )
            .advice("the driver domain's console says why"));
        }
        self.show(XenbusState::Connected)
    }

    /// Whether the back end is still connected. Asks xenstore only if something has changed.
    pub(crate) fn is_connected(&mut self) -> Result<bool> {
        Ok(!self.store.has_fired()? || self.back_state()? == Some(XenbusState::Connected))
    }

    /// Closes the card, and waits until the back end has let go of everything: with no back end that is at once. Called
    /// again it does nothing.
    pub(crate) fn close(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_open) {
            return Ok(());
        }
        self.show(XenbusState::Closing)?;
        let closed = self.wait_for("closes", |state| {
            // InitWait: it was there already, or has gone on to it.
            matches!(
                state,
                None | Some(XenbusState::InitWait | XenbusState::Closed | XenbusState::Initialising)
            )
        });
        // The next front end may be one that knows nothing of it, and wouldn't write its own over it.
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

/// Closes the card if a program that is gone has left it open; `false`: a program has it.
pub(crate) fn close_what_was_left(mut store: Store, info: &CardInfo) -> Result<bool> {
    // First without the lock, which others may want.
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

/// The kernel's directory of the card's device: the lock lies on it, so that it goes with the process, however that ends.
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

/// The lock on a card's device; `None`: another process has it.
fn try_lock(path: &str) -> Result<Option<File>> {
    let directory = File::open(path)
        .map_err(|error| Error::new(ErrorKind::NotFound, format!("the kernel's device {path}: {error}")))?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(directory)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Error::new(ErrorKind::Other, format!("{path} can't be locked: {error}"))),
    }
}

/// Takes the card's device for this process. A guard that closes a left card holds it for a moment only.
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
