//! The qemu lane: the image in an emulated machine, in virtual time.

mod bench;
mod capture;
mod commands;
mod crashes;
mod failures;
mod limits;
mod playback;

use std::time::Instant;

use super::Row;
use crate::judge::verdict::Finding;
use bench::{Bench, Case};
pub(super) use bench::{noise, recording};

/// All cases, by name.
const CASES: &[(&str, &[(&str, Case)])] = &[
    ("playback", playback::CASES),
    ("capture", capture::CASES),
    ("limits", limits::CASES),
    ("failures", failures::CASES),
    ("crashes", crashes::CASES),
    ("commands", commands::CASES),
];

/// Runs the cases whose name contains `only`, or all.
pub fn run(only: Option<&str>, keep: bool) -> Vec<Row> {
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    let cases = CASES.iter().flat_map(|(group, cases)| {
        cases.iter().map(move |(name, case)| (format!("qemu::{group}::{name}"), *case))
    });
    let cases: Vec<(String, Case)> = cases.filter(|(name, _)| wanted(name)).collect();
    if cases.is_empty() {
        return Vec::new();
    }
    let bench = Bench::new(keep);
    cases
        .into_iter()
        .map(|(name, case)| {
            eprintln!("\n== {name}");
            let started = Instant::now();
            let result = match &bench {
                Ok(bench) => case(bench),
                Err(error) => Err(Finding::error(format!("{error:#}"))),
            };
            let row = Row::of_test(name, result, started.elapsed());
            println!("{} ... {} ({:.1} s) {}", row.name, row.verdict, row.took.as_secs_f64(), row.detail);
            row
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cases_are_their_own() {
        let mut names: Vec<_> = CASES
            .iter()
            .flat_map(|(group, cases)| cases.iter().map(move |(name, _)| (group, name)))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
