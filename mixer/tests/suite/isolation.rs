//! No voice changes another's samples.

use audioback::card::PortMode;
use audioback::card::{Card, PortIndex};
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::support::guest::Guest;
use crate::support::memory::Buffer;
use crate::support::rig::{IN, LIMITS, MILLISECOND, OUT, Rig, params, port};
use crate::support::{noise, property};

/// A good guest on the left channel.
fn good(rig: &mut Rig) -> Guest {
    let left = |frame: u64| [noise(1, frame) as i32 / 4, 0].into_iter().flat_map(i32::to_le_bytes).collect();
    Guest::open(rig, OUT, &params(48_000, SampleFormat::S32Le, 2), Box::new(left))
}

/// Noise on the right channel, at any rate of 16 bits.
fn right(rate_hz: u32, seed: u64) -> (audioback::card::StreamParams, Buffer) {
    let buffer = Buffer::new(4_096);
    for frame in 0..1_024u32 {
        let sample = noise(seed, frame.into()) as i16 / 8;
        let bytes: Vec<u8> = [0, sample].into_iter().flat_map(i16::to_le_bytes).collect();
        hyper::SampleMemory::write(&buffer, frame * 4, &bytes);
    }
    (params(rate_hz, SampleFormat::S16Le, 2), buffer)
}

#[test]
fn a_position_goes_on_with_time_although_no_turn_comes() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut guest = good(&mut rig);
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    let mut frames = |rig: &mut Rig| rig.mixer.position(&mut guest.stream).expect("a position").bytes / 8;
    let before = frames(&mut rig);
    rig.time.set(rig.time.get() + 100 * MILLISECOND);
    let passed = frames(&mut rig) - before;
    assert!((4_799..=4_801).contains(&passed), "{passed} frames in 100 ms");
}

#[test]
fn a_turn_that_comes_late_is_no_error_of_a_voice_that_has_run_dry() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut guest = good(&mut rig);
    guest.total = 9_600;
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(400 * MILLISECOND, &mut [&mut guest]);
    rig.time.set(rig.time.get() + 300 * MILLISECOND);
    rig.poll();
    assert_eq!(rig.mixer.position(&mut guest.stream).expect("a position").fifo_errors, 0);
    assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns, 0);
}

proptest! {
    #![proptest_config(property(8))]

    #[test]
    fn other_voices_that_come_and_go_change_no_sample(
        steps in prop::collection::vec((0u8..7, 0usize..3, 0u64..12_000_000), 1..40),
    ) {
        let mut rig = Rig::new(PortMode::Shared);
        let mut guest = good(&mut rig);
        rig.mixer.start(&mut guest.stream).expect("started");
        let mut others: [Option<mixer::MixerStream>; 3] = [None, None, None];
        for (step, which, span_ns) in steps {
            let place = &mut others[which];
            match (step, place.as_mut()) {
                (0 | 1, None) => {
                    let (params, buffer) = right([44_100, 48_000, 22_050][which], which as u64);
                    let mut stream = rig.open(OUT, &params, &buffer);
                    rig.mixer.set_period(&mut stream, [64, 441, 5_000][which]);
                    *place = Some(stream);
                }
                // Out of order is refused, and harms nobody either.
                (1, Some(stream)) => drop(rig.mixer.start(stream)),
                (2, Some(stream)) => drop(rig.mixer.pause(stream)),
                (3, Some(stream)) => drop(rig.mixer.resume(stream)),
                (4, Some(stream)) => drop(rig.mixer.stop(stream)),
                (5, Some(stream)) => drop(rig.mixer.set_volume(stream, 1, -(span_ns as i32) / 100)),
                (6, Some(_)) => {
                    let stream = place.take().expect("it is there");
                    rig.mixer.close(stream).expect("closed");
                }
                _ => {}
            }
            rig.pass_with(span_ns, &mut [&mut guest]);
        }
        rig.pass_with(30 * MILLISECOND, &mut [&mut guest]);
        let played = rig.played_words(OUT, 2);
        prop_assert!(played.len() > 2_000);
        for (frame, words) in played.chunks_exact(2).enumerate() {
            prop_assert_eq!(words[0], noise(1, frame as u64) as i32 / 4, "frame {}", frame);
        }
    }
}

