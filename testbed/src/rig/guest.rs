//! A guest's root: Debian's kernel as it is, its sound driver, ALSA's programs, and what the user brings.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::packages::Tree;
use super::root::Root;

const INIT: &str = include_str!("../../rig/guest/init");

/// What a program needs to be a front end; and the kernel's own front end, which the guest's init leaves out when it is
/// told so.
const MODULES: &[&str] = &["xen-gntalloc", "xen-evtchn", "snd_xen_front"];

const PROGRAMS: &[&str] = &[
    "usr/bin/aplay",
    "usr/bin/arecord",
    "usr/bin/alsabat",
    "usr/bin/amixer",
    "usr/bin/speaker-test",
    "usr/bin/xenstore-read",
    "usr/bin/xenstore-write",
    "usr/bin/xenstore-watch",
];

/// The C library loads it when a thread ends.
const THREADS: &str = "libgcc_s.so.1";

/// The files of ALSA's library.
pub(super) const ALSA_CONFIG: &str = "usr/share/alsa";

/// Where ALSA's library looks for plug-ins.
const ALSA_PLUGINS: &str = "usr/lib/x86_64-linux-gnu/alsa-lib";

/// Where it looks for what the plug-in's PCM is.
const ALSA_PLUGIN_CONFIG: &str = "etc/alsa/conf.d/50-snddom.conf";

/// A recording to try things with, where Debian has it.
const RECORDING: &str = "usr/share/sounds/alsa/Front_Center.wav";

/// Files of one run.
#[derive(Default)]
pub struct Files {
    /// Files under /rig in the guest: names and contents.
    pub ours: Vec<(String, Vec<u8>)>,
    /// Programs of the host's that the guest has beside its system's; and ALSA's plug-ins, by the ending `.so`.
    pub programs: Vec<PathBuf>,
    /// A folder of the host that the guest has under /files.
    pub theirs: Option<PathBuf>,
}

/// The guests' initramfs.
///
/// # Errors
/// When the packages lack something, or a file can't be read.
pub(super) fn initramfs(tree: &Tree, files: &Files) -> Result<Vec<u8>> {
    let mut root = Root::new(tree)?;
    for program in PROGRAMS {
        root.program(program)?;
    }
    for program in &files.programs {
        let name = program.file_name().context("a program has a name")?.to_string_lossy();
        if program.extension().is_some_and(|ending| ending == "so") {
            root.host_program(program, &format!("{ALSA_PLUGINS}/{name}"))?;
            root.file(ALSA_PLUGIN_CONFIG, include_str!("../../../audiofront/alsa-plugin/50-snddom.conf"));
        } else {
            root.host_program(program, &format!("usr/bin/{name}"))?;
        }
    }
    root.library(THREADS)?;
    root.folder(ALSA_CONFIG)?;
    root.copy(&tree.file(RECORDING)?, RECORDING)?;
    root.modules(MODULES)?;
    root.file("init", INIT);
    root.directory("files");
    if let Some(folder) = &files.theirs {
        root.copy_folder(Path::new(folder), "files")?;
    }
    for (name, content) in &files.ours {
        root.file(&format!("rig/{name}"), content.clone());
    }
    root.initramfs()
}
