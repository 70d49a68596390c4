//! How far published positions are from the truth, in random schedules of looks at a simulated link: a line of JSON a rate.
//!
//! `cargo run -p snd-hda --example position_error -- 100000`, of those instants at which a position is locked. With `plain` after that:
//! schedules of starts by SSYNC without losses, at every instant from the first look on, for each jitter of register accesses.

#[path = "../tests/suite/common/schedule.rs"]
mod schedule;

use schedule::{Errors, PLAIN_JITTERS, RATES, Simulations, run, run_plain};

fn main() {
    let asked = std::env::args().nth(1).map_or(Ok(20_000), |text| text.parse::<u64>());
    let schedules = match asked {
        Ok(schedules) => schedules,
        Err(error) => {
            eprintln!("the number of schedules: {error}");
            std::process::exit(2);
        }
    };
    if std::env::args().nth(2).as_deref() == Some("plain") {
        for jitter in PLAIN_JITTERS {
            let mut errors = vec![Errors::new(); RATES.len()];
            let mut simulations = Simulations::new();
            for seed in 0..schedules {
                let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                run_plain(seed, jitter, &mut simulations, &mut errors);
            }
            print(
                &format!("\"read_jitter_ns\":{},\"write_jitter_ns\":{},", jitter.read_ns, jitter.write_ns),
                &errors,
            );
        }
        return;
    }
    let mut errors = vec![Errors::new(); RATES.len()];
    let mut simulations = Simulations::new();
    for seed in 0..schedules {
        run(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), &mut simulations, &mut errors);
    }
    print("", &errors);
}

/// A line a rate, with more fields before.
fn print(fields: &str, errors: &[Errors]) {
    for ((rate_hz, _), errors) in RATES.iter().zip(errors) {
        let quantiles =
            |of: &schedule::Distribution| [500, 990, 1000].map(|per_mille| of.quantile(per_mille));
        let ([p50, p99, max], [_, followed_p99, followed_max]) =
            (quantiles(&errors.line), quantiles(&errors.followed));
        println!(
            "{{{fields}\"rate_hz\":{rate_hz},\"instants\":{},\"locked\":{},\"told\":{},\"p50_milliframes\":{p50},\
             \"p99_milliframes\":{p99},\"max_milliframes\":{max},\"followed_p99_milliframes\":{followed_p99},\
             \"followed_max_milliframes\":{followed_max}}}",
            errors.instants, errors.locked, errors.told
        );
    }
}
