//! Refusals, which leave nothing behind.

use audioback::card::{Card, CardError, CardSettings, OpenFailure, PortIndex, StreamParams};
use audioback::card::{PortMode, PortSetup};
use hyper::{MappedBuffer, Nanos};
use mixer::{Cost, Limits};
use sndif::format::SampleFormat;

use crate::exact::FORMATS;
use crate::support::memory::Buffer;
use crate::support::rig::{IN, LIMITS, MILLISECOND, MONITOR, OUT, Rig, params};

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

fn refused(rig: &mut Rig, port: PortIndex, params: &StreamParams, buffer: &Buffer) -> CardError {
    match rig.mixer.open(port, params, buffer.clone()) {
        Err(OpenFailure::Refused { error, buffer: back }) => {
            assert_eq!(back.page_addresses(), buffer.page_addresses());
            error
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_voice_beyond_the_budget_is_busy_and_room_comes_back() {
    // A plain stereo voice at 48 kHz is 96,000 samples a second, and a converted one 25 times that.
    let mut rig = Rig::with(PortMode::Shared, Limits { cost: Cost(96_000 * 27), ..LIMITS });
    let buffer = Buffer::new(8_192);
    let one = rig.open(OUT, &S32, &buffer);
    let two = rig.open(OUT, &S32, &buffer);
    let converted = params(44_100, SampleFormat::S16Le, 2);
    let three = rig.open(OUT, &converted, &buffer);
    assert_eq!(rig.mixer.cost(), Cost(96_000 * 27));
    assert_eq!(refused(&mut rig, OUT, &S32, &buffer), CardError::Busy);
    assert_eq!(refused(&mut rig, MONITOR, &S32, &buffer), CardError::Busy);
    rig.mixer.close(two).expect("closed");
    assert_eq!(refused(&mut rig, OUT, &converted, &buffer), CardError::Busy);
    let two = rig.open(OUT, &S32, &buffer);
    for stream in [one, two, three] {
        rig.mixer.close(stream).expect("closed");
    }
    assert_eq!(rig.mixer.cost(), Cost(0));
}

#[test]
fn the_table_has_so_many_places_and_stale_handles_do_not_exist() {
    let mut rig = Rig::with(PortMode::Shared, Limits { streams: 3, ..LIMITS });
    let buffer = Buffer::new(8_192);
    let streams = [(); 3].map(|()| rig.open(OUT, &S32, &buffer));
    assert!(!rig.mixer.is_free(OUT));
    assert_eq!(refused(&mut rig, OUT, &S32, &buffer), CardError::Busy);
    for stream in streams {
        rig.mixer.close(stream).expect("closed");
    }
    assert!(rig.mixer.is_free(OUT));
}

#[test]
fn converters_are_counted_and_come_back() {
    let mut rig = Rig::with(PortMode::Shared, Limits { converters: 1, ..LIMITS });
    let buffer = Buffer::new(8_192);
    let converted = params(44_100, SampleFormat::S16Le, 2);
    let plain = rig.open(OUT, &S32, &buffer);
    for _ in 0..3 {
        let one = rig.open(OUT, &converted, &buffer);
        assert_eq!(refused(&mut rig, OUT, &converted, &buffer), CardError::Busy);
        assert_eq!(refused(&mut rig, OUT, &converted, &Buffer::new(4_097)), CardError::BadBuffer);
        rig.mixer.close(one).expect("closed");
    }
    rig.mixer.close(plain).expect("closed");
    assert_eq!(rig.mixer.cost(), Cost(0));
}

#[test]
fn a_hand_over_at_the_rate_of_the_bus_needs_no_converter() {
    let mut rig = Rig::with(PortMode::Auto, Limits { converters: 0, ..LIMITS });
    let streams = [(); 2].map(|()| rig.open(OUT, &S32, &Buffer::new(8_192)));
    assert_eq!((rig.mixer.bus_shape(OUT), rig.mixer.cost()), (Some((48_000, 2)), Cost(2 * 96_000)));
    for stream in streams {
        rig.mixer.close(stream).expect("closed");
    }
}

#[test]
fn a_stream_stays_direct_if_its_bus_would_need_a_converter_that_is_not_there() {
    let mut rig = Rig::with(PortMode::Auto, Limits { converters: 0, ..LIMITS });
    let mut settings = CardSettings::default();
    settings.ports[usize::from(OUT.0)] = PortSetup { rate_hz: Some(48_000), ..PortSetup::default() };
    rig.mixer.configure(&settings);
    let buffer = Buffer::new(8_192);
    let mut first = rig.open(OUT, &params(44_100, SampleFormat::S32Le, 2), &buffer);
    rig.mixer.start(&mut first).expect("started");
    assert_eq!(refused(&mut rig, OUT, &S32, &Buffer::new(8_192)), CardError::Busy);
    assert_eq!((rig.mixer.bus_shape(OUT), rig.mixer.cost()), (None, Cost(0)));
    rig.pass(20 * MILLISECOND);
    assert_eq!(rig.mixer.position(&mut first).map(|position| position.descriptor_errors), Ok(0));
    let back = rig.mixer.close(first).expect("closed");
    assert_eq!(back.page_addresses(), buffer.page_addresses());
}

#[test]
fn a_buffer_that_is_not_whole_frames_is_refused() {
    let mut rig = Rig::new(PortMode::Shared);
    assert_eq!(refused(&mut rig, OUT, &S32, &Buffer::new(4_097)), CardError::BadBuffer);
    assert_eq!(refused(&mut rig, OUT, &S32, &Buffer::new(0)), CardError::BadBuffer);
    // The bus that was opened for it goes away.
    rig.poll();
    assert_eq!(rig.mixer.bus_shape(OUT), None);
    assert_eq!(rig.mixer.cost(), Cost(0));
}

#[test]
fn what_is_offered_can_be_opened_and_nothing_else_can() {
    let rig = Rig::new(PortMode::Shared);
    for port in [OUT, IN, MONITOR] {
        let offer = Card::<Buffer>::ports(&rig.mixer)[usize::from(port.0)];
        assert_eq!((offer.channels_min, offer.channels_max), (1, 8));
        assert_eq!(offer.formats.iter().count(), FORMATS.len() + 2);
        for format in SampleFormat::all() {
            for rate_hz in offer.rates_hz {
                for channels in 1..=8 {
                    let asked = params(rate_hz, format, channels);
                    assert_eq!(
                        Card::<Buffer>::supports(&rig.mixer, port, &asked),
                        offer.formats.contains(format),
                        "{port:?} {asked:?}"
                    );
                }
            }
        }
        for wrong in [params(5_511, SampleFormat::S16Le, 2), params(192_001, SampleFormat::S16Le, 2)] {
            assert!(!Card::<Buffer>::supports(&rig.mixer, port, &wrong));
        }
        assert!(!Card::<Buffer>::supports(&rig.mixer, port, &params(48_000, SampleFormat::S16Le, 9)));
        assert!(!Card::<Buffer>::supports(&rig.mixer, port, &params(48_000, SampleFormat::S16Le, 0)));
    }
    assert!(!Card::<Buffer>::supports(&rig.mixer, PortIndex(3), &S32));
}

#[test]
fn a_bus_lingers_for_a_second_and_gives_its_port_back() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut stream = rig.open(OUT, &S32, &Buffer::new(8_192));
    rig.mixer.start(&mut stream).expect("started");
    rig.pass(100 * MILLISECOND);
    rig.mixer.stop(&mut stream).expect("stopped");
    rig.mixer.close(stream).expect("closed");
    rig.pass(900 * MILLISECOND);
    assert_eq!(rig.mixer.bus_shape(OUT), Some((48_000, 2)));
    rig.pass(300 * MILLISECOND);
    assert_eq!(rig.mixer.bus_shape(OUT), None);
    assert!(!rig.mixer.card().seen[0].borrow().is_taken);
    // The next first voice has another bus.
    let stream = rig.open(OUT, &params(96_000, SampleFormat::S16Le, 6), &Buffer::new(12_000));
    assert_eq!(rig.mixer.bus_shape(OUT), Some((96_000, 6)));
    rig.mixer.close(stream).expect("closed");
}

#[test]
fn a_bus_that_does_not_stop_keeps_its_ring_and_is_tried_again() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut stream = rig.open(OUT, &S32, &Buffer::new(8_192));
    rig.mixer.start(&mut stream).expect("started");
    rig.pass(20 * MILLISECOND);
    rig.mixer.card().seen[0].borrow_mut().sticks = true;
    rig.mixer.close(stream).expect("a guest's buffer is never stuck with a bus");
    rig.pass(1_500 * MILLISECOND);
    // Each try waits for the hardware, so they are rare, however often the loop turns.
    let tried = rig.mixer.card().seen[0].borrow().closes;
    (0..1_000).for_each(|_| rig.poll());
    assert!(rig.mixer.card().seen[0].borrow().closes - tried <= 1);
    assert!(rig.mixer.card().seen[0].borrow().is_taken);
    rig.mixer.card().seen[0].borrow_mut().sticks = false;
    rig.pass(500 * MILLISECOND);
    assert!(!rig.mixer.card().seen[0].borrow().is_taken);
}

#[test]
fn a_bus_that_stopped_too_late_starts_again() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut stream = rig.open(OUT, &S32, &Buffer::new(8_192));
    rig.mixer.start(&mut stream).expect("started");
    rig.pass(20 * MILLISECOND);
    rig.mixer.stop(&mut stream).expect("stopped");
    // Nobody has used it for a second, and it doesn't stop at once.
    rig.mixer.card().seen[0].borrow_mut().sticks = true;
    rig.pass(1_500 * MILLISECOND);
    rig.mixer.card().seen[0].borrow_mut().sticks = false;
    rig.mixer.start(&mut stream).expect("started again");
    rig.pass(20 * MILLISECOND);
    let position = rig.mixer.position(&mut stream).expect("a position");
    assert!(position.bytes > 0 && position.descriptor_errors == 0, "{position:?}");
}

