//! Programs that make a guest its own front end. They are built for the host, whose distribution the guests share.

use std::path::PathBuf;

use anyhow::Result;
use xshell::cmd;

use crate::cargo_build::Messages;
use crate::{provision, workspace};

const PACKAGE: &str = "audiofront-tool";
const ALSA_PLUGIN: &str = "audiofront-alsa";

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
