//! The command line of `cargo xtask`: all commands with their options, and the parts of the test bed that each needs.
//!
//! The front door (`main.rs`) answers help and wrong usage by itself. The test bed parses the same words again.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Build, run, test and check snddom, a sound driver domain.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  cargo xtask run                            play a real recording in an emulated machine, compare what came out
  cargo xtask run --wav song.wav --out heard.wav
  cargo xtask run --wav song.wav --realtime  hear it, where the host has sound
  cargo xtask test                           all tests
  cargo xtask test qemu --only capture       the cases of one lane whose name contains a word
  cargo xtask check                          formatting, lints, licences, documentation
  cargo xtask build                          the image, its path and its size
  cargo xtask dist                           a tarball for a machine that runs Xen
  cargo xtask codec show FILE                a real codec's graph, and the ways that the driver finds in it
  cargo xtask fuzz --list                    what can be fuzzed
  cargo xtask chaos                          an hour of guests, faults and plugs that do anything at any time
  cargo xtask bench                          what it costs and how true its positions are, in one table

Exit codes: 0 all is well, 1 something failed, 2 the input or the usage is wrong.";

/// The most guests of `xen`, one for each stream of the card.
pub const MOST_GUESTS: u8 = 4;

/// A command.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "where there are options, the help text stands at them")]
pub enum Command {
    Run(Run),
    Test(Test),
    /// Check formatting, lints, licences, documentation, shell scripts and the rules of the house; nothing may warn.
    Check,
    /// Build the shipped image; print its path and size. Fails above the limit, or with parts of the test image.
    Build,
    Xen(Xen),
    Dist(Dist),
    Bench(Bench),
    Fuzz(Fuzz),
    Miri(Miri),
    Chaos(Chaos),
    Codec(Codec),
    /// Draw the dependencies of the workspace's crates: docs/dependencies.svg and .md. Fails on an upward arrow.
    Picture,
    /// Count the lines of each room: production code, tests, comments.
    Rooms,
}

/// Play recordings through the image in an emulated machine, or record, and compare what came out.
///
/// Without --realtime the machine runs in virtual time: the same in every run, faster than it plays, and what comes out
/// of the codec is compared to what went in, frame by frame. What is missing on this machine is installed where that is
/// possible, and named where it is not.
#[derive(clap::Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// A recording to play, PCM of 8 to 32 bits or float, mono to 8 channels, 8 to 192 kHz; up to 4 times, each on a
    /// stream and a codec of its own [default: a voice, from Debian's alsa-utils]
    #[arg(long, value_name = "FILE")]
    pub wav: Vec<PathBuf>,

    /// Where to write what came out: one for each --wav, then one for --record; a single one with --record is the
    /// recording's [default: below the target directory]
    #[arg(long, value_name = "FILE")]
    pub out: Vec<PathBuf>,

    /// Record so many seconds. Unless --wav is given too, nothing is played. In virtual time the microphone hears a
    /// recording that is repeated; with --realtime the host's sound input, where it has one
    #[arg(long, value_name = "SECONDS")]
    pub record: Option<f64>,

    /// What is recorded is what the first --wav plays, in a room with this delay and, unless a file says what it does to
    /// an impulse, a few reflections
    #[arg(long, value_name = "DELAY_MS[:IMPULSE.wav]", requires_all = ["wav", "record"], conflicts_with = "realtime")]
    pub room: Option<String>,

    /// Run in real time and use the host's sound where there is one (PipeWire, PulseAudio, ALSA)
    #[arg(long)]
    pub realtime: bool,

    /// Draw what went in, what came out and the error of the published position
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,

    /// Print the image's log from this level on
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub log: Option<String>,

    /// Keep the files of the run: module, console, what the emulator wrote
    #[arg(long)]
    pub keep: bool,
}

const RUN_EXAMPLES: &str = "Examples:
  cargo xtask run
  cargo xtask run --wav song.wav --out heard.wav --plot song.svg
  cargo xtask run --wav a.wav --wav b.wav --out a-heard.wav --out b-heard.wav
  cargo xtask run --record 5 --out recorded.wav
  cargo xtask run --wav song.wav --record 3 --room 50 --out in-a-room.wav
  cargo xtask run --wav song.wav --realtime";

/// Run the tests; a table of verdicts and one closing line come at the end.
#[derive(clap::Args)]
#[command(after_help = TEST_EXAMPLES)]
pub struct Test {
    /// The lane to run [default: all of them]
    pub lane: Option<Lane>,

    /// Of the qemu and xen lanes, only cases whose name contains this
    #[arg(long, value_name = "WORD")]
    pub only: Option<String>,

