//! `cargo xtask test`.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::BadInput;
use crate::lanes;
use crate::verdict::Verdict;

/// Run the tests; a table of verdicts and one closing line come at the end.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Test {
    /// The lane to run [default: all of them]
    lane: Option<Lane>,

    /// Of the qemu and xen lanes, only cases whose name contains this
    #[arg(long, value_name = "WORD")]
    only: Option<String>,

    /// Keep the files of the qemu lane's runs: consoles, recordings
    #[arg(long)]
    keep: bool,
}

/// A kind of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lane {
    /// Unit, property and model tests, by cargo
    Host,
    /// The image in an emulated machine, in virtual time
    Qemu,
    /// The image as driver domain under Xen, in an emulated machine, in virtual time
    Xen,
}

const EXAMPLES: &str = "Examples:
  cargo xtask test
  cargo xtask test host
  cargo xtask test qemu --only playback --keep

Exits with 0 only when no test failed. A test that could not be carried out counts as failed.";

impl Test {
    /// Runs the command.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        if self.only.is_some() && self.lane == Some(Lane::Host) {
            return Err(BadInput(
                "--only is for the qemu and xen lanes; for the host lane: cargo test WORD".to_owned(),
            )
            .into());
        }
        let wanted = |lane| self.lane.is_none_or(|only| only == lane);
        let only = self.only.as_deref();
        let mut rows = Vec::new();
        if wanted(Lane::Host) && only.is_none() {
            rows.extend(lanes::host::run());
        }
        if wanted(Lane::Qemu) {
            rows.extend(lanes::qemu::run(only, self.keep));
        }
        if wanted(Lane::Xen) {
            rows.extend(lanes::xen::run(only));
        }
        if rows.is_empty() {
            let only = only.unwrap_or_default();
            return Err(BadInput(format!("no case of the lane has {only:?} in its name")).into());
        }
        print!("\n{}", lanes::table(&rows));
        let worst = Verdict::worst(rows.iter().map(|row| row.verdict));
        Ok(if worst.is_bad() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
