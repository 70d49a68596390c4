//! How far ahead a bus is mixed: as little as the turns allow.

use audioback::card::{Card, PortMode};
use hyper::Nanos;
use mixer::Limits;
use sndif::format::SampleFormat;

use super::support::fake_card::FIFO_FRAMES;
use super::support::guest::Guest;
use super::support::memory::Buffer;
use super::support::rig::{LIMITS, MILLISECOND, OUT, Rig, params};

/// What the image allows for.
const CAREFUL: Limits = Limits { lateness: Nanos(30 * MILLISECOND), ..LIMITS };

/// A guest that plays on a bus of a careful mixer.
fn playing(rig: &mut Rig, period_frames: u32) -> Guest {
    let layout = params(48_000, SampleFormat::S32Le, 2);
    let mut guest = Guest::open(rig, OUT, &layout, Box::new(|frame| (frame as i64 + 1).to_le_bytes().into()));
    rig.mixer.set_period(&mut guest.stream, period_frames);
    rig.mixer.start(&mut guest.stream).expect("started");
    guest
}

/// The most frames that the guest's samples were taken ahead of the FIFO, in a second of looks.
fn lead_frames(rig: &mut Rig, guest: &mut Guest) -> u64 {
    let mut most = 0;
    for _ in 0..500 {
        rig.pass_with(2 * MILLISECOND, &mut [guest]);
        let link = rig.mixer.position(&mut guest.stream).expect("a position").link.expect("at the link");
        most = most.max(u64::from(link.dma_lead_frames));
    }
    most.saturating_sub(FIFO_FRAMES)
}

#[test]
fn it_shrinks_to_what_turns_need() {
    // A quantum, twice an allowance of 1 ms, and a frame of rounding.
    for (period_frames, most) in [(480, 337), (64, 161)] {
        let mut rig = Rig::with(PortMode::Shared, CAREFUL);
        rig.late_ns = 600_000;
        let mut guest = playing(&mut rig, period_frames);
        let first = lead_frames(&mut rig, &mut guest);
        assert!(first > 30 * 48, "{first} frames: nothing was known, and a late turn would have been heard");
        rig.pass_with(40_000 * MILLISECOND, &mut [&mut guest]);
        let then = lead_frames(&mut rig, &mut guest);
        assert!(then <= most, "periods of {period_frames}: {then} frames");
        assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns, 0);
    }
}

#[test]
fn it_grows_at_once_when_a_turn_was_late() {
    let mut rig = Rig::with(PortMode::Shared, CAREFUL);
    let mut guest = playing(&mut rig, 480);
    rig.pass_with(41_000 * MILLISECOND, &mut [&mut guest]);
    let late = |rig: &mut Rig, guest: &mut Guest, late_ms| {
        rig.time.set(rig.time.get() + late_ms * MILLISECOND);
        rig.pass_with(50 * MILLISECOND, &mut [guest]);
        rig.mixer.bus_stats(OUT).expect("a bus").late_turns
    };
    assert_eq!(late(&mut rig, &mut guest, 12), 1, "it was short");
    assert_eq!(late(&mut rig, &mut guest, 28), 1, "and is no longer");
    rig.pass_with(41_000 * MILLISECOND, &mut [&mut guest]);
    assert!(lead_frames(&mut rig, &mut guest) <= 400, "it stayed");
}

/// Frames that were heard of a guest that counts them from 1, and whether all were.
fn heard_all(rig: &mut Rig) -> usize {
    let words = rig.played_words(OUT, 2);
    let heard = words.chunks_exact(2).map(|frame| frame[0]).filter(|word| *word != 0);
    heard.zip(1..).take_while(|(word, expected)| word == expected).count()
}

#[test]
fn a_guest_may_write_late_from_the_first_frame_on() {
    // 6 ms before the FIFO with periods of 10 ms, 2.5 ms with periods of 64 frames; it writes every 2 ms.
    for (period_frames, ahead_frames) in [(480, 288), (64, 120)] {
        let mut rig = Rig::with(PortMode::Shared, CAREFUL);
        let layout = params(48_000, SampleFormat::S32Le, 2);
        let frames = |frame: u64| (frame + 1).to_le_bytes().into();
        let buffer_frames = FIFO_FRAMES as u32 + ahead_frames + 96;
        let mut guest = Guest::with_buffer(&mut rig, OUT, &layout, buffer_frames, Box::new(frames));
        rig.mixer.set_period(&mut guest.stream, period_frames);
        rig.mixer.start(&mut guest.stream).expect("started");
        rig.pass_with(300 * MILLISECOND, &mut [&mut guest]);
        assert_eq!(rig.mixer.position(&mut guest.stream).expect("a position").fifo_errors, 0);
        assert!(heard_all(&mut rig) > 290 * 48, "periods of {period_frames}");
    }
}

