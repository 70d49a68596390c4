//! The xen lane: the image as driver domain under the real Xen, in virtual time.
//!
//! A boot costs half a minute, so each scenario is one boot with many checks. A scenario is a shell script in
//! `testbed/rig/scenarios`, which dom0 runs: what it asks with `check NAME ...` becomes the row `xen::SCENARIO::NAME`, and
//! so does what is asked here, on the host, of what the codecs heard and what the guests handed out.

mod alsa;
mod domain;
mod echo;
mod neighbours;
mod restart;
mod sessions;
mod torture;
mod user_front;

use std::time::{Duration, Instant};

use super::Row;
use crate::child::Limits;
use crate::harness::Microphone;
use crate::image::{Bin, Image};
use crate::qemu::Pace;
use crate::rig::{self, Files, Iommu, Outcome, Plan, Progress};
use crate::verdict::{Finding, Verdict};
use crate::{provision, tool};

/// A question about what is left of a run. Returns what was seen, in a line.
type HostCheck = fn(&Outcome) -> Result<String, Finding>;

/// Names and contents.
type GuestFiles = Vec<(String, Vec<u8>)>;

/// One boot.
struct Scenario {
    /// Its name.
    name: &'static str,
    /// What dom0 does.
    script: &'static str,
    /// The machine's IOMMU.
    iommu: Iommu,
    /// The rates behind the codecs; the first codec is the harness's.
    codec_rates_hz: &'static [u32],
    /// What the first codec's line input hears.
    microphone: Microphone,
    /// What the guests have under /rig.
    files: fn() -> Result<GuestFiles, Finding>,
    /// What is asked on the host, by name.
    host_checks: &'static [(&'static str, HostCheck)],
}

/// All scenarios.
const SCENARIOS: &[Scenario] = &[
    sessions::AMD,
    sessions::INTEL,
    sessions::LOOP_BACK,
    domain::AMD,
    neighbours::AMD,
    neighbours::INTEL,
    restart::AMD,
    torture::AMD,
    user_front::AMD,
    alsa::AMD,
    echo::AMD,
];

/// Virtual time is fast; these are for a host that is not.
const LIMITS: Limits = Limits { silence: Duration::from_secs(600), total: Duration::from_secs(1800) };

impl Scenario {
    /// The names of all rows, but that of the run itself: those of the script first.
    fn checks(&self) -> Vec<&'static str> {
        let on_host = self.host_checks.iter().map(|(name, _)| *name);
        checks_of_script(self.script).chain(on_host).collect()
    }

    fn row_name(&self, check: &str) -> String {
        format!("xen::{}::{check}", self.name)
    }

    fn run(&self, image: &Image) -> Result<Outcome, Finding> {
        // A program is only built, and only makes the guests larger, where a guest's card is left to it.
        let wants_tool = self.script.contains(" user-driver");
        let programs = if wants_tool { tool::build()? } else { Vec::new() };
        let plan = Plan {
            name: self.name.to_owned(),
            scenario: self.script.to_owned(),
            variables: Vec::new(),
            image: image.path.clone(),
            log_level: "debug".to_owned(),
            iommu: self.iommu,
            pace: Pace::Virtual,
            codec_rates_hz: self.codec_rates_hz.to_vec(),
            microphone: self.microphone.clone(),
            dom0_files: Vec::new(),
            dom0_plays: false,
            files: Files { ours: (self.files)()?, programs, theirs: None },
            limits: LIMITS,
        };
        let outcome = rig::run(&plan, |progress| match progress {
            Progress::Stage(at, wall, what) => eprintln!("{at:>7} s  {what} ({:.0} s)", wall.as_secs_f64()),
            Progress::Check(check) => {
                let result = if check.holds { Verdict::Success } else { Verdict::Failure };
                println!("{} ... {result} {}", self.row_name(&check.name), check.detail);
            }
            Progress::Figures(figures) => eprintln!("{}: {}", figures.name, figures.text),
            Progress::Other(line) => eprintln!("{line}"),
        })?;
        Ok(outcome)
    }

    /// A row for the run itself, and one for each check. A check that was not reached is as bad as the run.
    fn rows(&self, result: Result<Outcome, Finding>, took: Duration) -> Vec<Row> {
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(finding) => return vec![Row::of_test(format!("xen::{}", self.name), Err(finding), took)],
        };
        let whole = outcome.judge();
        let mut rows = Vec::new();
        for name in checks_of_script(self.script) {
            let result = match outcome.checks.iter().find(|check| check.name == name) {
                Some(check) if check.holds => Ok(check.detail.clone()),
                Some(check) => Err(Finding::failure(check.detail.clone())),
                None => Err(Finding::error(match &whole {
                    Ok(()) => "the scenario ended without it".to_owned(),
                    Err(finding) => format!("not reached: {}", finding.detail),
                })),
            };
            rows.push(Row::of_test(self.row_name(name), result, Duration::ZERO));
        }
        for (name, check) in self.host_checks {
            rows.push(Row::of_test(self.row_name(name), check(&outcome), Duration::ZERO));
        }
        let logs = format!("logs: {}", outcome.folder.display());
        let whole = whole.map(|()| logs).inspect_err(|_| show(&outcome));
        rows.push(Row::of_test(format!("xen::{}", self.name), whole, took));
        rows
    }
}

/// The checks that a script makes, by the lines that make them.
fn checks_of_script(script: &str) -> impl Iterator<Item = &str> {
    script
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("check ")?.split_ascii_whitespace().next())
}

/// Shows the last words of the driver domain, and where all the others' are.
fn show(outcome: &Outcome) {
    let said = outcome.driver_domain();
    let lines: Vec<&str> = said.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(30)) {
        eprintln!("{line}");
    }
    eprintln!("logs: {}", outcome.folder.display());
}

/// Runs the scenarios of which a row's name contains `only`, or all.
pub(crate) fn run(only: Option<&str>) -> Vec<Row> {
    let wanted = |scenario: &&Scenario| {
        only.is_none_or(|only| {
            scenario.checks().into_iter().chain([""]).any(|name| scenario.row_name(name).contains(only))
        })
    };
    let scenarios: Vec<&Scenario> = SCENARIOS.iter().filter(wanted).collect();
    if scenarios.is_empty() {
        return Vec::new();
    }
    let image =
        provision::qemu().and_then(|()| provision::recording()).and_then(|_| Image::build(Bin::Snddom));
    scenarios
        .into_iter()
        .flat_map(|scenario| {
            eprintln!("\n== xen::{}", scenario.name);
            let started = Instant::now();
            let result = match &image {
                Ok(image) => scenario.run(image),
                Err(error) => Err(Finding::error(format!("{error:#}"))),
            };
            let rows = scenario.rows(result, started.elapsed());
            for row in &rows {
                println!("{} ... {} {}", row.name, row.verdict, row.detail);
            }
            rows
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_found_in_a_script() {
        let script =
            "start_guest 1\ncheck plays guest_run 1 9 'aplay a'\n  check records guest_run 2\n# check x\n";
        assert_eq!(checks_of_script(script).collect::<Vec<_>>(), ["plays", "records"]);
    }

    #[test]
    fn names_of_rows_are_their_own() {
        let mut names: Vec<String> = SCENARIOS
            .iter()
            .flat_map(|scenario| scenario.checks().into_iter().map(|check| scenario.row_name(check)))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(!names.iter().any(|name| name.contains('$')), "a check's name is a plain word");
    }
}