#[test]
fn a_paused_voice_goes_on_with_the_very_next_frame() {
    let mut rig = Rig::new(PortMode::Shared);
    let frames = |frame: u64| [frame as i32 + 1, 0].into_iter().flat_map(i32::to_le_bytes).collect();
    let mut guest = Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), Box::new(frames));
    rig.mixer.start(&mut guest.stream).expect("started");
    // The second pause is longer than a bus without voices runs.
    for pause_ms in [3, 1_500, 40] {
        rig.pass_with(33 * MILLISECOND, &mut [&mut guest]);
        rig.mixer.pause(&mut guest.stream).expect("paused");
        rig.pass(pause_ms * MILLISECOND);
        rig.mixer.resume(&mut guest.stream).expect("resumed");
    }
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    let heard: Vec<i32> =
        rig.played_words(OUT, 2).chunks_exact(2).map(|frame| frame[0]).filter(|word| *word != 0).collect();
    assert!(heard.len() > 6_000);
    assert!(heard.iter().zip(1..).all(|(word, expected)| *word == expected), "a frame was lost or repeated");
}

#[test]
fn a_paused_voice_keeps_its_position_while_its_bus_stops_and_starts_for_another() {
    let mut rig = Rig::new(PortMode::Shared);
    let frames = |frame: u64| [frame as i32 + 1, 0].into_iter().flat_map(i32::to_le_bytes).collect();
    let mut guest = Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), Box::new(frames));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(200 * MILLISECOND, &mut [&mut guest]);
    rig.mixer.pause(&mut guest.stream).expect("paused");
    let paused = rig.mixer.position(&mut guest.stream).expect("a position");
    rig.pass(1_500 * MILLISECOND);
    assert_eq!(rig.mixer.position(&mut guest.stream), Ok(paused));
    let (params, buffer) = right(48_000, 3);
    let mut other = rig.open(OUT, &params, &buffer);
    rig.mixer.start(&mut other).expect("started");
    rig.pass(20 * MILLISECOND);
    assert_eq!(rig.mixer.position(&mut guest.stream), Ok(paused));
    rig.mixer.resume(&mut guest.stream).expect("resumed");
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    let heard: Vec<i32> =
        rig.played_words(OUT, 2).chunks_exact(2).map(|frame| frame[0]).filter(|word| *word != 0).collect();
    assert!(heard.len() > 11_000);
    assert!(heard.iter().zip(1..).all(|(word, expected)| *word == expected), "a frame was lost or repeated");
}

#[test]
fn a_late_mixer_costs_silence_and_a_count_and_time_goes_on() {
    let mut rig = Rig::new(PortMode::Shared);
    let frames = |frame: u64| [frame as i32 + 1, 0].into_iter().flat_map(i32::to_le_bytes).collect();
    let mut guest = Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), Box::new(frames));
    rig.mixer.start(&mut guest.stream).expect("started");
    // Longer than the ring: what lies before the hardware has been played before.
    rig.pass_with(900 * MILLISECOND, &mut [&mut guest]);
    // Nobody turns the mixer for 60 ms.
    rig.time.set(rig.time.get() + 60 * MILLISECOND);
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    for (frame, words) in rig.played_words(OUT, 2).chunks_exact(2).enumerate() {
        assert!(words[0] == 0 || words[0] == frame as i32 + 1, "frame {frame}: {}", words[0]);
    }
    assert_eq!(rig.mixer.position(&mut guest.stream).expect("a position").fifo_errors, 1);
    assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns, 1);
    rig.mixer.pause(&mut guest.stream).expect("paused");
    let ended = rig.mixer.position(&mut guest.stream).expect("a position").link.expect("at the link");
    rig.pass(50 * MILLISECOND);
    let played = rig.played_words(OUT, 2);
    assert_eq!(played.iter().max(), Some(&(ended.link_frames as i32)), "the count goes on over the gap");
}

