//! `cargo xtask chaos`.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{BadInput, workspace};

/// The test that it runs, in the crate `vsnd`.
const TEST: &str = "run::whatever_happens_for_hours_no_invariant_breaks";

const SECONDS_AN_HOUR: f64 = 3_600.0;

/// Runs the command.
pub fn execute(given: &xtask::Chaos) -> Result<ExitCode> {
    let seconds = seconds(given.hours)?;
    let mut test = Command::new(workspace::cargo());
    test.args(["test", "--profile", "soak", "--package", "vsnd", "--test", "chaos", "--", "--exact", TEST])
        .args(["--ignored", "--nocapture"])
        .env("CHAOS_SEED", given.seed.to_string())
        .env("CHAOS_SECONDS", seconds.to_string())
        .env("RUST_BACKTRACE", "0")
        .current_dir(workspace::root());
    eprintln!("{seconds} s of virtual time from seed {} on; some figures follow now and then", given.seed);
    let status = test.status().context("can't start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// So many hours in seconds.
fn seconds(hours: f64) -> Result<u64> {
    let seconds = hours * SECONDS_AN_HOUR;
    if !(1.0..1e9).contains(&seconds) {
        return Err(
            BadInput(format!("--hours {hours}: it is a second at least, and 30 years at most")).into()
        );
    }
    Ok(seconds.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_seconds_and_no_nonsense() {
        assert_eq!(seconds(24.0).expect("a day"), 86_400);
        assert_eq!(seconds(0.5).expect("half an hour"), 1_800);
        for hours in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(seconds(hours).expect_err("nonsense").is::<BadInput>());
        }
    }
}
