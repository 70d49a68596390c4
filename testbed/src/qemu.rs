//! The emulated machine: its command line, and what the image in it says until it ends.

pub mod machine_line;
pub mod session;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::child::{Child, Ending, Limits, Stream};
use crate::judge::verdict::Finding;
use crate::provision::QEMU;
use machine_line::{MachineLine, Said};

/// The memory that the image itself needs.
pub const IMAGE_MEMORY: u64 = 16 << 20;

/// The largest module that fits into it. With a larger one the machine gets more.
const MODULE_ROOM: u64 = 8 << 20;

/// Which controller the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// ICH9's, 8086:293e.
    Ich9,
    /// ICH6's, 8086:2668.
    Ich6,
    /// None.
    Absent,
}

impl Controller {
    fn device(self) -> Option<&'static str> {
        match self {
            Controller::Ich9 => Some("ich9-intel-hda"),
            Controller::Ich6 => Some("intel-hda"),
            Controller::Absent => None,
        }
    }
}

/// A codec on the link and the sound system behind it.
#[derive(Clone, Debug)]
pub struct Codec {
    /// The emulator's name for it: `hda-output`, `hda-duplex` or `hda-micro`.
    pub model: &'static str,
    /// The sound system behind it.
    pub sound: Sound,
}

/// A sound system of the emulator.
#[derive(Clone, Debug)]
pub enum Sound {
    /// A WAV file that gets what the codec plays, at this rate.
    Wav {
        /// The file.
        path: PathBuf,
        /// Its rate. Any other than the codec's would be converted by the emulator.
        rate_hz: u32,
    },
    /// The harness, by D-Bus. At most one codec may have it.
    Harness {
        /// The rate at which the harness is asked.
        rate_hz: u32,
        /// The period of the emulator's audio timer, in microseconds.
        tick_us: u32,
    },
    /// The host's, by the driver's name.
    Host(String),
    /// Nothing: no sound comes in, what goes out is thrown away.
    Silent,
}

/// How virtual time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// By executed instructions: the same in every run, and faster than the clock on the wall.
    Virtual,
    /// As on the wall.
    Real,
}

/// A machine to be started.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The image.
    pub image: PathBuf,
    /// Its command line.
    pub words: Vec<String>,
    /// The boot module.
    pub module: Option<PathBuf>,
    /// The module's length.
    pub module_bytes: u64,
    /// The controller.
    pub controller: Controller,
    /// The codecs, by their address on the link.
    pub codecs: Vec<Codec>,
    /// The pace of its clock.
    pub pace: Pace,
    /// Where the image writes what it records.
    pub recorded: PathBuf,
    /// Where its serial line goes.
    pub serial: PathBuf,
    /// A socket that the emulator's monitor connects to; then nothing runs until the monitor says so.
    pub monitor: Option<PathBuf>,
}

impl Machine {
    /// Memory in MiB: what the image needs, and the module on top where it's large.
    pub fn memory_mib(&self) -> u64 {
        let extra =
            if self.module_bytes > MODULE_ROOM { self.module_bytes.next_multiple_of(1 << 20) } else { 0 };
        (IMAGE_MEMORY + extra) >> 20
    }

    /// The emulator's command line.
    pub fn command(&self) -> Command {
        let mut options = Options(Command::new(QEMU));
        options.add("-M", "q35");
        options.add("-accel", "tcg");
        options.add("-cpu", "max");
        options.add("-m", format!("{}M", self.memory_mib()));
        if self.pace == Pace::Virtual {
            options.add("-icount", "shift=4,sleep=off");
        }
        // Nothing but what is named here: no display, no network, no disks, which also saves their firmware's time.
        options.0.args(["-nodefaults", "-no-user-config", "-no-reboot"]);
        options.add("-kernel", &self.image);
        if !self.words.is_empty() {
            options.add("-append", self.words.join(" "));
        }
        if let Some(module) = &self.module {
            options.add("-initrd", module);
        }
        options.add("-device", "isa-debug-exit,iobase=0xf4,iosize=4");
        options.add("-chardev", "stdio,id=console,signal=off");
        options.add("-device", "isa-debugcon,iobase=0xe9,chardev=console");
        options.add("-chardev", with_path("file,id=recorded,path=", &self.recorded));
        options.add("-device", "isa-debugcon,iobase=0x500,chardev=recorded");
        options.add("-serial", with_path("file:", &self.serial));
        options.add_harness(self.monitor.as_deref(), &self.codecs);
        if let Some(controller) = self.controller.device() {
            options.add("-device", format!("{controller},id=hda"));
            options.add_codecs(&self.codecs);
        }
        options.0
    }
}