#[test]
fn a_start_and_a_close_make_a_turn_due() {
    let mut rig = Rig::new(PortMode::Shared);
    rig.poll();
    let stream = rig.open(OUT, &S32, &Buffer::new(8_192));
    let mut other = rig.open(OUT, &S32, &Buffer::new(8_192));
    assert_eq!(rig.mixer.next_due(), None, "nothing runs");
    rig.mixer.start(&mut other).expect("started");
    assert!(rig.mixer.next_due().is_some_and(|due| due <= rig.now()), "the bus has just begun");
    rig.poll();
    assert!(rig.mixer.next_due().is_some_and(|due| due > rig.now()));
    rig.mixer.close(stream).expect("closed");
    rig.mixer.close(other).expect("closed");
    rig.pass(1_500 * MILLISECOND);
    assert_eq!(rig.mixer.next_due(), None, "the bus is gone");
    let unused = rig.open(OUT, &S32, &Buffer::new(8_192));
    rig.mixer.close(unused).expect("closed");
    assert!(rig.mixer.next_due().is_some(), "the bus is to be given back");
}

#[test]
fn a_bus_that_fails_breaks_its_voices_until_they_start_again() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut stream = rig.open(OUT, &S32, &Buffer::new(8_192));
    let mut idle = rig.open(OUT, &S32, &Buffer::new(8_192));
    rig.mixer.start(&mut stream).expect("started");
    rig.pass(20 * MILLISECOND);
    rig.mixer.card().seen[0].borrow_mut().fails = true;
    rig.pass(20 * MILLISECOND);
    assert_eq!(rig.mixer.position(&mut stream).expect("a position").descriptor_errors, 1);
    assert_eq!(rig.mixer.position(&mut idle).expect("a position").descriptor_errors, 0);
    rig.mixer.card().seen[0].borrow_mut().fails = false;
    rig.mixer.stop(&mut stream).expect("stopped");
    rig.mixer.start(&mut stream).expect("started again");
    rig.pass(20 * MILLISECOND);
    let position = rig.mixer.position(&mut stream).expect("a position");
    assert!(position.descriptor_errors == 0 && position.bytes > 0);
}