    /// Keep the files of the qemu lane's runs: consoles, recordings
    #[arg(long)]
    pub keep: bool,
}

const TEST_EXAMPLES: &str = "Examples:
  cargo xtask test
  cargo xtask test host
  cargo xtask test qemu --only playback --keep

Exits with 0 only when no test failed. A test that could not be carried out counts as failed.";

/// A kind of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lane {
    /// Unit, property and model tests, by cargo
    Host,
    /// The image in an emulated machine, in virtual time
    Qemu,
    /// The image as driver domain under Xen, in an emulated machine, in virtual time
    Xen,
}

/// Boot Xen in an emulated machine, with the image as driver domain, and let Linux guests use its sound card.
///
/// Xen, dom0 with xl, and the guests are Debian's own, unchanged; their packages are fetched once and unpacked below the
/// target directory, without being root. Each guest has a `vsnd` card and runs a command, all at the same time: without
/// --guest-run it plays a recording with aplay, and what each codec played is compared to it, frame by frame; where guests
/// share an output, to the sum.
#[derive(clap::Args)]
#[command(after_help = XEN_EXAMPLES)]
pub struct Xen {
    /// How many guests; each plays to an output of its own, unless there are fewer --outputs. Its number, from 1 on, is
    /// $GUEST in the command
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=i64::from(MOST_GUESTS)))]
    pub guests: u8,

    /// How many outputs, each of a codec of its own. With fewer than guests they are shared, and so are the codecs' inputs:
    /// guest 1 plays to the first, guest 2 to the next, and round again [default: one for each guest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_GUESTS)))]
    pub outputs: Option<u8>,

    /// A folder whose files the guests have under /files
    #[arg(long, value_name = "DIR")]
    pub guest_files: Option<PathBuf>,

    /// What each guest's shell runs, in /files; what it leaves under /out is brought back [default: aplay a recording]
    #[arg(long, value_name = "COMMAND")]
    pub guest_run: Option<String>,

    /// Where to put what the guests left under /out (in a folder for each guest, when there are several), and what the
    /// codecs played [default: below the target directory]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// The first codec's input hears its output, in a room with this delay and, unless a file says what it does to an
    /// impulse, a few reflections [default: it hears a ramp]
    #[arg(long, value_name = "DELAY_MS[:IMPULSE.wav]")]
    pub room: Option<String>,

    /// Who is the front end in the guests: the kernel's snd_xen_front, or programs such as audiofront, which is there
    #[arg(long, value_enum, default_value = "kernel")]
    pub guest_driver: GuestDriver,

    /// The IOMMU of the machine
    #[arg(long, value_enum, default_value = "amd")]
    pub iommu: Iommu,

    /// Run in real time, not by executed instructions: then a busy host is heard
    #[arg(long)]
    pub realtime: bool,

    /// The image's log level; its log is shown, too
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub log: Option<String>,

    /// What dom0 does, in place of all that: a shell script, written with the functions of testbed/rig/lib.sh
    #[arg(long, value_name = "FILE", conflicts_with = "guest_run")]
    pub scenario: Option<PathBuf>,

    /// Stay up with dom0's shell on this terminal, once the guests are there; nothing is run in them
    #[arg(long, conflicts_with_all = ["guest_run", "out"])]
    pub keep: bool,
}

const XEN_EXAMPLES: &str = "Examples:
  cargo xtask xen
  cargo xtask xen --guests 2 --iommu intel
  cargo xtask xen --guests 3 --outputs 1
  cargo xtask xen --guests 3 --outputs 1 --guest-files music --guest-run 'aplay -D hw:0,0 song$GUEST.wav' --out heard
  cargo xtask xen --guest-run 'arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 2 /out/ramp.wav' --out heard
  cargo xtask xen --guest-files music --guest-run 'aplay -D hw:0,0 song.wav'
  cargo xtask xen --guest-driver user --guest-run 'audiofront play /usr/share/sounds/alsa/Front_Center.wav'
  cargo xtask xen --keep

The logs are below target/rig/xen: Xen's console with the image's lines (xen.txt), and in log/ those of dom0, of xl,
and each domain's console.";

/// Who is the front end.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum GuestDriver {
    /// The kernel's snd_xen_front
    Kernel,
    /// Programs such as audiofront
    User,
}

impl GuestDriver {
    /// As `start_guest` has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::User => "user",
        }
    }
}

/// Which IOMMU is emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Iommu {
    /// AMD-Vi
    Amd,
    /// VT-d
    Intel,
}

