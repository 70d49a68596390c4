//! What the mixer says of a port's use.

use audioback::card::{BusState, Card, PortIndex, PortMode, PortState, StreamParams};
use hyper::Nanos;
use sndif::format::SampleFormat;

use crate::support::guest::{Frames, Guest};
use crate::support::memory::Buffer;
use crate::support::rig::{IN, LIMITS, MILLISECOND, MONITOR, OUT, Rig, params};

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

fn level(sample: i32) -> Frames {
    Box::new(move |_| [sample, -sample].into_iter().flat_map(i32::to_le_bytes).collect())
}

fn state(rig: &Rig, port: PortIndex) -> PortState {
    rig.mixer.port_state(port).expect("a port of the card")
}

fn bus(rig: &Rig, port: PortIndex) -> BusState {
    match state(rig, port) {
        PortState::Shared(bus) => bus,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_port_is_idle_then_direct_then_shared_and_idle_again() {
    let mut rig = Rig::new(PortMode::Auto);
    assert_eq!([OUT, IN].map(|port| state(&rig, port)), [PortState::Idle; 2]);
    let mut first = Guest::open(&mut rig, OUT, &S32, level(1));
    assert_eq!(state(&rig, OUT), PortState::Direct, "open is enough");
    rig.mixer.start(&mut first.stream).expect("started");
    let other = params(44_100, SampleFormat::S16Le, 2);
    let second = Guest::open(&mut rig, OUT, &other, Box::new(|_| vec![0; 4]));
    let shared = bus(&rig, OUT);
    assert_eq!((shared.rate_hz, shared.channels, shared.voices, shared.running), (48_000, 2, 2, 1));
    assert!(shared.is_running);
    assert_eq!(state(&rig, IN), PortState::Idle);
    rig.mixer.close(first.stream).expect("closed");
    rig.mixer.close(second.stream).expect("closed");
    rig.pass(500 * MILLISECOND);
    assert_eq!((bus(&rig, OUT).voices, bus(&rig, OUT).is_running), (0, true), "it lingers");
    rig.pass(600 * MILLISECOND);
    assert_eq!(state(&rig, OUT), PortState::Idle);
}

#[test]
fn monitors_are_no_voices_of_their_output_and_have_no_state_of_their_own() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut monitor = rig.open(MONITOR, &S32, &Buffer::new(8_192));
    rig.mixer.start(&mut monitor).expect("started");
    assert_eq!((bus(&rig, OUT).voices, bus(&rig, OUT).running), (0, 0));
    let mut recorder = rig.open(IN, &S32, &Buffer::new(8_192));
    rig.mixer.start(&mut recorder).expect("started");
    let input = bus(&rig, IN);
    assert_eq!((input.voices, input.running, input.lead), (1, 1, Nanos(0)));
    rig.mixer.pause(&mut recorder).expect("paused");
    assert_eq!((bus(&rig, IN).voices, bus(&rig, IN).running), (1, 0));
    assert_eq!(rig.mixer.port_state(MONITOR), None);
    assert_eq!(rig.mixer.port_state(PortIndex(200)), None);
}

#[test]
fn the_lead_is_a_quantum_and_twice_the_allowance() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut guest = Guest::open(&mut rig, OUT, &S32, level(1));
    rig.mixer.start(&mut guest.stream).expect("started");
    // The guest's period is 10 ms, and the allowance begins with its limit.
    let expected = 5 * MILLISECOND + 2 * LIMITS.lateness.0;
    let lead = bus(&rig, OUT).lead.0;
    assert!(lead.abs_diff(expected) <= 1_000_000_000 / 48_000 + 1, "{lead}");
}

#[test]
fn what_goes_wrong_is_counted() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut guests = [(); 2].map(|()| Guest::open(&mut rig, OUT, &S32, level(0x6000_0000)));
    let [one, two] = &mut guests;
    rig.mixer.start_together(&mut [&mut one.stream, &mut two.stream]).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut *one, &mut *two]);
    assert!(bus(&rig, OUT).clipped_frames >= 480, "{:?}", bus(&rig, OUT));
    assert_eq!((bus(&rig, OUT).late_turns, bus(&rig, OUT).fifo_errors), (0, 0));
    // The domain has no processor for a while, and the hardware has no samples three times.
    rig.time.set(rig.time.get() + 60 * MILLISECOND);
    rig.mixer.card().seen[0].borrow_mut().fifo_errors = 3;
    rig.poll();
    assert_eq!((bus(&rig, OUT).late_turns, bus(&rig, OUT).fifo_errors), (1, 3));
    // The bus stops and begins another run. Its errors stay counted.
    for guest in &mut guests {
        rig.mixer.stop(&mut guest.stream).expect("stopped");
    }
    rig.pass(1_200 * MILLISECOND);
    assert!(!bus(&rig, OUT).is_running);
    let [one, _] = &mut guests;
    rig.mixer.card().seen[0].borrow_mut().fifo_errors = 2;
    rig.mixer.start(&mut one.stream).expect("started");
    rig.pass(20 * MILLISECOND);
    assert_eq!(bus(&rig, OUT).fifo_errors, 5);
}