#[test]
fn turns_are_as_seldom_as_the_periods_allow() {
    for (period_frames, shortest_ns, longest_ns) in
        [(64, 1_300_000, 1_400_000), (480, 4_900_000, 5_000_000), (9_600, 9_900_000, 10_000_000)]
    {
        let mut rig = Rig::new(PortMode::Shared);
        let mut stream = rig.open(OUT, &S32, &Buffer::new(1 << 18));
        rig.mixer.set_period(&mut stream, period_frames);
        rig.mixer.start(&mut stream).expect("started");
        rig.poll();
        rig.pass(100 * MILLISECOND);
        let now = rig.now();
        rig.mixer.poll(Nanos(now.0 + longest_ns + MILLISECOND), false);
        let due = rig.mixer.next_due().expect("due");
        let span_ns = due.0 - now.0 - longest_ns - MILLISECOND;
        assert!((shortest_ns..=longest_ns).contains(&span_ns), "{period_frames} frames: {span_ns} ns");
        // The hardware's fetch, half a period, and a millisecond.
        rig.pass(50 * MILLISECOND);
        let link = rig.mixer.position(&mut stream).expect("a position").link.expect("at the link");
        let lead_ns = u64::from(link.dma_lead_frames) * 1_000_000 / 48;
        assert!(
            lead_ns <= 1_000_000 + longest_ns + 1_100_000,
            "{period_frames} frames: lead of {lead_ns} ns"
        );
    }
}

#[test]
fn a_turn_that_is_almost_due_comes_when_the_loop_is_awake_anyway() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut stream = rig.open(OUT, &S32, &Buffer::new(1 << 18));
    rig.mixer.set_period(&mut stream, 480);
    rig.mixer.start(&mut stream).expect("started");
    rig.pass(100 * MILLISECOND);
    let mut due_after = |early_ns: u64| {
        let due = rig.mixer.next_due().expect("due").0;
        rig.time.set(due - early_ns);
        rig.mixer.poll(rig.now(), false);
        (due, rig.mixer.next_due().expect("due").0)
    };
    let (due, after) = due_after(MILLISECOND);
    assert_eq!(after, due, "a millisecond of five is too early");
    let (due, after) = due_after(MILLISECOND / 2);
    assert!(after > due + 4 * MILLISECOND, "half a millisecond isn't: {due} and {after}");
}
