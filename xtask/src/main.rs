//! `cargo xtask`: judges the command line, says what is built for the command, and has cargo build and run it.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::{Command as Process, ExitCode};

use clap::Parser;
use xtask::{Arguments, Command};

fn main() -> ExitCode {
    let Program { package, features, purpose } = program(&Arguments::parse().command);
    eprintln!("xtask: {purpose}");
    let mut cargo = Process::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["run", "--package", package]);
    if let Some(features) = features {
        cargo.args(["--no-default-features", "--features", &features.join(",")]);
    }
    // The codec tool has no commands of ours: its arguments follow the word `codec`.
    let skipped = if package == HDA_CODEC { 2 } else { 1 };
    let arguments: Vec<OsString> = std::env::args_os().skip(skipped).collect();
    cargo.arg("--").args(arguments);
    match cargo.status() {
        // A child that a signal killed has no code, and is no success.
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("xtask: can't start cargo: {error}");
            ExitCode::FAILURE
        }
    }
}

const HDA_CODEC: &str = "hda-codec";

/// The program that carries out a command.
struct Program {
    package: &'static str,
    /// Features of the test bed that the command needs.
    features: Option<Vec<&'static str>>,
    /// One line for the user.
    purpose: &'static str,
}

fn program(command: &Command) -> Program {
    let test_bed = |features: Vec<&'static str>, purpose| Program {
        package: "testbed",
        features: Some(features),
        purpose,
    };
    match command {
        Command::Run(run) => {
            let wanted = [
                ("plot", run.plot.is_some()),
                ("harness", run.record.is_some()),
                ("room", run.room.is_some()),
                // A recording may need another rate.
                ("resample", !run.wav.is_empty()),
            ];
            let features = wanted.iter().filter(|(_, is_wanted)| *is_wanted).map(|(name, _)| *name);
            test_bed(
                features.collect(),
                "building the test bed (about 20 crates the first time), then the image (about 35), then running it",
            )
        }
        Command::Build => test_bed(vec![], "building the test bed, then the image"),
        Command::Chaos(_) => test_bed(
            vec![],
            "building the test bed, then the driver domain with its models (some minutes the first time)",
        ),
        Command::Check => {
            test_bed(vec!["check"], "building the test bed, then checking the workspace step by step")
        }
        Command::Picture | Command::Rooms => test_bed(vec!["check"], "building the test bed's checks"),
        Command::Dist(_) => test_bed(
            vec!["dist"],
            "building the test bed, then the image, then packing both with the documents",
        ),
        Command::Xen(_) => test_bed(
            vec!["xen"],
            "building the test bed with its Xen rig, then the image and the guests' programs",
        ),
        Command::Bench(_) => {
            test_bed(vec!["bench"], "building the test bed with its Xen rig, then measuring stage by stage")
        }
        Command::Fuzz(_) => test_bed(vec![], "building the test bed, then the fuzzer's program"),
        Command::Miri(_) => test_bed(vec![], "building the test bed, then the suites under Miri"),
        Command::Test(_) => test_bed(
            vec!["test"],
            "building the whole test bed (about 200 crates the first time, some minutes), then running the lanes",
        ),
        Command::Codec(_) => Program {
            package: HDA_CODEC,
            features: None,
            purpose: "building the codec tool (a minute the first time)",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(words: &[&str]) -> Vec<&'static str> {
        let words = ["xtask"].iter().chain(words);
        program(&Arguments::parse_from(words).command).features.expect("a command of the test bed")
    }

    #[test]
    fn the_plain_run_needs_nothing_beyond_the_base() {
        assert!(features(&["run"]).is_empty());
        assert!(features(&["build"]).is_empty());
        assert!(features(&["chaos", "--hours", "24"]).is_empty());
    }

    #[test]
    fn each_option_brings_its_part_along() {
        assert_eq!(features(&["run", "--plot", "a.svg"]), ["plot"]);
        assert_eq!(features(&["run", "--record", "1"]), ["harness"]);
        let room = ["run", "--wav", "a.wav", "--record", "1", "--room", "5"];
        assert_eq!(features(&room), ["harness", "room", "resample"]);
    }

    #[test]
    fn the_codec_tool_takes_any_words() {
        let given = Arguments::parse_from(["xtask", "codec", "show", "--svg", "-", "file"]);
        assert_eq!(program(&given.command).package, HDA_CODEC);
        let help = Arguments::parse_from(["xtask", "codec", "--help"]);
        assert_eq!(program(&help.command).package, HDA_CODEC);
    }
}
