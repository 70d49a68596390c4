//! A boot of the rig for the bench.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::probe;
use crate::child::Limits;
use crate::harness::{Microphone, Source};
use crate::image::{Bin, Image};
use crate::provision;
use crate::qemu::Pace;
use crate::rig::{self, Dom0Sound, Files, Iommu, Outcome, Plan};

/// A busy guest takes long on the wall clock.
const LIMITS: Limits = Limits { silence: Duration::from_secs(900), total: Duration::from_secs(3600) };

/// The rate behind the codecs.
const RATE_HZ: u32 = 48_000;

/// A boot's plan.
pub(super) struct Boot {
    /// The name of the run's folder.
    pub(super) name: &'static str,
    /// The script that dom0 runs.
    pub(super) script: &'static str,
    /// The script's variables.
    pub(super) variables: Vec<(&'static str, String)>,
    /// Sound in dom0.
    pub(super) dom0_sound: Dom0Sound,
    /// Codecs, each with an output.
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
        dom0_sound: boot.dom0_sound,
        limits: LIMITS,
    };
    let outcome = rig::run(&plan, |progress| eprintln!("{progress}"))?;
    outcome.judge().map_err(|finding| anyhow!("{finding}; logs: {}", outcome.folder.display()))?;
    Ok(outcome)
}
