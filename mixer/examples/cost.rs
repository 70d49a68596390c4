//! Prints what mixing costs a frame of the bus, by kind and number of voices: nanoseconds, and with `--instructions`
//! instructions as valgrind counts them. With `--json`, a line of JSON for each number of voices.
//!
//! `cargo run --profile tool -p mixer --example cost`

#[path = "../tests/suite/support/memory.rs"]
mod memory;
#[path = "../tests/suite/support/silent_card.rs"]
mod silent_card;

use std::process::Command;
use std::time::Instant;

use audioback::card::{Card, Direction, MAX_RATES, Port, PortIndex, StreamParams};
use audioback::card::{PortMode, PortSetup};
use hyper::{Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer};
use sndif::format::{FormatSet, SampleFormat};

use memory::Buffer;
use silent_card::SilentCard;

/// Blocks that are timed, and turns of a block. A turn has 240 frames: the quantum of periods of 10 ms.
const BLOCKS: u64 = 100;
const TURNS: u64 = 100;
const TURN_FRAMES: u64 = 240;

/// Numbers of voices.
const VOICES: [u16; 7] = [0, 1, 2, 4, 8, 16, 32];

/// A name, the rate and format of all voices, and their volume.
type Kind = (&'static str, u32, SampleFormat, i32);

const KINDS: [Kind; 4] = [
    ("S16, 0 dB", 48_000, SampleFormat::S16Le, 0),
    ("S16, -6 dB", 48_000, SampleFormat::S16Le, -6_000),
    ("F32, 0 dB", 48_000, SampleFormat::F32Le, 0),
    ("S16, 44.1 kHz", 44_100, SampleFormat::S16Le, 0),
];

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

/// Mixes so many voices. Returns nanoseconds of the fastest block of turns: what else the host does only adds to it.
fn mix(kind: &Kind, voices: u16, blocks: u64) -> u128 {
    let (_, rate_hz, format, mdb) = *kind;
    let params = StreamParams { rate_hz, format, channels: 2 };
    let setup = PortSetup { mode: PortMode::Shared, ..PortSetup::default() };
    let limits = Limits { streams: 32, converters: 32, cost: Cost(u64::MAX), lateness: Nanos(1_000_000) };
    let mut mixer = Mixer::new(SilentCard::new(port()), [Buffer::new(1 << 18)], &[setup], limits);
    for _ in 0..voices {
        let buffer = Buffer::new(65_536);
        // Noise at -30 dB: all together clip seldom, as music does.
        let noise = (0..32_768u32).map(|sample| (sample.wrapping_mul(0x9e37_79b9) as i32 >> 21) as i16);
        let bytes: Vec<u8> = match format {
            SampleFormat::F32Le => {
                noise.flat_map(|sample| (f32::from(sample) / 32_768.0).to_le_bytes()).collect()
            }
            _ => noise.flat_map(i16::to_le_bytes).collect(),
        };
        (0..).zip(bytes[..65_536].chunks(4)).for_each(|(word, bytes)| buffer.write(word * 4, bytes));
        let mut stream =
            mixer.open(PortIndex(0), &params, buffer).map_err(|failure| failure.error()).expect("open");
        for channel in 0..params.channels {
            mixer.set_volume(&mut stream, channel, mdb).expect("a volume");
        }
        mixer.start(&mut stream).expect("started");
    }
    let mut least = u128::MAX;
    for block in 0..blocks {
        let before = Instant::now();
        for turn in 0..TURNS {
            mixer.poll(Nanos((block * TURNS + turn + 1) * 5_000_000), false);
        }
        least = least.min(before.elapsed().as_nanos());
    }
    least
}

fn nanoseconds(kind: &Kind, voices: u16) -> f64 {
    mix(kind, voices, BLOCKS) as f64 / (TURNS * TURN_FRAMES) as f64
}

/// The difference of two runs under callgrind, so that what isn't done for frames goes.
fn instructions(kind: usize, voices: u16) -> f64 {
    let count = |blocks: u64| {
        let program = std::env::current_exe().expect("this program has a path");
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(program)
            .args(["--run", &kind.to_string(), &voices.to_string(), &blocks.to_string()])
            .output()
            .expect("valgrind starts");
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = report.lines().find_map(|line| line.split_once("Collected :"));
        collected.and_then(|(_, count)| count.trim().parse::<f64>().ok()).expect("callgrind's count")
    };
    (count(3) - count(1)) / (2 * TURNS * TURN_FRAMES) as f64
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if has("--run") {
        let number =
            |index: usize| arguments.get(index).and_then(|word| word.parse().ok()).expect("a number");
        mix(&KINDS[number(1) as usize], number(2) as u16, number(3));
        return;
    }
    let unit = if has("--instructions") { "instructions" } else { "ns" };
    if !has("--json") {
        println!(
            "{unit} a frame\n\n| voices | {} |\n|---|---|---|---|---|",
            KINDS.map(|kind| kind.0).join(" | ")
        );
    }
    for voices in VOICES {
        let costs = KINDS.iter().enumerate().map(|(index, kind)| match has("--instructions") {
            true => (kind.0, instructions(index, voices)),
            false => (kind.0, nanoseconds(kind, voices)),
        });
        if has("--json") {
            let costs = costs.map(|(kind, cost)| format!("\"{kind}\":{cost:.2}"));
            println!("{{\"voices\":{voices},\"unit\":\"{unit}\",{}}}", costs.collect::<Vec<_>>().join(","));
        } else {
            let costs = costs.map(|(_, cost)| format!("{cost:.1}"));
            println!("| {voices} | {} |", costs.collect::<Vec<_>>().join(" | "));
        }
    }
}
