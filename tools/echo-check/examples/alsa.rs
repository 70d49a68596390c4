//! The echo test on an ALSA device: `alsa hw:0,0 [OPTIONS]`. The tool `audiofront echo-check --alsa` is the same.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use echo_check::alsa::AlsaDuplex;
use echo_check::command::EchoCheck;

#[derive(clap::Parser)]
struct Arguments {
    /// The device, as aplay knows it
    device: String,
    #[command(flatten)]
    check: EchoCheck,
}

fn main() -> ExitCode {
    let Arguments { device, check } = Arguments::parse();
    let result = AlsaDuplex::open(&device).and_then(|mut streams| check.execute(&mut streams));
    result.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::from(2)
    })
}
