//! What the tests share: the card on a model, and buffers whose pages are allowed to DMA while they live.

use std::cell::Cell;
use std::rc::Rc;

use audioback::card::{Card, Direction, Port, PortIndex, StreamParams};
use hda_card::{CardStream, HdaCard};
use hyper::{Clock, MappedBuffer, Nanos};
use snd_hda::Controller;
use snd_hda_model::{DmaAccess, Model, ModelDelay, ModelMemory, ModelRegion, ModelRegisters};
use sndif::format::SampleFormat;

pub const MILLISECOND: u64 = 1_000_000;

/// The model's time.
pub struct ModelClock(pub ModelDelay);

impl Clock for ModelClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.now_ns())
    }
}

pub type TestCard = HdaCard<ModelRegisters, ModelDelay, ModelRegion, ModelClock>;
pub type TestStream = CardStream<Mapped, ModelRegisters, ModelDelay, ModelRegion>;

/// A guest's buffer: the controller may touch its pages while it lives.
pub struct Mapped {
    pages: Vec<u64>,
    size_bytes: u32,
    memory: ModelMemory,
    pub is_unmapped: Rc<Cell<bool>>,
}

impl Mapped {
    pub fn new(model: &Model, size_bytes: u32, access: DmaAccess) -> Self {
        let memory = model.memory();
        let pages: Vec<u64> = (0..size_bytes.div_ceil(4096)).map(|_| memory.allocate_page().0).collect();
        for page in &pages {
            memory.allow_dma(*page, access);
        }
        Self { pages, size_bytes, memory, is_unmapped: Rc::default() }
    }
}

impl MappedBuffer for Mapped {
    fn page_addresses(&self) -> &[u64] {
        &self.pages
    }
    fn size_bytes(&self) -> u32 {
        self.size_bytes
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.is_unmapped.set(true);
        for page in &self.pages {
            self.memory.forbid_dma(*page);
        }
    }
}

pub const CD_LIKE: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S16Le, channels: 2 };

pub fn card(model: &Model) -> TestCard {
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    HdaCard::new(controller.expect("up"), ModelClock(model.delay()))
}

pub fn ports(card: &TestCard) -> Vec<Port> {
    Card::<Mapped>::ports(card).to_vec()
}

pub fn open(card: &mut TestCard, model: &Model, port: u8) -> TestStream {
    let access = match ports(card)[usize::from(port)].direction {
        Direction::Playback => DmaAccess::Read,
        Direction::Capture => DmaAccess::Write,
    };
    let buffer = Mapped::new(model, 16_384, access);
    card.open(PortIndex(port), &CD_LIKE, buffer).map_err(|failure| failure.error()).expect("open")
}
