//! dom0's volume and mute, for a stream and for a port.

use audioback::card::{Card, CardError, CardSettings, Direction, PortMode, PortSetup, StreamParams, Trim};
use sndif::format::SampleFormat;

use crate::support::guest::Guest;
use crate::support::rig::{LIMITS, MILLISECOND, MONITOR, OUT, Rig, params, port};

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

/// A sample far from full scale and from 0, so that each gain shows.
const LEVEL: i32 = 1 << 28;

/// Frames of a ramp: 10 ms.
const RAMP_FRAMES: usize = 480;

const fn trim(mdb: i32, is_muted: bool) -> Trim {
    Trim { mdb, is_muted }
}

fn constant(left: i32, right: i32) -> Box<dyn Fn(u64) -> Vec<u8>> {
    Box::new(move |_| [left, right].into_iter().flat_map(i32::to_le_bytes).collect())
}

fn settings(mode: PortMode, trim: Trim) -> CardSettings {
    let mut settings = CardSettings::default();
    settings.ports[usize::from(OUT.0)] = PortSetup { mode, rate_hz: None, trim };
    settings
}

/// A sample after a gain of so many thousandths of a decibel.
fn scaled(sample: i32, mdb: i32) -> f64 {
    f64::from(sample) * 10f64.powf(f64::from(mdb) / 20_000.0)
}

/// What went out last on a side.
fn last(rig: &mut Rig, side: usize) -> i32 {
    let words = rig.played_words(OUT, 2);
    words[words.len() / 2 * 2 - 2 + side]
}

fn assert_near(sample: i32, expected: f64) {
    assert!((f64::from(sample) - expected).abs() <= 1.0, "{sample}, not {expected}");
}

#[test]
fn a_voice_has_the_guest_s_volume_and_dom0_s_and_shows_the_guest_s() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut left = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, 0));
    let mut right = Guest::open(&mut rig, OUT, &S32, constant(0, LEVEL));
    for guest in [&mut left, &mut right] {
        rig.mixer.start(&mut guest.stream).expect("started");
    }
    rig.mixer.set_volume(&mut left.stream, 0, -1_234).expect("a volume");
    rig.mixer.set_trim(&mut left.stream, trim(-5_678, false));
    rig.pass_with(100 * MILLISECOND, &mut [&mut left, &mut right]);
    assert_near(last(&mut rig, 0), scaled(LEVEL, -1_234 - 5_678));
    assert_eq!(last(&mut rig, 1), LEVEL, "another guest's, to the bit");
    assert_eq!(rig.mixer.volume(&left.stream, 0), Ok(-1_234));
    rig.mixer.configure(&settings(PortMode::Shared, trim(-20_001, false)));
    rig.pass_with(100 * MILLISECOND, &mut [&mut left, &mut right]);
    assert_near(last(&mut rig, 0), scaled(LEVEL, -1_234 - 5_678 - 20_001));
    assert_near(last(&mut rig, 1), scaled(LEVEL, -20_001));
    // The guest can't undo it.
    rig.mixer.set_volume(&mut left.stream, 0, 0).expect("a volume");
    rig.mixer.set_mute(&mut left.stream, 0, false).expect("no mute");
    rig.mixer.set_trim(&mut right.stream, trim(0, true));
    rig.mixer.set_mute(&mut right.stream, 1, false).expect("no mute");
    rig.pass_with(100 * MILLISECOND, &mut [&mut left, &mut right]);
    assert_near(last(&mut rig, 0), scaled(LEVEL, -5_678 - 20_001));
    assert_eq!(last(&mut rig, 1), 0);
    for guest in [&mut left, &mut right] {
        rig.mixer.set_trim(&mut guest.stream, Trim::default());
    }
    rig.mixer.configure(&settings(PortMode::Shared, Trim::default()));
    rig.pass_with(100 * MILLISECOND, &mut [&mut left, &mut right]);
    assert_eq!((last(&mut rig, 0), last(&mut rig, 1)), (LEVEL, LEVEL), "to the bit");
}

#[test]
fn a_mute_is_a_ramp_without_a_step_and_silent_after_10_ms() {
    for is_port in [false, true] {
        let mut rig = Rig::new(PortMode::Shared);
        let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
        rig.mixer.start(&mut guest.stream).expect("started");
        rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
        let muted = trim(0, true);
        if is_port {
            rig.mixer.configure(&settings(PortMode::Shared, muted));
        } else {
            rig.mixer.set_trim(&mut guest.stream, muted);
        }
        // A second time, as a watch may report it: the ramp goes on.
        rig.pass_with(5 * MILLISECOND, &mut [&mut guest]);
        rig.mixer.set_trim(&mut guest.stream, if is_port { Trim::default() } else { muted });
        rig.pass_with(80 * MILLISECOND, &mut [&mut guest]);
        let words: Vec<i32> = rig.played_words(OUT, 2).into_iter().step_by(2).collect();
        let first = words.iter().position(|word| *word == LEVEL).expect("it is heard");
        let begun = first + words[first..].iter().position(|word| *word != LEVEL).expect("a ramp");
        let silent = begun + words[begun..].iter().position(|word| *word == 0).expect("silence");
        assert!(silent - begun < RAMP_FRAMES, "{} frames", silent - begun);
        let step = LEVEL / RAMP_FRAMES as i32 + 1;
        for pair in words[begun - 1..=silent].windows(2) {
            assert!((0..=step).contains(&(pair[0] - pair[1])), "{pair:?}");
        }
        assert!(words[silent..].iter().all(|word| *word == 0));
    }
}

