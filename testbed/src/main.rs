//! Builds, runs, tests and checks snddom: `cargo xtask --help`.

mod archive;
mod bench;
mod child;
mod codec;
mod commands;
mod compare;
#[cfg(test)]
mod dom0_script;
mod elf;
mod harness;
mod house_rules;
mod image;
mod image_contents;
mod lanes;
mod machine_line;
mod plot;
mod provision;
mod qemu;
mod rig;
mod session;
mod summary;
mod tool;
mod verdict;
mod wav;
mod workspace;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run, test and check snddom, a sound driver domain.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
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
  cargo xtask bench                          what it costs and how true its positions are, in one table

Exit codes: 0 all is well, 1 something failed, 2 the input or the usage is wrong.";

#[derive(Subcommand)]
enum Command {
    Run(commands::run::Run),
    Test(commands::test::Test),
    Check(commands::check::Check),
    Build(commands::build::Build),
    Xen(commands::xen::Xen),
    Dist(commands::dist::Dist),
    Bench(commands::bench::Bench),
    Codec(commands::codec::Codec),
}

/// What the user gave can't be used: one line that says why, and exit code 2.
#[derive(Debug)]
struct BadInput(String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(run) => run.execute(),
        Command::Test(test) => test.execute(),
        Command::Check(check) => check.execute(),
        Command::Build(build) => build.execute(),
        Command::Xen(xen) => xen.execute(),
        Command::Dist(dist) => dist.execute(),
        Command::Bench(bench) => bench.execute(),
        Command::Codec(codec) => codec.execute(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Whoever reads standard error may be gone: nothing is left to be done about that.
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            if error.is::<BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
