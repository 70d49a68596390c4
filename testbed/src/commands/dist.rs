//! `cargo xtask dist`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use xshell::cmd;

use crate::BadInput;
use crate::archive::{self, Entry};
use crate::child;
use crate::image::{Bin, Image};
use crate::image_contents;
use crate::workspace::{self, Scratch};

/// Files from the repository: place, name in the archive, and whether it is executable.
const FILES: &[(&str, &str, bool)] = &[
    ("dist/README.md", "README.md", false),
    ("dist/snddom", "snddom", true),
    ("dist/snddom.cfg", "snddom.cfg", false),
    ("dist/guest-vsnd.cfg", "guest-vsnd.cfg", false),
    ("dist/snddom.service", "snddom.service", false),
    ("dist/snddom-names.service", "snddom-names.service", false),
    ("docs/real-box.md", "doc/real-box.md", false),
    ("docs/how-it-works.md", "doc/how-it-works.md", false),
    ("docs/control-page.md", "doc/control-page.md", false),
    ("docs/safety.md", "doc/safety.md", false),
    // Those above link to these.
    ("docs/guests.md", "doc/guests.md", false),
    ("docs/linux-front-end.md", "doc/linux-front-end.md", false),
    ("docs/design.md", "doc/design.md", false),
    ("CHANGELOG.md", "doc/CHANGELOG.md", false),
    ("LICENSE-APACHE", "LICENSE-APACHE", false),
    ("LICENSE-MIT", "LICENSE-MIT", false),
];

/// The image's name in the archive.
const IMAGE_NAME: &str = "snddom.elf";

/// Runs the command.
pub fn execute(given: xtask::Dist) -> Result<ExitCode> {
    let (path, archive) = pack()?;
    println!("archive     {}", path.display());
    println!("size        {} bytes", archive.len());
    print!("sha256      {}", archive::sum_line(&archive, &file_name(&path)));
    if !given.verify {
        return Ok(ExitCode::SUCCESS);
    }
    let again = pack_in_a_clone(&file_name(&path))?;
    if again == archive {
        println!("verified    a build from a clean clone gave the same bytes");
        return Ok(ExitCode::SUCCESS);
    }
    let kept = path.with_extension("other");
    std::fs::write(&kept, &again).with_context(|| kept.display().to_string())?;
    println!("verified    NO: a build from a clean clone differs: {}", kept.display());
    Ok(ExitCode::FAILURE)
}

/// Builds and packs; writes archive and sum.
fn pack() -> Result<(PathBuf, Vec<u8>)> {
    let root = workspace::root();
    let modified_s = modified_s()?;
    let image = Image::build(Bin::Snddom)?;
    image.check_size()?;
    image_contents::check(&image)?;
    let content = std::fs::read(&image.path).with_context(|| image.path.display().to_string())?;
    if let Some(path) = path_of_the_builder(&content) {
        bail!("the image holds a path of this machine: {path}");
    }
    let mut entries = vec![
        Entry { name: IMAGE_NAME.to_owned(), executable: false, content },
        Entry {
            name: "BUILD".to_owned(),
            executable: false,
            content: build_record(modified_s)?.into_bytes(),
        },
    ];
    for (place, name, executable) in FILES {
        let content = std::fs::read(root.join(place)).with_context(|| format!("can't read {place}"))?;
        entries.push(Entry { name: (*name).to_owned(), executable: *executable, content });
    }

    let name = format!("snddom-{}-x86_64", env!("CARGO_PKG_VERSION"));
    let archive = archive::pack(&name, &entries, modified_s)?;
    let directory = workspace::target_dir().join("dist");
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let path = directory.join(format!("{name}.tar.gz"));
    let sum = directory.join(format!("{name}.tar.gz.sha256"));
    std::fs::write(&path, &archive).with_context(|| path.display().to_string())?;
    std::fs::write(&sum, archive::sum_line(&archive, &file_name(&path)))
        .with_context(|| sum.display().to_string())?;
    Ok((path, archive))
}

/// Has this very program pack a fresh clone of the last commit, with a target directory of its own.
fn pack_in_a_clone(archive: &str) -> Result<Vec<u8>> {
    let shell = workspace::shell()?;
    let changed = cmd!(shell, "git status --porcelain --untracked-files=no").quiet().read()?;
    ensure!(changed.is_empty(), "files differ from the last commit, and a clone has only what is committed");
    let scratch = Scratch::new(false)?;
    let clone = scratch.file("a-clone-elsewhere");
    let root = workspace::root();
    cmd!(shell, "git clone --quiet --no-local {root} {clone}").run()?;
    // The branch that a clone checks out is not the commit of a detached head.
    let commit = cmd!(shell, "git rev-parse HEAD").quiet().read()?;
    cmd!(shell, "git -C {clone} checkout --quiet --detach {commit}").run()?;
    let target = scratch.file("target-elsewhere");
    let status = Command::new(child::OURSELVES)
        .arg("dist")
        .env("CARGO_MANIFEST_DIR", clone.join("testbed"))
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(&clone)
        .status()?;
    ensure!(status.success(), "the clone doesn't build");
    let path = target.join("dist").join(archive);
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// The time of everything in the archive, in seconds since 1970.
fn modified_s() -> Result<u64> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return given.parse().map_err(|_| {
            BadInput(format!("SOURCE_DATE_EPOCH is {given:?}, and should be seconds since 1970")).into()
        });
    }
    let shell = workspace::shell()?;
    let time = cmd!(shell, "git log -1 --format=%ct").quiet().ignore_stderr().read().unwrap_or_default();
    time.trim().parse().map_err(|_| {
        BadInput("git has no time of a last commit here: set SOURCE_DATE_EPOCH".to_owned()).into()
    })
}

/// The image's commit, time and compiler.
fn build_record(modified_s: u64) -> Result<String> {
    let shell = workspace::shell()?;
    let git = |what: &[&str]| cmd!(shell, "git {what...}").quiet().ignore_stderr().read().unwrap_or_default();
    let commit = git(&["rev-parse", "HEAD"]);
    let commit = if commit.is_empty() { "unknown" } else { &commit };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let changed = if changed.is_empty() { "" } else { ", with changes" };
    let rustc = workspace::rustc();
    let compiler = cmd!(shell, "{rustc} --version").quiet().read()?;
    Ok(format!(
        "version   {}\ncommit    {commit}{changed}\ntime      {modified_s}\ncompiler  {compiler}\n",
        env!("CARGO_PKG_VERSION")
    ))
}

/// A path of this machine in a file: the workspace's, cargo's, the toolchain's or the target directory's.
fn path_of_the_builder(file: &[u8]) -> Option<String> {
    let home = ["CARGO_HOME", "RUSTUP_HOME", "HOME"].map(|name| std::env::var_os(name).map(PathBuf::from));
    let places = home.into_iter().flatten().chain([workspace::root(), workspace::target_dir()]);
    places
        // Of such a short path it can't be said.
        .filter(|place| place.as_os_str().len() >= 4)
        .map(|place| format!("{}/", place.display()))
        .find(|place| file.windows(place.len()).any(|window| window == place.as_bytes()))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_packed_is_in_the_repository() {
        for (place, ..) in FILES {
            assert!(workspace::root().join(place).is_file(), "{place}");
        }
    }

    #[test]
    fn a_path_of_the_builder_is_found() {
        let root = workspace::root().display().to_string();
        assert!(
            path_of_the_builder(format!("panicked at {root}/kernel/src/bin/snddom.rs").as_bytes()).is_some()
        );
        assert_eq!(path_of_the_builder(b"panicked at kernel/src/bin/snddom.rs"), None);
    }
}
