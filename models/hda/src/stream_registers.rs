//! The registers of a stream descriptor: specification 3.3.35 to 3.3.43.

use crate::descriptors::{DESCRIPTOR_BYTES, Descriptor, list_bytes};
use crate::engine::{BUFFER_COMPLETED, DESCRIPTOR_ERROR, Engine, FIFO_ERROR, FIFO_READY, Kind};
use crate::format::StreamFormat;
use crate::machine::Machine;
use crate::profile::StreamEngine;
use crate::violations::Rule;

const STREAM_RESET: u8 = 1 << 0;
const RUN: u8 = 1 << 1;
/// IOCE, FEIE, DEIE.
const ENABLES: u8 = 0x1c;

/// A register of a descriptor, decoded from an offset and an access width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamRegister {
    /// SDnCTL is 24 bits wide: bytes 0, 1 and 2.
    ControlByte(u8),
    /// SDnCTL and SDnSTS in one access: for reading only.
    ControlAndStatus,
    Status,
    LinkPosition,
    BufferLength,
    LastIndex,
    FifoSize,
    Format,
    ListLower,
    ListUpper,
}

impl StreamRegister {
    /// The register of this width at an offset from the descriptor's start, if any.
    pub(crate) fn decode(offset: u16, bytes: u8) -> Option<Self> {
        Some(match (offset, bytes) {
            (0..=2, 1) => Self::ControlByte(offset as u8),
            (0, 4) => Self::ControlAndStatus,
            (3, 1) => Self::Status,
            (0x04, 4) => Self::LinkPosition,
            (0x08, 4) => Self::BufferLength,
            (0x0c, 2) => Self::LastIndex,
            (0x10, 2) => Self::FifoSize,
            (0x12, 2) => Self::Format,
            (0x18, 4) => Self::ListLower,
            (0x1c, 4) => Self::ListUpper,
            _ => return None,
        })
    }
}

impl Engine {
    fn control_byte(&self, byte: u8) -> u8 {
        let word =
            self.control | u32::from(self.reset_reads) | u32::from(self.run_requested || self.running) << 1;
        word.to_le_bytes()[usize::from(byte)]
    }
}

impl Machine {
    pub(crate) fn read_stream(&mut self, index: usize, register: StreamRegister) -> u32 {
        let ticks = self.ticks_into_frame();
        let engine = &mut self.engines[index];
        match register {
            StreamRegister::ControlByte(byte) => engine.control_byte(byte).into(),
            StreamRegister::ControlAndStatus => u32::from_le_bytes([
                engine.control_byte(0),
                engine.control_byte(1),
                engine.control_byte(2),
                engine.status,
            ]),
            StreamRegister::Status => engine.status.into(),
            StreamRegister::LinkPosition => engine.read_link_position(ticks, &self.faults),
            StreamRegister::BufferLength => engine.buffer_bytes,
            StreamRegister::LastIndex => engine.last_index.into(),
            StreamRegister::FifoSize => engine.reported_fifo_bytes(&self.profile),
            StreamRegister::Format => engine.format_word.into(),
            StreamRegister::ListLower => engine.list_address as u32,
            StreamRegister::ListUpper => (engine.list_address >> 32) as u32,
        }
    }

