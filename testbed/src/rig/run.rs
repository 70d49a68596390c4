//! A run of the rig: the roots are made, the machine runs to its end, and what it left is collected.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::line::{self, RigLine};
use super::machine::Machine;
use super::outcome::Outcome;
use super::packages::Tree;
use super::plan::Plan;
use super::{dom0, guest, hand_out};
use crate::child::{Child, Ending, Stream};
use crate::harness::{Harness, MonitorSocket, Traffic};
use crate::ignored;
use crate::qemu::{Codec, Sound};
use crate::wav::{self, Pcm};
use crate::workspace;

/// The codecs: with a line output and a line input, 16 bit stereo.
const CODEC: &str = "hda-duplex";

/// Progress of a run, for people.
pub enum Progress<'a> {
    /// A stage is reached: seconds on dom0's clock, the same on the wall since the start, and what was reached.
    Stage(&'a str, Duration, &'a str),
    /// A check came to something.
    Check(&'a line::Check),
    /// Something was measured.
    Figures(&'a line::Figures),
    /// Dom0 says something that is no line of the rig.
    Other(&'a str),
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::Stage(at, wall, what) => write!(f, "{at:>7} s  {what} ({:.0} s)", wall.as_secs_f64()),
            Progress::Check(check) => write!(f, "{}: {}", check.name, check.detail),
            Progress::Figures(figures) => write!(f, "{}: {}", figures.name, figures.text),
            Progress::Other(line) => f.write_str(line),
        }
    }
}

/// A run that is set up and not started.
struct Run {
    folder: PathBuf,
    machine: Machine,
    socket: MonitorSocket,
}

