//! The program that guests run as their front end: the host's own target, for guests of the host's distribution.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{image, provision, workspace};

const PACKAGE: &str = "audiofront-linux";

/// Builds `audiofront` in its profile.
///
/// # Errors
/// When it doesn't build.
pub(crate) fn build() -> Result<PathBuf> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    // It does without where that isn't there; only the comparison is missing then.
    let features = match provision::alsa_library() {
        Ok(()) => "alsa",
        Err(error) => {
            eprintln!("{error:#}");
            ""
        }
    };
    let build = cmd!(
        shell,
        "{cargo} build --profile tool --package {PACKAGE} --features={features} --bin audiofront
         --message-format=json-render-diagnostics"
    );
    eprintln!("$ {build}");
    let messages = build.quiet().read().context("the tool audiofront doesn't build")?;
    image::executable(&messages, PACKAGE)
}
