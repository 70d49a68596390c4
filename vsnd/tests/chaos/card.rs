//! The card as the image has it: the mixer over the driver over the model. It notes which guest's streams run on which ports.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use audioback::card::{
    Card, CardError, CardSettings, LinkedStart, OpenFailure, Port, PortIndex, PortLabel, PortPeaks, PortSet,
    PortState, StillRunning, StreamParams, StreamPosition, Trim,
};
use hda_card::HdaCard;
use hyper::{Clock, DomainId, MappedBuffer, Nanos};
use hypervisor_model::MappedPages;
use mixer::{Cost, Limits, Mixer, MixerStream};
use snd_hda::Controller;
use snd_hda_model::{Model, ModelDelay, ModelRegion, ModelRegisters};

use crate::act::Sabotage;
use crate::bus_ring::Ring;
use crate::hypervisor::Owners;

/// The model's time.
pub struct ModelClock(pub ModelDelay);

impl Clock for ModelClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.now_ns())
    }
}

/// Most open streams, as in the image.
const MAX_BUFFERS: u16 = 64;

/// Bounds of mixing, as in the image.
const MIXING: Limits = Limits {
    streams: MAX_BUFFERS,
    converters: 32,
    cost: Cost(32 * 96_000 * 26),
    lateness: Nanos(30_000_000),
};

/// Rings of shared ports, as in the image.
const RINGS: usize = 8;

type ImageCard = Mixer<HdaCard<ModelRegisters, ModelDelay, ModelRegion, ModelClock>, MappedPages, Ring>;

/// A stream of a guest.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    pub guest: DomainId,
    pub port: PortIndex,
    pub is_running: bool,
}

/// What a test knows of the card, and asks of it.
#[derive(Default)]
pub struct Notes {
    /// All open streams.
    pub uses: BTreeMap<u64, Use>,
    next: u64,
    /// What is broken in it on purpose.
    pub sabotage: Option<Sabotage>,
    /// The longest call and its name, since it was taken last.
    pub longest: (u64, &'static str),
    /// At the last turn the controller had lost its state, and wasn't up again.
    pub has_lost_state: bool,
}

/// The image's card.
pub struct NotingCard {
    card: ImageCard,
    owners: Owners,
    notes: Rc<RefCell<Notes>>,
    clock: ModelDelay,
}

/// A stream of the card, with its number in the notes.
pub struct NotedStream {
    stream: MixerStream,
    number: u64,
}

impl NotingCard {
    pub fn new(model: &Model, owners: Owners, notes: Rc<RefCell<Notes>>) -> Self {
        let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
        let card = HdaCard::new(controller.expect("a controller"), ModelClock(model.delay()));
        let rings = (0..RINGS).map(|_| Ring::new(model));
        Self { card: Mixer::new(card, rings, &[], MIXING), owners, notes, clock: model.delay() }
    }

    fn set_running(&mut self, stream: &NotedStream, is_running: bool) {
        if let Some(one) = self.notes.borrow_mut().uses.get_mut(&stream.number) {
            one.is_running = is_running;
        }
    }

    /// Has the card do something, and notes how long that takes.
    fn timed<R>(&mut self, name: &'static str, act: impl FnOnce(&mut ImageCard) -> R) -> R {
        let before = self.clock.now_ns();
        let result = act(&mut self.card);
        let took = self.clock.now_ns() - before;
        let mut notes = self.notes.borrow_mut();
        if took > notes.longest.0 {
            notes.longest = (took, name);
        }
        result
    }

    fn noted(&mut self, guest: Option<DomainId>, port: PortIndex, stream: MixerStream) -> NotedStream {
        let mut notes = self.notes.borrow_mut();
        notes.next += 1;
        let number = notes.next;
        let guest = guest.expect("each buffer has an owner");
        notes.uses.insert(number, Use { guest, port, is_running: false });
        NotedStream { stream, number }
    }