#[test]
fn a_guest_in_a_hurry_takes_no_lead_from_another() {
    let mut rig = Rig::with(PortMode::Shared, CAREFUL);
    let mut guest = playing(&mut rig, 4_800);
    // It has 5 ms of frames, and is dry most of the time.
    let hurried = params(48_000, SampleFormat::S16Le, 2);
    let mut hurried = Guest::with_buffer(&mut rig, OUT, &hurried, 256, Box::new(|_| vec![0; 4]));
    rig.mixer.set_period(&mut hurried.stream, 64);
    rig.mixer.start(&mut hurried.stream).expect("started");
    rig.pass_with(100 * MILLISECOND, &mut [&mut guest, &mut hurried]);
    // Turns that are 25 ms late cost it frames, and the other none.
    for _ in 0..8 {
        rig.time.set(rig.time.get() + 25 * MILLISECOND);
        rig.pass_with(50 * MILLISECOND, &mut [&mut guest, &mut hurried]);
    }
    assert_eq!(rig.mixer.position(&mut guest.stream).expect("a position").fifo_errors, 0);
    assert!(rig.mixer.position(&mut hurried.stream).expect("a position").fifo_errors > 0);
    assert!(heard_all(&mut rig) > 650 * 48);
}

#[test]
fn a_voice_begins_soon_after_its_start_once_turns_are_known() {
    let mut rig = Rig::with(PortMode::Shared, CAREFUL);
    let mut guest = playing(&mut rig, 480);
    rig.pass_with(41_000 * MILLISECOND, &mut [&mut guest]);
    let layout = params(48_000, SampleFormat::S32Le, 2);
    let frames = |_| [0, 1 << 20].into_iter().flat_map(i32::to_le_bytes).collect();
    let mut other = Guest::open(&mut rig, OUT, &layout, Box::new(frames));
    let at = rig.now();
    rig.mixer.start(&mut other.stream).expect("started");
    rig.pass_with(100 * MILLISECOND, &mut [&mut guest, &mut other]);
    let link = rig.mixer.position(&mut other.stream).expect("a position").link.expect("at the link");
    let late_ns = link.start_time.0 - at.0;
    assert!(late_ns <= 2 * MILLISECOND + FIFO_FRAMES * 20_834, "{late_ns}");
    let words = rig.played_words(OUT, 2);
    assert_eq!(words.iter().skip(1).step_by(2).filter(|word| **word != 0).count() as u64, link.link_frames);
}

#[test]
fn a_turn_that_loses_the_processor_is_told() {
    // The hardware fetches what is being mixed only now, or it doesn't.
    for (pause_ms, errors) in [(20, 0), (60, 1)] {
        let mut rig = Rig::with(PortMode::Shared, CAREFUL);
        let mut guest = playing(&mut rig, 480);
        rig.pass_with(100 * MILLISECOND, &mut [&mut guest]);
        let layout = params(48_000, SampleFormat::S32Le, 2);
        let frames = |_| [0, 1 << 20].into_iter().flat_map(i32::to_le_bytes).collect();
        let mut other = Guest::open(&mut rig, OUT, &layout, Box::new(frames));
        rig.mixer.card().pause_ns = pause_ms * MILLISECOND;
        rig.mixer.start(&mut other.stream).expect("started");
        rig.pass_with(200 * MILLISECOND, &mut [&mut guest, &mut other]);
        let position = rig.mixer.position(&mut other.stream).expect("a position");
        assert_eq!(position.fifo_errors, errors, "{pause_ms} ms");
        let words = rig.played_words(OUT, 2);
        let heard = words.iter().skip(1).step_by(2).filter(|word| **word != 0).count() as u64;
        let passed = position.link.expect("at the link").link_frames;
        assert_eq!(heard < passed, errors > 0, "{heard} of {passed}");
    }
}

#[test]
fn frames_that_come_too_late_are_told() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut stream = rig.open(OUT, &params(48_000, SampleFormat::S32Le, 2), &Buffer::new(8_192 * 8));
    assert_eq!(rig.mixer.note_written(&mut stream, 480 * 8), 0);
    rig.mixer.start(&mut stream).expect("started");
    rig.pass(20 * MILLISECOND);
    let link = rig.mixer.position(&mut stream).expect("a position").link.expect("at the link");
    let taken = link.link_frames + u64::from(link.dma_lead_frames);
    assert!(taken > 480 + 480, "{link:?}");
    // All that it writes now was mixed as silence before.
    assert_eq!(rig.mixer.note_written(&mut stream, 500 * 8), 20 * 8);
    assert_eq!(rig.mixer.note_written(&mut stream, 8_000 * 8), (taken - 500) * 8);
    assert_eq!(rig.mixer.note_written(&mut stream, 8_100 * 8), 0, "it is ahead now");
    assert_eq!(rig.mixer.position(&mut stream).expect("a position").fifo_errors, 2);
}
