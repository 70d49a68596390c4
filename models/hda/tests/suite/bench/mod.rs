//! A driver by hand: raw register numbers, as a manual would teach it, and nothing of the real driver.

use snd_hda::dma::{DmaMemory, DmaRegion};
use snd_hda::registers::Registers;
use snd_hda_model::{DmaAccess, Model, ModelRegion, ModelRegisters};

/// RUN, and RUN with interrupt enables.
pub(crate) const RUN: u8 = 0x02;

pub(crate) struct Hand<'a> {
    pub(crate) model: &'a Model,
    pub(crate) regs: ModelRegisters,
    pub(crate) corb: Option<ModelRegion>,
    pub(crate) rirb: Option<ModelRegion>,
    rirb_read: u16,
    lists: Vec<ModelRegion>,
}

/// A stream's buffer: pages, list, and how much is in use.
pub(crate) struct Buffer {
    pub(crate) pages: Vec<u64>,
    pub(crate) bytes: u32,
}

impl<'a> Hand<'a> {
    pub(crate) fn new(model: &'a Model) -> Self {
        Self { model, regs: model.registers(), corb: None, rirb: None, rirb_read: 0, lists: Vec::new() }
    }

    /// Power-on to codecs there.
    pub(crate) fn bring_up(&mut self) {
        self.regs.write_u32(0x08, 0);
        self.model.advance_ns(100_000);
        assert_eq!(self.regs.read_u32(0x08) & 1, 0);
        self.regs.write_u32(0x08, 1);
        self.wait("CRST", |regs| regs.read_u32(0x08) & 1 == 1);
        self.model.advance_ns(600_000);
    }

    pub(crate) fn wait(&mut self, what: &str, mut done: impl FnMut(&mut ModelRegisters) -> bool) {
        for _ in 0..1000 {
            if done(&mut self.regs) {
                return;
            }
            self.model.advance_ns(10_000);
        }
        panic!("{what} never came");
    }

    pub(crate) fn start_rings(&mut self) {
        let mut memory = self.model.memory();
        let corb = memory.allocate(1024, 128).unwrap();
        let rirb = memory.allocate(2048, 128).unwrap();
        self.regs.write_u32(0x40, corb.device_address() as u32);
        self.regs.write_u32(0x44, (corb.device_address() >> 32) as u32);
        self.regs.write_u16(0x48, 0);
        self.regs.write_u16(0x4a, 0x8000);
        assert_eq!(self.regs.read_u16(0x4a) & 0x8000, 0x8000);
        self.regs.write_u16(0x4a, 0);
        assert_eq!(self.regs.read_u16(0x4a), 0);
        self.regs.write_u32(0x50, rirb.device_address() as u32);
        self.regs.write_u32(0x54, (rirb.device_address() >> 32) as u32);
        self.regs.write_u16(0x58, 0x8000);
        self.regs.write_u16(0x5a, 1);
        self.regs.write_u8(0x5c, 3);
        self.regs.write_u8(0x4c, 2);
        self.corb = Some(corb);
        self.rirb = Some(rirb);
        self.rirb_read = 0;
    }

    /// Puts a verb into CORB and doesn't wait.
    pub(crate) fn post(&mut self, verb: u32) {
        let write = (self.regs.read_u16(0x48) + 1) & 0xff;
        self.corb.as_mut().unwrap().write_u32(4 * usize::from(write), verb);
        self.regs.write_u16(0x48, write);
    }

    /// The next entry of RIRB: response and extension, if there is one.
    pub(crate) fn take_response(&mut self) -> Option<(u32, u32)> {
        if self.regs.read_u16(0x58) & 0xff == self.rirb_read {
            return None;
        }
        self.rirb_read = (self.rirb_read + 1) & 0xff;
        let rirb = self.rirb.as_ref().unwrap();
        let at = 8 * usize::from(self.rirb_read);
        Some((rirb.read_u32(at), rirb.read_u32(at + 4)))
    }

    /// A verb by CORB, and its answer.
    pub(crate) fn verb(&mut self, codec: u32, node: u32, verb: u32) -> Option<u32> {
        self.post(codec << 28 | node << 20 | verb);
        for _ in 0..20 {
            self.model.advance_ns(10_000);
            if let Some((response, _)) = self.take_response() {
                self.regs.write_u8(0x5d, 5);
                return Some(response);
            }
        }
        None
    }

    /// A whole verb by the immediate command interface, without rings, and its answer.
    pub(crate) fn immediate(&mut self, verb: u32) -> u32 {
        self.regs.write_u16(0x68, 2);
        self.regs.write_u32(0x60, verb);
        self.regs.write_u16(0x68, 1);
        // Two link frames.
        self.model.advance_ns(45_000);
        assert_eq!(self.regs.read_u16(0x68), 2, "an answer to {verb:#010x}");
        self.regs.read_u32(0x64)
    }

