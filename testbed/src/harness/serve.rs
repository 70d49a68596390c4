//! Registers the harness with the emulator, and lets the machine run.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, MessageIterator};
use zbus::message::{Message, Type};
use zbus::zvariant::OwnedFd;

use super::listeners::Listeners;
use super::{Microphone, MonitorSocket, Traffic};
use crate::ignored;

/// Deadline of the emulator's answers. It is idle then.
const ANSWER: Duration = Duration::from_secs(30);

/// A harness that serves a running machine. Lives as long as the machine.
pub struct Harness {
    traffic: Arc<Mutex<Traffic>>,
    serving: JoinHandle<()>,
    _display: Connection,
}

impl Harness {
    /// Serves the machine that connects to `socket`, and starts it.
    ///
    /// # Errors
    /// When the emulator doesn't come, or refuses one of the steps.
    pub fn serve(socket: MonitorSocket, microphone: Microphone, rate_hz: u32) -> Result<Harness> {
        let mut monitor = socket.accept(ANSWER).context("the emulator's monitor")?;
        let (ours, theirs) = UnixStream::pair().context("no socket pair")?;
        monitor.add_dbus_client(&theirs).context("the emulator takes no D-Bus client")?;
        let display =
            Builder::async_io_unix_stream(ours).p2p().build().context("the emulator's D-Bus display")?;

        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let (output, their_output) = UnixStream::pair().context("no socket pair")?;
        let (input, their_input) = UnixStream::pair().context("no socket pair")?;
        let listeners = Listeners::new(output, input, microphone, rate_hz, Arc::clone(&traffic))?;
        // The emulator asks a listener for its properties before it looks at the next call.
        let serving = std::thread::spawn(move || listeners.serve());
        register(&display, "RegisterInListener", their_input)?;
        register(&display, "RegisterOutListener", their_output)?;
        monitor.cont().context("the emulator does not start the machine")?;
        Ok(Harness { traffic, serving, _display: display })
    }

    /// The traffic, once the machine has ended.
    pub fn finish(self) -> Traffic {
        // The thread ends when the emulator's ends of the sockets are closed.
        ignored(self.serving.join(), "a panic of the thread has printed its message");
        std::mem::take(&mut self.traffic.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Registers a listener: a connection of its own, one end of which is handed to the emulator.
fn register(display: &Connection, method: &'static str, end: UnixStream) -> Result<()> {
    call(display, method, OwnedFd::from(std::os::fd::OwnedFd::from(end)))
        .with_context(|| format!("the emulator refuses {method}"))
}

/// Calls a method of the emulator's audio object and waits for the answer.
///
/// Between two peers no bus fills in who sent a message, but the emulator of Debian 12 keeps its listeners by that name,
/// and dies of a call without one. So it's given here, which the connection's own calls can't do.
fn call(display: &Connection, method: &'static str, listener: OwnedFd) -> Result<()> {
    let message = Message::method_call("/org/qemu/Display1/Audio", method)?
        .interface("org.qemu.Display1.Audio")?
        .sender(":1.0")?
        .build(&(listener,))?;
    let serial = message.primary_header().serial_num();
    let messages = MessageIterator::from(display);
    let (sender, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let answer = messages.into_iter().find(|message| match message {
            Ok(message) => message.header().reply_serial() == Some(serial),
            Err(_) => true,
        });
        sender.send(answer)
    });
    display.send(&message)?;
    let answer = answer.recv_timeout(ANSWER).context("no answer")?.context("hung up")??;
    match answer.message_type() {
        Type::MethodReturn => Ok(()),
        _ => bail!("{answer}"),
    }
}
