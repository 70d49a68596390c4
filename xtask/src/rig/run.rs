//! A run of the rig: from the roots to what it came to.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use super::dom0;
use super::line::{self, Check, RigLine};
use super::machine::{Iommu, Machine};
use super::packages::Tree;
use crate::child::{Child, Ending, Limits, Stream};
use crate::harness::{Harness, MonitorSocket, Source, Traffic};
use crate::machine_line::Said;
use crate::qemu::{Codec, Pace, Sound};
use crate::verdict::Finding;
use crate::workspace;

/// What is to be run.
pub(crate) struct Plan {
    /// The run's name: its folder below target/rig.
    pub(crate) name: String,
    /// The scenario, a shell script.
    pub(crate) scenario: &'static str,
    /// The image.
    pub(crate) image: PathBuf,
    /// The image's level of logging.
    pub(crate) log_level: String,
    /// The IOMMU.
    pub(crate) iommu: Iommu,
    /// The pace of virtual time.
    pub(crate) pace: Pace,
}

/// What a run came to.
pub(crate) struct Outcome {
    /// Where all its files are.
    pub(crate) folder: PathBuf,
    /// How the emulator ended.
    pub(crate) ending: Ending,
    /// What the checks came to.
    pub(crate) checks: Vec<Check>,
    /// The scenario's own verdict.
    pub(crate) said: Option<Said>,
    /// Lines that could not be read.
    pub(crate) malformed: Vec<String>,
    /// Xen's console.
    pub(crate) console: String,
    /// What the emulator itself said.
    pub(crate) emulator: String,
    /// What went through the harness.
    pub(crate) traffic: Traffic,
}

/// Limits of a run, on the clock on the wall. Between stages dom0 says nothing.
const LIMITS: Limits = Limits { silence: Duration::from_secs(300), total: Duration::from_secs(1200) };

/// The harness's codec.
const RATE_HZ: u32 = 48_000;

/// Runs a plan to its end.
///
/// # Errors
/// When it can't be run. What it came to is in the outcome.
pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    let tree = Tree::provide()?;
    println!("{}", tree.versions()?);
    let folder = workspace::target_dir().join("rig").join(&plan.name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let config = dom0::Config { scenario: plan.scenario, image: &plan.image, log_level: &plan.log_level };
    let initramfs = folder.join("dom0.cpio");
    std::fs::write(&initramfs, dom0::initramfs(&tree, &config)?)?;
    let console = folder.join("xen.txt");
    let socket = MonitorSocket::new()?;
    let machine = Machine {
        hypervisor: tree.hypervisor(),
        kernel: tree.kernel(),
        initramfs,
        iommu: plan.iommu,
        codecs: vec![
            Codec { model: "hda-duplex", sound: Sound::Harness { rate_hz: RATE_HZ } },
            Codec {
                model: "hda-duplex",
                sound: Sound::Wav { path: folder.join("codec1.wav"), rate_hz: RATE_HZ },
            },
        ],
        pace: plan.pace,
        console: Some(console.clone()),
        archive: folder.join("dom0.tar"),
        monitor: Some(socket.path().to_path_buf()),
    };
    let child = Child::start(&mut machine.command())?;
    let harness = Harness::serve(socket, Source::Ramp, RATE_HZ)?;
    let mut checks = Vec::new();
    let mut said = None;
    let mut malformed = Vec::new();
    let mut emulator = String::new();
    let started = std::time::Instant::now();
    let ending = child.follow(LIMITS, |stream, line| {
        let line = String::from_utf8_lossy(line);
        if stream == Stream::Error {
            emulator.push_str(&line);
            return;
        }
        match line::parse(&line) {
            None => println!("{}", line.trim_end()),
            Some(Err(line)) => malformed.push(line),
            Some(Ok(RigLine::Stage { at, what })) => {
                println!("{at:>8} s  {what} ({:.0} s on the wall)", started.elapsed().as_secs_f64());
            }
            Some(Ok(RigLine::Check(check))) => checks.push(check),
            Some(Ok(RigLine::Exit { .. })) => {}
            Some(Ok(RigLine::Verdict(verdict))) => said = Some(verdict),
        }
    })?;
    let traffic = harness.finish();
    // Absent when dom0 did not get that far.
    let _ =
        std::process::Command::new("tar").arg("-xmf").arg(&machine.archive).arg("-C").arg(&folder).status();
    let console = String::from_utf8_lossy(&std::fs::read(&console).unwrap_or_default()).into_owned();
    Ok(Outcome { folder, ending, checks, said, malformed, console, emulator, traffic })
}

impl Outcome {
    /// Whether the scenario says that all went well, and nothing contradicts it.
    pub(crate) fn judge(&self) -> Result<(), Finding> {
        match &self.ending {
            Ending::Silent(limit) => {
                return Err(Finding::crash(format!(
                    "dom0 said nothing for {} s and was killed",
                    limit.as_secs()
                )));
            }
            Ending::TooLong(limit) => {
                return Err(Finding::crash(format!(
                    "did not end within {} s and was killed",
                    limit.as_secs()
                )));
            }
            Ending::Exited(_) => {}
        }
        if let Some(complaint) = &self.traffic.complaint {
            return Err(Finding::error(complaint.clone()));
        }
        if let Some(line) = self.malformed.first() {
            return Err(Finding::failure(format!("a line of dom0 can't be read: {line}")));
        }
        if let Some(check) = self.checks.iter().find(|check| !check.holds) {
            return Err(Finding::failure(format!("{}: {}", check.name, check.detail)));
        }
        match &self.said {
            Some(Said::Pass) => Ok(()),
            Some(Said::Fail(why) | Said::Crash(why)) => Err(Finding::failure(why.clone())),
            None if self.console.is_empty() => {
                Err(Finding::error(format!("the emulator did not start: {}", self.emulator.trim())))
            }
            None => Err(Finding::crash("ended without a verdict")),
        }
    }
}
