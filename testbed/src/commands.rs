//! The commands, a file each. A test bed without a command's feature refuses the command.

#[cfg(feature = "bench")]
mod bench;
mod build;
mod chaos;
#[cfg(feature = "check")]
mod check;
#[cfg(feature = "dist")]
mod dist;
mod fuzz;
mod miri;
mod run;
#[cfg(feature = "test")]
mod test;
#[cfg(feature = "xen")]
mod xen;

use std::process::ExitCode;

use anyhow::Result;
use xtask::Command;

/// Carries out a command.
///
/// # Errors
/// `BadInput` when the user's input can't be used, and anything that goes wrong around the work itself.
pub fn execute(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(given) => run::execute(given),
        Command::Build => build::execute(),
        Command::Fuzz(given) => fuzz::execute(given),
        Command::Miri(given) => miri::execute(&given),
        Command::Chaos(given) => chaos::execute(&given),
        #[cfg(feature = "test")]
        Command::Test(given) => test::execute(given),
        #[cfg(feature = "check")]
        Command::Check => check::execute(),
        #[cfg(feature = "check")]
        Command::Picture => check::picture(),
        #[cfg(feature = "check")]
        Command::Rooms => check::rooms(),
        #[cfg(feature = "xen")]
        Command::Xen(given) => xen::execute(given),
        #[cfg(feature = "dist")]
        Command::Dist(given) => dist::execute(given),
        #[cfg(feature = "bench")]
        Command::Bench(given) => bench::execute(given),
        _ => anyhow::bail!("this test bed was built without that command: call it by cargo xtask"),
    }
}
