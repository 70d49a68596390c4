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

    /// Of the qemu lane, only cases whose name contains this
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
                "--only is for the qemu lane; for the host lane: cargo test WORD".to_owned(),
            )
            .into());
        }
        let mut rows = Vec::new();
        if self.lane != Some(Lane::Qemu) && self.only.is_none() {
            rows.extend(lanes::host::run());
        }
        if self.lane != Some(Lane::Host) {
            let cases = lanes::qemu::run(self.only.as_deref(), self.keep);
            if cases.is_empty() {
                let only = self.only.unwrap_or_default();
                return Err(BadInput(format!("no case of the qemu lane has {only:?} in its name")).into());
            }
            rows.extend(cases);
        }
        print!("\n{}", lanes::table(&rows));
        let worst = Verdict::worst(rows.iter().map(|row| row.verdict));
        Ok(if worst.is_bad() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