    /// Power on, format, tag: what a converter needs.
    pub(crate) fn set_converter(&mut self, codec: u32, node: u32, format: u32, tag: u32, channel: u32) {
        self.verb(codec, 1, 0x70500).unwrap();
        self.verb(codec, node, 0x70500).unwrap();
        self.verb(codec, node, 0x20000 | format).unwrap();
        self.verb(codec, node, 0x70600 | tag << 4 | channel).unwrap();
    }

    /// Scattered pages for so many bytes, allowed for playback or capture.
    pub(crate) fn buffer(&mut self, bytes: u32, access: DmaAccess) -> Buffer {
        let memory = self.model.memory();
        let pages: Vec<u64> = (0..bytes.div_ceil(4096))
            .map(|_| {
                let (address, _) = memory.allocate_page();
                memory.allow_dma(address, access);
                address
            })
            .collect();
        Buffer { pages, bytes }
    }

    /// Stream reset, list, CBL, LVI, FMT, tag: everything up to RUN. Every entry asks for an interrupt.
    pub(crate) fn set_up_stream(&mut self, stream: u16, tag: u8, format: u16, buffer: &Buffer) {
        let base = 0x80 + 0x20 * stream;
        self.regs.write_u8(base, 1);
        self.wait("SRST", |regs| regs.read_u8(base) & 1 == 1);
        self.regs.write_u8(base, 0);
        self.wait("no SRST", |regs| regs.read_u8(base) & 1 == 0);
        self.set_up_stream_without_reset(stream, tag, format, buffer);
    }

    pub(crate) fn set_up_stream_without_reset(&mut self, stream: u16, tag: u8, format: u16, buffer: &Buffer) {
        let base = 0x80 + 0x20 * stream;
        let mut list = self.model.memory().allocate(16 * buffer.pages.len().max(2), 128).unwrap();
        // At least two entries: a buffer of one page is cut in two.
        let mut entries: Vec<(u64, u32)> = Vec::new();
        let mut left = buffer.bytes;
        for &page in &buffer.pages {
            let bytes = left.min(4096);
            entries.push((page, bytes));
            left -= bytes;
        }
        if let [(page, bytes)] = entries[..] {
            entries = vec![
                (page, bytes / 256 * 128),
                (page + u64::from(bytes / 256 * 128), bytes - bytes / 256 * 128),
            ];
        }
        for (index, (address, bytes)) in entries.iter().enumerate() {
            list.write_u32(16 * index, *address as u32);
            list.write_u32(16 * index + 4, (*address >> 32) as u32);
            list.write_u32(16 * index + 8, *bytes);
            list.write_u32(16 * index + 12, 1);
        }
        self.regs.write_u8(base + 2, tag << 4);
        self.regs.write_u16(base + 0x12, format);
        self.regs.write_u32(base + 0x08, buffer.bytes);
        self.regs.write_u16(base + 0x0c, entries.len() as u16 - 1);
        self.regs.write_u32(base + 0x18, list.device_address() as u32);
        self.regs.write_u32(base + 0x1c, (list.device_address() >> 32) as u32);
        self.lists.push(list);
    }

    pub(crate) fn run(&mut self, stream: u16) {
        self.regs.write_u8(0x80 + 0x20 * stream, RUN);
    }

    /// Clears RUN and waits until it reads 0.
    pub(crate) fn stop(&mut self, stream: u16) {
        let base = 0x80 + 0x20 * stream;
        self.regs.write_u8(base, 0);
        self.wait("no RUN", |regs| regs.read_u8(base) & RUN == 0);
    }

    pub(crate) fn lpib(&mut self, stream: u16) -> u32 {
        self.regs.read_u32(0x84 + 0x20 * stream)
    }
}

/// Writes 16-bit samples over the buffer's pages.
pub(crate) fn fill(model: &Model, buffer: &Buffer, mut sample: impl FnMut(usize) -> i16) {
    let bytes: Vec<u8> =
        (0..buffer.bytes as usize / 2).flat_map(|index| sample(index).to_le_bytes()).collect();
    for (page, part) in buffer.pages.iter().zip(bytes.chunks(4096)) {
        model.memory().poke(*page, part);
    }
}

/// Reads 16-bit samples from the buffer's pages.
pub(crate) fn samples(model: &Model, buffer: &Buffer) -> Vec<i16> {
    let mut bytes = Vec::new();
    for page in &buffer.pages {
        bytes.extend(model.memory().peek(*page, 4096));
    }
    bytes.truncate(buffer.bytes as usize);
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}
