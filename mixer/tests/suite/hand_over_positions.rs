//! Positions of a stream that is moved between its own pages and a bus, against what was heard.

use std::cell::Cell;
use std::rc::Rc;

use audioback::card::{Card, LinkPosition, PortMode, StillRunning};
use hyper::MappedBuffer;
use mixer::{Cost, MixerStream};
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::support::cases;
use crate::support::fake_card::{HardwareRun, frames_in, parts_of};
use crate::support::guest::Guest;
use crate::support::memory::Buffer;
use crate::support::rig::{IN, MILLISECOND, OUT, Rig, params};

/// A position that was published from one time on until another one.
struct Told {
    from_ns: u64,
    until_ns: u64,
    run: i32,
    link: LinkPosition,
}

/// What went out, by time.
struct Heard {
    words: Vec<i32>,
    runs: Vec<HardwareRun>,
    rate_hz: u32,
}

impl Heard {
    /// Thousandths of a guest's run that have been at the link until a time. `None`: it isn't heard then.
    fn milliframes(&self, guests_run: i32, ns: u64) -> Option<i128> {
        let now = parts_of(ns);
        let run = self.runs.iter().rfind(|run| run.since <= now)?;
        let milliframes = frames_in((now - run.begun) * 1_000, self.rate_hz);
        let index = run.first + milliframes / 1_000;
        let is_over = self.runs.iter().any(|next| next.first > run.first && index >= next.first);
        let [word, of_run] = self.words.get(index as usize * 2..)?.first_chunk()?;
        (*of_run == guests_run && !is_over)
            .then_some(i128::from(*word - 1) * 1_000 + i128::from(milliframes % 1_000))
    }
}

/// Thousandths of frames at a time, by what was published.
fn published(link: &LinkPosition, ns: u64) -> i128 {
    let since_q32 = (i128::from(ns) - i128::from(link.time.0)) << 32;
    i128::from(link.link_frames) * 1_000 + since_q32 * 1_000 / i128::from(link.ns_per_frame_q32)
}