#[test]
fn a_stream_opened_later_has_its_port_s_volume_from_its_first_frame() {
    let mut rig = Rig::new(PortMode::Shared);
    rig.mixer.configure(&settings(PortMode::Shared, trim(-6_000, false)));
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    let words = rig.played_words(OUT, 2);
    let first = *words.iter().find(|word| **word != 0).expect("it is heard");
    assert_near(first, scaled(LEVEL, -6_000));
}

#[test]
fn a_monitor_hears_the_port_s_volume_once() {
    let mut rig = Rig::new(PortMode::Shared);
    rig.mixer.configure(&settings(PortMode::Shared, trim(-6_000, false)));
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    let buffer = crate::support::memory::Buffer::new(8_192 * 8);
    let mut monitor = rig.open(MONITOR, &S32, &buffer);
    rig.mixer.start_together(&mut [&mut guest.stream, &mut monitor]).expect("started");
    rig.pass_with(100 * MILLISECOND, &mut [&mut guest]);
    let at = rig.mixer.position(&mut monitor).expect("a position").bytes as u32;
    let mut word = [0; 4];
    hyper::SampleMemory::read(&buffer, at - 8, &mut word);
    assert_near(i32::from_le_bytes(word), scaled(LEVEL, -6_000));
}

fn amplifiers(rig: &mut Rig) -> [(i32, bool); 2] {
    let seen = rig.mixer.card().seen[0].borrow();
    [0, 1].map(|channel| (seen.volume[channel], seen.muted[channel]))
}

#[test]
fn a_direct_stream_has_it_on_the_amplifiers_and_answers_with_the_guest_s_own() {
    let mut rig = Rig::new(PortMode::Direct);
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    rig.mixer.set_volume(&mut guest.stream, 0, -3_000).expect("a volume");
    rig.mixer.set_volume(&mut guest.stream, 1, -3_000).expect("a volume");
    rig.mixer.set_trim(&mut guest.stream, trim(-10_000, false));
    assert_eq!(amplifiers(&mut rig), [(-13_000, false); 2]);
    assert_eq!(rig.mixer.volume(&guest.stream, 0), Ok(-3_000));
    rig.mixer.set_mute(&mut guest.stream, 0, false).expect("no mute");
    for is_muted in [true, false, true] {
        rig.mixer.configure(&settings(PortMode::Direct, trim(-20_000, is_muted)));
        assert_eq!(amplifiers(&mut rig), [(-33_000, is_muted); 2], "the guest has muted nothing");
    }
    // The guest sets another volume. Its answer is the step that the amplifier would have.
    rig.mixer.set_volume(&mut guest.stream, 0, -1_300).expect("a volume");
    rig.mixer.set_mute(&mut guest.stream, 0, false).expect("no mute");
    assert_eq!(amplifiers(&mut rig), [(-31_500, true), (-33_000, true)]);
    assert_eq!(rig.mixer.volume(&guest.stream, 0), Ok(-1_500));
    rig.mixer.set_mute(&mut guest.stream, 1, true).expect("a mute");
    // The amplifiers end at -64 dB.
    rig.mixer.configure(&settings(PortMode::Direct, trim(-100_000, false)));
    let ends = [(-64_000, false), (-64_000, true)];
    assert_eq!(amplifiers(&mut rig), ends, "the guest's own mute of a side stays");
    rig.mixer.set_mute(&mut guest.stream, 1, false).expect("no mute");
    rig.mixer.configure(&settings(PortMode::Direct, Trim::default()));
    rig.mixer.set_trim(&mut guest.stream, Trim::default());
    assert_eq!(amplifiers(&mut rig), [(-1_500, false), (-3_000, false)]);
    assert_eq!(rig.mixer.bus_shape(OUT), None, "it stayed direct");
}

#[test]
fn a_hand_over_keeps_both_volumes() {
    let mut rig = Rig::new(PortMode::Auto);
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    rig.mixer.start(&mut guest.stream).expect("started");
    for channel in [0, 1] {
        rig.mixer.set_volume(&mut guest.stream, channel, -3_000).expect("a volume");
    }
    rig.mixer.configure(&settings(PortMode::Auto, trim(-2_000, false)));
    rig.mixer.set_trim(&mut guest.stream, trim(-1_000, false));
    assert_eq!(rig.mixer.bus_shape(OUT), None);
    let mut second = Guest::open(&mut rig, OUT, &S32, constant(0, 0));
    rig.mixer.start(&mut second.stream).expect("started");
    rig.pass_with(100 * MILLISECOND, &mut [&mut guest, &mut second]);
    assert_near(last(&mut rig, 0), scaled(LEVEL, -6_000));
    assert_eq!(rig.mixer.volume(&guest.stream, 0), Ok(-3_000));
}

