//! `cargo xtask test`.

use std::process::ExitCode;

use anyhow::Result;
use xtask::Lane;

use crate::BadInput;
use crate::judge::verdict::Verdict;
use crate::lanes;

/// The command.
pub struct Test {
    given: xtask::Test,
}

impl From<xtask::Test> for Test {
    fn from(given: xtask::Test) -> Test {
        Test { given }
    }
}

impl Test {
    /// Runs the command.
    pub fn execute(self) -> Result<ExitCode> {
        if self.given.only.is_some() && self.given.lane == Some(Lane::Host) {
            return Err(BadInput(
                "--only is for the qemu and xen lanes; for the host lane: cargo test WORD".to_owned(),
            )
            .into());
        }
        let wanted = |lane| self.given.lane.is_none_or(|only| only == lane);
        let only = self.given.only.as_deref();
        let mut rows = Vec::new();
        if wanted(Lane::Host) && only.is_none() {
            rows.extend(lanes::host::run());
        }
        if wanted(Lane::Qemu) {
            rows.extend(lanes::qemu::run(only, self.given.keep));
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
