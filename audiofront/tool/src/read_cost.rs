//! `audiofront read-cost`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use audiofront_linux::PositionReader;
use serde_json::json;

use crate::streams::start_silent;
use crate::{guard, no_system_calls};

/// Measure the cost of reading a position, and prove that it takes no system call
///
/// A silent stream runs meanwhile. The reading thread has no system calls: any would end the program with SIGSYS.
#[derive(clap::Args)]
pub(crate) struct ReadCost {
    /// The card's number in `audiofront list`
    #[arg(long, value_name = "N", default_value_t = 0)]
    card: u32,

    /// Positions to read
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    reads: u64,

    /// Show the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy)]
struct Cost {
    /// Of all reads, by this guest's clock.
    span_ns: u64,
    /// Reads that gave a position.
    positions: u64,
    /// Reads that found the back end writing.
    busy: u64,
    /// Positions that lay before the one read before them.
    backwards: u64,
}

fn read(reader: &PositionReader, reads: u64) -> Cost {
    let clock = reader.clock();
    let mut cost = Cost { span_ns: 0, positions: 0, busy: 0, backwards: 0 };
    let mut last = 0;
    let started = clock.now_ns();
    for _ in 0..reads {
        match reader.frames() {
            Ok(Some(position)) => {
                cost.positions += 1;
                cost.backwards += u64::from(position.frames < last);
                last = position.frames;
            }
            Ok(None) => {}
            Err(_) => cost.busy += 1,
        }
    }
    cost.span_ns = clock.now_ns() - started;
    cost
}

impl ReadCost {
    pub(crate) fn execute(self) -> Result<ExitCode> {
        let mut card = guard::connect(self.card)?;
        let streams = start_silent(&mut card, 48_000, true)?;
        let Some(reader) = streams.first().and_then(|stream| card.position(*stream)) else {
            bail!("the back end keeps no control page");
        };
        let reads = self.reads;
        let cost = no_system_calls::run(move || read(&reader, reads))?;
        card.close()?;
        let each_ns = cost.span_ns as f64 / reads as f64;
        if self.json {
            println!(
                "{}",
                json!({ "reads": reads, "ns_a_read": each_ns, "positions": cost.positions, "busy": cost.busy,
                    "backwards": cost.backwards, "system_calls": 0 })
            );
        } else {
            println!(
                "{reads} reads without a system call, {each_ns:.1} ns each: {} positions, {} times the back end was writing, \
                 {} times backwards",
                cost.positions, cost.busy, cost.backwards
            );
        }
        Ok(if cost.positions > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
