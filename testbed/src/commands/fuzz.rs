//! `cargo xtask fuzz`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::child::{Child, Limits, Stream};
use crate::{BadInput, provision, workspace};

/// What the compiler puts into all that is built, as cargo-fuzz has it: counters at each edge, and calls at comparisons.
const COVERAGE_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Executions without --runs and --seconds.
const DEFAULT_RUNS: u64 = 1_000_000;

/// The fuzzer's process is another one after this time. Models of memory never give a page back.
const ROUND: Duration = Duration::from_secs(60);

/// Most memory of a round, in MiB.
const MEMORY_MIB: u32 = 8_192;

/// Most time of one execution, in seconds.
const EXECUTION_SECONDS: u32 = 20;

/// From one line of progress to the next.
const PROGRESS: Duration = Duration::from_secs(5);

/// An execution may be silent up to its time limit.
const LIMITS: Limits =
    Limits { silence: Duration::from_secs(300), total: Duration::from_secs(ROUND.as_secs() + 600) };

/// Runs the command.
pub fn execute(given: xtask::Fuzz) -> Result<ExitCode> {
    let programs = workspace::root().join("fuzz/programs");
    let targets = targets(&programs)?;
    let Some(name) = given.target else {
        for (name, what) in targets {
            println!("{name:<16}  {what}");
        }
        return Ok(ExitCode::SUCCESS);
    };
    if !targets.iter().any(|(known, _)| *known == name) {
        let known: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
        return Err(BadInput(format!("{name}: no such target; there are {}", known.join(", "))).into());
    }
    if let Some(file) = given.repeat.as_ref().filter(|file| !file.is_file()) {
        return Err(BadInput(format!("--repeat {}: no such file", file.display())).into());
    }
    let session = Session { program: build(&name)?, folders: Folders::of(&name)?, name };
    if let Some(file) = given.repeat {
        return session.repeat(&file);
    }
    let runs = match (given.runs, given.seconds) {
        (None, None) => DEFAULT_RUNS,
        (runs, _) => runs.unwrap_or(u64::MAX),
    };
    session.fuzz(runs, given.seconds.map_or(Duration::MAX, Duration::from_secs))
}

