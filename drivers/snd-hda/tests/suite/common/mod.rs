//! What the tests share: a driver on a model, buffers whose pages are allowed to DMA while they live, and samples.
#![allow(clippy::type_complexity, clippy::result_large_err, reason = "tests spell out the driver's types")]

pub mod schedule;

use std::cell::Cell;
use std::rc::Rc;

use snd_hda::stream::{Configured, Running};
use snd_hda::{BringUpError, Controller, Direction, DmaBuffer, Format, RouteIndex, SampleBits, Stream};
use snd_hda_model::{DmaAccess, Model, ModelDelay, ModelMemory, ModelRegion, ModelRegisters};

pub type TestController = Controller<ModelRegisters, ModelDelay, ModelRegion>;
pub type ConfiguredStream = Stream<Configured<TestBuffer, ModelRegisters, ModelDelay, ModelRegion>>;
pub type RunningStream = Stream<Running<TestBuffer, ModelRegisters, ModelDelay, ModelRegion>>;

pub const MILLISECOND: u64 = 1_000_000;

/// Brings the driver up on `model`.
pub fn bring_up(model: &Model) -> Result<TestController, BringUpError> {
    Controller::bring_up(model.registers(), &mut model.memory(), model.delay())
}

/// A buffer of pages that the controller may touch as long as the buffer lives.
pub struct TestBuffer {
    pub pages: Vec<u64>,
    pub size_bytes: u32,
    memory: ModelMemory,
    pub is_dropped: Rc<Cell<bool>>,
}

impl TestBuffer {
    pub fn new(model: &Model, size_bytes: u32, direction: Direction) -> Self {
        let memory = model.memory();
        let pages = (0..size_bytes.div_ceil(4096)).map(|_| memory.allocate_page().0).collect();
        Self::of_pages(model, pages, size_bytes, direction)
    }

    pub fn of_pages(model: &Model, pages: Vec<u64>, size_bytes: u32, direction: Direction) -> Self {
        let access = match direction {
            Direction::Output => DmaAccess::Read,
            Direction::Input => DmaAccess::Write,
        };
        for page in &pages {
            model.memory().allow_dma(*page, access);
        }
        Self { pages, size_bytes, memory: model.memory(), is_dropped: Rc::default() }
    }

    /// Writes bytes at a place in the buffer, page by page.
    pub fn write(&self, place: u32, bytes: &[u8]) {
        write_pages(&self.memory, &self.pages, place, bytes);
    }

    pub fn read(&self) -> Vec<u8> {
        read_pages(&self.memory, &self.pages, self.size_bytes)
    }
}

pub fn write_pages(memory: &ModelMemory, pages: &[u64], place: u32, bytes: &[u8]) {
    let mut at = place as usize;
    let mut bytes = bytes;
    while !bytes.is_empty() {
        let length = bytes.len().min(4096 - at % 4096);
        memory.poke(pages[at / 4096] + (at % 4096) as u64, &bytes[..length]);
        bytes = &bytes[length..];
        at += length;
    }
}

pub fn read_pages(memory: &ModelMemory, pages: &[u64], size_bytes: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, page) in pages.iter().enumerate() {
        bytes.extend(memory.peek(*page, (size_bytes as usize - n * 4096).min(4096)));
    }
    bytes
}

impl DmaBuffer for TestBuffer {
    fn page_addresses(&self) -> &[u64] {
        &self.pages
    }
    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }
}

impl Drop for TestBuffer {
    fn drop(&mut self) {
        self.is_dropped.set(true);
        for page in &self.pages {
            self.memory.forbid_dma(*page);
        }
    }
}

/// A sample that differs from its neighbours in time and channel, sign-extended at its depth; never 0.
pub fn sample(bits: SampleBits, frame: u64, channel: u64) -> i32 {
    let mixed = (frame * 16 + channel + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sample = ((mixed >> 32) as i32) >> (32 - bits.bits());
    if sample == 0 { 1 } else { sample }
}

/// A sample as memory has it: in its container, left-justified, little-endian.
pub fn to_bytes(bits: SampleBits, sample: i32) -> Vec<u8> {
    match bits.container_bytes() {
        1 => vec![sample as u8],
        2 => (sample as i16).to_le_bytes().to_vec(),
        _ => (sample << (32 - bits.bits())).to_le_bytes().to_vec(),
    }
}

/// Frames `frames` of the test signal, as memory has them.
pub fn signal(format: Format, frames: core::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        for channel in 0..u64::from(format.channels()) {
            bytes.extend(to_bytes(format.sample_bits(), sample(format.sample_bits(), frame, channel)));
        }
    }
    bytes
}

/// The first route that leads this way.
pub fn route(controller: &TestController, direction: Direction) -> RouteIndex {
    let at = controller.routes().iter().position(|route| route.direction() == direction);
    RouteIndex(at.expect("a route") as u8)
}

/// A stream with a buffer, its route connected.
pub fn open(
    controller: &mut TestController,
    route: RouteIndex,
    format: Format,
    buffer: TestBuffer,
) -> ConfiguredStream {
    let direction = controller.routes()[usize::from(route.0)].direction();
    let stream = controller.take_stream(direction).expect("a stream descriptor");
    let stream = stream.configure(format, buffer).expect("configured");
    controller.connect(route, &stream).expect("connected");
    stream
}

/// Samples that a converter was sent against the test signal from `first_frame` on: how many frames agree.
pub fn frames_exact(played: &snd_hda_model::Played, format: Format, first_frame: u64) -> u64 {
    let mut frame = first_frame;
    for index in 0..played.len() {
        for (channel, got) in played.frame(index).iter().take(usize::from(format.channels())).enumerate() {
            let expected = sample(format.sample_bits(), frame, channel as u64);
            assert_eq!(*got, expected, "{format:?}: frame {frame}, channel {channel}");
        }
        frame += 1;
    }
    frame - first_frame
}

pub fn cd_like() -> Format {
    Format::new(48_000, SampleBits::Bits16, 2).expect("a format")
}
