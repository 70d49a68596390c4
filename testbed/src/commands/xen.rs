//! `cargo xtask xen`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::Limits;
use crate::harness::{Microphone, Room, Source};
use crate::image::{Bin, Image};
use crate::qemu::Pace;
use crate::rig::{self, Files, Iommu, Outcome, Plan, Progress};
use crate::session::STREAMS;
use crate::verdict::Finding;
use crate::wav::{self, FRAME_BYTES, Pcm};
use crate::{BadInput, provision, summary, tool, workspace};

/// Boot Xen in an emulated machine, with the image as driver domain, and let Linux guests use its sound card.
///
/// Xen, dom0 with xl, and the guests are Debian's own, unchanged; their packages are fetched once and unpacked below the
/// target directory, without being root. Each guest has a `vsnd` card and runs a command, all at the same time: without
/// --guest-run it plays a recording with aplay, and what each codec played is compared to it, frame by frame.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Xen {
    /// How many guests; each plays to a codec of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=STREAMS as i64))]
    guests: u8,

    /// A folder whose files the guests have under /files
    #[arg(long, value_name = "DIR")]
    guest_files: Option<PathBuf>,

    /// What each guest's shell runs, in /files; what it leaves under /out is brought back [default: aplay a recording]
    #[arg(long, value_name = "COMMAND")]
    guest_run: Option<String>,

    /// Where to put what the guests left under /out (in a folder for each guest, when there are several), and what the
    /// codecs played [default: below the target directory]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The first codec's input hears its output, in a room with this delay and, unless a file says what it does to an
    /// impulse, a few reflections [default: it hears a ramp]
    #[arg(long, value_name = "DELAY_MS[:IMPULSE.wav]")]
    room: Option<String>,

    /// Who is the front end in the guests: the kernel's snd_xen_front, or programs such as audiofront, which is there
    #[arg(long, value_enum, default_value = "kernel")]
    guest_driver: GuestDriver,

    /// The IOMMU of the machine
    #[arg(long, value_enum, default_value = "amd")]
    iommu: Iommu,

    /// Run in real time, not by executed instructions: then a busy host is heard
    #[arg(long)]
    realtime: bool,

    /// The image's log level; its log is shown, too
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    log: Option<String>,

    /// What dom0 does, in place of all that: a shell script, written with the functions of testbed/rig/lib.sh
    #[arg(long, value_name = "FILE", conflicts_with = "guest_run")]
    scenario: Option<PathBuf>,

    /// Stay up with dom0's shell on this terminal, once the guests are there; nothing is run in them
    #[arg(long, conflicts_with_all = ["guest_run", "out"])]
    keep: bool,
}

/// Who is the front end.
#[derive(Clone, Copy, clap::ValueEnum)]
enum GuestDriver {
    Kernel,
    User,
}

impl GuestDriver {
    /// As `start_guest` has it.
    fn word(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::User => "user",
        }
    }
}

const EXAMPLES: &str = "Examples:
  cargo xtask xen
  cargo xtask xen --guests 2 --iommu intel
  cargo xtask xen --guest-run 'arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 2 /out/ramp.wav' --out heard
  cargo xtask xen --guest-files music --guest-run 'aplay -D hw:0,0 song.wav'
  cargo xtask xen --guest-driver user --guest-run 'audiofront play /usr/share/sounds/alsa/Front_Center.wav'
  cargo xtask xen --keep

The logs are below target/rig/xen: Xen's console with the image's lines (xen.txt), and in log/ those of dom0, of xl,
and each domain's console.";

/// The rate behind the codecs, and that of the default recording.
const RATE_HZ: u32 = 48_000;

/// Silence behind the recording: the emulator keeps the last that was played to itself.
const TAIL_FRAMES: usize = RATE_HZ as usize / 4;

/// How long a command may take, in the guest's time.
const COMMAND_SECONDS: u64 = 3600;

/// A command is silent to us, and a busy host slow.
const LIMITS: Limits = Limits { silence: Duration::from_secs(3600), total: Duration::from_secs(4 * 3600) };

