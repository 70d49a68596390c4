//! Prints what a frame costs: nanoseconds, and with `--instructions` instructions as valgrind counts them. With `--json`,
//! a line of JSON each: the case and the figure.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use pcm::{ChannelMap, Channels, Converter, Format, Gain, MilliDb, Rates, Start, Volume, Wide, mix};

/// Frames of one call, as a mixer makes them: 10 ms at 48 kHz.
const FRAMES: usize = 480;

/// Memory of converters; enough for 2 channels of the pairs below.
const WORDS: usize = 8192;

/// A name, and a function that does so many calls and returns the frames that they made.
type Case = (&'static str, fn(usize) -> usize);

const CASES: [Case; 13] = [
    ("mix S16 stereo, 0 dB", |calls| mix_encoded(calls, Format::S16Le, Gain::UNITY)),
    ("mix S16 stereo, -10 dB", |calls| mix_encoded(calls, Format::S16Le, Gain::from(MilliDb(-10_000)))),
    ("mix S32 stereo, 0 dB", |calls| mix_encoded(calls, Format::S32Le, Gain::UNITY)),
    ("mix F32 stereo, 0 dB", |calls| mix_encoded(calls, Format::F32Le, Gain::UNITY)),
    ("mix decoded stereo, ramp", ramp),
    ("encode S16 stereo", |calls| encode(calls, Format::S16Le)),
    ("encode S32 stereo", |calls| encode(calls, Format::S32Le)),
    ("map 6 channels to 2", downmix),
    ("convert 44.1 to 48 kHz stereo", |calls| convert(calls, 44_100, 48_000)),
    ("convert 48 to 44.1 kHz stereo", |calls| convert(calls, 48_000, 44_100)),
    ("convert 32 to 48 kHz stereo", |calls| convert(calls, 32_000, 48_000)),
    ("convert 8 to 48 kHz stereo", |calls| convert(calls, 8_000, 48_000)),
    ("convert 192 to 48 kHz stereo", |calls| convert(calls, 192_000, 48_000)),
];

fn mix_encoded(calls: usize, format: Format, gain: Gain) -> usize {
    let bytes = vec![0x11; FRAMES * 2 * format.bytes_per_sample()];
    let mut sum = [0; FRAMES * 2];
    for _ in 0..calls {
        mix::add_encoded(format, black_box(gain), black_box(&bytes), black_box(&mut sum));
    }
    calls * FRAMES
}

fn ramp(calls: usize) -> usize {
    let voice = [0x1111_1111; FRAMES * 2];
    let mut sum = [0; FRAMES * 2];
    for _ in 0..calls {
        let mut volume = Volume::new(Gain::MUTE);
        volume.ramp_to(Gain::UNITY, FRAMES as u32);
        black_box(&mut volume).mix(Channels::STEREO, black_box(&voice), black_box(&mut sum));
    }
    calls * FRAMES
}

fn encode(calls: usize, format: Format) -> usize {
    let sum: [Wide; FRAMES * 2] = [0x1111_1111_1111; FRAMES * 2];
    let mut bytes = [0; FRAMES * 2 * 8];
    for _ in 0..calls {
        black_box(format).encode(Channels::STEREO, black_box(&sum), black_box(&mut bytes));
    }
    calls * FRAMES
}

fn downmix(calls: usize) -> usize {
    let voice = [0x1111_1111; FRAMES * 6];
    let mut stereo = [0; FRAMES * 2];
    let map =
        Channels::new(6).map(|inputs| ChannelMap::standard(inputs, Channels::STEREO)).expect("6 channels");
    for _ in 0..calls {
        black_box(&map).apply(black_box(&voice), black_box(&mut stereo));
    }
    calls * FRAMES
}

fn convert(calls: usize, input_hz: u32, output_hz: u32) -> usize {
    let rates = Rates::new(input_hz, output_hz).expect("rates in range");
    let mut converter: Converter<WORDS> =
        Converter::new(rates, Channels::STEREO, Start::Delayed).expect("memory is enough");
    let voice = [0x1111_1111; FRAMES * 2];
    let mut output = [0; FRAMES * 2 * 10];
    (0..calls).map(|_| converter.process(black_box(&voice), black_box(&mut output)).output_frames).sum()
}

/// The least time of several tries: others only add to it.
fn nanoseconds(run: fn(usize) -> usize) -> f64 {
    const CALLS: usize = 4;
    let tries = (0..1000).map(|_| {
        let start = Instant::now();
        let frames = run(CALLS);
        start.elapsed().as_nanos() as f64 / frames as f64
    });
    tries.fold(f64::INFINITY, f64::min)
}

/// Instructions of a frame: the difference of two runs under callgrind, so that what isn't done for frames goes.
fn instructions(index: usize, run: fn(usize) -> usize) -> f64 {
    let count = |calls: usize| {
        let program = std::env::current_exe().expect("this program has a path");
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(program)
            .args(["--run", &index.to_string(), &calls.to_string()])
            .output()
            .expect("valgrind starts");
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = report.lines().find_map(|line| line.split_once("Collected :"));
        collected.and_then(|(_, count)| count.trim().parse::<f64>().ok()).expect("callgrind's count")
    };
    (count(30) - count(10)) / (run(30) - run(10)) as f64
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize| arguments.get(index).and_then(|word| word.parse::<usize>().ok()).unwrap_or_default();
    match arguments.first().map(String::as_str) {
        Some("--run") => {
            black_box(CASES[number(1)].1(number(2)));
        }
        _ => {
            let has = |option: &str| arguments.iter().any(|argument| argument == option);
            print(has("--instructions"), has("--json"));
        }
    }
}

/// All cases: instructions or nanoseconds, for people or for programs.
fn print(counts_instructions: bool, as_json: bool) {
    let unit = if counts_instructions { "instructions" } else { "ns" };
    if !as_json {
        println!("| | {unit} a frame |\n|---|---|");
    }
    for (index, (name, run)) in CASES.iter().enumerate() {
        let cost = if counts_instructions { instructions(index, *run) } else { nanoseconds(*run) };
        match as_json {
            true => println!("{{\"case\":\"{name}\",\"{unit}\":{cost:.2}}}"),
            false => println!("| {name} | {cost:.2} |"),
        }
    }
}
