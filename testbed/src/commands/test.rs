//! `cargo xtask test`.

use std::process::ExitCode;

use anyhow::Result;
use xtask::Lane;

use crate::BadInput;
use crate::judge::verdict::Verdict;
use crate::lanes;

/// Runs the command.
pub fn execute(given: xtask::Test) -> Result<ExitCode> {
    if given.only.is_some() && given.lane == Some(Lane::Host) {
        return Err(BadInput(
            "--only is for the qemu and xen lanes; for the host lane: cargo test WORD".to_owned(),
        )
        .into());
    }
    let wanted = |lane| given.lane.is_none_or(|only| only == lane);
    let only = given.only.as_deref();
    let mut rows = Vec::new();
    if wanted(Lane::Host) && only.is_none() {
        rows.extend(lanes::host::run());
    }
    if wanted(Lane::Qemu) {
        rows.extend(lanes::qemu::run(only, given.keep));
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
