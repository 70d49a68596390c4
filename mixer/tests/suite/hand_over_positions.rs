//! Positions of a stream that is moved between its own pages and a bus, against what was heard.

use std::cell::Cell;
use std::rc::Rc;

use audioback::card::{Card, CardSettings, LinkPosition, MAX_PORT_SETUPS, PortMode, PortSetup, StillRunning};
use hyper::MappedBuffer;
use mixer::{Cost, MixerStream};
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::positions::{enough, published};
use crate::support::fake_card::{HardwareRun, frames_in, parts_of};
use crate::support::guest::Guest;
use crate::support::memory::Buffer;
use crate::support::property;
use crate::support::rig::{IN, MILLISECOND, OUT, Rig, params};

/// What a sample grows by from one frame of a guest to the next.
const SLOPE: i32 = 1 << 12;

/// A step of the tag that tells one run of a guest from its others. Tags are odd, and sums of two are even.
const TAG: i32 = 1 << 20;

/// Bus frames on each side of a converted frame that have to be on one line.
const CLEAR: usize = 16;

/// Which guest: it is heard in two channels of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

/// A guest whose samples count its frames, with a tag for each run.
struct Player {
    guest: Guest,
    rate_hz: u32,
    /// 'r' is ready, 's' has started, 'p' is paused.
    state: char,
    tag: Rc<Cell<i32>>,
}

impl Player {
    fn open(rig: &mut Rig, side: Side, rate_hz: u32, format: SampleFormat) -> Self {
        let tag = Rc::new(Cell::new(1));
        let of_run = Rc::clone(&tag);
        let is_big_endian = format == SampleFormat::S32Be;
        let frames = move |frame: u64| {
            let own = [(frame as i32 + 1) * SLOPE, of_run.get() * TAG];
            let mut bytes = vec![0; 16];
            let at = if side == Side::First { 0 } else { 8 };
            for (place, word) in bytes[at..at + 8].chunks_exact_mut(4).zip(own) {
                place.copy_from_slice(&if is_big_endian { word.to_be_bytes() } else { word.to_le_bytes() });
            }
            bytes
        };
        let layout = params(rate_hz, format, 4);
        let guest = Guest::with_buffer(rig, OUT, &layout, enough(rate_hz), Box::new(frames));
        Self { guest, rate_hz, state: 'r', tag }
    }

    fn start(&mut self, rig: &mut Rig, last_tag: &mut i32) {
        // What was mixed ahead of the run before, or of the player before, is still heard.
        *last_tag += 2;
        self.tag.set(*last_tag);
        self.guest.written = 0;
        self.guest.refill(&mut rig.mixer);
        rig.mixer.start(&mut self.guest.stream).expect("started");
        self.state = 's';
    }

    fn pause(&mut self, rig: &mut Rig) {
        rig.mixer.pause(&mut self.guest.stream).expect("paused");
        self.state = 'p';
    }

    fn resume(&mut self, rig: &mut Rig) {
        rig.mixer.resume(&mut self.guest.stream).expect("resumed");
        self.state = 's';
    }

    fn stop(&mut self, rig: &mut Rig) {
        rig.mixer.stop(&mut self.guest.stream).expect("stopped");
        self.state = 'r';
    }

    /// What is published now.
    fn told(&mut self, rig: &mut Rig, side: Side) -> Option<Told> {
        let position = rig.mixer.position(&mut self.guest.stream).expect("a position");
        let link = position.link.filter(|_| self.state == 's')?;
        let from_ns = rig.time.get().max(link.time.0);
        Some(Told { from_ns, until_ns: from_ns, side, tag: self.tag.get(), rate_hz: self.rate_hz, link })
    }
}

/// A position that was published from one time on until another one.
struct Told {
    from_ns: u64,
    until_ns: u64,
    side: Side,
    tag: i32,
    rate_hz: u32,
    link: LinkPosition,
}

/// What went out, by time.
struct Heard {
    words: Vec<i32>,
    runs: Vec<HardwareRun>,
}

impl Heard {
    /// The two words of a guest in a frame.
    fn own(&self, side: Side, index: usize) -> Option<[i32; 2]> {
        let at = index * 4 + if side == Side::First { 0 } else { 2 };
        self.words.get(at..at + 2)?.first_chunk().copied()
    }