    fn owner(&self, buffer: &MappedPages) -> Option<DomainId> {
        self.owners.borrow().get(buffer.page_addresses().first()?).copied()
    }

    fn opened(
        &mut self,
        guest: Option<DomainId>,
        port: PortIndex,
        opened: Result<MixerStream, OpenFailure<MappedPages, MixerStream>>,
    ) -> Result<NotedStream, OpenFailure<MappedPages, NotedStream>> {
        match opened {
            Ok(stream) => Ok(self.noted(guest, port, stream)),
            Err(OpenFailure::Refused { error, buffer }) => Err(OpenFailure::Refused { error, buffer }),
            Err(OpenFailure::Stuck { error, stream }) => {
                Err(OpenFailure::Stuck { error, stream: self.noted(guest, port, stream) })
            }
        }
    }
}

impl Card<MappedPages> for NotingCard {
    type Stream = NotedStream;

    fn configure(&mut self, settings: &CardSettings) {
        self.timed("configure", |card| card.configure(settings));
    }

    fn poll(&mut self, now: Nanos, is_interrupted: bool) -> bool {
        let sabotage = self.notes.borrow().sabotage;
        assert!(sabotage != Some(Sabotage::Panics), "on purpose");
        self.notes.borrow_mut().has_lost_state = Card::<MappedPages>::has_lost_state(&mut self.card);
        self.timed("poll", |card| card.poll(now, is_interrupted))
    }

    fn next_due(&self) -> Option<Nanos> {
        match self.notes.borrow().sabotage {
            Some(Sabotage::IsRestless) => Some(Nanos(0)),
            _ => self.card.next_due(),
        }
    }

    fn has_lost_state(&mut self) -> bool {
        self.card.has_lost_state()
    }

    fn restore(&mut self) -> Result<(), CardError> {
        self.timed("restore", Card::restore)
    }

    fn ports(&self) -> &[Port] {
        self.card.ports()
    }

    fn port_name(&self, port: PortIndex) -> Option<PortLabel> {
        self.card.port_name(port)
    }

    fn is_plugged(&self, port: PortIndex) -> Option<bool> {
        self.card.is_plugged(port)
    }

    fn port_state(&self, port: PortIndex) -> Option<PortState> {
        self.card.port_state(port)
    }

    fn measure_peaks(&mut self, port: PortIndex) -> bool {
        self.card.measure_peaks(port)
    }

    fn take_peaks(&mut self, port: PortIndex) -> Option<PortPeaks> {
        self.card.take_peaks(port)
    }

    fn supports(&self, port: PortIndex, params: &StreamParams) -> bool {
        self.card.supports(port, params)
    }

    fn is_free(&self, port: PortIndex) -> bool {
        self.card.is_free(port)
    }

    fn open_due(&mut self, port: PortIndex) -> Nanos {
        self.card.open_due(port)
    }

    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: MappedPages,
    ) -> Result<NotedStream, OpenFailure<MappedPages, NotedStream>> {
        if self.notes.borrow().sabotage == Some(Sabotage::Refuses) {
            return Err(OpenFailure::Refused { error: CardError::Busy, buffer });
        }
        let guest = self.owner(&buffer);
        let opened = self.timed("open", |card| card.open(port, params, buffer));
        self.opened(guest, port, opened)
    }

    fn open_beside(
        &mut self,
        other: &NotedStream,
        buffer: MappedPages,
    ) -> Result<NotedStream, OpenFailure<MappedPages, NotedStream>> {
        let guest = self.owner(&buffer);
        let port = self.notes.borrow().uses[&other.number].port;
        let opened = self.card.open_beside(&other.stream, buffer);
        self.opened(guest, port, opened)
    }

    fn beside_due(&mut self, other: &mut NotedStream) -> Nanos {
        self.card.beside_due(&mut other.stream)
    }

    fn start_beside(&mut self, other: &mut NotedStream, beside: &mut NotedStream) -> Result<(), CardError> {
        self.card.start_beside(&mut other.stream, &mut beside.stream)
    }

