//! `cargo xtask codec`, or `hda-codec` by its own name.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use hda_codec::{BadInput, Codec, ignored};

#[derive(Parser)]
#[command(bin_name = "cargo xtask codec", version)]
struct Arguments {
    #[command(flatten)]
    codec: Codec,
}

fn main() -> ExitCode {
    match Arguments::parse().codec.execute() {
        Ok(code) => code,
        Err(error) => {
            let told = writeln!(std::io::stderr(), "hda-codec: {error:#}");
            ignored(told, "nobody reads a closed standard error; the exit code says the same");
            if error.is::<BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