    pub(crate) fn write_stream(&mut self, index: usize, register: StreamRegister, value: u32) {
        let engine = &self.engines[index];
        let in_reset = engine.reset_requested || engine.reset_reads;
        let sets_up = matches!(
            register,
            StreamRegister::BufferLength
                | StreamRegister::LastIndex
                | StreamRegister::Format
                | StreamRegister::ListLower
                | StreamRegister::ListUpper
        );
        if sets_up && engine.is_active() {
            return self.wrong_write(Rule::StreamRunning, index, register, value, " while RUN reads 1");
        }
        if in_reset && register != StreamRegister::ControlByte(0) {
            return self.wrong_write(Rule::StreamRunning, index, register, value, " in stream reset");
        }
        match register {
            StreamRegister::ControlByte(0) => self.write_control_byte(index, value as u8),
            StreamRegister::ControlByte(2) => self.write_tag_byte(index, value),
            StreamRegister::ControlByte(_) => {
                if value != 0 {
                    self.breach(Rule::ReservedBits, || format!("stream {index}: SDnCTL bits 15:8 written"));
                }
            }
            StreamRegister::ControlAndStatus => self.write_control_and_status(index, value),
            StreamRegister::Status => {
                let clears = value as u8 & (BUFFER_COMPLETED | FIFO_ERROR | DESCRIPTOR_ERROR);
                self.engines[index].status &= !clears;
            }
            StreamRegister::LinkPosition | StreamRegister::FifoSize => {
                self.wrong_write(Rule::ReadOnly, index, register, value, "");
            }
            StreamRegister::BufferLength => {
                if self.engines[index].has_run {
                    self.breach(Rule::BufferLengthNeedsReset, || {
                        format!(
                            "stream {index}: CBL written with {value:#x} after RUN, without a stream reset"
                        )
                    });
                }
                self.engines[index].buffer_bytes = value;
            }
            StreamRegister::LastIndex => self.engines[index].last_index = value as u16 & 0xff,
            StreamRegister::Format => {
                if value & 0x0080 != 0 {
                    self.breach(Rule::ReservedBits, || format!("stream {index}: SDnFMT {value:#06x}"));
                }
                self.engines[index].format_word = value as u16;
                self.engines[index].format_written = true;
                self.engines[index].size_fifo(&self.profile);
            }
            StreamRegister::ListLower | StreamRegister::ListUpper => {
                let upper = register == StreamRegister::ListUpper;
                if !upper && value & 0x7f != 0 {
                    self.breach(Rule::DescriptorList, || {
                        format!("stream {index}: list at {value:#x}, not a multiple of 128")
                    });
                }
                let address = self.engines[index].list_address;
                self.engines[index].list_address = self.with_half(address, upper, value, 0x7f);
            }
        }
    }

    fn wrong_write(&mut self, rule: Rule, index: usize, register: StreamRegister, value: u32, when: &str) {
        self.breach(rule, || format!("stream {index}: {register:?} written with {value:#x}{when}"));
    }

    fn write_control_byte(&mut self, index: usize, value: u8) {
        let (reset, run) = (value & STREAM_RESET != 0, value & RUN != 0);
        let engine = &mut self.engines[index];
        if reset != engine.reset_requested {
            if reset {
                self.enter_stream_reset(index);
            } else {
                engine.reset_requested = false;
                engine.reset_settles_ns = self.now_ns + self.profile.stream_reset_ns;
            }
        }
        let engine = &mut self.engines[index];
        if engine.reset_requested || engine.reset_reads {
            if run {
                self.breach(Rule::StreamRunning, || format!("stream {index}: RUN set in stream reset"));
            }
            return;
        }
        engine.control = engine.control & !u32::from(ENABLES) | u32::from(value & ENABLES);
        if run && !engine.run_requested {
            self.start_stream(index);
        } else if !run && engine.run_requested {
            self.stop_stream(index);
        }
    }

    fn enter_stream_reset(&mut self, index: usize) {
        if self.engines[index].is_active() {
            self.breach(Rule::StreamRunning, || format!("stream {index}: SRST set while RUN reads 1"));
        }
        let stuck = self.faults.stuck_run >> index & 1 != 0;
        let engine = &mut self.engines[index];
        if stuck && engine.is_active() {
            // Only a controller reset ends this state.
            return;
        }
        if self.profile.stream_reset_ns == 0 {
            // As QEMU does: this clears the control register with SRST, and nothing else.
            engine.stop_at_once();
            engine.control = 0;
            engine.status = FIFO_READY;
            engine.has_run = false;
            return;
        }
        engine.reset();
        engine.reset_requested = true;
        engine.reset_settles_ns = self.now_ns + self.profile.stream_reset_ns;
        engine.size_fifo(&self.profile);
    }

    fn write_tag_byte(&mut self, index: usize, value: u32) {
        let engine = &mut self.engines[index];
        let bits = value << 16 & 0x00ff_0000;
        // DIR is writable only on bidirectional descriptors.
        let writable = if engine.kind == Kind::Bidirectional { 0x00ff_0000 } else { 0x00f7_0000 };
        let changed = (engine.control ^ bits) & writable;
        if changed != 0 && engine.is_active() {
            self.breach(Rule::StreamRunning, || {
                format!("stream {index}: SDnCTL bits 23:16 written with {value:#x} while RUN reads 1")
            });
            return;
        }
        engine.control = engine.control & !writable | bits & writable;
    }