impl Sound {
    fn audiodev(&self, id: &str) -> OsString {
        match self {
            Sound::Wav { path, rate_hz } => with_path(
                &format!("wav,id={id},out.frequency={rate_hz},out.channels=2,out.format=s16,path="),
                path,
            ),
            Sound::Harness { rate_hz, tick_us } => {
                let way = |way| format!("{way}.frequency={rate_hz},{way}.channels=2,{way}.format=s16");
                format!("dbus,id={id},timer-period={tick_us},{},{}", way("in"), way("out")).into()
            }
            Sound::Host(driver) => format!("{driver},id={id}").into(),
            Sound::Silent => format!("none,id={id}").into(),
        }
    }
}

/// A command line of the emulator that is being written.
pub struct Options(pub Command);

impl Options {
    /// Adds an option with its value.
    pub fn add(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.arg(name).arg(value.into());
    }

    /// Adds the harness's ends: the monitor, and the display, by which it gets at its codec's sound. With a monitor nothing
    /// runs until the harness says so.
    pub fn add_harness(&mut self, monitor: Option<&Path>, codecs: &[Codec]) {
        if let Some(monitor) = monitor {
            self.add("-chardev", with_path("socket,id=monitor,path=", monitor));
            self.add("-mon", "chardev=monitor,mode=control");
            self.0.arg("-S");
        }
        let is_its = |codec: &Codec| matches!(codec.sound, Sound::Harness { .. });
        let display = match codecs.iter().position(is_its) {
            Some(address) => format!("dbus,p2p=on,audiodev=sound{address}"),
            None => "none".to_owned(),
        };
        self.add("-display", display);
    }

    /// Adds codecs with their sound to the controller `hda`, by their address on the link.
    pub fn add_codecs(&mut self, codecs: &[Codec]) {
        for (address, codec) in codecs.iter().enumerate() {
            let id = format!("sound{address}");
            self.add("-audiodev", codec.sound.audiodev(&id));
            self.add("-device", format!("{},bus=hda.0,cad={address},audiodev={id}", codec.model));
        }
    }
}

/// An option that ends in a path. The emulator wants commas in it doubled.
pub fn with_path(option: &str, path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut value = option.as_bytes().to_vec();
    for byte in path.as_os_str().as_bytes() {
        value.push(*byte);
        if *byte == b',' {
            value.push(b',');
        }
    }
    OsString::from_vec(value)
}

/// The log of a machine.
#[derive(Debug, Default)]
pub struct Log {
    /// The console, byte by byte.
    pub console: Vec<u8>,
    /// The machine lines among it, in their order.
    pub lines: Vec<MachineLine>,
    /// Machine lines that could not be read.
    pub malformed: Vec<String>,
    /// The emulator's own standard error.
    pub emulator: String,
}

/// The longest console that is kept. Far above what any run says, and a bound for an image that never stops talking.
const LONGEST_CONSOLE: usize = 64 << 20;

impl Log {
    /// Takes in a line of the console.
    fn take(&mut self, line: &[u8]) -> Option<&MachineLine> {
        if self.console.len() + line.len() > LONGEST_CONSOLE {
            return None;
        }
        self.console.extend_from_slice(line);
        match machine_line::parse(&String::from_utf8_lossy(line))? {
            Ok(parsed) => {
                self.lines.push(parsed);
                self.lines.last()
            }
            Err(malformed) => {
                self.malformed.push(malformed);
                None
            }
        }
    }

