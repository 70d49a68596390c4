//! What the link plays is what was written, or silence, and never what was played before; what is taken is what came.

use std::collections::BTreeMap;

use crate::common::{Back, Front, connect, drain, home};
use audiofront::{FrontEvent, StreamConfig};
use proptest::prelude::*;
use sndif::Direction;
use sndif::format::SampleFormat;
use sndif::request::{Range, RequestBody};

fn open(home: &crate::common::Home, direction: Direction, config: StreamConfig) -> (Front<'_>, Back<'_>) {
    let (mut front, mut back) = connect(home, direction);
    front.open(&config).unwrap();
    front.start().unwrap();
    back.serve();
    drain(&mut front);
    (front, back)
}

fn config(format: SampleFormat, channels: u8, frames: u32) -> StreamConfig {
    let frame_bytes = format.bytes_per_sample().unwrap() * u32::from(channels);
    StreamConfig { rate_hz: 48_000, format, channels, buffer_bytes: frames * frame_bytes, period_bytes: 0 }
}

/// Formats with different frames, silences and alignments, and buffers that end inside a page and inside a word.
fn any_config() -> impl Strategy<Value = StreamConfig> {
    let shape = prop_oneof![
        Just((SampleFormat::S16Le, 2, 1_024..3_000u32)),
        Just((SampleFormat::S16Le, 1, 1..5_000)),
        Just((SampleFormat::U8, 1, 1..9_000)),
        Just((SampleFormat::U16Be, 3, 1..1_500)),
        Just((SampleFormat::U24Le, 1, 1..2_000)),
        Just((SampleFormat::S32Le, 6, 1..700)),
        Just((SampleFormat::F64Le, 5, 1..300)),
        Just((SampleFormat::MuLaw, 7, 1..900)),
    ];
    shape.prop_flat_map(|(format, channels, frames)| {
        frames.prop_map(move |frames| config(format, channels, frames))
    })
}

/// Bytes that tell their place in the recording.
fn recording(from: u64, length: usize) -> Vec<u8> {
    (from..).take(length).map(|number| (number * 31 + number / 251 + 1) as u8).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Fill(usize),
    Play(u64),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..9_000).prop_map(Step::Fill),
        4 => (0u64..6_000).prop_map(Step::Play),
        1 => Just(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_link_plays_what_was_written_or_silence(
        config in any_config(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let home = home();
        let (mut front, mut back) = open(&home, Direction::Playback, config);
        let silence = config.format.silence().unwrap();
        let size = u64::from(config.buffer_bytes);
        let frame_bytes = config.format.bytes_per_sample().unwrap() * u32::from(config.channels);
        // What lies where, by position.
        let mut written = BTreeMap::new();
        let mut recorded = 0u64;
        let mut position = 0u64;
        let mut late = 0u64;
        let mut ended = false;
        for step in steps {
            match step {
                Step::Fill(length) => {
                    let bytes = recording(recorded, length);
                    let room = front.playback().unwrap().free_bytes();
                    let at = front.playback().unwrap().written_bytes();
                    let taken = front.fill(&bytes);
                    prop_assert_eq!(taken % frame_bytes as usize, 0);
                    prop_assert!(taken as u64 <= room);
                    prop_assert!(taken as u64 + u64::from(frame_bytes) > room.min(length as u64));
                    prop_assert_eq!(front.playback().unwrap().written_bytes(), at + taken as u64);
                    written.extend((at..).zip(bytes[..taken].iter().copied()));
                    recorded += taken as u64;
                    ended &= taken == 0;
                }
                Step::Play(bytes) => {
                    // Whole frames, and no more than a buffer at once: later bytes are what was there before.
                    let bytes = bytes.min(size) / u64::from(frame_bytes) * u64::from(frame_bytes);
                    for position in position..position + bytes {
                        let offset = position % size;
                        let expected = written.get(&position).copied().unwrap_or(silence[(offset % 8) as usize]);
                        prop_assert_eq!(back.dma_read(position), expected, "at {}", position);
                        if !written.contains_key(&position) && !ended {
                            late += 1;
                        }
                    }
                    position += bytes;
                    back.post(position);
                    prop_assert_eq!(drain(&mut front), [FrontEvent::Position { bytes: position }]);
                }
                Step::End => {
                    front.playback().unwrap().end();
                    ended = true;
                }
            }
            let playback = front.playback().unwrap();
            prop_assert_eq!(playback.underrun_bytes(), late);
            prop_assert_eq!(playback.free_bytes() + playback.queued_bytes(), size);
            prop_assert_eq!(playback.is_drained(), ended && written.range(position..).next().is_none());
        }
    }

    #[test]
    fn what_is_taken_is_what_came(
        config in any_config(),
        steps in prop::collection::vec((0u64..6_000, 0usize..9_000), 1..40),
    ) {
        let home = home();
        let (mut front, mut back) = open(&home, Direction::Capture, config);
        let size = u64::from(config.buffer_bytes);
        let frame_bytes = u64::from(config.format.bytes_per_sample().unwrap()) * u64::from(config.channels);
        let mut position = 0u64;
        for (come, take) in steps {
            let come = come / frame_bytes * frame_bytes;
            for (position, byte) in (position..).zip(recording(position, come as usize)) {
                back.dma_write(position, byte);
            }
            position += come;
            back.post(position);
            prop_assert_eq!(drain(&mut front), [FrontEvent::Position { bytes: position }]);
            let capture = front.capture().unwrap();
            prop_assert!(capture.available_bytes() <= size);
            let from = capture.read_bytes();
            let mut bytes = vec![0; take];
            let taken = capture.take(&mut bytes);
            prop_assert_eq!(taken as u64 % frame_bytes, 0);
            prop_assert_eq!(&bytes[..taken], &recording(from, taken)[..]);
            prop_assert_eq!(capture.read_bytes() + capture.available_bytes(), position);
        }
    }
}

#[test]
fn an_overrun_goes_on_with_the_newer_half_and_is_counted() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Capture, config(SampleFormat::S16Le, 2, 1_024));
    back.post(4_096);
    drain(&mut front);
    assert_eq!(front.capture().unwrap().overrun_bytes(), 0);
    back.post(4_100);
    drain(&mut front);
    let capture = front.capture().unwrap();
    assert_eq!(
        (capture.overrun_bytes(), capture.read_bytes(), capture.available_bytes()),
        (2_052, 2_052, 2_048)
    );
}

