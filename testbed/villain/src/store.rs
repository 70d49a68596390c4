//! Xenstore by `/dev/xen/xenbus`, one request at a time: any value, and no watch.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use xen_sys::xs_wire::{self, HEADER_BYTES, PAYLOAD_MAX_BYTES};

const PATH: &str = "/dev/xen/xenbus";

/// A connection.
#[derive(Debug)]
pub(crate) struct Store {
    file: File,
    next_id: u32,
}

impl Store {
    pub(crate) fn open() -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(PATH).context(PATH)?;
        Ok(Self { file, next_id: 1 })
    }

    /// The node's value. `None`: xenstored refuses.
    pub(crate) fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>> {
        self.ask(xs_wire::READ, &[path.as_bytes(), b"\0"])
    }

    /// The node's value as text.
    pub(crate) fn text(&mut self, path: &str) -> Result<Option<String>> {
        Ok(self.read(path)?.and_then(|value| String::from_utf8(value).ok()))
    }

    /// The names in a node; empty without it.
    pub(crate) fn names(&mut self, path: &str) -> Result<Vec<String>> {
        let names = self.ask(xs_wire::DIRECTORY, &[path.as_bytes(), b"\0"])?.unwrap_or_default();
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect())
    }

    /// Writes a node. `false`: xenstored refuses.
    pub(crate) fn write(&mut self, path: &str, value: &[u8]) -> Result<bool> {
        Ok(self.ask(xs_wire::WRITE, &[path.as_bytes(), b"\0", value])?.is_some())
    }

    /// Removes a node and all below it. `false`: xenstored refuses.
    pub(crate) fn remove(&mut self, path: &str) -> Result<bool> {
        Ok(self.ask(xs_wire::RM, &[path.as_bytes(), b"\0"])?.is_some())
    }

    /// Asks, and waits for the answer. `None`: an error's name.
    fn ask(&mut self, kind: u32, parts: &[&[u8]]) -> Result<Option<Vec<u8>>> {
        let payload = parts.concat();
        ensure!(payload.len() <= PAYLOAD_MAX_BYTES, "a request of {} bytes", payload.len());
        let id = self.next_id;
        self.next_id += 1;
        let header = [kind, id, 0, payload.len() as u32];
        let mut message: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        message.extend(payload);
        self.file.write_all(&message).context(PATH)?;
        let mut header = [0; HEADER_BYTES];
        self.file.read_exact(&mut header).context(PATH)?;
        let word = |index: usize| header.as_chunks().0.get(index).copied().map_or(0, u32::from_le_bytes);
        ensure!(word(1) == id, "an answer to request {}, not {id}", word(1));
        let mut payload = vec![0; (word(3) as usize).min(PAYLOAD_MAX_BYTES)];
        self.file.read_exact(&mut payload).context(PATH)?;
        Ok((word(0) != xs_wire::ERROR).then_some(payload))
    }
}
