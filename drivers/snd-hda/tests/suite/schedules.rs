//! Published positions against the truth, in random schedules: the stated bound is never broken.
//!
//! `SNDDOM_SCHEDULES=10000` runs so many; `SNDDOM_SEED=0x...` runs the one with that seed.

use crate::common::schedule::{
    Distribution, Errors, PLAIN_JITTERS, RATES, Simulations, locked_limit_milliframes, run, run_plain,
};

/// Some ten seconds of one processor.
const SCHEDULES: u64 = 1_000_000;
const FIRST_SEED: u64 = 0x736e_6464_6f6d;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    Some(number.unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[test]
fn the_bound_is_never_broken() {
    let mut errors = vec![Errors::new(); RATES.len()];
    let mut simulations = Simulations::new();
    if let Some(seed) = setting("SNDDOM_SEED") {
        run(seed, &mut simulations, &mut errors);
        return;
    }
    for schedule in 0..setting("SNDDOM_SCHEDULES").unwrap_or(SCHEDULES) {
        let seed = (FIRST_SEED + schedule).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        run(seed, &mut simulations, &mut errors);
    }
    println!("of instants while locked, thousandths of a frame");
    for ((rate_hz, _), errors) in RATES.iter().zip(&errors) {
        println!("{}", row(*rate_hz, errors));
        // No SSYNC, readings that take 100 us, and steps of 10 ms in schedules of a few looks keep the others coarse.
        assert!(errors.locked * 10 > errors.instants, "{rate_hz} Hz: seldom locked");
    }
}

/// At 11.025 kHz most looks at a counter that is two link frames late don't show it.
#[test]
fn a_counter_that_is_a_little_late_is_not_taken_for_exact() {
    run(0x884a_8681_15bc_14f8, &mut Simulations::new(), &mut vec![Errors::new(); RATES.len()]);
}

/// Of each jitter: some three seconds of one processor.
const PLAIN_SCHEDULES: u64 = 100_000;

/// From the first look on, locked or not, however slow readings are. Where the write that starts the stream takes up to 100 us longer,
/// nobody knows its link frame: then only the bound holds, which is asserted inside.
#[test]
fn a_plain_start_is_right_to_a_frame_from_the_first_look_on() {
    for jitter in PLAIN_JITTERS {
        let mut errors = vec![Errors::new(); RATES.len()];
        let mut simulations = Simulations::new();
        if let Some(seed) = setting("SNDDOM_SEED") {
            run_plain(seed, jitter, &mut simulations, &mut errors);
            continue;
        }
        for schedule in 0..setting("SNDDOM_SCHEDULES").unwrap_or(PLAIN_SCHEDULES) {
            let seed = (FIRST_SEED + schedule).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            run_plain(seed, jitter, &mut simulations, &mut errors);
        }
        println!("{jitter:?}, of all instants, thousandths of a frame");
        for (rate, ((rate_hz, _), errors)) in RATES.iter().zip(&errors).enumerate() {
            println!("{}", row(*rate_hz, errors));
            if jitter.write_ns > 2_000 {
                continue;
            }
            // Two and four frames at once are more than a frame off a line; how much more, while locked, is asserted inside.
            let limit = locked_limit_milliframes(rate);
            if limit == 1_000 || jitter.read_ns <= 2_000 {
                assert!(errors.line.quantile(1000) as u64 <= limit, "{rate_hz} Hz");
            }
            assert!(errors.followed.quantile(1000) <= 1_000, "{rate_hz} Hz");
            assert_eq!(errors.told, errors.instants, "{rate_hz} Hz: the cadence isn't told");
            // A counter in steps of 10 ms doesn't move before that, and isn't known to keep to the clock.
            let share = if *rate_hz == 176_400 { 80 } else { 95 };
            assert!(errors.locked * 100 >= errors.instants * share, "{rate_hz} Hz: not locked");
        }
    }
}

/// What was seen of a rate, for people.
fn row(rate_hz: u32, errors: &Errors) -> String {
    let of = |distribution: &Distribution| {
        [500, 990, 1000].map(|per_mille| format!("{:>5}", distribution.quantile(per_mille))).join(" ")
    };
    format!(
        "{rate_hz:<8} {:>9} instants, {:>9} locked, cadence told {:>9}; by the line p50, p99, max {}; by the cadence {}",
        errors.instants,
        errors.locked,
        errors.told,
        of(&errors.line),
        of(&errors.followed)
    )
}
