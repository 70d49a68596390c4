//! A boot of the rig for the bench.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::probe;
use crate::child::Limits;
use crate::harness::{Microphone, Source};
use crate::image::{Bin, Image};
use crate::provision;
use crate::qemu::Pace;
use crate::rig::{self, Figures, Files, Iommu, Outcome, Plan, Progress};

/// A busy guest takes long, on the wall.
const LIMITS: Limits = Limits { silence: Duration::from_secs(900), total: Duration::from_secs(3600) };

/// The rate behind the codecs.
const RATE_HZ: u32 = 48_000;

/// What is booted.
pub(super) struct Boot {
    /// The name of the run's folder.
    pub(super) name: &'static str,
    /// What dom0 does.
    pub(super) script: &'static str,
    /// What it is told.
    pub(super) variables: Vec<(&'static str, String)>,
    /// Whether dom0's own driver takes the controller.
    pub(super) dom0_plays: bool,
    /// How many codecs: outputs, that is.
    pub(super) codecs: usize,
    /// Programs that the guests have besides.
    pub(super) programs: Vec<PathBuf>,
    /// The program that measures; dom0 and the guests have it.
    pub(super) probe: Vec<u8>,
}

/// Boots, and returns when the machine is off. It has ended well.
///
/// # Errors
/// When it has not.
pub(super) fn run(boot: Boot) -> Result<Outcome> {
    provision::qemu()?;
    let files = vec![(probe::NAME.to_owned(), boot.probe)];
    let plan = Plan {
        name: boot.name.to_owned(),
        scenario: boot.script.to_owned(),
        variables: boot.variables,
        image: Image::build(Bin::Snddom)?.path,
        // As on a real box.
        log_level: "info".to_owned(),
        iommu: Iommu::Amd,
        pace: Pace::Virtual,
        codec_rates_hz: vec![RATE_HZ; boot.codecs],
        microphone: Microphone::Hears(Source::Silence),
        files: Files { ours: files.clone(), programs: boot.programs, theirs: None },
        dom0_files: files,
        dom0_plays: boot.dom0_plays,
        limits: LIMITS,
    };
    let outcome = rig::run(&plan, |progress| match progress {
        Progress::Stage(at, wall, what) => eprintln!("{at:>7} s  {what} ({:.0} s)", wall.as_secs_f64()),
        Progress::Figures(figures) => eprintln!("{}: {}", figures.name, figures.text),
        Progress::Check(check) => eprintln!("{}: {}", check.name, check.detail),
        Progress::Other(line) => eprintln!("{line}"),
    })?;
    outcome.judge().map_err(|finding| anyhow!("{finding}; logs: {}", outcome.folder.display()))?;
    Ok(outcome)
}

/// What the scenario has measured under a name.
///
/// # Errors
/// When there is no such measurement.
pub(super) fn figures<'a>(outcome: &'a Outcome, name: &str) -> Result<&'a Figures> {
    outcome
        .figures
        .iter()
        .find(|figures| figures.name == name)
        .with_context(|| format!("the scenario has not measured {name}; logs: {}", outcome.folder.display()))
}
