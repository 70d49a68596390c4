//! The program that measures from within the rig's machines.

use anyhow::{Context, Result};
use xshell::cmd;

use crate::cargo_build::Messages;
use crate::workspace;

/// Its package, and the name under which the machines have it.
pub(super) const NAME: &str = "rig-probe";

/// Builds it: with nothing that it needs from the machine that it runs on, for dom0 and the guests have a C library of
/// their own.
///
/// # Errors
/// When it doesn't build.
pub(super) fn build() -> Result<Vec<u8>> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    let _flags = shell.push_env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    // With a target named, the flag is for the program alone and not for what is run while it is built.
    let build = cmd!(
        shell,
        "{cargo} build --release --package {NAME} --target x86_64-unknown-linux-gnu --message-format=json-render-diagnostics"
    );
    let path = Messages::of(build, || format!("{NAME} doesn't build"))?.executable(NAME)?;
    std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))
}
