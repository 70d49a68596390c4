//! Positions of voices against what was heard: each is within its bound.

use std::cell::Cell;
use std::rc::Rc;

use audioback::card::PortMode;
use audioback::card::{Card, LinkPosition};
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::support::guest::Guest;
use crate::support::property;
use crate::support::rig::{MILLISECOND, OUT, Rig, params};

/// A published position, and when it was read.
struct Told {
    read_ns: u64,
    until_ns: u64,
    run: usize,
    is_running: bool,
    link: LinkPosition,
}

/// Frames at a time, in thousandths, by what was published.
pub fn published(link: &LinkPosition, at_ns: u64) -> i128 {
    let since_q32 = (i128::from(at_ns) - i128::from(link.time.0)) << 32;
    i128::from(link.link_frames) * 1_000 + since_q32 * 1_000 / i128::from(link.ns_per_frame_q32)
}

/// Thousandths of bus frames that a run has been at the link until a time.
fn truth(heard: &[u64], bus_milliframes: u64) -> u64 {
    let (whole, part) = (bus_milliframes / 1_000, bus_milliframes % 1_000);
    let passed = heard.partition_point(|frame| *frame < whole) as u64;
    passed * 1_000 + if heard.binary_search(&whole).is_ok() { part } else { 0 }
}

pub const RATES: [u32; 6] = [48_000, 44_100, 96_000, 8_000, 22_050, 192_000];

/// A step, the time after it in nanoseconds, and the frames of a period.
pub type Step = (u8, u64, u32);

pub fn steps(most: usize, longest_ns: u64) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0u8..8, 0..longest_ns, 64u32..2_000), 3..most)
}

proptest! {
    #![proptest_config(property(10))]

    #[test]
    fn positions_are_within_their_bounds_whatever_voices_do(
        rate_hz in prop::sample::select(RATES.to_vec()),
        bus_hz in prop::sample::select(BUS_RATES.to_vec()),
        steps in steps(60, 9_000_000),
    ) {
        assert_within_bounds(rate_hz, bus_hz, &steps);
    }
}

proptest! {
    #![proptest_config(property(300))]

    #[test]
    fn positions_are_within_their_bounds_in_many_short_runs(
        rate_hz in prop::sample::select(RATES.to_vec()),
        bus_hz in prop::sample::select(BUS_RATES.to_vec()),
        steps in steps(16, 4_000_000),
    ) {
        assert_within_bounds(rate_hz, bus_hz, &steps);
    }
}

pub const BUS_RATES: [u32; 3] = [48_000, 44_100, 96_000];

/// Frames of a buffer that holds what is mixed ahead.
pub fn enough(rate_hz: u32) -> u32 {
    (rate_hz / 40).next_power_of_two()
}

