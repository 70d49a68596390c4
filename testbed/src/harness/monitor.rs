//! The emulator's monitor (QMP): as little of it as the harness needs.

use std::io::{BufRead, BufReader, IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};

use crate::ignored;

/// A socket that waits for the monitor. It is made before the emulator starts, so that the first try succeeds.
pub struct MonitorSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl MonitorSocket {
    /// Makes the socket in the directory for temporary files: paths of sockets are short.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new() -> Result<MonitorSocket> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("snddom-{}-{}.monitor", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        ignored(std::fs::remove_file(&path), "only a killed process of the same number leaves one");
        let listener = UnixListener::bind(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(MonitorSocket { listener, path })
    }

    /// The path that the emulator connects to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the emulator to connect, and greets.
    pub(super) fn accept(self, deadline: Duration) -> Result<Monitor> {
        let timeout = Timespec::try_from(deadline)?;
        let ready = poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&timeout))?;
        if ready == 0 {
            bail!("did not connect within {} s", deadline.as_secs());
        }
        let (stream, _) = self.listener.accept()?;
        stream.set_read_timeout(Some(deadline))?;
        let mut monitor = Monitor { reader: BufReader::new(stream.try_clone()?), stream };
        monitor.receive()?; // the greeting
        monitor.execute(&json!({"execute": "qmp_capabilities"}), None)?;
        Ok(monitor)
    }
}

impl Drop for MonitorSocket {
    fn drop(&mut self) {
        ignored(std::fs::remove_file(&self.path), "a file for temporary files harms nothing");
    }
}

/// A connected monitor.
pub(super) struct Monitor {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Monitor {
    /// Hands the emulator one end of a D-Bus connection for its display.
    pub(super) fn add_dbus_client(&mut self, end: &UnixStream) -> Result<()> {
        let name = "dbus-display";
        self.execute(&json!({"execute": "getfd", "arguments": {"fdname": name}}), Some(end.as_fd()))?;
        let client = json!({"protocol": "@dbus-display", "fdname": name});
        self.execute(&json!({"execute": "add_client", "arguments": client}), None)
    }

    /// Lets the machine run.
    pub(super) fn cont(&mut self) -> Result<()> {
        self.execute(&json!({"execute": "cont"}), None)
    }

    fn execute(&mut self, command: &Value, descriptor: Option<BorrowedFd<'_>>) -> Result<()> {
        let line = format!("{command}\n");
        match descriptor {
            None => self.stream.write_all(line.as_bytes())?,
            Some(descriptor) => {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                let descriptors = [descriptor];
                ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
                let sent = sendmsg(
                    &self.stream,
                    &[IoSlice::new(line.as_bytes())],
                    &mut ancillary,
                    SendFlags::empty(),
                )?;
                if sent != line.len() {
                    bail!("a command was sent only in part");
                }
            }
        }
        loop {
            let answer = self.receive()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                bail!(
                    "{command}: {}",
                    error.get("desc").and_then(Value::as_str).unwrap_or("no reason given")
                );
            }
            // Anything else is an event.
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).context("no answer")? == 0 {
            bail!("hung up");
        }
        serde_json::from_str(&line).with_context(|| format!("not understood: {line}"))
    }
}