/// A stream that plays while others come to its port and leave it. Returns the checks that were made, and the hand-overs.
fn play(rate_hz: u32, steps: &[(u8, u64)]) -> (u32, u32) {
    let mut rig = Rig::new(PortMode::Auto);
    rig.mixer.card().is_in_step = true;
    // Sums of two are even.
    let run = Rc::new(Cell::new(1));
    let of_run = Rc::clone(&run);
    let frames =
        move |frame: u64| [frame as i32 + 1, of_run.get()].into_iter().flat_map(i32::to_le_bytes).collect();
    let buffer_frames = (rate_hz / 20).next_power_of_two();
    let layout = params(rate_hz, SampleFormat::S32Le, 2);
    let mut guest = Guest::with_buffer(&mut rig, OUT, &layout, buffer_frames, Box::new(frames));
    let (mut state, mut other) = ('r', None::<MixerStream>);
    let (mut told, mut moves) = (Vec::<Told>::new(), 0);
    for (step, span_ns) in steps {
        let had_bus = rig.mixer.bus_shape(OUT).is_some();
        match (step, state) {
            (0..3, 'r') => {
                run.set(run.get() + 2);
                guest.written = 0;
                guest.refill(&mut rig.mixer);
                rig.mixer.start(&mut guest.stream).expect("started");
                state = 's';
            }
            (0, 's') => {
                rig.mixer.pause(&mut guest.stream).expect("paused");
                state = 'p';
            }
            (0..3, 'p') => {
                rig.mixer.resume(&mut guest.stream).expect("resumed");
                state = 's';
            }
            (1, 's') => {
                rig.mixer.stop(&mut guest.stream).expect("stopped");
                state = 'r';
            }
            (3..6, _) => match other.take() {
                Some(stream) => drop(rig.mixer.close(stream).expect("closed")),
                None => {
                    other = Some(rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), &Buffer::new(4_096)))
                }
            },
            (6, _) => {
                if let Some(stream) = &mut other {
                    rig.mixer.set_period(stream, 64 + (span_ns % 1_000) as u32);
                    // It may run already.
                    let _refused = rig.mixer.start(stream).is_err();
                }
            }
            _ => {}
        }
        moves += u32::from(state == 's' && !had_bus && rig.mixer.bus_shape(OUT).is_some());
        let position = rig.mixer.position(&mut guest.stream).expect("a position");
        let from_ns = rig.time.get();
        if state == 's' {
            rig.pass_with(*span_ns, &mut [&mut guest]);
        } else {
            rig.pass(*span_ns);
        }
        if let Some(link) = position.link.filter(|_| state == 's') {
            told.push(Told {
                from_ns: from_ns.max(link.time.0),
                until_ns: rig.time.get(),
                run: run.get(),
                link,
            });
        }
    }
    rig.pass(20 * MILLISECOND);
    let words = rig.played_words(OUT, 2);
    let seen = rig.mixer.card().seen[0].borrow();
    let is_of_one_run = |of_run: &i32| *of_run == 0 || of_run % 2 == 1;
    assert!(words.iter().skip(1).step_by(2).all(is_of_one_run), "frames were mixed twice");
    let heard = Heard { words, runs: seen.runs.clone(), rate_hz };
    let mut checks = 0;
    for Told { from_ns, until_ns, run, link } in told {
        let until_ns = until_ns.max(from_ns);
        for ns in [from_ns, from_ns.midpoint(until_ns), until_ns] {
            let Some(milliframes) = heard.milliframes(run, ns) else { continue };
            let bound = (u128::from(link.error_ns) << 32) * 1_000 / u128::from(link.ns_per_frame_q32);
            let off = published(&link, ns).abs_diff(milliframes);
            assert!(off <= bound + 2, "{off} thousandths off, bound {bound}, at {ns}: {link:?}");
            checks += 1;
        }
    }
    (checks, moves)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    #[test]
    fn positions_are_within_their_bounds_whoever_comes_to_the_port(
        rate_hz in prop::sample::select(vec![48_000u32, 96_000]),
        steps in prop::collection::vec((0u8..8, 0u64..8_000_000), 3..20),
    ) {
        play(rate_hz, &steps);
    }
}

#[test]
fn they_are_checked_before_a_hand_over_and_after_it() {
    let (checks, moves) = play(48_000, &[(0, 30_000_000), (3, 30_000_000), (7, 9_000_000), (3, 5_000_000)]);
    assert_eq!((checks, moves), (12, 1));
}

#[test]
fn streams_that_come_amid_a_hand_over_come_to_the_same_bus() {
    let mut rig = Rig::new(PortMode::Auto);
    rig.mixer.card().is_in_step = true;
    let layout = params(48_000, SampleFormat::S32Le, 2);
    let mut guest = Guest::open(&mut rig, OUT, &layout, Box::new(|_| vec![0; 8]));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(30 * MILLISECOND, &mut [&mut guest]);
    let others = [(); 2].map(|()| rig.open(OUT, &layout, &Buffer::new(8_192)));
    assert_eq!(rig.mixer.cost(), Cost(3 * 96_000), "each has its share once");
    rig.pass_with(60 * MILLISECOND, &mut [&mut guest]);
    assert_eq!(rig.mixer.cost(), Cost(3 * 96_000));
    for stream in others.into_iter().chain([guest.stream]) {
        rig.mixer.close(stream).expect("closed");
    }
    assert_eq!(rig.mixer.cost(), Cost(0));
}

