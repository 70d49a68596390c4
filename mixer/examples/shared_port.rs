//! Measures a shared output on a card in memory, by an ideal clock; a line of JSON each.
//!
//! - `lead`: how far ahead of the FIFO a voice's frames are taken, and how late a guest may announce a frame.
//! - `voices`: turns a second, and frames that any of many voices lost.
//!
//! `cargo run --profile tool -p mixer --example shared_port`

#[path = "../tests/suite/support/fake_card.rs"]
mod fake_card;
#[path = "../tests/suite/support/memory.rs"]
mod memory;
#[path = "../tests/suite/support/traces.rs"]
mod traces;

use std::rc::Rc;

use audioback::card::{
    Card, Direction, MAX_RATES, Port, PortIndex, PortMode, PortSetup, StreamParams, VolumeRange,
};
use hyper::{MappedBuffer, Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer, MixerStream};
use sndif::format::{FormatSet, SampleFormat};

use fake_card::{FIFO_FRAMES, FakeCard, Time};
use memory::Buffer;

const OUT: PortIndex = PortIndex(0);
const RATE_HZ: u32 = 48_000;
const FRAME_BYTES: u32 = 4;
const PARAMS: StreamParams = StreamParams { rate_hz: RATE_HZ, format: SampleFormat::S16Le, channels: 2 };
const SECOND: u64 = 1_000_000_000;

/// The mixer knows how late turns come after this long (mixer/src/allowance.rs).
const SETTLE_NS: u64 = 41 * SECOND;

/// The most that a turn comes late, as in mixer/tests/suite/lead.rs.
const LATE_NS: u64 = 600_000;

/// Time between two looks of a guest. A frame takes 20.8 us.
const LOOK_NS: u64 = 20_000;

fn port() -> Port {
    let mut formats = FormatSet::EMPTY;
    formats.insert(SampleFormat::S32Le);
    let mut rates_hz = [0; MAX_RATES];
    rates_hz[0] = RATE_HZ;
    Port {
        direction: Direction::Playback,
        formats,
        rates_hz,
        is_monitor: false,
        channels_min: 2,
        channels_max: 2,
        buffer_bytes_min: 256,
        buffer_bytes_max: 1 << 20,
        volume: Some(VolumeRange { min_mdb: -64_000, max_mdb: 0, step_mdb: 500, can_mute: true }),
    }
}

struct Guest {
    stream: MixerStream,
    /// How far ahead of the frame at the link it announces frames.
    ahead_frames: u64,
}

/// A mixer with guests, and its clock.
struct House {
    mixer: Mixer<FakeCard, Buffer, Buffer>,
    time: Time,
    guests: Vec<Guest>,
    /// The noise that says how late a turn comes.
    noise: u32,
    turns: u64,
}

impl House {
    /// So many guests play, as they announce.
    fn playing(guests: usize, period_frames: u32, ahead_frames: u64) -> Self {
        let time = Time::default();
        time.set(12_345_678);
        let card = FakeCard::new(Rc::clone(&time), vec![port()]);
        let setup = PortSetup { mode: PortMode::Shared, ..PortSetup::default() };
        // The image's.
        let limits = Limits { streams: 32, converters: 1, cost: Cost(u64::MAX), lateness: Nanos(30_000_000) };
        let mixer = Mixer::new(card, [Buffer::new(1 << 18)], &[setup], limits);
        let mut house = Self { mixer, time, guests: Vec::new(), noise: 1, turns: 0 };
        for _ in 0..guests {
            let buffer = Buffer::new(8_192 * FRAME_BYTES);
            for offset in (0..buffer.size_bytes()).step_by(4) {
                buffer.write(offset, &[1, 2, 3, 4]);
            }
            let opened = house.mixer.open(OUT, &PARAMS, buffer);
            let mut stream = opened.map_err(|failure| failure.error()).expect("open");
            house.mixer.set_period(&mut stream, period_frames);
            house.guests.push(Guest { stream, ahead_frames });
        }
        house.announce();
        for guest in &mut house.guests {
            house.mixer.start(&mut guest.stream).expect("started");
        }
        house
    }

