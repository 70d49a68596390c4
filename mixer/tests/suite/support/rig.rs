//! A mixer on the card in memory.

use std::rc::Rc;

use audioback::card::{Card, Direction, MAX_RATES, Port, PortIndex, StreamParams, VolumeRange};
use audioback::card::{PortMode, PortSetup};
use hyper::Nanos;
use mixer::{Cost, Limits, Mixer, MixerStream};
use sndif::format::{FormatSet, SampleFormat};

use super::fake_card::{FIFO_FRAMES, FakeCard, Time};
use super::guest::Guest;
use super::memory::Buffer;

pub const MILLISECOND: u64 = 1_000_000;

pub const OUT: PortIndex = PortIndex(0);
pub const IN: PortIndex = PortIndex(1);
/// The monitor of `OUT`, behind the card's ports.
pub const MONITOR: PortIndex = PortIndex(2);

pub const LIMITS: Limits =
    Limits { streams: 40, converters: 40, cost: Cost(400_000_000), lateness: Nanos(MILLISECOND) };

pub type TestMixer = Mixer<FakeCard, Buffer, Buffer>;

pub struct Rig {
    pub mixer: TestMixer,
    pub time: Time,
    due: Option<Nanos>,
    /// The most that a turn is late.
    pub late_ns: u64,
}

/// An output or input of 32 bits, with usual rates and up to 8 channels.
pub fn port(direction: Direction) -> Port {
    let mut formats = FormatSet::EMPTY;
    formats.insert(SampleFormat::S16Le);
    formats.insert(SampleFormat::S32Le);
    let mut rates_hz = [0; MAX_RATES];
    rates_hz[..5].copy_from_slice(&[44_100, 48_000, 88_200, 96_000, 192_000]);
    Port {
        direction,
        formats,
        rates_hz,
        is_monitor: false,
        channels_min: 1,
        channels_max: 8,
        buffer_bytes_min: 256,
        buffer_bytes_max: 1 << 20,
        volume: Some(VolumeRange { min_mdb: -64_000, max_mdb: 0, step_mdb: 500, can_mute: true }),
    }
}

pub fn params(rate_hz: u32, format: SampleFormat, channels: u8) -> StreamParams {
    StreamParams { rate_hz, format, channels }
}

impl Rig {
    pub fn new(mode: PortMode) -> Self {
        Self::with(mode, LIMITS)
    }

    pub fn with(mode: PortMode, limits: Limits) -> Self {
        Self::on(mode, limits, vec![port(Direction::Playback), port(Direction::Capture)])
    }

    pub fn on(mode: PortMode, limits: Limits, ports: Vec<Port>) -> Self {
        let time = Time::default();
        // Not a multiple of anything.
        time.set(12_345_678);
        let setups = vec![PortSetup { mode, ..PortSetup::default() }; ports.len()];
        let card = FakeCard::new(Rc::clone(&time), ports);
        let rings = [1 << 18, 1 << 18].map(Buffer::new);
        Self { mixer: Mixer::new(card, rings, &setups, limits), time, due: None, late_ns: 900_000 }
    }

    pub fn now(&self) -> Nanos {
        Nanos(self.time.get())
    }

    pub fn poll(&mut self) {
        let now = self.now();
        self.mixer.poll(now, false);
        self.due = self.mixer.next_due();
    }

    /// Lets time pass. Turns come when they are due, up to [`late_ns`](Self::late_ns) late.
    pub fn pass(&mut self, span_ns: u64) {
        let end = self.time.get() + span_ns;
        // A request may have changed when a turn is due.
        self.poll();
        while self.time.get() < end {
            let late_ns = u64::from(super::noise(7, self.time.get())) % self.late_ns;
            let due = self.due.map_or(end, |due| due.0 + late_ns);
            // Within a turn nobody else is served: the earliest next one is 10 us later.
            self.time.set(due.max(self.time.get() + 10_000).min(end));
            self.poll();
        }
    }

    /// Lets time pass while guests keep their buffers filled.
    pub fn pass_with(&mut self, span_ns: u64, guests: &mut [&mut Guest]) {
        let end = self.time.get() + span_ns;
        while self.time.get() < end {
            for guest in guests.iter_mut() {
                guest.refill(&mut self.mixer);
            }
            self.pass((2 * MILLISECOND).min(end - self.time.get()));
        }
    }

    pub fn open(&mut self, port: PortIndex, params: &StreamParams, buffer: &Buffer) -> MixerStream {
        self.mixer.open(port, params, buffer.clone()).map_err(|failure| failure.error()).expect("open")
    }

    /// Bytes that went out on a port so far, without those that are fetched only.
    pub fn played(&mut self, port: PortIndex, frame_bytes: usize) -> Vec<u8> {
        let seen = self.mixer.card().seen[usize::from(port.0)].borrow();
        let fetched = if seen.is_taken { FIFO_FRAMES as usize * frame_bytes } else { 0 };
        seen.played[..seen.played.len().saturating_sub(fetched)].to_vec()
    }

    /// The same as samples of 32 bits.
    pub fn played_words(&mut self, port: PortIndex, channels: usize) -> Vec<i32> {
        let bytes = self.played(port, channels * 4);
        bytes.chunks_exact(4).map(|word| i32::from_le_bytes(word.try_into().expect("4 bytes"))).collect()
    }
}
