//! Many voices on one input, and what an output's monitor hears.

use audioback::card::PortMode;
use audioback::card::{Card, Direction, LinkedStart, StreamParams};
use hyper::SampleMemory;
use sndif::format::SampleFormat;

use crate::support::guest::Guest;
use crate::support::memory::Buffer;
use crate::support::noise;
use crate::support::recorder::Recorder;
use crate::support::rig::{IN, MILLISECOND, MONITOR, OUT, Rig, params};

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

fn recorded(_: usize, frame: u64, channel: u8) -> i32 {
    noise(3, frame * 2 + u64::from(channel)) as i32
}

fn pass(rig: &mut Rig, span_ms: u64, recorders: &mut [&mut Recorder]) {
    for _ in 0..span_ms / 5 {
        rig.pass(5 * MILLISECOND);
        recorders.iter_mut().for_each(|recorder| recorder.drain(&mut rig.mixer));
    }
}

/// The bus frame of a recorder's first frame, by what it heard.
fn first_frame(recorder: &Recorder) -> u64 {
    let expected = |start: u64, at: usize| recorded(1, start + at as u64 / 2, (at % 2) as u8);
    (0..100_000)
        .find(|start| {
            recorder.heard.iter().take(8).enumerate().all(|(at, word)| *word == expected(*start, at))
        })
        .expect("it is what was recorded")
}

fn assert_exact(recorder: &Recorder, frames: usize) -> u64 {
    let start = first_frame(recorder);
    assert!(recorder.heard.len() >= frames * 2, "{} of {frames}", recorder.heard.len() / 2);
    for (at, word) in recorder.heard.iter().enumerate() {
        assert_eq!(*word, recorded(1, start + at as u64 / 2, (at % 2) as u8), "word {at} from {start}");
    }
    start
}

#[test]
fn every_voice_gets_every_frame_whatever_the_others_do() {
    let mut rig = Rig::new(PortMode::Shared);
    rig.mixer.card().source = recorded;
    let mut one = Recorder::open(&mut rig, IN, &S32);
    let mut two = Recorder::open(&mut rig, IN, &S32);
    let mut idle = Recorder::open(&mut rig, IN, &S32);
    rig.mixer.start(&mut one.stream).expect("started");
    rig.mixer.start(&mut idle.stream).expect("started");
    pass(&mut rig, 35, &mut [&mut one]);
    rig.mixer.start(&mut two.stream).expect("started");
    pass(&mut rig, 200, &mut [&mut one, &mut two]);
    rig.mixer.pause(&mut idle.stream).expect("paused");
    pass(&mut rig, 100, &mut [&mut one, &mut two]);
    rig.mixer.close(idle.stream).expect("closed");
    pass(&mut rig, 50, &mut [&mut one, &mut two]);
    assert_exact(&one, 18_000);
    assert!(assert_exact(&two, 16_000) >= 1_680);
}

#[test]
fn a_voice_of_16_bits_gets_the_upper_half_of_what_a_bus_of_32_records() {
    let mut rig = Rig::new(PortMode::Shared);
    rig.mixer.card().source = |_, frame, _| (frame as i32 + 1) << 16;
    let mut first = rig.open(IN, &S32, &Buffer::new(8_192));
    let buffer = Buffer::new(4_096 * 4);
    let mut stream = rig.open(IN, &params(48_000, SampleFormat::S16Le, 2), &buffer);
    rig.mixer.start_together(&mut [&mut first, &mut stream]).expect("started");
    rig.pass(50 * MILLISECOND);
    let frames = rig.mixer.position(&mut stream).expect("a position").bytes / 4;
    assert!((2_000..4_096).contains(&frames), "{frames}");
    for frame in 0..frames as u32 {
        let mut bytes = [0; 4];
        buffer.read(frame * 4, &mut bytes);
        let [low, high] = (frame as u16 + 1).to_le_bytes();
        assert_eq!(bytes, [low, high, low, high], "frame {frame}");
    }
}

#[test]
fn a_recorder_s_position_is_that_of_the_frames_it_gets() {
    for port in [IN, MONITOR] {
        let mut rig = Rig::new(PortMode::Shared);
        rig.mixer.card().source = recorded;
        // The output plays the noise that the input records: by the bus's frame.
        let noise = |frame: u64| -> Vec<u8> {
            (0..2).flat_map(|channel| recorded(1, frame, channel).to_le_bytes()).collect()
        };
        let mut player = Guest::open(&mut rig, OUT, &S32, Box::new(noise));
        let mut keeper = Recorder::open(&mut rig, port, &S32);
        let start_ns = rig.time.get();
        rig.mixer.start_together(&mut [&mut player.stream, &mut keeper.stream]).expect("started");
        rig.pass_with(37 * MILLISECOND, &mut [&mut player]);
        let mut one = Recorder::open(&mut rig, port, &S32);
        rig.mixer.start(&mut one.stream).expect("started");
        let mut told = Vec::new();
        for _ in 0..20 {
            rig.pass_with(5 * MILLISECOND, &mut [&mut player]);
            one.drain(&mut rig.mixer);
            let position = rig.mixer.position(&mut one.stream).expect("a position");
            let link = position.link.expect("at the link");
            assert!(position.bytes / 8 <= link.link_frames, "nothing arrives before it was at the link");
            assert!(link.dma_lead_frames < 500, "{link:?}");
            told.push(link);
        }
        let start = assert_exact(&one, 4_000);
        for link in told {
            let true_ns = start_ns + (start + link.link_frames) * 1_000_000_000 / 48_000;
            assert!(true_ns.abs_diff(link.time.0) <= u64::from(link.error_ns) + 1, "{port:?}: {link:?}");
            let began_ns = start_ns + start * 1_000_000_000 / 48_000;
            assert!(
                began_ns.abs_diff(link.start_time.0) <= u64::from(link.error_ns) + 1,
                "{port:?}: {link:?}"
            );
        }
    }
}

