//! A neighbour that plays on another codec's bus, and a card for those who make it wait.

use audioback::card::{Card, CardError, PortIndex, PortMode, PortSetup, StreamParams, Trim};
use hyper::{MappedBuffer, Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer, MixerStream};
use snd_hda_model::{Bench, Codec, DmaAccess, Profile};

use sndif::format::SampleFormat;

use crate::link::{Rig, hardware};
use crate::support::memory::Buffer;
use crate::support::rig::MILLISECOND;

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

/// Codec 0 has ports 0 and 2. The neighbour is on codec 1.
pub(super) const OUT: PortIndex = PortIndex(0);
const NEIGHBOURS: PortIndex = PortIndex(1);
pub(super) const IN: PortIndex = PortIndex(2);
/// The monitor of `OUT`, behind both codecs' ports.
pub(super) const MONITOR: PortIndex = PortIndex(4);

const BUFFER_FRAMES: u32 = 16_384;

pub(super) struct Scene {
    pub(super) rig: Rig,
    pub(super) neighbour: MixerStream,
    buffer: Buffer,
    written: u64,
    streams: Vec<MixerStream>,
    longest_turn_ns: u64,
}

impl Scene {
    pub(super) fn new(mode: PortMode) -> Self {
        let model = Bench::new(Profile::hardware())
            .codec(0, Codec::laptop())
            .codec(1, Codec::any_format(2))
            .drift_ppm(137)
            .build();
        let (card, rings) = hardware(&model);
        let setups = [mode, PortMode::Shared, mode, PortMode::Shared]
            .map(|mode| PortSetup { mode, ..PortSetup::default() });
        // As little ahead as a bus is after turns that were on time.
        let limits =
            Limits { streams: 8, converters: 1, cost: Cost(400_000_000), lateness: Nanos(MILLISECOND) };
        let mut rig = Rig { mixer: Mixer::new(card, rings, &setups, limits), model };
        let (neighbour, buffer) = rig.open(NEIGHBOURS, &S32, BUFFER_FRAMES);
        let mut scene = Self { rig, neighbour, buffer, written: 0, streams: Vec::new(), longest_turn_ns: 0 };
        scene.rig.mixer.set_period(&mut scene.neighbour, 480);
        scene.refill();
        scene.rig.mixer.start(&mut scene.neighbour).expect("started");
        scene.pass(30 * MILLISECOND);
        scene
    }

    /// The neighbour's frames count from 1 on.
    pub(super) fn refill(&mut self) {
        let at = self.rig.mixer.position(&mut self.neighbour).map_or(0, |position| position.bytes / 8);
        while self.written < at + u64::from(BUFFER_FRAMES) {
            let frame: Vec<u8> =
                [self.written as i32 + 1, 0].into_iter().flat_map(i32::to_le_bytes).collect();
            self.buffer.write((self.written * 8 % u64::from(BUFFER_FRAMES * 8)) as u32, &frame);
            self.written += 1;
        }
        self.rig.mixer.note_written(&mut self.neighbour, self.written * 8);
    }

    /// Lets time pass, with turns when they are due.
    pub(super) fn pass(&mut self, span_ns: u64) {
        let end = self.now_ns() + span_ns;
        let mut refill_at = 0;
        while self.now_ns() < end {
            if self.now_ns() >= refill_at {
                self.refill();
                refill_at = self.now_ns() + 20 * MILLISECOND;
            }
            let turn_ns = self.timed(|scene| {
                scene.rig.mixer.poll(Nanos(scene.now_ns()), true);
            });
            self.longest_turn_ns = self.longest_turn_ns.max(turn_ns);
            let due = Card::<_>::next_due(&self.rig.mixer).map_or(end, |due| due.0.min(end));
            self.rig.model.advance_ns(due.saturating_sub(self.now_ns()).max(20_000));
        }
        self.rig.model.refill_access_budget(1_000_000);
    }

    /// The longest turn in a time.
    pub(super) fn longest_turn(&mut self, span_ns: u64) -> u64 {
        self.longest_turn_ns = 0;
        self.pass(span_ns);
        self.longest_turn_ns
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.rig.model.now_ns()
    }

    pub(super) fn timed(&mut self, act: impl FnOnce(&mut Self)) -> u64 {
        let before_ns = self.now_ns();
        act(self);
        self.now_ns() - before_ns
    }

    /// Opens a stream. It may be refused.
    pub(super) fn open(&mut self, port: PortIndex) {
        self.open_at(port, 48_000);
    }

    pub(super) fn open_at(&mut self, port: PortIndex, rate_hz: u32) {
        let model = &self.rig.model;
        let buffer = Buffer::from_pages(4_096 * 8, || model.memory().allocate_page());
        for page in buffer.page_addresses() {
            model.memory().allow_dma(*page, DmaAccess::ReadWrite);
        }
        let params = StreamParams { rate_hz, ..S32 };
        self.streams.extend(self.rig.mixer.open(port, &params, buffer).ok());
    }

    /// Something that may fail on the stream that was opened last.
    pub(super) fn ask<T, E>(&mut self, ask: impl FnOnce(&mut Rig, &mut MixerStream) -> Result<T, E>) {
        if let Some(mut stream) = self.streams.pop() {
            let _refused = ask(&mut self.rig, &mut stream).is_err();
            self.streams.push(stream);
        }
    }

    /// The administrator's gain of the stream that was opened last.
    pub(super) fn trim(&mut self, trim: Trim) {
        self.ask(|rig, stream| {
            rig.mixer.set_trim(stream, trim);
            Ok::<_, CardError>(())
        });
    }

    /// Lets time pass until the next turn is due, when the least is mixed ahead.
    pub(super) fn before_a_turn(&mut self) {
        let due = Card::<_>::next_due(&self.rig.mixer).map_or(0, |due| due.0);
        self.rig.model.advance_ns(due.saturating_sub(self.now_ns()));
    }

    pub(super) fn start(&mut self) {
        self.ask(|rig, stream| rig.mixer.start(stream));
    }

    pub(super) fn start_all(&mut self) {
        let mut streams: Vec<&mut MixerStream> = self.streams.iter_mut().collect();
        let _refused = self.rig.mixer.start_together(&mut streams).is_err();
    }

    pub(super) fn close(&mut self) {
        if let Some(stream) = self.streams.pop() {
            self.streams.extend(self.rig.mixer.close(stream).err().map(|still| still.0));
        }
    }

    /// Frames that the neighbour has lost since its start.
    pub(super) fn lost_frames(&self) -> u64 {
        let played = self.rig.model.played(1, 2);
        let heard = (0..played.len()).map(|index| played.frame(index)[0]).skip_while(|word| *word == 0);
        heard.zip(1..).filter(|(word, expected)| word != expected).count() as u64
    }
}
