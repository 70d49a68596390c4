//! Positions of voices that record, from an input and from a monitor, against what they got.
//!
//! Samples count the frames of the bus. So each frame in a voice's buffer says when it was at the link.

use audioback::card::{Card, LinkPosition, PortIndex, PortMode};
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::positions::{BUS_RATES, RATES, Step, enough, published, steps};
use crate::support::guest::Guest;
use crate::support::property;
use crate::support::recorder::Recorder;
use crate::support::rig::{IN, MILLISECOND, MONITOR, OUT, Rig, params};

/// What a sample grows by from one bus frame to the next.
const SLOPE: i32 = 1 << 12;

fn ramp(frame: u64) -> i32 {
    (frame as i32 + 1) * SLOPE
}

/// Zero crossings of the rate converter's filter to each side, and some frames.
const CROSSINGS: u64 = 44;

/// A published position, the time for which it holds, and the piece of a run that it is about.
struct Told {
    from_ns: u64,
    until_ns: u64,
    run: usize,
    piece: usize,
    link: LinkPosition,
}

/// What a voice got in one run. Pauses cut it into pieces.
#[derive(Default)]
struct Run {
    heard: Vec<i32>,
    cuts: Vec<u64>,
}

/// The straight line of a piece: this frame of the voice is that bus frame, in thousandths.
#[derive(Clone, Copy)]
struct Line {
    frame: u64,
    bus_milliframes: i128,
}

/// The rates of a voice and of its bus.
#[derive(Clone, Copy)]
struct Pair {
    rate_hz: u32,
    bus_hz: u32,
}

impl Pair {
    /// Frames of the voice near a cut that are smeared over it.
    fn smeared(self) -> u64 {
        let lower = u64::from(self.rate_hz.min(self.bus_hz));
        if self.rate_hz == self.bus_hz { 0 } else { CROSSINGS * u64::from(self.rate_hz) / lower }
    }

    /// Thousandths of the voice's frames in so many of the bus's.
    fn of_bus(self, bus_milliframes: i128) -> i128 {
        bus_milliframes * i128::from(self.rate_hz) / i128::from(self.bus_hz)
    }

    /// The line of a piece. Frames that aren't smeared are on it. `None`: there is none.
    fn line(self, run: &Run, piece: usize) -> Option<Line> {
        let begin = if piece == 0 { 0 } else { run.cuts[piece - 1] };
        let end = match run.cuts.get(piece) {
            Some(cut) => cut.saturating_sub(self.smeared()),
            None => run.heard.len() as u64,
        };
        let clear = begin + self.smeared() + 1..end.min(run.heard.len() as u64);
        let of = |frame: u64| i128::from(run.heard[frame as usize]) * 1_000 / i128::from(SLOPE) - 1_000;
        let frame = clear.clone().next()?;
        let line = Line { frame, bus_milliframes: of(frame) };
        for frame in clear {
            let since = i128::from(frame - line.frame) * 1_000 * i128::from(self.bus_hz);
            let expected = line.bus_milliframes + since / i128::from(self.rate_hz);
            let off = of(frame).abs_diff(expected);
            assert!(
                off <= self.slack(expected),
                "frame {frame} of piece {piece} is {off} thousandths off its line"
            );
        }
        Some(line)
    }

    /// Thousandths of a bus frame that a converted ramp may be off: the higher it is, the more. Between two points the filter is interpolated.
    fn slack(self, bus_milliframes: i128) -> u128 {
        if self.rate_hz == self.bus_hz { 0 } else { 10 + bus_milliframes.unsigned_abs() / 200_000 }
    }
}

