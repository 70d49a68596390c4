//! Where things lie: the workspace, cargo, a place for files of a run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xshell::Shell;

use crate::ignored;

/// The root of the workspace.
pub fn root() -> PathBuf {
    // cargo sets the variable when it runs us; a binary that is called by its path knows where it was built.
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest_dir.parent().map_or(manifest_dir.clone(), Path::to_path_buf)
}

/// The cargo that runs us, or the one on the path.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The compiler that cargo is told to use, or the one on the path.
pub fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// A shell for short commands, at the root of the workspace. It prints each command before it runs it.
pub fn shell() -> Result<Shell> {
    let shell = Shell::new().context("no current directory")?;
    shell.change_dir(root());
    Ok(shell)
}

/// The packages of the workspace, by cargo's metadata.
///
/// # Errors
/// Cargo can't read a manifest.
pub fn packages() -> Result<Vec<Value>> {
    let metadata = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .context("cargo metadata")?;
    let mut metadata: Value = serde_json::from_slice(&metadata.stdout).context("cargo metadata")?;
    let Value::Array(packages) = metadata["packages"].take() else {
        bail!("cargo's metadata has no packages")
    };
    Ok(packages)
}

/// The target directory, absolute.
pub fn target_dir() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    root().join(given)
}

/// A directory of its own for the files of one run of the emulator; gone when dropped, unless kept.
pub struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    /// Makes an empty directory below the target directory.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new(keep: bool) -> Result<Scratch> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = target_dir().join("xtask").join(name);
        ignored(std::fs::remove_dir_all(&path), "only a killed process of the same number leaves one");
        std::fs::create_dir_all(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(Scratch { path, keep })
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            ignored(std::fs::remove_dir_all(&self.path), "the target directory may be removed at any time");
        }
    }
}
