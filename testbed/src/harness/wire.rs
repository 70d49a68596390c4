//! The wire of one listener's D-Bus connection: as little of it as a listener needs.
//!
//! The emulator is the server of the connection that it's handed, and then calls us. A library would serve each
//! connection on a thread of its own, and which of two calls came first would be lost. So it's done by hand.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, bail, ensure};
use rustix::net::sockopt::set_socket_passcred;
use zbus::zvariant::serialized::{Context as Encoding, Data};
use zbus::zvariant::{LE, Value};

/// A call of the emulator's.
#[derive(Debug)]
pub(super) struct Call {
    /// Which method.
    pub(super) member: String,
    /// Its arguments, encoded.
    pub(super) body: Vec<u8>,
    serial: u32,
    wants_answer: bool,
}

/// An answer to a call.
#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing but that it's done.
    Done,
    /// Bytes.
    Bytes(Vec<u8>),
    /// No properties.
    NoProperties,
    /// There is no such method.
    Unknown,
}

/// Our end of a connection.
pub(super) struct Wire {
    stream: UnixStream,
    received: Vec<u8>,
    greeted: bool,
    serial: u32,
}

/// The fixed part of a message's header: byte order, type, flags, version, body length, serial.
type Fixed = (u8, u8, u8, u8, u32, u32);
const FIXED_BYTES: usize = 12;
const LITTLE_ENDIAN: u8 = b'l';
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
const NO_ANSWER: u8 = 1;
const MEMBER: u8 = 3;
/// No message of an emulator is longer.
const LONGEST_BYTES: usize = 1 << 20;

impl Wire {
    /// Introduces us on a new connection.
    pub(super) fn new(stream: UnixStream) -> Result<Wire> {
        // So that the kernel says who we are with the very first byte, whether or not the other end listens already.
        set_socket_passcred(&stream, true)?;
        let user = rustix::process::getuid().as_raw().to_string();
        let user: String = user.bytes().map(|digit| format!("{digit:02x}")).collect();
        (&stream).write_all(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Wire { stream, received: Vec::new(), greeted: false, serial: 0 })
    }

    /// For waiting.
    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// The next call that has come; `None` when there is none yet.
    ///
    /// # Errors
    /// When the other end has hung up, or says what can't be understood.
    pub(super) fn next_call(&mut self) -> Result<Option<Call>> {
        self.receive()?;
        if !self.greeted {
            let Some(end) = self.received.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
            let line: Vec<u8> = self.received.drain(..=end).collect();
            ensure!(line.starts_with(b"OK "), "we are refused: {}", String::from_utf8_lossy(&line).trim());
            self.send(b"BEGIN\r\n")?;
            self.greeted = true;
        }
        loop {
            let Some(message) = self.take_message()? else { return Ok(None) };
            if let Some(call) = parse(&message)? {
                return Ok(Some(call));
            }
        }
    }

    /// Answers a call, if it wants to be.
    pub(super) fn answer(&mut self, call: &Call, answer: Answer) -> Result<()> {
        if !call.wants_answer {
            return Ok(());
        }
        self.serial += 1;
        let (kind, mut body) = match &answer {
            Answer::Unknown => (ERROR, Vec::new()),
            Answer::Done => (RETURN, Vec::new()),
            // An empty dictionary: its length, and padding to where its first entry would be.
            Answer::NoProperties => (RETURN, vec![0; 8]),
            Answer::Bytes(bytes) => (RETURN, (bytes.len() as u32).to_le_bytes().to_vec()),
        };
        if let Answer::Bytes(bytes) = &answer {
            body.extend(bytes);
        }
        // Fields, each on a boundary of 8: the serial that is answered, then an error's name or the body's signature.
        let mut fields = vec![5, 1, b'u', 0];
        fields.extend(call.serial.to_le_bytes());
        match &answer {
            Answer::Done => {}
            Answer::NoProperties => fields.extend(*b"\x08\x01g\0\x05a{sv}\0"),
            Answer::Bytes(_) => fields.extend(*b"\x08\x01g\0\x02ay\0"),
            Answer::Unknown => {
                let name = b"org.freedesktop.DBus.Error.UnknownMethod";
                fields.extend(*b"\x04\x01s\0");
                fields.extend((name.len() as u32).to_le_bytes());
                fields.extend(name);
                fields.push(0);
            }
        }
        let mut message = vec![LITTLE_ENDIAN, kind, NO_ANSWER, 1];
        for number in [body.len() as u32, self.serial, fields.len() as u32] {
            message.extend(number.to_le_bytes());
        }
        message.extend(fields);
        message.resize(message.len().next_multiple_of(8), 0);
        message.extend(body);
        self.send(&message)
    }

    fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        // Answers are short, and the other end waits for them. Yet a socket may be full for a moment.
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut writable =
                        [rustix::event::PollFd::new(&self.stream, rustix::event::PollFlags::OUT)];
                    rustix::event::poll(&mut writable, None)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let mut bytes = [0; 16_384];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => bail!("the emulator hung up"),
                Ok(length) => self.received.extend(bytes.iter().take(length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next whole message.
    fn take_message(&mut self) -> Result<Option<Vec<u8>>> {
        let word = |at: usize| {
            let bytes = self.received.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let (Some(body), Some(fields)) = (word(4), word(FIXED_BYTES)) else { return Ok(None) };
        ensure!(self.received.first() == Some(&LITTLE_ENDIAN), "the emulator has another byte order");
        let length = (FIXED_BYTES + 4 + fields).next_multiple_of(8).saturating_add(body);
        ensure!(length <= LONGEST_BYTES, "a message of {length} bytes");
        Ok((self.received.len() >= length).then(|| self.received.drain(..length).collect()))
    }
}

/// The call in a message; `None` when it's something else.
fn parse(message: &[u8]) -> Result<Option<Call>> {
    let encoding = Encoding::new_dbus(LE, 0);
    let data = Data::new(message, encoding);
    let (header, length): ((Fixed, Vec<(u8, Value<'_>)>), usize) =
        data.deserialize().context("a header can't be read")?;
    let ((_, kind, flags, _, _, serial), fields) = header;
    if kind != CALL {
        return Ok(None);
    }
    let member = fields.into_iter().find(|(field, _)| *field == MEMBER);
    let Some((_, Value::Str(member))) = member else { bail!("a call of nothing") };
    Ok(Some(Call {
        member: member.to_string(),
        body: message.get(length.next_multiple_of(8)..).unwrap_or_default().to_vec(),
        serial,
        wants_answer: flags & NO_ANSWER == 0,
    }))
}
