//! Cargo's messages about a build: JSON, one a line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::Cmd;

/// The messages of a build that succeeded.
pub struct Messages(Vec<Value>);

impl Messages {
    /// Runs a `cargo build` that writes JSON messages. `failure` is the error's text.
    ///
    /// # Errors
    /// The build fails.
    pub fn of(build: Cmd<'_>, failure: impl FnOnce() -> String) -> Result<Messages> {
        eprintln!("$ {build}");
        let text = build.quiet().read().with_context(failure)?;
        Ok(Messages(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
    }

    /// The last executable.
    ///
    /// # Errors
    /// There is none.
    pub fn executable(&self, package: &str) -> Result<PathBuf> {
        let mut executables = self.0.iter().filter_map(|message| message["executable"].as_str());
        let last =
            executables.next_back().with_context(|| format!("cargo names no executable for {package}"))?;
        Ok(PathBuf::from(last))
    }

    /// The output folder of a package's build script.
    ///
    /// # Errors
    /// The package has none.
    pub fn build_folder(&self, package: &str) -> Result<PathBuf> {
        let is_its_script = |message: &&Value| {
            message["reason"] == "build-script-executed"
                && message["package_id"].as_str().is_some_and(|id| id.contains(package))
        };
        let mut folders =
            self.0.iter().filter(is_its_script).filter_map(|message| message["out_dir"].as_str());
        let last =
            folders.next_back().with_context(|| format!("cargo names no build script of {package}"))?;
        Ok(PathBuf::from(last))
    }

    /// A built file by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        let files = self.0.iter().filter_map(|message| message["filenames"].as_array()).flatten();
        let mut named = files.filter_map(Value::as_str).map(Path::new).filter(|file| file.ends_with(name));
        let last = named.next_back();
        Ok(last.with_context(|| format!("cargo names no {name}"))?.to_path_buf())
    }
}
