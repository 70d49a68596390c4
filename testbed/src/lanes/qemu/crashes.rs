//! Every deliberate fault ends in an epitaph that is bounded, and never in silence.

use super::bench::{Bench, Case, recording, show};
use crate::judge::verdict::{Finding, Verdict, ensure};
use crate::qemu::machine_line::{MachineLine, Said};
use crate::qemu::session::{Outcome, Session};

pub(super) const CASES: &[(&str, Case)] = &[
    ("page_fault", |bench| crash(bench, "page-fault", "page fault")),
    ("null_pointer", |bench| crash(bench, "null", "page fault")),
    ("stack_overflow", |bench| crash(bench, "stack-overflow", "stack overflow")),
    ("divide_by_zero", |bench| crash(bench, "divide", "divide")),
    ("invalid_opcode", |bench| crash(bench, "invalid-opcode", "opcode")),
    ("write_to_code", |bench| crash(bench, "write-text", "page fault")),
    ("execute_data", |bench| crash(bench, "exec-data", "page fault")),
    ("panic", |bench| crash(bench, "panic", "panic")),
    ("allocation_after_start", |bench| crash(bench, "alloc", "allocation after start")),
    ("fault_in_the_epitaph", |bench| crash(bench, "nested", "")),
];

/// An epitaph is at most so long: a screenful.
const LONGEST_LINES: usize = 40;
const LONGEST_BYTES: usize = 6000;

/// Commits a fault; the verdict must be a crash that names it.
fn crash(bench: &Bench, fault: &str, says: &str) -> Result<String, Finding> {
    // With something to play: one of the faults comes when all is set up for it.
    let mut session = Session { playback: vec![recording("Front_Center.wav")?], ..bench.session() };
    session.words.push(format!("fault={fault}"));
    let outcome = bench.run(&session)?;
    judge(&outcome, says).inspect_err(|_| show(&outcome))
}

fn judge(outcome: &Outcome, says: &str) -> Result<String, Finding> {
    // The image's own word and the emulator's status, both.
    match outcome.judge() {
        Err(Finding { verdict: Verdict::Crash, .. }) => {}
        Err(other) => return Err(other),
        Ok(()) => return Err(Finding::failure("the fault went unnoticed")),
    }
    let Some(MachineLine::Verdict(Said::Crash(what))) = outcome.log.lines.last() else {
        return Err(Finding::crash("the image ended without an epitaph"));
    };
    ensure!(outcome.log.malformed.is_empty(), "a line can't be read: {:?}", outcome.log.malformed);
    ensure!(what.to_lowercase().contains(says), "it says {what:?}, nothing of {says:?}");
    let verdicts = outcome.log.lines.iter().filter(|line| matches!(line, MachineLine::Verdict(_))).count();
    ensure!(verdicts == 1, "{verdicts} verdicts");
    let console = String::from_utf8_lossy(&outcome.log.console);
    let epitaph = console.split_once("\n***").map_or("", |(_, epitaph)| epitaph);
    ensure!(!epitaph.is_empty(), "there is no epitaph, only a verdict");
    let (lines, bytes) = (epitaph.lines().count(), epitaph.len());
    ensure!(lines <= LONGEST_LINES && bytes <= LONGEST_BYTES, "the epitaph has {lines} lines, {bytes} bytes");
    Ok(format!("{what} ({lines} lines)"))
}
