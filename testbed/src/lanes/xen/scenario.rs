//! A scenario: one boot of the rig, and the checks that are made in it.

use std::time::Duration;

use crate::child::Limits;
use crate::harness::{Microphone, Source};
use crate::image::Image;
use crate::judge::verdict::{Finding, Verdict};
use crate::lanes::Row;
use crate::qemu::Pace;
use crate::rig::{self, Dom0Sound, Files, Iommu, Outcome, Plan, Progress};
use crate::tool;

/// A question about what is left of a run. Returns what was seen, in a line.
pub(super) type HostCheck = fn(&Outcome) -> Result<String, Finding>;

/// Variables of a script, by their names.
pub(super) type Variables = Vec<(&'static str, String)>;

/// Names and contents.
pub(super) type GuestFiles = Vec<(String, Vec<u8>)>;

/// One boot.
pub(super) struct Scenario {
    /// Its name.
    pub(super) name: &'static str,
    /// The script that dom0 runs.
    pub(super) script: &'static str,
    /// Shell variables for the script.
    pub(super) variables: fn() -> Result<Variables, Finding>,
    /// The machine's IOMMU.
    pub(super) iommu: Iommu,
    /// The rates behind the codecs; the first codec is the harness's.
    pub(super) codec_rates_hz: &'static [u32],
    /// The signal at the first codec's line input.
    pub(super) microphone: Microphone,
    /// Files under /rig in the guests.
    pub(super) files: fn() -> Result<GuestFiles, Finding>,
    /// The host's checks, by name.
    pub(super) host_checks: &'static [(&'static str, HostCheck)],
}

/// The script for dom0 that comes with the image.
const DOM0_SCRIPT: &[u8] = include_bytes!("../../../../dist/snddom");

/// For a slow host with other work. Dom0 says that it waits each ten seconds of its own clock, so that silence means that
/// this clock stands still.
const LIMITS: Limits = Limits { silence: Duration::from_secs(600), total: Duration::from_secs(3600) };

impl Scenario {
    /// The names of all rows, but that of the run itself: those of the script first.
    pub(super) fn checks(&self) -> Vec<&'static str> {
        let on_host = self.host_checks.iter().map(|(name, _)| *name);
        checks_of_script(self.script).chain(on_host).collect()
    }

    pub(super) fn row_name(&self, check: &str) -> String {
        format!("xen::{}::{check}", self.name)
    }

    pub(super) fn run(&self, image: &Image) -> Result<Outcome, Finding> {
        // A program is only built, and only makes the guests larger, where a guest's card is left to it.
        let wants_tool = self.script.contains(" user-driver");
        let mut programs = if wants_tool { tool::build()? } else { Vec::new() };
        if self.script.contains("villain") {
            programs.push(tool::build_villain()?);
        }
        let plan = Plan {
            name: self.name.to_owned(),
            scenario: self.script.to_owned(),
            variables: (self.variables)()?,
            image: image.path.clone(),
            log_level: "debug".to_owned(),
            iommu: self.iommu,
            pace: Pace::Virtual,
            codec_rates_hz: self.codec_rates_hz.to_vec(),
            microphone: self.microphone.clone(),
            dom0_files: vec![("snddom".to_owned(), DOM0_SCRIPT.to_vec())],
            dom0_sound: Dom0Sound::None,
            files: Files { ours: (self.files)()?, programs, theirs: None },
            limits: LIMITS,
        };
        let outcome = rig::run(&plan, |progress| match progress {
            Progress::Stage(at, wall, what) => {
                eprintln!("{:<14} {at:>7} s  {what} ({:.0} s)", self.name, wall.as_secs_f64());
            }
            Progress::Check(check) => {
                let result = if check.holds { Verdict::Success } else { Verdict::Failure };
                println!("{} ... {result} {}", self.row_name(&check.name), check.detail);
            }
            Progress::Figures(figures) => eprintln!("{}: {}: {}", self.name, figures.name, figures.text),
            Progress::Other(line) => eprintln!("{}: {line}", self.name),
        })?;
        Ok(outcome)
    }

    /// A row for the run itself, and one for each check. A check that was not reached is as bad as the run.
    pub(super) fn rows(&self, result: Result<Outcome, Finding>, took: Duration) -> Vec<Row> {
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

impl Scenario {
    /// A machine with AMD's IOMMU and one codec, which hears nothing.
    pub(super) const ONE_CODEC: Scenario = Scenario {
        name: "",
        script: "",
        variables: || Ok(Vec::new()),
        iommu: Iommu::Amd,
        codec_rates_hz: &[48_000],
        microphone: Microphone::Hears(Source::Silence),
        files: || Ok(Vec::new()),
        host_checks: &[],
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_found_in_a_script() {
        let script =
            "start_guest 1\ncheck plays guest_run 1 9 'aplay a'\n  check records guest_run 2\n# check x\n";
        assert_eq!(checks_of_script(script).collect::<Vec<_>>(), ["plays", "records"]);
    }
}
