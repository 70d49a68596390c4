//! Carries out what `cargo xtask` asks for.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use testbed::{BadInput, ignored};

fn main() -> ExitCode {
    match testbed::commands::execute(xtask::Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            let told = writeln!(std::io::stderr(), "xtask: {error:#}");
            ignored(told, "nobody reads a closed standard error; the exit code says the same");
            if error.is::<BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