/// Pack the image, the files for xl, the helper script and the documentation for a machine that runs Xen.
///
/// Writes target/dist/snddom-VERSION-x86_64.tar.gz and its SHA-256 beside it. The same commit and the same compiler give
/// the same bytes, on every machine: times are those of the last commit, or what SOURCE_DATE_EPOCH says.
#[derive(clap::Args)]
#[command(after_help = DIST_EXAMPLES)]
pub struct Dist {
    /// Build it once more, from a clean clone elsewhere, and compare every byte
    #[arg(long)]
    pub verify: bool,
}

const DIST_EXAMPLES: &str = "Examples:
  cargo xtask dist
  cargo xtask dist --verify                      two builds from two places: the same bytes?
  SOURCE_DATE_EPOCH=1700000000 cargo xtask dist  with a given time, where there is no git";

/// Measure what snddom costs and how true its positions are; a table comes at the end.
///
/// Everything that runs in an emulated machine is measured in its virtual time, in which an instruction takes a nanosecond:
/// the figures are the same on every host, to the digit. A bench judges nothing.
#[derive(clap::Args)]
#[command(after_help = BENCH_EXAMPLES)]
pub struct Bench {
    /// Only this stage; may be given several times [default: all of them]
    #[arg(long, value_name = "STAGE")]
    pub only: Vec<String>,

    /// Where the figures go as JSON [default: bench.json below the target directory]
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// An earlier JSON file: what has changed since is told
    #[arg(long, value_name = "OLD.json")]
    pub compare: Option<PathBuf>,
}

const BENCH_EXAMPLES: &str = "Examples:
  cargo xtask bench
  cargo xtask bench --only image --only model
  cargo xtask bench --json new.json --compare old.json

docs/bench.md says what each figure means. Exits with 0 when all was measured.";

/// Hand snddom what an enemy would: random bytes that follow the code which they reach, by libFuzzer.
///
/// It needs a C++ compiler, and builds the target with a fuzzer's flags by the stable compiler. What is new goes to
/// target/fuzz/corpus, beside the small corpora of fuzz/corpus, which `cargo xtask test host` replays.
#[derive(clap::Args)]
#[command(after_help = FUZZ_EXAMPLES)]
pub struct Fuzz {
    /// What is handed over to whom; --list names all
    #[arg(required_unless_present = "list", value_name = "TARGET")]
    pub target: Option<String>,

    /// List the targets
    #[arg(long, exclusive = true)]
    pub list: bool,

    /// How many executions [default: 1000000; with --seconds no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub runs: Option<u64>,

    /// How many seconds at most
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,

    /// Run this file alone, once: a case that failed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["runs", "seconds"])]
    pub repeat: Option<PathBuf>,
}

const FUZZ_EXAMPLES: &str = "Examples:
  cargo xtask fuzz --list
  cargo xtask fuzz store-wire --runs 10000000
  cargo xtask fuzz wav --seconds 60
  cargo xtask fuzz wav --repeat target/fuzz/crashes/wav/crash-0123

Exits with 0 when nothing failed, 1 with the case that failed and the command that repeats it, 2 for an unknown target.";

/// Run the suites whose unsafe code or shared memory Miri can judge, under Miri. Needs rustup's nightly toolchain with the
/// components miri and rust-src, and names what is missing; it installs nothing.
#[derive(clap::Args)]
#[command(after_help = MIRI_EXAMPLES)]
pub struct Miri {
    /// Only this package; may be given several times [default: all]
    #[arg(long, value_name = "PACKAGE")]
    pub only: Vec<String>,
}

const MIRI_EXAMPLES: &str = "Examples:
  cargo xtask miri
  cargo xtask miri --only sndif

Exits with 0 only when all suites passed.";

/// Have guests, dom0, xenstored and the hardware's models do anything at any time, and check after each act what must hold.
///
/// Time is virtual, and a seed gives the same scenarios on every machine. A scenario that breaks an invariant is cut down to
/// the acts that it takes, and printed. docs/safety.md lists the invariants. A part of the same runs in the host lane.
#[derive(clap::Args)]
#[command(after_help = CHAOS_EXAMPLES)]
pub struct Chaos {
    /// The seed of the first scenario; the next one has the next seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Virtual time to run for; the last scenario is finished
    #[arg(long, value_name = "H", default_value_t = 1.0)]
    pub hours: f64,
}

const CHAOS_EXAMPLES: &str = "Examples:
  cargo xtask chaos
  cargo xtask chaos --hours 24
  cargo xtask chaos --seed 119 --hours 0.001   one scenario again, by the seed that a failure named

Exits with 0 when no invariant broke.";

/// Show how the driver routes a real codec, from the text that Linux prints of it.
///
/// The options are those of the program hda-codec: `cargo xtask codec --help`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Codec {
    /// Arguments of hda-codec
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub arguments: Vec<OsString>,
}
