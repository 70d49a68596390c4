//! Needs of the tools: each is looked for, and installed if possible. Otherwise a message names it.
//!
//! Installed by itself: a target of rustup; packages, as root on Debian and what descends from it. Everywhere else the
//! one line that helps is printed and the command ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use xshell::{PushEnv, Shell, cmd};

use crate::workspace;

/// The image's target: freestanding, no vector registers.
pub const TARGET: &str = "x86_64-unknown-none";

/// The emulator.
pub const QEMU: &str = "qemu-system-x86_64";

/// A real recording, from alsa-utils: "front centre", a voice, 48 kHz, 16 bit, mono.
pub const RECORDING: &str = "/usr/share/sounds/alsa/Front_Center.wav";

/// Looks for the emulator.
pub fn qemu() -> Result<()> {
    let elsewhere = "qemu-system-x86 (Fedora), qemu-system-x86 and qemu-audio-dbus (Arch), qemu (others)";
    provide(QEMU, "qemu-system-x86", elsewhere, || on_path(QEMU))
}

/// Looks for the default recording and returns its path.
pub fn recording() -> Result<PathBuf> {
    let elsewhere = "alsa-utils; or name a recording with --wav";
    provide(RECORDING, "alsa-utils", elsewhere, || Path::new(RECORDING).exists())?;
    Ok(PathBuf::from(RECORDING))
}

/// Looks for ALSA's library with its headers: tests hold the plug-in's ABI against them, and the comparison by
/// `audiofront echo-check --alsa` is linked with it.
pub fn alsa_library() -> Result<()> {
    const HEADER: &str = "/usr/include/alsa/pcm_external.h";
    let elsewhere = "alsa-lib-devel (Fedora), alsa-lib (Arch)";
    provide(HEADER, "libasound2-dev", elsewhere, || Path::new(HEADER).exists())?;
    provide("pkg-config", "pkg-config", "pkgconf", || on_path("pkg-config"))
}

/// Looks for the compiler of C++, which the fuzzer itself is written in.
pub fn cpp_compiler() -> Result<()> {
    provide("c++", "g++", "gcc-c++ (Fedora), gcc (Arch)", || on_path("c++"))
}

/// Looks for the linter of shell scripts.
pub fn shellcheck() -> Result<()> {
    provide("shellcheck", "shellcheck", "shellcheck, ShellCheck (Fedora)", || on_path("shellcheck"))
}

/// Looks for the emulator's module that talks to a sound server of the host.
pub fn qemu_sound(driver: &'static str) -> Result<()> {
    let what = "the emulator's module for the host's sound";
    provide(what, "qemu-system-gui", "the emulator's audio modules", || {
        audio_drivers().is_ok_and(|drivers| drivers.iter().any(|name| name == driver))
    })
}

/// The names of the emulator's audio drivers that are installed.
pub fn audio_drivers() -> Result<Vec<String>> {
    let output = Command::new(QEMU).args(["-audiodev", "help"]).output().context(QEMU)?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().skip(1).map(|line| line.trim().to_owned()).collect())
}

/// Where the core library for the image's target comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreLibrary {
    /// It's installed, as rustup does.
    Installed,
    /// It's compiled from its source, as Debian's toolchain (rustc-web, rust-web-src) must.
    Source,
}

impl CoreLibrary {
    /// Cargo's arguments besides the target.
    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            CoreLibrary::Installed => &[],
            CoreLibrary::Source => &["-Zbuild-std=core,alloc"],
        }
    }

    /// Makes a stable cargo accept the arguments, while the guard lives.
    pub fn environment(self, shell: &Shell) -> Option<PushEnv<'_>> {
        (self == CoreLibrary::Source).then(|| shell.push_env("RUSTC_BOOTSTRAP", "1"))
    }
}

