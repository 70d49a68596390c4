//! How far published positions are from the truth, by rate, in random schedules with fixed seeds: those of
//! `tests/suite/schedules.rs`, drift, jitter, steps, pauses and lost frames included. A line of `name=value` pairs for each
//! rate. The argument is the number of schedules. A stated bound that is broken ends it with the seed.

#[path = "../tests/suite/common/schedule.rs"]
mod schedule;

use schedule::{Errors, RATES, Simulations, run};

const SCHEDULES: u64 = 200_000;

fn main() {
    let argument = std::env::args().nth(1);
    let schedules = argument.map_or(SCHEDULES, |number| number.parse().expect("a number of schedules"));
    let mut errors = vec![Errors::new(); RATES.len()];
    let mut simulations = Simulations::new();
    for number in 1..=schedules {
        // Seeds that have nothing to do with one another.
        run(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), &mut simulations, &mut errors);
    }
    for ((rate_hz, _), errors) in RATES.iter().zip(&errors) {
        println!(
            "rate_hz={rate_hz} instants={} locked={} p50_milliframes={} p99_milliframes={} max_milliframes={}",
            errors.instants,
            errors.locked,
            errors.quantile(500),
            errors.quantile(990),
            errors.quantile(1000)
        );
    }
}