#[test]
fn a_paused_recorder_goes_on_with_what_is_recorded_then() {
    let mut rig = Rig::new(PortMode::Shared);
    rig.mixer.card().source = recorded;
    let mut one = Recorder::open(&mut rig, IN, &S32);
    rig.mixer.start(&mut one.stream).expect("started");
    pass(&mut rig, 50, &mut [&mut one]);
    rig.mixer.pause(&mut one.stream).expect("paused");
    one.drain(&mut rig.mixer);
    let before = one.heard.len();
    pass(&mut rig, 100, &mut [&mut one]);
    assert_eq!(one.heard.len(), before, "a paused voice gets nothing");
    rig.mixer.resume(&mut one.stream).expect("resumed");
    pass(&mut rig, 50, &mut [&mut one]);
    one.heard.drain(..before);
    assert!(assert_exact(&one, 2_000) >= 7_000);
}

#[test]
fn a_recorder_of_another_rate_and_format_hears_the_same_tone() {
    let mut rig = Rig::new(PortMode::Shared);
    let tone = |frame: f64, rate_hz: f64| (std::f64::consts::TAU * 1_000.0 * frame / rate_hz).sin() * 0.25;
    rig.mixer.card().source = |_, frame, _| {
        ((std::f64::consts::TAU * 1_000.0 * frame as f64 / 48_000.0).sin() * 0.25 * 2f64.powi(31)) as i32
    };
    let mut bus_fixer = Recorder::open(&mut rig, IN, &S32);
    let buffer = Buffer::new(4_410 * 4);
    let mut stream = rig.open(IN, &params(44_100, SampleFormat::S16Be, 2), &buffer);
    let how = rig.mixer.start_together(&mut [&mut bus_fixer.stream, &mut stream]);
    assert_eq!(how, Ok(LinkedStart::SameFrame));
    pass(&mut rig, 90, &mut [&mut bus_fixer]);
    let frames = rig.mixer.position(&mut stream).expect("a position").bytes / 4;
    assert!((3_900..=3_970).contains(&frames), "{frames}");
    // The tone begins suddenly, so the first frames ring.
    for frame in 200..frames as u32 {
        let mut bytes = [0; 2];
        buffer.read(frame * 4 + 2, &mut bytes);
        let off = f64::from(i16::from_be_bytes(bytes)) / 32_768.0 - tone(f64::from(frame), 44_100.0);
        assert!(off.abs() < 3e-5, "frame {frame}: {off}");
    }
}

#[test]
fn a_monitor_hears_exactly_what_the_bus_plays() {
    let mut rig = Rig::new(PortMode::Shared);
    assert_eq!(rig.mixer.port_name(MONITOR).as_deref(), Some("Monitor of Line Out"));
    assert_eq!(Card::<Buffer>::ports(&rig.mixer)[2].direction, Direction::Capture);
    let frames = |seed: u64| move |frame: u64| -> Vec<u8> { noise(seed, frame).to_le_bytes().repeat(2) };
    let mut one = Guest::open(&mut rig, OUT, &S32, Box::new(frames(1)));
    let mut two = Guest::open(&mut rig, OUT, &params(44_100, SampleFormat::S32Le, 2), Box::new(frames(2)));
    let mut monitor = Recorder::open(&mut rig, MONITOR, &S32);
    // It starts the bus, and hears silence at first.
    rig.mixer.start(&mut monitor.stream).expect("started");
    for round in 0..60 {
        match round {
            5 => rig.mixer.start(&mut one.stream).expect("started"),
            15 => rig.mixer.start(&mut two.stream).expect("started"),
            40 => drop(rig.mixer.stop(&mut one.stream).expect("stopped")),
            _ => {}
        }
        rig.pass_with(5 * MILLISECOND, &mut [&mut one, &mut two]);
        monitor.drain(&mut rig.mixer);
    }
    let played = rig.played_words(OUT, 2);
    assert!(monitor.heard.len() > 28_000 && monitor.heard.iter().any(|word| *word != 0));
    assert_eq!(monitor.heard[..], played[..monitor.heard.len()]);
}

#[test]
fn a_monitor_keeps_the_bus_going_and_starts_with_a_player_in_one_frame() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut monitor = Recorder::open(&mut rig, MONITOR, &S32);
    let mut player =
        Guest::open(&mut rig, OUT, &S32, Box::new(|frame| ((frame + 1) as i32).to_le_bytes().repeat(2)));
    let mut keeper = Recorder::open(&mut rig, MONITOR, &S32);
    rig.mixer.start(&mut keeper.stream).expect("started");
    pass(&mut rig, 1_800, &mut [&mut keeper]);
    let how = rig.mixer.start_together(&mut [&mut monitor.stream, &mut player.stream]);
    assert_eq!(how, Ok(LinkedStart::SameFrame));
    for _ in 0..10 {
        rig.pass_with(5 * MILLISECOND, &mut [&mut player]);
        monitor.drain(&mut rig.mixer);
        keeper.drain(&mut rig.mixer);
    }
    assert!(monitor.heard.len() > 3_000);
    assert!(monitor.heard.iter().step_by(2).zip(1..).all(|(word, expected)| *word == expected));
    let [of_monitor, of_player] = [&mut monitor.stream, &mut player.stream]
        .map(|stream| rig.mixer.position(stream).expect("a position").link.expect("at the link"));
    assert_eq!(of_monitor.start_wall_ticks, of_player.start_wall_ticks);
}