    /// A 32-bit write. It also writes the status byte, like a plain register.
    fn write_control_and_status(&mut self, index: usize, value: u32) {
        self.breach(Rule::AccessWidth, || format!("stream {index}: SDnCTL and SDnSTS written at once"));
        let [byte0, _, byte2, status] = value.to_le_bytes();
        self.write_tag_byte(index, byte2.into());
        self.write_control_byte(index, byte0);
        self.engines[index].status = status & 0x3c;
    }

    fn start_stream(&mut self, index: usize) {
        self.check_set_up(index);
        self.check_sharing(index);
        let restarts = self.profile.run_restarts_list;
        let engine = &mut self.engines[index];
        if restarts {
            engine.restart_list();
        }
        engine.run_requested = true;
        engine.has_run = true;
        engine.frozen_by_format = false;
    }

    fn stop_stream(&mut self, index: usize) {
        let sticks = self.faults.stuck_run >> index & 1 != 0 || self.faults.run_clear_delay_link_frames > 0;
        let engine = &mut self.engines[index];
        engine.run_requested = false;
        if self.profile.engine == StreamEngine::MillisecondSteps && !sticks {
            engine.stop_at_once();
        }
    }

    /// Checks the set-up before RUN is set.
    fn check_set_up(&mut self, index: usize) {
        let engine = &self.engines[index];
        let (tag, last, word) = (engine.tag(), engine.last_index, engine.format_word);
        let (bytes, list) = (engine.buffer_bytes, engine.list_address);
        if tag == 0 {
            self.breach(Rule::StreamSetUp, || format!("stream {index}: started with tag 0"));
        }
        if last == 0 {
            self.breach(Rule::StreamSetUp, || format!("stream {index}: started with one descriptor, LVI 0"));
        }
        if StreamFormat::decode(word).is_none() {
            self.breach(Rule::StreamSetUp, || format!("stream {index}: started with format {word:#06x}"));
        }
        for problem in self.list_problems(list, last, bytes) {
            self.breach(Rule::DescriptorList, || format!("stream {index}: {problem}"));
        }
    }

    fn list_problems(&self, list: u64, last: u16, buffer_bytes: u32) -> Vec<String> {
        let memory = self.memory.borrow();
        let mut problems = Vec::new();
        for entry in 0..=u64::from(last) {
            let Some(descriptor) = Descriptor::peek(&memory, list.wrapping_add(entry * DESCRIPTOR_BYTES))
            else {
                problems.push(format!("descriptor {entry} isn't in memory"));
                return problems;
            };
            let Descriptor { address, length, flags } = descriptor;
            if !address.is_multiple_of(128) {
                problems.push(format!("descriptor {entry} has address {address:#x}, not a multiple of 128"));
            }
            if address >> 32 != 0 && !self.profile.addresses_64bit {
                problems.push(format!("descriptor {entry} has address {address:#x} without GCAP.64OK"));
            }
            if length == 0 || !length.is_multiple_of(2) {
                problems.push(format!("descriptor {entry} has a length of {length} bytes"));
            }
            if flags & !1 != 0 {
                problems.push(format!("descriptor {entry} has reserved bits {flags:#x}"));
            }
        }
        let sum = list_bytes(&memory, list, last);
        if sum != Some(buffer_bytes.into()) {
            problems.push(format!("CBL is {buffer_bytes}, the descriptors have {sum:?}"));
        }
        problems
    }

    /// Checks the rules that all running streams of a direction share.
    fn check_sharing(&mut self, index: usize) {
        let output = self.engines[index].is_output();
        let tag = self.engines[index].tag();
        let words = if output { self.profile.output_payload_words } else { self.profile.input_payload_words };
        let running =
            |engine: &&Engine| engine.is_output() == output && (engine.index == index || engine.is_active());
        let mut bits = 0;
        let mut shared = None;
        for engine in self.engines.iter().filter(running) {
            // An input takes up what a converter sends to it, if one does.
            if output || self.link.listeners(engine.tag(), false) > 0 {
                bits += StreamFormat::decode(engine.format_word).map_or(0, StreamFormat::link_bits_per_frame);
            }
            if engine.index != index && engine.tag() == tag {
                shared = Some(engine.index);
            }
        }
        if let Some(other) = shared {
            self.breach(Rule::TagShared, || format!("streams {other} and {index} both have tag {tag}"));
        }
        if bits > u32::from(words) * 16 {
            self.breach(Rule::Overload, || {
                format!("stream {index}: {bits} bits a link frame, and there are {words} words")
            });
        }
    }
}