/// Looks for the compiler's core library for the image's target.
pub fn rust_target() -> Result<CoreLibrary> {
    let shell = workspace::shell()?;
    let rustc = workspace::rustc();
    let print = |what: &[&str]| {
        let path = cmd!(shell, "{rustc} --print {what...}").quiet().ignore_stderr().read();
        PathBuf::from(path.unwrap_or_default().trim())
    };
    let installed = || {
        let libdir = print(&["target-libdir", "--target", TARGET]);
        std::fs::read_dir(libdir).is_ok_and(|mut entries| entries.next().is_some())
    };
    if installed() {
        return Ok(CoreLibrary::Installed);
    }
    if on_path("rustup") {
        eprintln!("Rust's target {TARGET} is missing: rustup adds it");
        cmd!(shell, "rustup target add {TARGET}").run().with_context(|| {
            format!("rustup can't add {TARGET}; is the network there? By hand: rustup target add {TARGET}")
        })?;
        if installed() {
            return Ok(CoreLibrary::Installed);
        }
    }
    if print(&["sysroot"]).join("lib/rustlib/src/rust/library/core").is_dir() {
        return Ok(CoreLibrary::Source);
    }
    bail!(
        "Rust's target {TARGET} is missing, and there is no rustup to add it. Install rustup and run: \
         rustup target add {TARGET}. Or, with Debian's toolchain, install its source: rust-web-src"
    )
}

/// Looks for a component of the toolchain, as cargo subcommand.
pub fn component(subcommand: &str, component: &str) -> Result<()> {
    let shell = workspace::shell()?;
    if has_subcommand(&shell, subcommand) {
        return Ok(());
    }
    if on_path("rustup") {
        eprintln!("cargo {subcommand} is missing: rustup adds {component}");
        cmd!(shell, "rustup component add {component}").run()?;
    }
    if has_subcommand(&shell, subcommand) {
        return Ok(());
    }
    bail!(
        "cargo {subcommand} is missing. Install it: rustup component add {component}, or your system's package for it"
    )
}

fn has_subcommand(shell: &Shell, name: &str) -> bool {
    let cargo = workspace::cargo();
    cmd!(shell, "{cargo} {name} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Looks for cargo-deny, which judges licences and sources.
pub fn cargo_deny() -> Result<()> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    if has_subcommand(&shell, "deny") {
        return Ok(());
    }
    eprintln!("cargo-deny is missing: cargo installs it, which takes some minutes");
    cmd!(shell, "{cargo} install --locked cargo-deny").run().context("cargo can't install cargo-deny")
}

/// Installs Debian's package if something is missing, or else names the package. `elsewhere` has its names in other systems.
fn provide(what: &str, debian: &str, elsewhere: &str, there: impl Fn() -> bool) -> Result<()> {
    if there() {
        return Ok(());
    }
    if !is_debian() {
        bail!("{what} is missing. Install it with your system's package manager: {elsewhere}");
    }
    if !is_root() {
        bail!("{what} is missing. Install it: sudo apt-get install {debian}");
    }
    eprintln!("{what} is missing: installing the package {debian}");
    apt_get(&["update"]).context("apt-get can't fetch the lists of packages")?;
    apt_get(&["install", "--yes", "--no-install-recommends", debian])
        .with_context(|| format!("apt-get can't install {debian}"))?;
    if !there() {
        bail!("{debian} is installed, and yet {what} is missing");
    }
    Ok(())
}

/// Whether this process is root's: a process's folder belongs to its effective user.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs apt-get without a word. Its output goes to a file; the end of that is shown when it fails.
fn apt_get(arguments: &[&str]) -> Result<()> {
    const SHOWN_LINES: usize = 20;
    let path = workspace::target_dir().join("apt-get.log");
    std::fs::create_dir_all(workspace::target_dir())?;
    let log = std::fs::File::create(&path).with_context(|| path.display().to_string())?;
    let status = Command::new("apt-get")
        .args(["-qq", "-o=Dpkg::Use-Pty=0"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .context("apt-get")?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    for line in lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)) {
        eprintln!("{line}");
    }
    bail!("apt-get {} ended with {status}; all of it: {}", arguments.join(" "), path.display())
}

fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists() && on_path("apt-get")
}

/// Whether a program of this name is on the path.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