    /// Thousandths of a guest's run that have been at the link until a time, and how far a converted ramp may be off. `None`: it
    /// isn't heard then, or not clearly.
    fn milliframes(&self, told: &Told, ns: u64) -> Option<(i128, i128)> {
        let now = parts_of(ns);
        let run = self.runs.iter().rfind(|run| run.since <= now)?;
        let milliframes = frames_in((now - run.begun) * 1_000, run.rate_hz);
        let index = (run.first + milliframes / 1_000) as usize;
        if self.runs.iter().any(|next| next.first > run.first && index as u64 >= next.first) {
            return None;
        }
        let [word, tag] = self.own(told.side, index)?;
        let part = i128::from(milliframes % 1_000);
        if run.rate_hz == told.rate_hz {
            let is_whole = tag == told.tag * TAG && word % SLOPE == 0;
            return is_whole.then(|| (i128::from(word / SLOPE - 1) * 1_000 + part, 0));
        }
        let step = i64::from(SLOPE) * i64::from(told.rate_hz) / i64::from(run.rate_hz);
        for near in index.checked_sub(CLEAR)?..index + CLEAR {
            let ([word, tag], [next, _]) = (self.own(told.side, near)?, self.own(told.side, near + 1)?);
            let is_on_line = (i64::from(next) - i64::from(word)).abs_diff(step) <= step as u64 / 100;
            if !is_on_line || tag.abs_diff(told.tag * TAG) > TAG as u32 / 1_000 {
                return None;
            }
        }
        let [next, _] = self.own(told.side, index + 1)?;
        let value = i128::from(word) * 1_000 + i128::from(next - word) * part;
        Some((value / i128::from(SLOPE) - 1_000, 15 + value / i128::from(SLOPE) / 200_000))
    }
}

/// The card and the first stream.
#[derive(Clone, Copy, Debug)]
struct Setting {
    rate_hz: u32,
    /// The rate that is set for the port.
    bus_hz: Option<u32>,
    /// The phase of two streams is known.
    is_in_step: bool,
}

/// What is done, the time after it, and a number that says how.
type Step = (u8, u64, u32);

/// A stream that plays while others come to its port and leave it. Returns the checks that were made, and the hand-overs.
fn play(setting: Setting, steps: &[Step]) -> (u32, u32) {
    let mut rig = Rig::new(PortMode::Auto);
    rig.mixer.card().is_in_step = setting.is_in_step;
    let setup = PortSetup { mode: PortMode::Auto, rate_hz: setting.bus_hz, ..PortSetup::default() };
    rig.mixer.configure(&CardSettings { ports: [setup; MAX_PORT_SETUPS], ..CardSettings::default() });
    let mut first = Player::open(&mut rig, Side::First, setting.rate_hz, SampleFormat::S32Le);
    let mut second = None::<Player>;
    let (mut all, mut moves) = (Vec::<Told>::new(), 0);
    let mut last_tag = 1;
    for &(step, span_ns, number) in steps {
        let had_bus = rig.mixer.bus_shape(OUT).is_some();
        match (step, first.state) {
            (0..3, 'r') => first.start(&mut rig, &mut last_tag),
            (0, 's') => first.pause(&mut rig),
            (0..3, 'p') => first.resume(&mut rig),
            (1, 's') => first.stop(&mut rig),
            (3..6, _) => match second.take() {
                Some(Player { guest, .. }) => drop(rig.mixer.close(guest.stream).expect("closed")),
                None => {
                    let rate_hz = SECOND_RATES[number as usize % SECOND_RATES.len()];
                    let format = [SampleFormat::S32Be, SampleFormat::S32Le][number as usize / 8 % 2];
                    second = Some(Player::open(&mut rig, Side::Second, rate_hz, format));
                }
            },
            (6, _) => {
                if let Some(second) = &mut second {
                    rig.mixer.set_period(&mut second.guest.stream, 64 + number % 1_000);
                    match second.state {
                        'r' => second.start(&mut rig, &mut last_tag),
                        _ if number / 1_000 % 3 == 2 => second.stop(&mut rig),
                        's' => second.pause(&mut rig),
                        _ => second.resume(&mut rig),
                    }
                }
            }
            (7, _) => rig.mixer.set_period(&mut first.guest.stream, 64 + number % 2_000),
            _ => {}
        }
        moves += u32::from(first.state == 's' && !had_bus && rig.mixer.bus_shape(OUT).is_some());
        let told = [
            first.told(&mut rig, Side::First),
            second.as_mut().and_then(|second| second.told(&mut rig, Side::Second)),
        ];
        let players = [Some(&mut first), second.as_mut()];
        let running = players.into_iter().flatten().filter(|player| player.state == 's');
        rig.pass_with(span_ns, &mut running.map(|player| &mut player.guest).collect::<Vec<_>>());
        // A request at that time may change it.
        let until_ns = rig.time.get().saturating_sub(1);
        all.extend(
            told.into_iter().flatten().map(|told| Told { until_ns: until_ns.max(told.from_ns), ..told }),
        );
    }
    rig.pass(20 * MILLISECOND);
    let words = rig.played_words(OUT, 4);
    let seen = rig.mixer.card().seen[0].borrow();
    let is_of_one_run = |tag: &i32| *tag == 0 || tag / TAG % 2 == 1;
    let is_exact = setting.bus_hz.is_none_or(|bus_hz| bus_hz == setting.rate_hz);
    assert!(!is_exact || words.iter().skip(1).step_by(4).all(is_of_one_run), "frames were mixed twice");
    let heard = Heard { words, runs: seen.runs.clone() };
    let mut checks = 0;
    for told in all {
        let Told { from_ns, until_ns, link, .. } = told;
        for ns in [from_ns, from_ns.midpoint(until_ns), until_ns] {
            let Some((milliframes, slack)) = heard.milliframes(&told, ns) else { continue };
            let bound = (u128::from(link.error_ns) << 32) * 1_000 / u128::from(link.ns_per_frame_q32);
            let off = published(&link, ns).abs_diff(milliframes);
            let allowed = bound + 2 + slack as u128;
            assert!(off <= allowed, "{off} thousandths off, bound {bound}, at {ns}: {link:?}");
            checks += 1;
        }
    }
    (checks, moves)
}

