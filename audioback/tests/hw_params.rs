//! What is offered and what is accepted come from one place; here each is held against the other.

use audioback::card::{Direction, MAX_RATES, Port, StreamParams};
use audioback::hw_params::{BadOpen, Limits, PERIOD_FRAMES_MIN};
use hyper::GrantRef;
use proptest::prelude::*;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::{HwParams, Interval};
use sndif::request::OpenParams;

fn formats(list: &[SampleFormat]) -> FormatSet {
    list.iter().fold(FormatSet::EMPTY, |mut set, &format| {
        set.insert(format);
        set
    })
}

fn port() -> Port {
    let mut rates_hz = [0; MAX_RATES];
    rates_hz[..3].copy_from_slice(&[44_100, 48_000, 96_000]);
    Port {
        direction: Direction::Playback,
        formats: formats(&[SampleFormat::S16Le, SampleFormat::S32Le]),
        rates_hz,
        is_monitor: false,
        channels_min: 2,
        channels_max: 8,
        buffer_bytes_min: 256,
        buffer_bytes_max: 1 << 20,
        volume: None,
    }
}

fn open() -> OpenParams {
    OpenParams {
        rate_hz: 48_000,
        format: SampleFormat::S16Le,
        channels: 2,
        buffer_bytes: 65_536,
        directory: GrantRef(8),
        period_bytes: 1_920,
    }
}

/// A card whose abilities all go together.
fn anything(_: &StreamParams) -> bool {
    true
}

/// A card whose link carries only so much: 32-bit samples up to 48 kHz.
fn narrow_link(params: &StreamParams) -> bool {
    params.format == SampleFormat::S16Le || params.rate_hz <= 48_000
}

fn limits() -> Limits {
    Limits::new(Port { buffer_bytes_max: 1 << 16, ..port() })
}

#[test]
fn a_query_for_anything_gets_what_the_port_can_do() {
    let left = limits().narrow(&HwParams::ANY, anything);
    assert_eq!(left.formats, port().formats);
    assert_eq!(left.rates, Interval { min: 44_100, max: 96_000 });
    assert_eq!(left.channels, Interval { min: 2, max: 8 });
    // 64 KiB of the smallest frame, 2 channels of 16 bit; 256 bytes of the largest, 8 channels of 32 bit.
    assert_eq!(left.buffer_frames, Interval { min: 8, max: 16_384 });
    assert_eq!(left.period_frames, Interval { min: PERIOD_FRAMES_MIN, max: 16_384 });
}

#[test]
fn narrowing_the_frame_narrows_the_buffer() {
    let asked = HwParams {
        formats: formats(&[SampleFormat::S32Le]),
        channels: Interval::exactly(8),
        ..HwParams::ANY
    };
    assert_eq!(limits().narrow(&asked, anything).buffer_frames, Interval { min: 8, max: 2_048 });
}

#[test]
fn a_rate_between_the_ports_rates_leaves_nothing() {
    let asked = HwParams { rates: Interval { min: 48_001, max: 95_999 }, ..HwParams::ANY };
    assert!(limits().narrow(&asked, anything).is_empty());
}

#[test]
fn what_does_not_go_together_is_not_offered_and_not_accepted() {
    let wide = HwParams { formats: formats(&[SampleFormat::S32Le]), ..HwParams::ANY };
    assert_eq!(limits().narrow(&wide, narrow_link).rates, Interval { min: 44_100, max: 48_000 });
    let fast = HwParams { rates: Interval::exactly(96_000), ..HwParams::ANY };
    assert_eq!(limits().narrow(&fast, narrow_link).formats, formats(&[SampleFormat::S16Le]));
    let asked = OpenParams { format: SampleFormat::S32Le, rate_hz: 96_000, ..open() };
    assert!(matches!(limits().judge(&asked, narrow_link), Err(BadOpen::Together(_))));
}