#[test]
fn a_late_mixer_tells_a_converted_voice_s_break_and_its_count_keeps_to_time() {
    let mut rig = Rig::new(PortMode::Shared);
    let voice = params(44_100, SampleFormat::S32Le, 2);
    let mut keeper = good(&mut rig);
    let mut guest = Guest::open(&mut rig, OUT, &voice, Box::new(|_| vec![1; 8]));
    rig.mixer.start_together(&mut [&mut keeper.stream, &mut guest.stream]).expect("started");
    let mut generations = Vec::new();
    for late_ms in [0, 33, 0, 77] {
        rig.time.set(rig.time.get() + late_ms * MILLISECOND);
        rig.pass_with(50 * MILLISECOND, &mut [&mut keeper, &mut guest]);
        let link = rig.mixer.position(&mut guest.stream).expect("a position").link.expect("at the link");
        let by_time = u128::from(link.time.0 - link.start_time.0) * 44_100 / 1_000_000;
        // Each break rounds down to a whole frame.
        assert!((u128::from(link.link_frames) * 1_000).abs_diff(by_time) <= 2_001, "{by_time}: {link:?}");
        generations.push(link.generation);
    }
    assert_eq!(generations, [1, 2, 2, 3]);
}

/// Streams of other ports, direct ones and voices, that come and go on a card that waits so long for its hardware each time.
fn hear_beside_waits(wait_ns: u64, buffer_frames: u32) -> u32 {
    use audioback::card::Direction::{Capture, Playback};
    let mut rig = Rig::on(PortMode::Auto, LIMITS, vec![port(Playback), port(Capture), port(Playback)]);
    let left = |frame: u64| [noise(1, frame) as i32 / 4, 0].into_iter().flat_map(i32::to_le_bytes).collect();
    // It isn't the hardware's format, so it is a voice.
    let big_endian = move |frame: u64| -> Vec<u8> {
        let bytes: Vec<u8> = left(frame);
        bytes.chunks(4).flat_map(|word| word.iter().rev().copied()).collect()
    };
    let voice = params(48_000, SampleFormat::S32Be, 2);
    let mut guest = Guest::with_buffer(&mut rig, OUT, &voice, buffer_frames, Box::new(big_endian));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    rig.mixer.card().wait_ns = wait_ns;
    for (round, format) in [SampleFormat::S32Le, SampleFormat::U8].into_iter().cycle().take(20).enumerate() {
        let port = [IN, PortIndex(2)][round % 2];
        let mut other = rig.open(port, &params(48_000, format, 2), &Buffer::new(8_192));
        rig.pass_with(10 * MILLISECOND, &mut [&mut guest]);
        rig.mixer.start(&mut other).expect("started");
        rig.pass_with(10 * MILLISECOND, &mut [&mut guest]);
        rig.mixer.close(other).expect("closed");
        rig.pass_with(10 * MILLISECOND, &mut [&mut guest]);
    }
    rig.mixer.card().wait_ns = 0;
    for (frame, words) in rig.played_words(OUT, 2).chunks_exact(2).enumerate() {
        let expected = noise(1, frame as u64) as i32 / 4;
        assert!(words[0] == expected || words[0] == 0 && wait_ns > 0, "frame {frame}");
    }
    rig.mixer.bus_stats(OUT).expect("a bus").late_turns
}

#[test]
fn a_card_that_waits_for_its_hardware_makes_no_filled_voice_run_dry() {
    assert_eq!(hear_beside_waits(35 * MILLISECOND, 8_192), 0);
}

#[test]
fn mixing_ahead_takes_nothing_that_is_not_announced() {
    assert_eq!(hear_beside_waits(0, 960), 0);
}
