//! The host lane: every test that cargo runs, and the ones that want loom.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Row;
use crate::child::{Child, Limits, Stream};
use crate::judge::verdict::{Finding, Verdict};
use crate::{bench, provision, workspace};

/// Compiling is silent, on a slow machine for long.
const LIMITS: Limits = Limits { silence: Duration::from_secs(900), total: Duration::from_secs(3600) };

/// Runs the lane: a row for cargo's tests, one for the bench, and one for each package with tests under loom.
pub fn run() -> Vec<Row> {
    // Tests of ALSA's plug-in run ALSA's programs. Without a program its test fails, and names it.
    if let Err(error) = provision::recording().and_then(|_| provision::alsa_library()) {
        eprintln!("{error:#}");
    }
    let mut everything = Command::new(workspace::cargo());
    everything.args(["test", "--workspace", "--no-fail-fast"]);
    let mut rows = vec![suite("host", &mut everything)];
    rows.push(bench());
    match loom_tests() {
        Err(error) => rows.push(Row::of_test("host::loom".to_owned(), Err(error.into()), Duration::ZERO)),
        Ok(tests) => rows.extend(tests.into_iter().map(|(package, test)| {
            let mut under_loom = Command::new(workspace::cargo());
            under_loom.args(["test", "--package", &package, "--test", &test]).arg("--target-dir");
            // A directory of its own, or else all that depends on the flag is built again and again.
            under_loom.arg(workspace::target_dir().join("loom")).env("RUSTFLAGS", "--cfg loom");
            suite(&format!("host::loom::{package}::{test}"), &mut under_loom)
        })),
    }
    rows
}

/// The stage of the bench that takes seconds: that it still can be run.
fn bench() -> Row {
    let started = Instant::now();
    let result = match bench::STAGES.iter().find(|stage| stage.name == "model") {
        None => Err(Finding::error("the bench has no stage model")),
        Some(stage) => (stage.run)().map_err(Finding::from).map(|rows| format!("{} figures", rows.len())),
    };
    Row::of_test("host::bench".to_owned(), result, started.elapsed())
}

/// Runs a cargo command that runs tests, shows what it says, and counts.
fn suite(name: &str, command: &mut Command) -> Row {
    let started = Instant::now();
    let mut counts = Counts::default();
    let ending = Child::start(command.current_dir(workspace::root()).env("CARGO_TERM_COLOR", "never"))
        .and_then(|child| {
            child.follow(LIMITS, |stream, line| {
                let line = String::from_utf8_lossy(line);
                match stream {
                    Stream::Output => {
                        print!("{line}");
                        counts.take(&line);
                    }
                    Stream::Error => eprint!("{line}"),
                }
            })
        });
    let status = ending.map_err(Finding::from).and_then(|ending| ending.status().map_err(Finding::crash));
    let result = status.and_then(|status| counts.judge(status.success()));
    let row = Row::of_test(name.to_owned(), result, started.elapsed());
    // One that could not even run counts as one that failed.
    let failed = if row.verdict == Verdict::Success { 0 } else { counts.failed.max(1) };
    Row { passed: counts.passed, failed, ..row }
}

/// The sums of cargo's result lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
    names_of_failed: Vec<String>,
}

impl Counts {
    /// Takes in a line: `test result: ok. 3 passed; 0 failed; 0 ignored; ...`, or `test a::b ... FAILED`.
    fn take(&mut self, line: &str) {
        let Some(rest) = line.trim_end().strip_prefix("test ") else { return };
        if let Some(name) = rest.strip_suffix(" ... FAILED") {
            self.names_of_failed.push(name.to_owned());
        }
        let Some(result) = rest.strip_prefix("result: ") else { return };
        for part in result.split(['.', ';']) {
            let Some((count, what)) = part.trim().split_once(' ') else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    fn judge(&self, cargo_succeeded: bool) -> Result<String, Finding> {
        let Counts { passed, failed, ignored, names_of_failed } = self;
        if *failed > 0 {
            return Err(Finding::failure(format!(
                "{failed} of {} failed: {}",
                passed + failed,
                names_of_failed.join(", ")
            )));
        }
        if !cargo_succeeded {
            return Err(Finding::error(format!("cargo failed, behind {passed} tests that passed")));
        }
        if *passed == 0 {
            return Err(Finding::error("no test was run"));
        }
        Ok(format!("{passed} passed, {ignored} ignored"))
    }
}

/// The tests of the workspace that are there only under loom, by package: files that begin with `#![cfg(loom)]`.
fn loom_tests() -> Result<Vec<(String, String)>> {
    let mut tests = Vec::new();
    for package in workspace::packages()? {
        for target in package["targets"].as_array().into_iter().flatten() {
            let (Some(name), Some(test), Some(path)) = (
                package["name"].as_str(),
                target["name"].as_str(),
                target["src_path"].as_str().map(PathBuf::from),
            ) else {
                continue;
            };
            let is_test =
                target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "test"));
            if is_test && std::fs::read_to_string(&path)?.lines().any(|line| line.trim() == "#![cfg(loom)]") {
                tests.push((name.to_owned(), test.to_owned()));
            }
        }
    }
    Ok(tests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_add_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests\n",
            "test a::b ... ok\n",
            "test a::c ... FAILED\n",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.19s\n",
            "test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.19s\n",
        ] {
            counts.take(line);
        }
        assert_eq!((counts.passed, counts.failed, counts.ignored), (42, 1, 2));
        assert_eq!(counts.names_of_failed, ["a::c"]);
        assert_eq!(counts.judge(false).expect_err("one failed").verdict, Verdict::Failure);
    }

    #[test]
    fn what_does_not_build_is_no_success() {
        let counts = Counts { passed: 40, ..Counts::default() };
        assert_eq!(counts.judge(false).expect_err("cargo failed").verdict, Verdict::Error);
        assert!(counts.judge(true).is_ok());
        assert_eq!(Counts::default().judge(true).expect_err("nothing ran").verdict, Verdict::Error);
    }
}