#[test]
fn each_way_to_ask_for_too_much_is_named() {
    let cases = [
        (OpenParams { format: SampleFormat::U8, ..open() }, BadOpen::Format(SampleFormat::U8)),
        (OpenParams { rate_hz: 48_001, ..open() }, BadOpen::Rate(48_001)),
        (OpenParams { rate_hz: 0, ..open() }, BadOpen::Rate(0)),
        (OpenParams { channels: 0, ..open() }, BadOpen::Channels(0)),
        (OpenParams { channels: 9, ..open() }, BadOpen::Channels(9)),
        (OpenParams { buffer_bytes: 0, ..open() }, BadOpen::Buffer(0)),
        (OpenParams { buffer_bytes: 65_537, ..open() }, BadOpen::Buffer(65_537)),
        (OpenParams { buffer_bytes: 65_534, ..open() }, BadOpen::Buffer(65_534)),
        (OpenParams { buffer_bytes: u32::MAX, ..open() }, BadOpen::Buffer(u32::MAX)),
        (OpenParams { period_bytes: 65_540, ..open() }, BadOpen::Period(65_540)),
        (OpenParams { period_bytes: 1_921, ..open() }, BadOpen::Period(1_921)),
        (OpenParams { period_bytes: 4, ..open() }, BadOpen::Period(4)),
    ];
    for (asked, why) in cases {
        assert_eq!(limits().judge(&asked, anything), Err(why));
    }
    assert!(limits().judge(&OpenParams { period_bytes: 0, ..open() }, anything).is_ok());
}

fn interval() -> impl Strategy<Value = Interval> {
    (0u32..200_000, 0u32..200_000).prop_map(|(min, max)| Interval { min, max })
}

proptest! {
    #[test]
    fn a_query_only_narrows(
        formats in any::<u64>(), rates in interval(), channels in interval(), buffer_frames in interval(),
        period_frames in interval(),
    ) {
        let asked = HwParams { formats: FormatSet(formats), rates, channels, buffer_frames, period_frames };
        let left = limits().narrow(&asked, anything);
        if !left.is_empty() {
            prop_assert!(asked.contains(&left));
            prop_assert_eq!(limits().narrow(&left, anything), left, "an answer asked again stays as it is");
        }
    }

    #[test]
    fn what_a_query_offers_for_one_frame_size_can_be_opened(
        wide in any::<bool>(), channels in 2u8..=8, rate in prop::sample::select(vec![44_100u32, 48_000, 96_000]),
        pick in 0u32..,
    ) {
        let format = if wide { SampleFormat::S32Le } else { SampleFormat::S16Le };
        let asked = HwParams {
            formats: formats(&[format]),
            rates: Interval::exactly(rate),
            channels: Interval::exactly(channels.into()),
            ..HwParams::ANY
        };
        let left = limits().narrow(&asked, anything);
        let frame_bytes = if wide { 4 } else { 2 } * u32::from(channels);
        let span = left.buffer_frames.max - PERIOD_FRAMES_MIN + 1;
        let buffer_frames = PERIOD_FRAMES_MIN + pick % span;
        let opened = OpenParams {
            rate_hz: rate, format, channels, buffer_bytes: buffer_frames * frame_bytes, directory: GrantRef(1),
            period_bytes: PERIOD_FRAMES_MIN * frame_bytes,
        };
        prop_assert!(limits().judge(&opened, anything).is_ok(), "{:?}", opened);
    }

    #[test]
    fn no_open_panics(rate_hz in any::<u32>(), format in 0u8..25, channels in any::<u8>(), buffer_bytes in any::<u32>(), period_bytes in any::<u32>()) {
        let Some(format) = SampleFormat::from_code(format) else { return Ok(()) };
        let asked = OpenParams { rate_hz, format, channels, buffer_bytes, directory: GrantRef(0), period_bytes };
        if let Ok(plan) = limits().judge(&asked, anything) {
            prop_assert!(plan.buffer_bytes <= 1 << 16 && plan.buffer_bytes % plan.frame_bytes == 0);
        }
    }
}
