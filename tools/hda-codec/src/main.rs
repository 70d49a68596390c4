//! `cargo xtask codec`, or `hda-codec` by its own name.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use hda_codec::{BadInput, Codec};

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
            // Nothing is left to do when standard error is closed.
            let _ = writeln!(std::io::stderr(), "hda-codec: {error:#}");
            if error.is::<BadInput>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
