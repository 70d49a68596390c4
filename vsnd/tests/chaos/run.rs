//! Runs scenarios, and reports what they came to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::act::Act;
use crate::draw::scenario;
use crate::hardware::model;
use crate::judge::{Failure, Figures};
use crate::logs;
use crate::shrink::shrink;
use crate::world::{Ground, MS, World};

/// Acts of a scenario in the ordinary suite.
const ACTS: usize = 2_000;

/// Acts in the ordinary suite: a minute of a core.
const ACTS_OF_THE_SUITE: u64 = 1_000_000;

/// Acts of a scenario in a long run. The first ones are those of the ordinary suite's with the same seed.
const ACTS_OF_A_LONG_SCENARIO: usize = 100_000;

/// Runs that a failing scenario is cut down by, at most.
const SHRINK_RUNS: u32 = 300;

const HOUR_NS: u64 = 3_600_000 * MS;

/// A scenario that was run.
#[derive(Debug, Default)]
pub struct Outcome {
    pub failure: Option<Failure>,
    /// Acts until the failure.
    pub acts: usize,
    figures: Figures,
    span_ns: u64,
    turns: u64,
}

/// Runs a scenario to its end or its first failure.
pub fn run(seed: u64, acts: &[Act]) -> Outcome {
    let model = model(seed);
    let ground = Ground::new(&model);
    let mut outcome = Outcome::default();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(&model, &ground);
        for act in acts {
            world.apply(act);
            outcome.acts += 1;
            outcome.failure = world.failure();
            if outcome.failure.is_some() {
                break;
            }
        }
        if outcome.failure.is_none() {
            world.end();
            outcome.failure = world.failure();
        }
        (outcome.figures, outcome.turns) = (world.judge.figures, world.turns);
    }));
    outcome.span_ns = model.now_ns();
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or(panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        outcome.failure = Some(Failure {
            invariant: "nothing panics",
            detail: text.unwrap_or_default(),
            at_ns: model.now_ns(),
        });
    }
    // The failure is told by the report.
    drop(model.take_violations());
    outcome
}

/// A failing scenario in as few acts as it takes, for people.
fn report(seed: u64, acts: &[Act], failure: &Failure) -> String {
    let most_runs = number("CHAOS_SHRINK").map_or(SHRINK_RUNS, |runs| runs as u32);
    let (left, failure, runs) = shrink(acts, failure.clone(), most_runs, |acts| run(seed, acts).failure);
    // Once more, for its log.
    drop(run(seed, &left));
    let list: String = left.iter().map(|act| format!("    {act:?}\n")).collect();
    format!(
        "seed {seed}: broken: {}\n  at {} ms: {}\n  the scenario, {} acts of {} after {runs} runs:\n{list}  the log:\n    {}",
        failure.invariant,
        failure.at_ns / MS,
        failure.detail,
        left.len(),
        acts.len(),
        logs::last().join("\n    "),
    )
}

/// Many scenarios.
#[derive(Debug, Default)]
struct Total {
    scenarios: u64,
    acts: u64,
    span_ns: u64,
    turns: u64,
    figures: Figures,
}

impl Total {
    fn add(&mut self, outcome: &Outcome) {
        self.scenarios += 1;
        self.acts += outcome.acts as u64;
        self.span_ns += outcome.span_ns;
        self.turns += outcome.turns;
        let (all, one) = (&mut self.figures, &outcome.figures);
        all.frames += one.frames;
        all.positions += one.positions;
        all.most_lines_a_second = all.most_lines_a_second.max(one.most_lines_a_second);
        for (all, one) in all.longest_turn_ns.iter_mut().zip(one.longest_turn_ns) {
            *all = one.max(*all);
        }
    }

    fn print(&self, seed: u64) {
        let [healthy, fault, controller] = self.figures.longest_turn_ns;
        let span_s = self.span_ns / (1_000 * MS);
        println!(
            "chaos: {} scenarios up to seed {seed}, {} acts, {} h {:02} min {:02} s of virtual time, {} turns",
            self.scenarios,
            self.acts,
            span_s / 3_600,
            span_s / 60 % 60,
            span_s % 60,
            self.turns,
        );
        println!(
            "chaos: {} frames and {} positions compared; longest turn {healthy} ns, {fault} ns with a fault of a codec \
             or stream, {controller} ns with one of the controller; {} log lines in a second at most",
            self.figures.frames, self.figures.positions, self.figures.most_lines_a_second,
        );
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs scenarios of so many acts from this seed on, while `goes_on` says so of what was done.
fn run_many(seed: u64, acts: usize, mut goes_on: impl FnMut(&Total, u64) -> bool) {
    let mut total = Total::default();
    let mut seed = seed;
    while goes_on(&total, seed) {
        let drawn = scenario(seed, acts);
        let outcome = run(seed, &drawn);
        total.add(&outcome);
        if let Some(failure) = &outcome.failure {
            panic!("{}", report(seed, &drawn[..outcome.acts], failure));
        }
        seed = seed.wrapping_add(1);
    }
    total.print(seed.wrapping_sub(1));
}

#[test]
fn whatever_happens_no_invariant_breaks() {
    let acts = number("CHAOS_ACTS").unwrap_or(ACTS_OF_THE_SUITE);
    run_many(number("CHAOS_SEED").unwrap_or(1), ACTS, |total, _| total.acts < acts);
}

#[test]
#[ignore = "hours: cargo xtask chaos"]
fn whatever_happens_for_hours_no_invariant_breaks() {
    let span_ns = number("CHAOS_SECONDS").unwrap_or(3_600) * (HOUR_NS / 3_600);
    run_many(number("CHAOS_SEED").unwrap_or(1), ACTS_OF_A_LONG_SCENARIO, |total, seed| {
        if total.scenarios.is_multiple_of(5) && total.scenarios > 0 {
            total.print(seed.wrapping_sub(1));
        }
        total.span_ns < span_ns
    });
}