fn without_amplifiers(mode: PortMode) -> Rig {
    Rig::on(mode, LIMITS, vec![audioback::card::Port { volume: None, ..port(Direction::Playback) }])
}

#[test]
fn an_auto_port_without_amplifiers_hands_over_to_a_bus() {
    let mut rig = without_amplifiers(PortMode::Auto);
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    assert_eq!(rig.mixer.bus_shape(OUT), None);
    rig.mixer.set_trim(&mut guest.stream, trim(-6_000, false));
    assert_eq!(rig.mixer.bus_shape(OUT), Some((48_000, 2)));
    rig.pass_with(100 * MILLISECOND, &mut [&mut guest]);
    assert_near(last(&mut rig, 0), scaled(LEVEL, -6_000));
}

#[test]
fn a_direct_stream_that_is_muted_and_can_t_be_does_not_run() {
    let mut rig = without_amplifiers(PortMode::Direct);
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut guest]);
    // A volume alone is logged: it plays on.
    rig.mixer.set_trim(&mut guest.stream, trim(-6_000, false));
    assert_eq!(rig.mixer.position(&mut guest.stream).expect("a position").descriptor_errors, 0);
    rig.mixer.set_trim(&mut guest.stream, trim(0, true));
    assert_eq!(rig.mixer.position(&mut guest.stream).expect("a position").descriptor_errors, 1);
    let played = rig.played(OUT, 8).len();
    rig.pass(20 * MILLISECOND);
    assert_eq!(rig.played(OUT, 8).len(), played, "it has stopped");
    let restart = |rig: &mut Rig, guest: &mut Guest| {
        rig.mixer.stop(&mut guest.stream).expect("stopped");
        rig.mixer.start(&mut guest.stream)
    };
    assert_eq!(restart(&mut rig, &mut guest), Err(CardError::Busy));
    rig.mixer.set_trim(&mut guest.stream, Trim::default());
    restart(&mut rig, &mut guest).expect("started");
    // A port's mute holds for a stream that is opened later.
    rig.mixer.close(guest.stream).expect("closed");
    rig.mixer.configure(&settings(PortMode::Direct, trim(0, true)));
    let mut guest =
        Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), constant(LEVEL, LEVEL));
    assert_eq!(rig.mixer.start(&mut guest.stream), Err(CardError::Busy));
    rig.mixer.configure(&settings(PortMode::Direct, Trim::default()));
    rig.mixer.start(&mut guest.stream).expect("started");
}

/// A codec that misses answers has the levels later, so each is to be sent, and none to be forgotten.
#[test]
fn a_level_that_isn_t_answered_is_set_on_all_channels_and_taken_back_later() {
    let mut rig = Rig::new(PortMode::Direct);
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    let misses = |rig: &mut Rig, answers| rig.mixer.card().seen[0].borrow_mut().level_fails = answers;
    misses(&mut rig, 2);
    rig.mixer.set_trim(&mut guest.stream, trim(-6_000, true));
    assert_eq!(amplifiers(&mut rig), [(-6_000, true); 2]);
    misses(&mut rig, 1);
    assert_eq!(rig.mixer.start(&mut guest.stream), Err(CardError::Busy), "it may still be heard");
    // Muted as before, and still not known to be.
    misses(&mut rig, 1);
    rig.mixer.set_trim(&mut guest.stream, trim(-7_000, true));
    misses(&mut rig, 1);
    assert_eq!(rig.mixer.start(&mut guest.stream), Err(CardError::Busy));
    // This time all is answered.
    assert_eq!(amplifiers(&mut rig), [(-7_000, true); 2]);
    rig.mixer.start(&mut guest.stream).expect("started");
    misses(&mut rig, 4);
    rig.mixer.set_trim(&mut guest.stream, Trim::default());
    assert_eq!(amplifiers(&mut rig), [(0, false); 2]);
    // The guest's own mute isn't forgotten for a missed answer either.
    misses(&mut rig, 1);
    rig.mixer.set_mute(&mut guest.stream, 1, true).expect_err("not answered");
    rig.mixer.set_trim(&mut guest.stream, trim(0, true));
    rig.mixer.set_trim(&mut guest.stream, Trim::default());
    assert_eq!(amplifiers(&mut rig), [(0, false), (0, true)]);
}

#[test]
fn a_volume_that_isn_t_answered_ends_no_stream_on_an_auto_port() {
    let mut rig = Rig::new(PortMode::Auto);
    let mut guest = Guest::open(&mut rig, OUT, &S32, constant(LEVEL, LEVEL));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut guest]);
    rig.mixer.card().seen[0].borrow_mut().level_fails = 1;
    rig.mixer.set_trim(&mut guest.stream, trim(-6_000, false));
    assert_eq!(rig.mixer.position(&mut guest.stream).expect("a position").descriptor_errors, 0);
    assert_eq!(rig.mixer.bus_shape(OUT), None, "it is still direct");
    assert_eq!(amplifiers(&mut rig), [(-6_000, false); 2]);
}