    fn announce(&mut self) {
        for guest in &mut self.guests {
            let position = self.mixer.position(&mut guest.stream).expect("a position");
            let bytes = position.bytes + guest.ahead_frames * u64::from(FRAME_BYTES);
            self.mixer.note_written(&mut guest.stream, bytes);
        }
    }

    fn late_ns(&mut self) -> u64 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u64::from(self.noise >> 8) % LATE_NS
    }

    /// Lets time pass. Turns come when they are due, and a little late. Guests look as often as told.
    fn pass(&mut self, span_ns: u64, look_ns: u64) {
        let end = self.time.get() + span_ns;
        let mut look = self.time.get();
        let mut turn = self.next_turn();
        while self.time.get() < end {
            let now = look.min(turn).max(self.time.get());
            self.time.set(now);
            if look <= now {
                self.announce();
                look = now + look_ns;
            }
            if turn <= now {
                self.mixer.poll(Nanos(now), false);
                self.turns += 1;
                turn = self.next_turn();
            }
        }
    }

    fn next_turn(&mut self) -> u64 {
        let late_ns = self.late_ns();
        self.mixer.next_due().map_or(u64::MAX, |due| due.0 + late_ns)
    }

    /// FIFO errors of all guests, which count each turn that lost frames.
    fn errors(&mut self) -> u64 {
        let positions = self.guests.iter_mut().map(|guest| self.mixer.position(&mut guest.stream));
        positions.map(|position| u64::from(position.expect("a position").fifo_errors)).sum()
    }

    /// How far ahead of the FIFO the first guest's frames are taken, at most.
    fn taken_frames(&mut self) -> u64 {
        let mut most = 0;
        for _ in 0..1_000 {
            self.pass(997_000, 2_000_000);
            let position = self.mixer.position(&mut self.guests[0].stream).expect("a position");
            most = most.max(position.link.expect("at the link").dma_lead_frames);
        }
        u64::from(most).saturating_sub(FIFO_FRAMES)
    }
}

/// Whether a guest that announces each frame so far ahead of the FIFO loses none, for 5 s.
fn is_heard(period_frames: u32, ahead_frames: u64) -> bool {
    let mut house = House::playing(1, period_frames, 4_800);
    house.pass(SETTLE_NS, 2_000_000);
    assert_eq!(house.errors(), 0, "it announced enough until now");
    house.guests[0].ahead_frames = FIFO_FRAMES + ahead_frames;
    house.pass(5 * SECOND, LOOK_NS);
    house.errors() == 0
}

fn lead(period_frames: u32) {
    let mut house = House::playing(1, period_frames, 4_800);
    house.pass(SETTLE_NS, 2_000_000);
    let taken = house.taken_frames();
    // The least that is heard.
    let (mut lost, mut heard) = (0, 2_000);
    while heard - lost > 1 {
        let middle = (lost + heard) / 2;
        if is_heard(period_frames, middle) { heard = middle } else { lost = middle }
    }
    println!(
        "{{\"measured\":\"lead\",\"period_frames\":{period_frames},\"fifo_frames\":{FIFO_FRAMES},\"taken_frames\":{taken},\"heard_frames\":{heard}}}"
    );
}

fn voices(count: usize) {
    let mut house = House::playing(count, 480, 4_800);
    house.pass(SETTLE_NS, 2_000_000);
    house.turns = 0;
    let seconds = 10;
    house.pass(seconds * SECOND, 2_000_000);
    let (turns, errors) = (house.turns as f64 / seconds as f64, house.errors());
    let late = house.mixer.bus_stats(OUT).expect("a bus").late_turns;
    println!(
        "{{\"measured\":\"voices\",\"voices\":{count},\"turns_a_second\":{turns},\"errors\":{errors},\"late_turns\":{late}}}"
    );
}

fn main() {
    [480, 64].into_iter().for_each(lead);
    [1, 2, 4, 8, 16, 32].into_iter().for_each(voices);
}