    /// The last lines of the console, for people.
    pub fn tail(&self, lines: usize) -> String {
        let text = String::from_utf8_lossy(&self.console);
        let all: Vec<&str> = text.lines().filter(|line| !line.starts_with("@position")).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn verdict(&self) -> Option<&Said> {
        self.lines.iter().rev().find_map(|line| match line {
            MachineLine::Verdict(said) => Some(said),
            _ => None,
        })
    }
}

/// Follows a started machine to its end. `on_line` sees every line of the console as it comes.
///
/// # Errors
/// When the process can't be followed.
pub fn follow(
    child: Child,
    limits: Limits,
    mut on_line: impl FnMut(&[u8], Option<&MachineLine>),
) -> Result<(Ending, Log)> {
    let mut log = Log::default();
    let ending = child.follow(limits, |stream, line| match stream {
        Stream::Output => {
            let parsed = log.take(line);
            on_line(line, parsed);
        }
        Stream::Error => log.emulator.push_str(&String::from_utf8_lossy(line)),
    })?;
    Ok((ending, log))
}

/// Time limits for a run that plays or records so much sound.
pub fn limits(sound: Duration) -> Limits {
    // A second of sound takes a third of one when the host is idle; a host may be busy, and nothing waits for these.
    Limits { silence: Duration::from_secs(30), total: Duration::from_secs(60) + sound * 8 }
}

/// The exit status by isa-debug-exit: (value << 1) | 1 of the value written to it.
const fn status_of(value: i32) -> i32 {
    (value << 1) | 1
}
const PASS: i32 = status_of(0x10);
const FAIL: i32 = status_of(0x11);
const CRASH: i32 = status_of(0x12);

/// Weighs how a machine ended against what its image said: `Ok` only when both say that all went well.
///
/// Killed is a crash; no verdict is a crash, also with status 0, which is what a triple fault looks like; a verdict that
/// the status contradicts is a crash too, for one of the two isn't the image's doing.
pub fn judge(ending: &Ending, log: &Log) -> Result<(), Finding> {
    let status = ending.status().map_err(Finding::crash)?;
    let code = status.code();
    match (log.verdict(), code) {
        (Some(Said::Pass), Some(PASS)) => {}
        (Some(Said::Fail(why)), Some(FAIL)) => return Err(Finding::failure(why.clone())),
        (Some(Said::Crash(what)), Some(CRASH)) => return Err(Finding::crash(what.clone())),
        (Some(said), _) => {
            return Err(Finding::crash(format!("the verdict {said:?} doesn't go with the {status}")));
        }
        (None, Some(1)) if log.console.is_empty() => {
            let why = log.emulator.trim().lines().last().unwrap_or("no reason given").to_owned();
            return Err(Finding::error(format!("the emulator did not start: {why}")));
        }
        (None, _) => return Err(Finding::crash(format!("ended without a verdict, {status}"))),
    }
    if let Some(malformed) = log.malformed.first() {
        return Err(Finding::failure(format!("a machine line can't be read: {malformed}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;
    use crate::judge::verdict::Verdict;

    fn log(lines: &[&str]) -> Log {
        let mut log = Log::default();
        for line in lines {
            log.take(format!("{line}\n").as_bytes());
        }
        log
    }

    fn verdict(code: i32, lines: &[&str]) -> Verdict {
        let ending = Ending::Exited(ExitStatus::from_raw(code << 8));
        judge(&ending, &log(lines)).map_or_else(|finding| finding.verdict, |()| Verdict::Success)
    }

    #[test]
    fn only_a_verdict_and_its_status_together_pass() {
        assert_eq!(verdict(33, &["@verdict pass"]), Verdict::Success);
        assert_eq!(verdict(35, &["@verdict fail no codec"]), Verdict::Failure);
        assert_eq!(verdict(37, &["@verdict crash page fault"]), Verdict::Crash);
        assert_eq!(verdict(0, &["@verdict pass"]), Verdict::Crash);
        assert_eq!(verdict(35, &["@verdict pass"]), Verdict::Crash);
        assert_eq!(verdict(33, &["@verdict fail no codec"]), Verdict::Crash);
    }

    #[test]
    fn an_image_without_a_verdict_crashed() {
        assert_eq!(verdict(0, &[]), Verdict::Crash);
        assert_eq!(verdict(33, &["[ 0.1] INFO all is well"]), Verdict::Crash);
        assert_eq!(verdict(1, &["[ 0.1] INFO all is well"]), Verdict::Crash);
        let killed = Ending::Exited(ExitStatus::from_raw(9));
        assert_eq!(judge(&killed, &log(&[])).expect_err("killed").verdict, Verdict::Crash);
        let silent = Ending::Silent(Duration::from_secs(1));
        assert_eq!(judge(&silent, &log(&["@verdict pass"])).expect_err("silent").verdict, Verdict::Crash);
    }

    #[test]
    fn an_emulator_that_does_not_start_is_an_error() {
        assert_eq!(verdict(1, &[]), Verdict::Error);
    }

    #[test]
    fn a_line_that_can_not_be_read_is_a_failure() {
        assert_eq!(verdict(33, &["@first_sample since_entry_ns=soon", "@verdict pass"]), Verdict::Failure);
    }

    #[test]
    fn the_last_verdict_counts() {
        assert_eq!(verdict(37, &["@verdict pass", "@verdict crash later"]), Verdict::Crash);
    }

    #[test]
    fn commas_in_paths_are_doubled() {
        assert_eq!(with_path("file:", Path::new("/a,b/c")), OsString::from("file:/a,,b/c"));
    }

    #[test]
    fn memory_grows_only_for_long_modules() {
        let machine = |module_bytes| Machine {
            image: PathBuf::new(),
            words: Vec::new(),
            module: None,
            module_bytes,
            controller: Controller::Absent,
            codecs: Vec::new(),
            pace: Pace::Virtual,
            recorded: PathBuf::new(),
            serial: PathBuf::new(),
            monitor: None,
        };
        assert_eq!(machine(0).memory_mib(), 16);
        assert_eq!(machine(8 << 20).memory_mib(), 16);
        assert_eq!(machine((8 << 20) + 1).memory_mib(), 25);
    }
}
