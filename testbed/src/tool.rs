//! Programs that make a guest its own front end. They are built for the host, whose distribution the guests share.

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use crate::cargo_build::Messages;
use crate::{provision, workspace};

const PACKAGE: &str = "audiofront-tool";
const ALSA_PLUGIN: &str = "audiofront-alsa";
const VILLAIN: &str = "villain";

/// Builds `audiofront` and ALSA's plug-in in their profile.
///
/// # Errors
/// When one doesn't build.
pub fn build() -> Result<Vec<PathBuf>> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    // It does without where that isn't there; only the comparison is missing then.
    let features = match provision::alsa_library() {
        Ok(()) => "audiofront-tool/alsa",
        Err(error) => {
            eprintln!("{error:#}");
            ""
        }
    };
    let build = cmd!(
        shell,
        "{cargo} build --profile tool --package {PACKAGE} --features={features} --bin audiofront
         --package {ALSA_PLUGIN} --lib --message-format=json-render-diagnostics"
    );
    let messages = Messages::of(build, || "audiofront and ALSA's plug-in don't build".to_owned())?;
    Ok(vec![messages.executable(PACKAGE)?, messages.file("libasound_module_pcm_snddom.so")?])
}

/// Builds the hostile front end.
///
/// # Errors
/// When it doesn't build.
pub fn build_villain() -> Result<PathBuf> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    let build = cmd!(
        shell,
        "{cargo} build --profile tool --package {VILLAIN} --message-format=json-render-diagnostics"
    );
    Messages::of(build, || format!("{VILLAIN} doesn't build"))?.executable(VILLAIN)
}
