//! Measures from within the rig's machines, for `cargo xtask bench`: one line of `name=value` pairs on standard output.

mod domains;
mod pointer;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};

const USAGE: &str = "rig-probe domains             processor time and memory of each domain, as Xen keeps them (in dom0)
rig-probe now                 the monotonic clock
rig-probe stamp               standard input, with the monotonic clock before each line
rig-probe pointer MS STATUS   how ALSA's pointer moves, by a status file of /proc/asound, read for MS milliseconds";

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("rig-probe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["domains"] => domains::line(),
        ["now"] => Ok(format!("at_ns={}", now_ns())),
        ["stamp"] => {
            for line in std::io::stdin().lines() {
                let line = line.context("standard input")?;
                println!("{} {line}", now_ns());
            }
            Ok(String::new())
        }
        ["pointer", milliseconds, status] => {
            let milliseconds = milliseconds.parse().with_context(|| format!("{milliseconds}: no number"))?;
            pointer::line(milliseconds, status)
        }
        _ => bail!("usage:\n{USAGE}"),
    }
}

/// The monotonic clock, in nanoseconds.
fn now_ns() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}