fn assert_within_bounds(port: PortIndex, pair: Pair, steps: &[Step]) {
    let mut rig = Rig::new(PortMode::Shared);
    rig.mixer.card().source = |_, frame, _| ramp(frame);
    let of_bus = params(pair.bus_hz, SampleFormat::S32Le, 2);
    // Both keep their buses going. What is recorded and what is played is the same.
    let frames = Box::new(|frame: u64| ramp(frame).to_le_bytes().repeat(2));
    let mut player = Guest::with_buffer(&mut rig, OUT, &of_bus, enough(pair.bus_hz), frames);
    let mut keeper = Recorder::open(&mut rig, IN, &of_bus);
    let bus_ns = rig.time.get();
    rig.mixer.start_together(&mut [&mut player.stream, &mut keeper.stream]).expect("started");
    let mut recorder = Recorder::open(&mut rig, port, &params(pair.rate_hz, SampleFormat::S32Le, 1));
    let (mut state, mut all, mut runs) = ('r', Vec::<Told>::new(), vec![Run::default()]);
    let (mut last_generation, mut last_frames, mut last_bytes) = (0, 0, 0);
    for &(step, span_ns, period_frames) in steps {
        match (step, state) {
            (0..3, 'r') => {
                rig.mixer.start(&mut recorder.stream).expect("started");
                runs.push(Run::default());
                (state, last_frames, last_bytes) = ('s', 0, 0);
            }
            (0, 's') => {
                rig.mixer.pause(&mut recorder.stream).expect("paused");
                state = 'p';
            }
            (1, 's' | 'p') => {
                recorder.drain(&mut rig.mixer);
                runs.last_mut().expect("a run").heard = std::mem::take(&mut recorder.heard);
                let last = rig.mixer.stop(&mut recorder.stream).expect("stopped");
                assert!(last.bytes >= last_bytes);
                state = 'r';
            }
            (2..5, 'p') => {
                rig.mixer.resume(&mut recorder.stream).expect("resumed");
                runs.last_mut().expect("a run").cuts.push(last_frames);
                state = 's';
            }
            (7, _) => rig.mixer.set_period(&mut recorder.stream, period_frames),
            _ => {}
        }
        if state != 'r' {
            let position = rig.mixer.position(&mut recorder.stream).expect("a position");
            let link = position.link.expect("at the link");
            assert!(link.link_frames >= last_frames && position.bytes >= last_bytes);
            assert!(link.generation >= last_generation);
            assert!(position.bytes / 4 <= link.link_frames, "a frame is in memory before it was at the link");
            (last_generation, last_frames, last_bytes) = (link.generation, link.link_frames, position.bytes);
            if state == 's' {
                let (run, piece) = (runs.len() - 1, runs[runs.len() - 1].cuts.len());
                let from_ns = rig.time.get().max(link.time.0);
                all.push(Told { from_ns, until_ns: from_ns, run, piece, link });
            }
        }
        let end_ns = rig.time.get() + span_ns;
        while rig.time.get() < end_ns {
            player.refill(&mut rig.mixer);
            rig.pass((2 * MILLISECOND).min(end_ns - rig.time.get()));
            if state != 'r' {
                recorder.drain(&mut rig.mixer);
            }
        }
        if let Some(told) = all.last_mut().filter(|_| state == 's') {
            told.until_ns = rig.time.get().max(told.from_ns);
        }
    }
    if state != 'r' {
        recorder.drain(&mut rig.mixer);
        runs.last_mut().expect("a run").heard = recorder.heard;
    }
    let late_turns = [OUT, IN].map(|port| rig.mixer.bus_stats(port).expect("a bus").late_turns);
    assert_eq!(late_turns, [0, 0]);
    for Told { from_ns, until_ns, run, piece, link } in &all {
        let run = &runs[*run];
        let Some(line) = pair.line(run, *piece) else { continue };
        let begin = if *piece == 0 { 0 } else { i128::from(run.cuts[piece - 1]) * 1_000 };
        let bound = (u128::from(link.error_ns) << 32) * 1_000 / u128::from(link.ns_per_frame_q32);
        // What is rounded, and the converter's part.
        let rounded = 3 + u128::from(pair.rate_hz / pair.bus_hz);
        for at_ns in [*from_ns, from_ns.midpoint(*until_ns), *until_ns] {
            let bus_milliframes = i128::from(at_ns - bus_ns) * i128::from(pair.bus_hz) / 1_000_000;
            let truth = i128::from(line.frame) * 1_000 + pair.of_bus(bus_milliframes - line.bus_milliframes);
            let of_converter = pair.of_bus(pair.slack(bus_milliframes) as i128);
            let allowed = (bound + rounded) as i128 + of_converter;
            let off = published(link, at_ns) - truth.max(begin);
            // Until a pause is over the frame that it cut doesn't pass.
            let is_cut = *piece > 0 && truth < begin + 1_000;
            let late = if is_cut { 1_000 } else { 0 };
            assert!(
                (-allowed - late..=allowed + late).contains(&off),
                "{off} thousandths off, bound {allowed}, piece {piece} at {at_ns}: {link:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(property(6))]

    #[test]
    fn positions_are_within_their_bounds_whatever_recorders_do(
        port in prop::sample::select(vec![IN, MONITOR]),
        rate_hz in prop::sample::select(RATES.to_vec()),
        bus_hz in prop::sample::select(BUS_RATES.to_vec()),
        steps in steps(60, 9_000_000),
    ) {
        assert_within_bounds(port, Pair { rate_hz, bus_hz }, &steps);
    }
}

proptest! {
    #![proptest_config(property(150))]

    #[test]
    fn positions_of_recorders_are_within_their_bounds_in_many_short_runs(
        port in prop::sample::select(vec![IN, MONITOR]),
        rate_hz in prop::sample::select(RATES.to_vec()),
        bus_hz in prop::sample::select(BUS_RATES.to_vec()),
        steps in steps(16, 4_000_000),
    ) {
        assert_within_bounds(port, Pair { rate_hz, bus_hz }, &steps);
    }
}