    fn take_port(&mut self, from: &mut NotedStream, to: &mut NotedStream) -> Result<(), CardError> {
        self.card.take_port(&mut from.stream, &mut to.stream)
    }

    fn set_reach(&mut self, stream: &mut NotedStream, ports: PortSet) {
        self.timed("set_reach", |card| card.set_reach(&mut stream.stream, ports));
    }

    fn set_link_wanted(&mut self, stream: &mut NotedStream, is_wanted: bool) {
        self.card.set_link_wanted(&mut stream.stream, is_wanted);
    }

    fn set_period(&mut self, stream: &mut NotedStream, period_frames: u32) {
        self.card.set_period(&mut stream.stream, period_frames);
    }

    fn note_written(&mut self, stream: &mut NotedStream, bytes: u64) -> u64 {
        self.timed("note_written", |card| card.note_written(&mut stream.stream, bytes))
    }

    fn buffer<'a>(&'a self, stream: &'a NotedStream) -> Option<&'a MappedPages> {
        self.card.buffer(&stream.stream)
    }

    fn set_volume(&mut self, stream: &mut NotedStream, channel: u8, mdb: i32) -> Result<(), CardError> {
        self.timed("set_volume", |card| card.set_volume(&mut stream.stream, channel, mdb))
    }

    fn volume(&self, stream: &NotedStream, channel: u8) -> Result<i32, CardError> {
        self.card.volume(&stream.stream, channel)
    }

    fn set_mute(&mut self, stream: &mut NotedStream, channel: u8, is_muted: bool) -> Result<(), CardError> {
        self.timed("set_mute", |card| card.set_mute(&mut stream.stream, channel, is_muted))
    }

    fn set_trim(&mut self, stream: &mut NotedStream, trim: Trim) {
        self.timed("set_trim", |card| card.set_trim(&mut stream.stream, trim));
    }

    fn start(&mut self, stream: &mut NotedStream) -> Result<(), CardError> {
        let started = self.timed("start", |card| card.start(&mut stream.stream));
        self.set_running(stream, started.is_ok());
        started
    }

    fn start_together(&mut self, streams: &mut [&mut NotedStream]) -> Result<LinkedStart, CardError> {
        let started = {
            let mut inner: Vec<&mut MixerStream> =
                streams.iter_mut().map(|stream| &mut stream.stream).collect();
            self.timed("start_together", |card| card.start_together(&mut inner))
        };
        for stream in streams {
            self.set_running(stream, started.is_ok());
        }
        started
    }

    fn pause(&mut self, stream: &mut NotedStream) -> Result<(), CardError> {
        let paused = self.timed("pause", |card| card.pause(&mut stream.stream));
        self.set_running(stream, false);
        paused
    }

    fn resume(&mut self, stream: &mut NotedStream) -> Result<(), CardError> {
        let resumed = self.timed("resume", |card| card.resume(&mut stream.stream));
        self.set_running(stream, resumed.is_ok());
        resumed
    }

    fn stop(&mut self, stream: &mut NotedStream) -> Result<StreamPosition, CardError> {
        let stopped = self.timed("stop", |card| card.stop(&mut stream.stream));
        self.set_running(stream, false);
        stopped
    }

    fn position(&mut self, stream: &mut NotedStream) -> Result<StreamPosition, CardError> {
        self.timed("position", |card| card.position(&mut stream.stream))
    }

    fn close(&mut self, stream: NotedStream) -> Result<MappedPages, StillRunning<NotedStream>> {
        let NotedStream { stream, number } = stream;
        match self.timed("close", |card| card.close(stream)) {
            Ok(buffer) => {
                self.notes.borrow_mut().uses.remove(&number);
                Ok(buffer)
            }
            Err(StillRunning(stream)) => Err(StillRunning(NotedStream { stream, number })),
        }
    }
}
