//! The commands, a file each. A test bed without a command's feature refuses the command.

#[cfg(feature = "bench")]
mod bench;
mod build;
#[cfg(feature = "check")]
mod check;
#[cfg(feature = "dist")]
mod dist;
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
        Command::Run(given) => run::Run::from(given).execute(),
        Command::Build(_) => build::execute(),
        #[cfg(feature = "test")]
        Command::Test(given) => test::Test::from(given).execute(),
        #[cfg(feature = "check")]
        Command::Check(_) => check::execute(),
        #[cfg(feature = "check")]
        Command::Picture(_) => check::picture(),
        #[cfg(feature = "check")]
        Command::Rooms(_) => check::rooms(),
        #[cfg(feature = "xen")]
        Command::Xen(given) => xen::Xen::from(given).execute(),
        #[cfg(feature = "dist")]
        Command::Dist(given) => dist::Dist::from(given).execute(),
        #[cfg(feature = "bench")]
        Command::Bench(given) => bench::Bench::from(given).execute(),
        _ => anyhow::bail!("this test bed was built without that command: call it by cargo xtask"),
    }
}