#[test]
fn a_stream_that_does_not_stop_for_its_bus_says_so_and_keeps_its_buffer() {
    let mut rig = Rig::new(PortMode::Auto);
    rig.mixer.card().is_in_step = true;
    let layout = params(48_000, SampleFormat::S32Le, 2);
    let mut guest = Guest::open(&mut rig, OUT, &layout, Box::new(|_| vec![0; 8]));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(30 * MILLISECOND, &mut [&mut guest]);
    let other = rig.open(OUT, &layout, &Buffer::new(8_192));
    rig.mixer.card().seen[0].borrow_mut().sticks = true;
    rig.pass(60 * MILLISECOND);
    assert_eq!(rig.mixer.cost(), Cost(96_000), "it is no voice");
    assert_ended(&mut rig, &mut guest.stream);
    let StillRunning(stream) = rig.mixer.close(guest.stream).expect_err("RUN reads 1");
    rig.mixer.card().seen[0].borrow_mut().sticks = false;
    let buffer = rig.mixer.close(stream).expect("closed");
    assert_eq!(buffer.page_addresses(), guest.buffer.page_addresses());
    rig.mixer.close(other).expect("closed");
    assert_eq!(rig.mixer.cost(), Cost(0));
}

#[test]
fn a_recording_whose_bus_fails_says_so_and_can_start_again() {
    // Before the bus has the converter, or as soon as it has it.
    for is_taken in [false, true] {
        let mut rig = Rig::new(PortMode::Auto);
        rig.mixer.card().is_in_step = true;
        let layout = params(48_000, SampleFormat::S32Le, 2);
        let mut first = rig.open(IN, &layout, &Buffer::new(8_192));
        rig.mixer.start(&mut first).expect("started");
        rig.pass(20 * MILLISECOND);
        rig.mixer.card().seen[1].borrow_mut().fails = !is_taken;
        rig.mixer.card().seen[1].borrow_mut().fails_once_taken = true;
        let second = rig.mixer.open(IN, &layout, Buffer::new(8_192)).ok();
        rig.mixer.card().seen[1].borrow_mut().fails = false;
        rig.pass(20 * MILLISECOND);
        assert_ended(&mut rig, &mut first);
        rig.mixer.stop(&mut first).expect("stopped");
        rig.mixer.start(&mut first).expect("started again");
        rig.pass(20 * MILLISECOND);
        let position = rig.mixer.position(&mut first).expect("a position");
        assert!(position.descriptor_errors == 0 && position.bytes > 0, "{position:?}");
        for stream in second.into_iter().chain([first]) {
            rig.mixer.close(stream).expect("closed");
        }
        assert_eq!(rig.mixer.cost(), Cost(0));
    }
}

/// What plays goes on: either stream plays the same. What records says that frames may be lost.
#[test]
fn a_recording_whose_bus_doesn_t_get_the_converter_says_so() {
    for port in [OUT, IN] {
        let mut rig = Rig::new(PortMode::Auto);
        rig.mixer.card().is_in_step = true;
        let layout = params(48_000, SampleFormat::S32Le, 2);
        let mut first = rig.open(port, &layout, &Buffer::new(1 << 16));
        rig.mixer.start(&mut first).expect("started");
        rig.pass(20 * MILLISECOND);
        rig.mixer.card().seen[usize::from(port.0)].borrow_mut().take_fails = true;
        let _second = rig.mixer.open(port, &layout, Buffer::new(8_192)).ok();
        rig.pass(60 * MILLISECOND);
        if port == IN {
            assert_ended(&mut rig, &mut first);
        } else {
            let before = rig.mixer.position(&mut first).expect("a position");
            rig.pass(200 * MILLISECOND);
            let after = rig.mixer.position(&mut first).expect("a position");
            assert!(after.bytes > before.bytes && after.descriptor_errors == 0, "{after:?}");
        }
    }
}

/// The run of a stream has ended, and its front end must not wait for a position.
fn assert_ended(rig: &mut Rig, stream: &mut MixerStream) {
    assert_eq!(rig.mixer.position(stream).expect("a position").descriptor_errors, 1);
}

#[test]
fn a_stream_that_is_stopped_amid_a_hand_over_is_not_mixed_twice() {
    let steps = [
        (0, 1_255_551),
        (3, 88_306),
        (6, 993_842),
        (1, 343_754),
        (3, 4_249_810),
        (3, 3_418_824),
        (6, 6_095_888),
        (0, 6_880_938),
    ];
    play(48_000, &steps);
}