impl Run {
    fn new(plan: &Plan, keep: bool) -> Result<Run> {
        let tree = Tree::provide()?;
        eprintln!("{}", tree.versions()?);
        let folder = workspace::target_dir().join("rig").join(&plan.name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let initramfs = folder.join("dom0.cpio");
        let guest = guest::initramfs(&tree, &plan.files)?;
        std::fs::write(&initramfs, dom0::initramfs(&tree, plan, &guest)?)?;
        let codecs = plan.codec_rates_hz.iter().enumerate().map(|(codec, rate_hz)| {
            let sound = match codec {
                0 => Sound::Harness { rate_hz: *rate_hz, tick_us: plan.microphone.tick_us() },
                _ => Sound::Wav { path: heard_file(&folder, codec), rate_hz: *rate_hz },
            };
            Codec { model: CODEC, sound }
        });
        let socket = MonitorSocket::new()?;
        let machine = Machine {
            hypervisor: tree.hypervisor(),
            kernel: tree.kernel(),
            initramfs,
            iommu: plan.iommu,
            codecs: codecs.collect(),
            pace: plan.pace,
            console: (!keep).then(|| folder.join("xen.txt")),
            archive: folder.join("dom0.tar"),
            monitor: socket.path().to_path_buf(),
        };
        Ok(Run { folder, machine, socket })
    }
}

fn heard_file(folder: &Path, codec: usize) -> PathBuf {
    folder.join(format!("codec{codec}.wav"))
}

/// Runs a plan to its end.
///
/// # Errors
/// It can't be run. A failed run is an outcome.
pub fn run(plan: &Plan, mut on_progress: impl FnMut(Progress<'_>)) -> Result<Outcome> {
    let Run { folder, machine, socket } = Run::new(plan, false)?;
    let rate_hz = plan.codec_rates_hz.first().copied().context("a machine has at least one codec")?;
    let child = Child::start(&mut machine.command())?;
    let harness = match Harness::serve(socket, plan.microphone.clone(), rate_hz) {
        Ok(harness) => harness,
        Err(error) => return Err(child.failed(error)),
    };
    let mut outcome = Outcome {
        folder,
        ending: Ending::Silent(Duration::ZERO),
        checks: Vec::new(),
        figures: Vec::new(),
        said: None,
        malformed: Vec::new(),
        console: String::new(),
        emulator: String::new(),
        complaint: None,
        heard: Vec::new(),
        handed_out: BTreeMap::new(),
    };
    let started = Instant::now();
    outcome.ending = child.follow(plan.limits, |stream, bytes| {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        if stream == Stream::Error {
            outcome.emulator.push_str(&format!("{text}\n"));
            return;
        }
        match line::parse(text) {
            None => on_progress(Progress::Other(text)),
            Some(Err(line)) => outcome.malformed.push(line),
            Some(Ok(RigLine::Stage { at, what })) => {
                on_progress(Progress::Stage(&at, started.elapsed(), &what));
            }
            Some(Ok(RigLine::Check(check))) => {
                on_progress(Progress::Check(&check));
                outcome.checks.push(check);
            }
            Some(Ok(RigLine::Figures(figures))) => {
                on_progress(Progress::Figures(&figures));
                outcome.figures.push(figures);
            }
            Some(Ok(RigLine::Verdict(verdict))) => outcome.said = Some(verdict),
        }
    })?;
    collect(plan, &machine, harness.finish(), &mut outcome)?;
    Ok(outcome)
}

/// Collects what the machine left: logs, what the guests handed out, what the codecs played.
fn collect(plan: &Plan, machine: &Machine, traffic: Traffic, outcome: &mut Outcome) -> Result<()> {
    let folder = &outcome.folder;
    std::fs::write(folder.join("emulator.txt"), &outcome.emulator)?;
    let console = std::fs::read(folder.join("xen.txt")).unwrap_or_default();
    outcome.console = String::from_utf8_lossy(&console).into_owned();

    // Nothing when dom0 did not get that far.
    let archive = std::fs::File::open(&machine.archive)?;
    if archive.metadata()?.len() > 0 {
        hand_out::unpack(archive, &folder.join("log")).context("the archive of dom0's logs")?;
    }
    for file in [&machine.archive, &machine.initramfs] {
        std::fs::remove_file(file)?;
    }
    for (guest, console) in guest_consoles(&folder.join("log/console")) {
        let Some(archive) = hand_out::archive(&console) else { continue };
        let into = folder.join("out").join(&guest);
        let unpacked = archive.and_then(|archive| {
            std::fs::create_dir_all(&into)?;
            hand_out::unpack(archive.as_slice(), &into)
        });
        let result = unpacked.map(|()| into).map_err(|error| format!("{error:#}"));
        outcome.handed_out.insert(guest, result);
    }

    outcome.complaint = traffic.complaint;
    for (codec, rate_hz) in plan.codec_rates_hz.iter().enumerate() {
        let path = heard_file(folder, codec);
        if codec == 0 {
            let pcm = Pcm { rate_hz: *rate_hz, bytes: traffic.played.clone() };
            pcm.write(&path)?;
            outcome.heard.push(Some(pcm));
        } else {
            outcome.heard.push(wav::read_emulated(&path).ok());
        }
    }
    Ok(())
}

/// The consoles of all guests, by their names.
fn guest_consoles(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let consoles = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_prefix("guest-")?.strip_suffix(".log")?.to_owned();
        let console = std::fs::read(entry.path()).ok()?;
        Some((name, String::from_utf8_lossy(&console).into_owned()))
    });
    let mut consoles: Vec<_> = consoles.collect();
    consoles.sort();
    consoles
}

/// Runs a plan with dom0's console on the terminal, until its user ends it.
///
/// # Errors
/// When it can't be run.
pub fn keep(plan: &Plan) -> Result<()> {
    let Run { folder, machine, socket } = Run::new(plan, true)?;
    let rate_hz = plan.codec_rates_hz.first().copied().context("a machine has at least one codec")?;
    let mut command: Command = machine.command();
    let mut child = command.spawn().context("can't start the emulator")?;
    let harness = Harness::serve(socket, plan.microphone.clone(), rate_hz);
    if let Err(error) = &harness {
        ignored(child.kill(), "it fails only for an emulator that is gone");
        bail!("{error:#}");
    }
    child.wait()?;
    eprintln!("files of this run: {}", folder.display());
    Ok(())
}
