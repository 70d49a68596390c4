//! What guests run to be front ends themselves: the host's own target, for guests of the host's distribution.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use xshell::cmd;

use crate::{image, provision, workspace};

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
    eprintln!("$ {build}");
    let messages = build.quiet().read().context("audiofront and ALSA's plug-in don't build")?;
    let plugin =
        library(&messages).ok_or_else(|| anyhow!("cargo names no shared library for {ALSA_PLUGIN}"))?;
    Ok(vec![image::executable(&messages, PACKAGE)?, plugin])
}

/// The shared library of ALSA's plug-in, of those files that cargo's messages name.
fn library(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let files = messages.filter_map(|message| message.get("filenames")?.as_array().cloned()).flatten();
    let mut files = files.filter_map(|file| file.as_str().map(PathBuf::from));
    files.rfind(|file| file.ends_with("libasound_module_pcm_snddom.so"))
}