impl Xen {
    /// Runs the command.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        if let Some(folder) = self.guest_files.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(BadInput(format!("--guest-files {}: is no folder", folder.display())).into());
        }
        self.microphone()?;
        provision::qemu()?;
        let recording = match (&self.guest_run, &self.scenario) {
            (Some(_), _) | (_, Some(_)) => None,
            (None, None) => Some(wav::load(&provision::recording()?)?.pcm),
        };
        let image = Image::build(Bin::Snddom)?;
        let plan = self.plan(image.path, recording.as_ref())?;
        if self.keep {
            rig::keep(&plan)?;
            return Ok(ExitCode::SUCCESS);
        }
        let outcome = rig::run(&plan, |progress| match progress {
            Progress::Stage(at, wall, what) => println!("{at:>7} s  {what} ({:.0} s)", wall.as_secs_f64()),
            Progress::Check(check) => println!("{}: {}", check.name, check.detail),
            Progress::Figures(figures) => println!("{}: {}", figures.name, figures.text),
            Progress::Other(line) => println!("{line}"),
        })?;
        if self.log.is_some() {
            print!("{}", outcome.driver_domain());
        }
        self.hand_over(&outcome)?;
        Ok(self.verdict(&outcome, recording.as_ref()))
    }

    fn plan(&self, image: PathBuf, recording: Option<&Pcm>) -> Result<Plan> {
        let programs = tool::build()?;
        let mut files = Files { ours: Vec::new(), programs, theirs: self.guest_files.clone() };
        let command = match (&self.guest_run, recording) {
            (Some(command), _) => command.clone(),
            (None, None) => "true".to_owned(),
            (None, Some(pcm)) => {
                let mut pcm = pcm.clone();
                pcm.octets.resize(pcm.octets.len() + TAIL_FRAMES * FRAME_BYTES, 0);
                files.ours.push(("recording.wav".to_owned(), pcm.to_wav()?));
                "aplay -D hw:0,0 /rig/recording.wav".to_owned()
            }
        };
        files.ours.push(("command".to_owned(), command.into_bytes()));
        Ok(Plan {
            name: "xen".to_owned(),
            scenario: match &self.scenario {
                Some(path) => std::fs::read_to_string(path)
                    .map_err(|error| BadInput(format!("--scenario {}: {error}", path.display())))?,
                None => include_str!("../../rig/scenarios/run.sh").to_owned(),
            },
            variables: vec![
                ("GUESTS", self.guests.to_string()),
                ("GUEST_DRIVER", self.guest_driver.word().to_owned()),
                ("COMMAND_SECONDS", COMMAND_SECONDS.to_string()),
            ],
            image,
            log_level: self.log.clone().unwrap_or_else(|| "info".to_owned()),
            iommu: self.iommu,
            pace: if self.realtime { Pace::Real } else { Pace::Virtual },
            codec_rates_hz: vec![RATE_HZ; usize::from(self.guests.max(2))],
            microphone: self.microphone()?,
            files,
            dom0_files: Vec::new(),
            dom0_plays: false,
            limits: LIMITS,
        })
    }

    fn microphone(&self) -> Result<Microphone> {
        Ok(match &self.room {
            Some(room) => Microphone::Room(Room::parse(room, RATE_HZ)?),
            None => Microphone::Hears(Source::Ramp),
        })
    }

    /// Puts what came out where the user wants it.
    fn hand_over(&self, outcome: &Outcome) -> Result<()> {
        let out = self.out.clone().unwrap_or_else(|| outcome.folder.join("out"));
        std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        if self.out.is_some() {
            for (guest, folder) in &outcome.handed_out {
                let Ok(folder) = folder else { continue };
                let into = if self.guests == 1 { out.clone() } else { out.join(guest) };
                workspace::copy_folder(folder, &into)?;
            }
        }
        for (codec, pcm) in outcome.heard.iter().enumerate() {
            let Some(pcm) = pcm.as_ref().filter(|pcm| !pcm.octets.is_empty()) else { continue };
            let path = out.join(format!("codec{codec}.wav"));
            pcm.write(&path)?;
            println!("written: {}", path.display());
        }
        Ok(())
    }

    fn verdict(&self, outcome: &Outcome, recording: Option<&Pcm>) -> ExitCode {
        let mut findings: Vec<Finding> = outcome.judge().err().into_iter().collect();
        if let (true, Some(recording)) = (findings.is_empty(), recording) {
            for codec in 0..usize::from(self.guests) {
                match summary::judge_heard(recording, outcome.heard(codec), codec) {
                    Ok(comparison) => println!("guest{}  came out {comparison}", codec + 1),
                    Err(finding) => findings.push(finding),
                }
            }
        }
        println!("logs: {}", outcome.folder.display());
        if findings.is_empty() {
            return ExitCode::SUCCESS;
        }
        let said = outcome.driver_domain();
        let last: Vec<&str> = said.lines().collect();
        for line in last.iter().skip(last.len().saturating_sub(20)) {
            eprintln!("{line}");
        }
        for finding in &findings {
            eprintln!("{finding}");
        }
        ExitCode::FAILURE
    }
}