/// The targets with what is said of them: a program each, whose first line says it.
fn targets(programs: &Path) -> Result<Vec<(String, String)>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(programs).with_context(|| programs.display().to_string())? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        let what = text.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
        targets.push((name, what.to_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// Builds a target's program and returns its path.
fn build(name: &str) -> Result<PathBuf> {
    provision::cpp_compiler()?;
    let target_dir = workspace::target_dir().join("fuzz");
    let host = host()?;
    let mut cargo = Command::new(workspace::cargo());
    cargo.args(["build", "--locked", "--release", "--manifest-path", "fuzz/Cargo.toml", "--bin", name]);
    // With a target, build scripts and procedural macros go without the flags.
    cargo.args(["--target", &host]).arg("--target-dir").arg(&target_dir).env("RUSTFLAGS", COVERAGE_FLAGS);
    eprintln!("building {name} with coverage counters (some minutes the first time)");
    let status = cargo.current_dir(workspace::root()).status().context("cargo")?;
    anyhow::ensure!(status.success(), "{name} doesn't build");
    Ok(target_dir.join(host).join("release").join(name))
}

/// The triple of the compiler's host.
fn host() -> Result<String> {
    let output = Command::new(workspace::rustc()).arg("-vV").output().context("rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// Where a target's files are.
struct Folders {
    /// What this machine's runs found.
    found: PathBuf,
    /// The corpus of the tree.
    kept: PathBuf,
    /// Cases that failed.
    crashes: PathBuf,
}

impl Folders {
    fn of(name: &str) -> Result<Folders> {
        let below = workspace::target_dir().join("fuzz");
        let folders = Folders {
            found: below.join("corpus").join(name),
            kept: workspace::root().join("fuzz/corpus").join(name),
            crashes: below.join("crashes").join(name),
        };
        for folder in [&folders.found, &folders.crashes] {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        Ok(folders)
    }
}

/// A target that is ready to run.
struct Session {
    name: String,
    program: PathBuf,
    folders: Folders,
}

impl Session {
    /// Runs one case.
    fn repeat(&self, file: &Path) -> Result<ExitCode> {
        let status = Command::new(&self.program).arg(file).status().context("the fuzzer's program")?;
        println!("{}: {} {}", self.name, file.display(), if status.success() { "passes" } else { "fails" });
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Runs round after round.
    fn fuzz(&self, runs: u64, time: Duration) -> Result<ExitCode> {
        let started = Instant::now();
        let mut total = Totals::default();
        loop {
            let left = time.saturating_sub(started.elapsed());
            let runs_left = runs.saturating_sub(total.runs);
            if runs_left == 0 || left.is_zero() {
                break;
            }
            if let Some(failure) = self.round(runs_left, left.min(ROUND), &mut total, started)? {
                print!("{}", failure.report(&self.name, total.runs));
                return Ok(ExitCode::FAILURE);
            }
        }
        println!("{}: {}, no failure", self.name, total.line(started.elapsed()));
        Ok(ExitCode::SUCCESS)
    }

    /// One process of the fuzzer. Returns the failure that it found, if any.
    fn round(
        &self,
        runs: u64,
        time: Duration,
        total: &mut Totals,
        started: Instant,
    ) -> Result<Option<Failure>> {
        let Folders { found, kept, crashes } = &self.folders;
        let mut command = Command::new(&self.program);
        // The most that is ever asked for is a signed number of the fuzzer's.
        command.arg(format!("-runs={}", runs.min(i32::MAX as u64)));
        command.arg(format!("-max_total_time={}", time.as_secs().max(1)));
        command.arg(format!("-max_len={}", most_bytes(&self.name)));
        command.arg(format!("-rss_limit_mb={MEMORY_MIB}")).arg(format!("-timeout={EXECUTION_SECONDS}"));
        command.arg(format!("-artifact_prefix={}/", crashes.display())).arg("-print_final_stats=1");
        command.args([found, kept]);
        let before = total.runs;
        let mut told = Instant::now();
        let mut words = Vec::new();
        let ending = Child::start(&mut command)?.follow(LIMITS, |stream, line| {
            let line = String::from_utf8_lossy(line);
            if stream == Stream::Error && !total.take(&line, before) {
                words.push(line.into_owned());
            }
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                eprintln!("{}", total.line(started.elapsed()));
            }
        })?;
        let status = match ending.status() {
            Ok(status) => status,
            Err(why) => bail!("the fuzzer {why}"),
        };
        Ok((!status.success()).then(|| Failure::of(&words)))
    }
}

/// Most bytes of a case: dumps and recordings have some, all else is a few acts.
fn most_bytes(name: &str) -> u32 {
    match name {
        "codec-dump" | "wav" => 16_384,
        _ => 1_024,
    }
}

/// Sums over all rounds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    runs: u64,
    /// Edges of the program that were reached.
    edges: u64,
    /// Cases of the corpus.
    cases: u64,
}

impl Totals {
    /// Takes in a line of the fuzzer's: `#4096 pulse  cov: 151 ft: 447 corp: 186/5763b ...`. False: it's another line.
    fn take(&mut self, line: &str, runs_before: u64) -> bool {
        let Some(rest) = line.strip_prefix('#') else { return false };
        let mut words = rest.split_whitespace();
        let Some(runs) = words.next().and_then(|word| word.parse::<u64>().ok()) else { return false };
        self.runs = runs_before.saturating_add(runs);
        while let Some(word) = words.next() {
            let number = |text: Option<&str>| text.and_then(|text| text.split('/').next()?.parse().ok());
            match word {
                "cov:" => self.edges = number(words.next()).unwrap_or(self.edges),
                "corp:" => self.cases = number(words.next()).unwrap_or(self.cases),
                _ => {}
            }
        }
        true
    }

    fn line(&self, took: Duration) -> String {
        let Totals { runs, edges, cases } = self;
        let a_second = *runs as f64 / took.as_secs_f64().max(0.001);
        format!(
            "{runs} executions in {:.0} s ({a_second:.0} a second), {edges} edges reached, {cases} cases",
            took.as_secs_f64()
        )
    }
}

/// A case that failed.
#[derive(Debug, PartialEq, Eq)]
struct Failure {
    /// What the target said, from its panic on.
    words: String,
    /// The file, if the fuzzer wrote one.
    case: Option<String>,
}

impl Failure {
    fn of(lines: &[String]) -> Failure {
        const CASE: &str = "Test unit written to ";
        let case = lines.iter().find_map(|line| Some(line.split_once(CASE)?.1.trim().to_owned()));
        let is_start = |line: &&String| line.contains("panicked at") || line.contains("ERROR: libFuzzer");
        let start = lines.iter().position(|line| is_start(&line)).unwrap_or(0);
        Failure { words: lines[start..].concat(), case }
    }

    fn report(&self, name: &str, runs: u64) -> String {
        let mut report = format!("{}\n{name}: failed after {runs} executions\n", self.words.trim_end());
        match &self.case {
            None => report.push_str("the fuzzer left no case\n"),
            Some(case) => report.push_str(&format!(
                "the case:     {case}\nto repeat it: cargo xtask fuzz {name} --repeat {case}\n\
                 to keep it:   move it to fuzz/corpus/{name}/, once the fault is mended\n"
            )),
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_the_programs_and_say_what_they_do() {
        let targets = targets(&workspace::root().join("fuzz/programs")).expect("programs");
        assert!(targets.len() >= 8);
        for (name, what) in targets {
            assert!(!name.contains('_') && what.ends_with('.'), "{name}: {what}");
        }
    }

    #[test]
    fn progress_adds_up_over_rounds() {
        let mut totals = Totals::default();
        assert!(
            totals.take("#16066255\tREDUCE cov: 151 ft: 447 corp: 186/5763b lim: 200 exec/s: 64008\n", 100)
        );
        assert_eq!(totals, Totals { runs: 16_066_355, edges: 151, cases: 186 });
        for other in ["INFO: Seed: 1\n", "###### End of recommended dictionary. ######\n", "\n"] {
            assert!(!totals.take(other, 100), "{other}");
        }
        let line = totals.line(Duration::from_secs(10));
        assert_eq!(line, "16066355 executions in 10 s (1606636 a second), 151 edges reached, 186 cases");
    }

    #[test]
    fn a_failure_names_its_case_and_the_way_back_to_it() {
        let lines =
            ["INFO: Seed\n", "thread panicked at a.rs:1:1:\n", "x; Test unit written to /t/crash-1\n"];
        let failure = Failure::of(&lines.map(str::to_owned));
        assert_eq!(failure.case.as_deref(), Some("/t/crash-1"));
        let report = failure.report("wav", 7);
        assert!(report.starts_with("thread panicked"), "{report}");
        assert!(report.contains("\nto repeat it: cargo xtask fuzz wav --repeat /t/crash-1\n"), "{report}");
        assert!(Failure::of(&[]).report("wav", 7).contains("no case"));
    }
}
