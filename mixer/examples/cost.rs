//! Prints what mixing costs: nanoseconds a frame of the bus, by kind and number of voices.
//!
//! `cargo run --release -p mixer --example cost`

#[path = "../tests/suite/support/memory.rs"]
mod memory;
#[path = "../tests/suite/support/silent_card.rs"]
mod silent_card;

use std::time::Instant;

use audioback::card::{Card, Direction, MAX_RATES, Port, PortIndex, StreamParams};
use audioback::card::{PortMode, PortSetup};
use hyper::{Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer};
use sndif::format::{FormatSet, SampleFormat};

use memory::Buffer;
use silent_card::SilentCard;

/// Turns that are measured.
const TURNS: u64 = 20_000;

fn port() -> Port {
    let mut formats = FormatSet::EMPTY;
    formats.insert(SampleFormat::S32Le);
    let mut rates_hz = [0; MAX_RATES];
    rates_hz[0] = 48_000;
    Port {
        direction: Direction::Playback,
        formats,
        rates_hz,
        is_monitor: false,
        channels_min: 2,
        channels_max: 2,
        buffer_bytes_min: 256,
        buffer_bytes_max: 1 << 20,
        volume: None,
    }
}

/// Nanoseconds a frame of the bus, with so many voices.
fn measure(params: &StreamParams, voices: u16, mdb: i32) -> f64 {
    let setup = PortSetup { mode: PortMode::Shared, rate_hz: None };
    let limits = Limits { streams: 32, converters: 32, cost: Cost(u64::MAX), lateness: Nanos(1_000_000) };
    let mut mixer = Mixer::new(SilentCard([port()]), [Buffer::new(1 << 18)], &[setup], limits);
    for _ in 0..voices {
        let buffer = Buffer::new(65_536);
        (0..16_384u32).for_each(|word| buffer.write(word * 4, &word.wrapping_mul(0x9e37_79b9).to_le_bytes()));
        let mut stream =
            mixer.open(PortIndex(0), params, buffer).map_err(|failure| failure.error()).expect("open");
        for channel in 0..params.channels {
            mixer.set_volume(&mut stream, channel, mdb).expect("a volume");
        }
        mixer.start(&mut stream).expect("started");
    }
    let before = Instant::now();
    for turn in 0..TURNS {
        mixer.poll(Nanos(turn * 10_000_000), false);
    }
    // The silent card plays 100 frames a look.
    before.elapsed().as_nanos() as f64 / (TURNS * 100) as f64
}

fn main() {
    let stereo = |rate_hz, format| StreamParams { rate_hz, format, channels: 2 };
    println!("| voices | S16, 0 dB | S16, -6 dB | F32, 0 dB | S16, 44.1 kHz |\n|---|---|---|---|---|");
    for voices in [0, 1, 2, 8, 32] {
        let kinds = [
            (stereo(48_000, SampleFormat::S16Le), 0),
            (stereo(48_000, SampleFormat::S16Le), -6_000),
            (stereo(48_000, SampleFormat::F32Le), 0),
            (stereo(44_100, SampleFormat::S16Le), 0),
        ];
        let costs = kinds.map(|(params, mdb)| format!("{:.1}", measure(&params, voices, mdb)));
        println!("| {voices} | {} |", costs.join(" | "));
    }
}