#[test]
fn what_was_lost_is_not_hinted_at() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Capture, config(SampleFormat::S16Le, 2, 1_024));
    back.post(4_096 + 1_024);
    drain(&mut front);
    assert_eq!(front.hint(), Ok(0));
    assert_eq!(front.take(&mut [0; 400]), 400);
    assert_eq!(front.hint(), Ok(1));
    assert_eq!(back.serve(), [RequestBody::Read(Range { offset_bytes: 3_072, length_bytes: 400 })]);
}

#[test]
fn a_hint_round_the_end_takes_two_requests() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, config(SampleFormat::S16Le, 2, 1_024));
    front.fill(&[1; 3_000]);
    assert_eq!((front.hint(), front.hint()), (Ok(1), Ok(0)));
    back.post(2_000);
    drain(&mut front);
    assert_eq!(front.fill(&[1; 4_000]), 3_096);
    assert_eq!(front.hint(), Ok(2));
    assert_eq!(
        back.serve(),
        [
            RequestBody::Write(Range { offset_bytes: 0, length_bytes: 3_000 }),
            RequestBody::Write(Range { offset_bytes: 3_000, length_bytes: 1_096 }),
            RequestBody::Write(Range { offset_bytes: 0, length_bytes: 2_000 }),
        ]
    );
}

#[test]
fn a_hint_that_finds_the_ring_full_is_made_up_for() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Capture, config(SampleFormat::S16Le, 2, 1_024));
    back.post(2_000);
    drain(&mut front);
    front.take(&mut [0; 1_000]);
    while front.pause().is_ok() {}
    assert!(front.hint().is_err());
    back.serve();
    drain(&mut front);
    front.take(&mut [0; 1_000]);
    assert_eq!(front.hint(), Ok(1));
    assert_eq!(back.serve(), [RequestBody::Read(Range { offset_bytes: 0, length_bytes: 2_000 })]);
}

#[test]
fn an_unsigned_format_starts_silent() {
    let home = home();
    let (_front, back) = open(&home, Direction::Playback, config(SampleFormat::U16Le, 1, 100));
    assert!((0..200).all(|position| back.dma_read(position) == [0x00, 0x80][position as usize % 2]));
}

#[test]
fn samples_written_in_place_are_hinted_and_left_alone() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, config(SampleFormat::S16Le, 2, 1_024));
    let playback = front.playback().unwrap();
    playback.write_in_place();
    assert_eq!(playback.commit(4_099), 4_096, "whole frames, and no more than there is room for");
    assert_eq!(playback.commit(4), 0);
    front.hint().unwrap();
    let written = back.take().unwrap();
    assert_eq!(written.body, RequestBody::Write(Range { offset_bytes: 0, length_bytes: 4_096 }));
    // The position may come by another way than by an event; an older one is none.
    assert!(front.advance_to(1_024));
    assert!(!front.advance_to(1_020));
    assert_eq!((front.position_bytes(), front.playback().unwrap().free_bytes()), (1_024, 1_024));
    assert_eq!(front.run_start_bytes(), 0);
}

#[test]
fn samples_read_in_place_are_gone_when_they_are_committed() {
    let home = home();
    let (mut front, _back) = open(&home, Direction::Capture, config(SampleFormat::S16Le, 2, 1_024));
    assert!(front.advance_to(1_022));
    let capture = front.capture().unwrap();
    assert_eq!((capture.commit(511), capture.commit(4_096)), (508, 512));
    assert_eq!((capture.available_bytes(), capture.read_bytes()), (2, 1_020));
}