fn assert_within_bounds(rate_hz: u32, bus_hz: u32, steps: &[Step]) {
    let mut rig = Rig::new(PortMode::Shared);
    let level = Rc::new(Cell::new(0));
    let silence = Box::new(|_| vec![0; 8]);
    let mut keeper =
        Guest::with_buffer(&mut rig, OUT, &params(bus_hz, SampleFormat::S32Le, 2), enough(bus_hz), silence);
    rig.mixer.start(&mut keeper.stream).expect("started");
    let bus_ns = rig.time.get();
    let of_run = Rc::clone(&level);
    let mut guest = Guest::with_buffer(
        &mut rig,
        OUT,
        &params(rate_hz, SampleFormat::S32Le, 2),
        enough(rate_hz),
        Box::new(move |_| [of_run.get(), 0].into_iter().flat_map(i32::to_le_bytes).collect()),
    );
    let (mut run, mut state, mut all) = (0usize, 'r', Vec::<Told>::new());
    let (mut last_generation, mut last_frames, mut last_bytes) = (0, 0, 0);
    for &(step, span_ns, period_frames) in steps {
        match (step, state) {
            (0..3, 'r') => {
                run += 1;
                // The level tells one run from the next ones, even where a converter rings.
                level.set(16 << (4 * (run % 6)));
                guest.written = 0;
                guest.refill(&mut rig.mixer);
                rig.mixer.start(&mut guest.stream).expect("started");
                (state, last_frames, last_bytes) = ('s', 0, 0);
            }
            (0, 's') => {
                rig.mixer.pause(&mut guest.stream).expect("paused");
                state = 'p';
            }
            (1, 's' | 'p') => {
                let last = rig.mixer.stop(&mut guest.stream).expect("stopped");
                assert!(last.bytes >= last_bytes);
                state = 'r';
            }
            (2..5, 'p') => {
                rig.mixer.resume(&mut guest.stream).expect("resumed");
                state = 's';
            }
            (7, _) => rig.mixer.set_period(&mut guest.stream, period_frames),
            _ => {}
        }
        if state != 'r' {
            let position = rig.mixer.position(&mut guest.stream).expect("a position");
            let link = position.link.expect("at the link");
            assert!(link.link_frames >= last_frames && position.bytes >= last_bytes);
            assert!(link.generation >= last_generation);
            (last_generation, last_frames, last_bytes) = (link.generation, link.link_frames, position.bytes);
            all.push(Told { read_ns: rig.time.get(), until_ns: 0, run, is_running: state == 's', link });
        }
        if state == 's' {
            rig.pass_with(span_ns, &mut [&mut keeper, &mut guest]);
        } else {
            rig.pass_with(span_ns, &mut [&mut keeper]);
        }
        if let Some(told) = all.last_mut() {
            told.until_ns = rig.time.get();
        }
    }
    if state == 's' {
        rig.pass_with(20 * MILLISECOND, &mut [&mut keeper, &mut guest]);
    } else {
        rig.pass_with(20 * MILLISECOND, &mut [&mut keeper]);
    }
    assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns, 0);
    // The bus frames of each run, by level. A run that ended at once has none.
    let mut runs: Vec<Vec<u64>> = vec![Vec::new()];
    for (frame, words) in (0..).zip(rig.played_words(OUT, 2).chunks_exact(2)) {
        if words[0] != 0 {
            let level = (words[0].unsigned_abs().ilog2() as usize - 2) / 4;
            while (runs.len() - 1) % 6 != level || runs.len() == 1 {
                runs.push(Vec::new());
            }
            runs.last_mut().expect("a run").push(frame);
        }
    }
    for told in &all {
        let Some(heard) = runs.get(told.run) else { continue };
        let from_ns = told.read_ns.max(told.link.time.0);
        for at_ns in [from_ns, from_ns.midpoint(told.until_ns.max(from_ns)), told.until_ns.max(from_ns)] {
            let bus_milliframes = u128::from(at_ns - bus_ns) * u128::from(bus_hz) / 1_000_000;
            let bus_run = truth(heard, bus_milliframes as u64);
            let true_milliframes = i128::from(bus_run) * i128::from(rate_hz) / i128::from(bus_hz);
            let bound =
                (u128::from(told.link.error_ns) << 32) * 1_000 / u128::from(told.link.ns_per_frame_q32);
            // The bus's thousandths are of a longer or a shorter frame, and both are rounded.
            let allowed = bound + 2 + u128::from(rate_hz / bus_hz);
            if told.is_running {
                let off = published(&told.link, at_ns).abs_diff(true_milliframes);
                // Past its last frame the voice has paused since.
                let is_over = heard.last().is_none_or(|last| bus_milliframes as u64 / 1_000 > *last);
                assert!(
                    off <= allowed || is_over,
                    "{off} thousandths off, bound {allowed}, run {} at {at_ns}: {:?}",
                    told.run,
                    told.link
                );
            } else {
                let left = true_milliframes - i128::from(told.link.link_frames) * 1_000;
                let allowed = allowed as i128;
                assert!(
                    (-allowed..=1_000 + allowed).contains(&left),
                    "paused {left} thousandths off: {:?}",
                    told.link
                );
            }
        }
    }
}

#[test]
fn a_voice_that_runs_has_the_bound_of_its_bus_and_its_cadence_if_it_has_its_rate() {
    for rate_hz in RATES {
        let mut rig = Rig::new(PortMode::Shared);
        rig.mixer.card().is_in_step = true;
        let silence = Box::new(|_| vec![0; 8]);
        let layout = params(rate_hz, SampleFormat::S32Le, 2);
        let mut keeper = Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), silence.clone());
        let mut guest = Guest::with_buffer(&mut rig, OUT, &layout, enough(rate_hz), silence);
        rig.mixer.start_together(&mut [&mut keeper.stream, &mut guest.stream]).expect("started");
        for _ in 0..10 {
            rig.pass_with(3_333_333, &mut [&mut keeper, &mut guest]);
            let link = rig.mixer.position(&mut guest.stream).expect("a position").link.expect("at the link");
            // 2 ns of the card's, and 2 ns of rounding.
            assert_eq!(link.error_ns, 4, "{rate_hz} Hz: {link:?}");
            assert_eq!(link.cadence.is_some(), rate_hz == 48_000, "{rate_hz} Hz: {link:?}");
        }
        // The place in the cadence is that of the bus, which goes on.
        rig.mixer.pause(&mut guest.stream).expect("paused");
        rig.pass_with(10 * MILLISECOND, &mut [&mut keeper]);
        let link = rig.mixer.position(&mut guest.stream).expect("a position").link.expect("at the link");
        assert_eq!(link.cadence, None, "{rate_hz} Hz");
    }
}