/// The rates of those who come to the port.
const SECOND_RATES: [u32; 6] = [48_000, 44_100, 96_000, 22_050, 192_000, 8_000];

fn setting() -> impl Strategy<Value = Setting> {
    let rates = prop::sample::select(vec![48_000u32, 44_100, 88_200, 96_000, 192_000]);
    let bus_rates = prop::sample::select(vec![None, None, None, Some(48_000), Some(44_100)]);
    (rates, bus_rates, prop::bool::weighted(0.8)).prop_map(|(rate_hz, bus_hz, is_in_step)| Setting {
        rate_hz,
        bus_hz,
        is_in_step,
    })
}

const IN_STEP: Setting = Setting { rate_hz: 48_000, bus_hz: None, is_in_step: true };

proptest! {
    #![proptest_config(property(200))]

    #[test]
    fn positions_are_within_their_bounds_whoever_comes_to_the_port(
        setting in setting(),
        steps in prop::collection::vec((0u8..8, 0u64..8_000_000, any::<u32>()), 3..20),
    ) {
        play(setting, &steps);
    }
}

#[test]
fn they_are_checked_before_a_hand_over_and_after_it() {
    for (rate_hz, bus_hz, is_in_step) in
        [(48_000, None, true), (44_100, None, true), (88_200, None, false), (44_100, Some(48_000), true)]
    {
        let steps = [
            (0, 30_000_000, 0),
            (3, 30_000_000, 1),
            (8, 20_000_000, 0),
            (6, 30_000_000, 0),
            (6, 9_000_000, 0),
        ];
        let (checks, moves) = play(Setting { rate_hz, bus_hz, is_in_step }, &steps);
        assert_eq!(moves, 1);
        // Of those that are converted the first ones aren't clear.
        assert!((15..=17).contains(&checks), "{rate_hz} Hz, {bus_hz:?}, {is_in_step}: {checks}");
    }
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
        (0, 1_255_551, 0),
        (3, 88_306, 0),
        (6, 993_842, 842),
        (1, 343_754, 0),
        (3, 4_249_810, 0),
        (3, 3_418_824, 0),
        (6, 6_095_888, 888),
        (0, 6_880_938, 0),
    ];
    play(IN_STEP, &steps);
}
