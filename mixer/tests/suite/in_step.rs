//! A bus that is started in step with a direct stream, at rates whose frames don't come evenly.

use audioback::card::{Card, PortMode};
use hyper::{MappedBuffer, Nanos};
use snd_hda_model::DmaAccess;
use sndif::format::SampleFormat;

use crate::link::{OUT, Rig};
use crate::support::memory::Buffer;
use crate::support::noise;
use crate::support::rig::{MILLISECOND, params};

/// 160 link frames, after which the cadence of 44.1 kHz repeats.
const PERIOD_NS: u64 = 160 * 1_000_000_000 / 48_000;

/// A port that a direct stream plays to.
fn playing(rate_hz: u32) -> Rig {
    let mut rig = Rig::new([None; 2], PortMode::Auto);
    let (mut first, buffer) = rig.open(OUT, &params(rate_hz, SampleFormat::S16Le, 2), 4_096);
    for page in buffer.page_addresses() {
        rig.model.memory().allow_dma(*page, DmaAccess::Read);
    }
    rig.mixer.start(&mut first).expect("started");
    rig.pass(40 * MILLISECOND);
    rig
}

#[test]
fn an_open_is_due_soon_and_nobody_waits_long_for_it_then() {
    let second = params(48_000, SampleFormat::S16Le, 2);
    for seed in 0..40 {
        let mut rig = playing(44_100);
        rig.pass(u64::from(noise(seed, 0)) % (2 * PERIOD_NS));
        let now = rig.model.now_ns();
        let wait_ns = rig.mixer.open_due(OUT).0.saturating_sub(now);
        assert!(wait_ns <= PERIOD_NS + MILLISECOND, "{seed}: {wait_ns}");
        rig.pass_until_due(OUT);
        let before_ns = rig.model.now_ns();
        let (_stream, _buffer) = rig.open(OUT, &second, 4_096);
        let took_ns = rig.model.now_ns() - before_ns;
        assert!(took_ns < 2 * MILLISECOND, "{seed}: {took_ns}");
    }
}

#[test]
fn an_open_that_misses_its_moment_waits_for_the_next_one() {
    for seed in 0..40 {
        let mut rig = playing(44_100);
        rig.pass(u64::from(noise(seed, 0)) % (2 * PERIOD_NS));
        let buffer = Buffer::new(4_096 * 4);
        let before_ns = rig.model.now_ns();
        let opened = rig.mixer.open(OUT, &params(48_000, SampleFormat::S16Le, 2), buffer);
        let _stream = opened.map_err(|failure| failure.error()).expect("open");
        let took_ns = rig.model.now_ns() - before_ns;
        assert!(took_ns < PERIOD_NS + MILLISECOND / 2, "{seed}: {took_ns}");
    }
}

#[test]
fn an_open_that_moves_nobody_is_due_at_once() {
    let mut rig = Rig::new([None; 2], PortMode::Auto);
    assert_eq!(rig.mixer.open_due(OUT), Nanos(0), "nobody plays");
    for rate_hz in [48_000, 96_000] {
        assert_eq!(playing(rate_hz).mixer.open_due(OUT), Nanos(0), "each link frame has the same number");
    }
    for rate_hz in [11_025, 22_050] {
        assert_eq!(playing(rate_hz).mixer.open_due(OUT), Nanos(0), "it moves with a gap");
    }
    let mut rig = playing(44_100);
    let (_stream, _buffer) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
    assert_eq!(rig.mixer.open_due(OUT), Nanos(0), "it is on its way");
}

#[test]
fn a_stream_of_a_low_rate_does_not_make_the_bus_a_telephone() {
    for (rate_hz, bus_hz) in [(8_000, 48_000), (11_025, 48_000), (32_000, 48_000), (44_100, 44_100)] {
        let mut rig = playing(rate_hz);
        let (_stream, _buffer) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
        rig.pass(100 * MILLISECOND);
        assert_eq!(rig.mixer.bus_shape(OUT).map(|(rate_hz, _)| rate_hz), Some(bus_hz), "{rate_hz} Hz");
    }
}
