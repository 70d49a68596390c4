//! Debian's packages: fetched once, unpacked into a tree, from which the roots are picked.
//!
//! Nothing of this needs root, and nothing is installed: apt works in directories of its own, as if no package were
//! installed yet, so that it names all that is needed.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail, ensure};
use walkdir::WalkDir;
use xshell::cmd;

use crate::{provision, workspace};

/// The packages. Their dependencies come with them.
const PACKAGES: &[&str] = &[
    "linux-image-amd64",
    "xen-system-amd64",
    "xenstore-utils",
    "qemu-system-xen",
    "busybox-static",
    "alsa-utils",
    "pipewire-bin",
    "xz-utils",
];

/// PipeWire's modules. They are libraries, too: some of them are linked with others.
pub(super) const PIPEWIRE_MODULE_FOLDER: &str = "usr/lib/x86_64-linux-gnu/pipewire-0.3";

/// Folders with shared libraries.
const LIBRARY_FOLDERS: &[&str] =
    &["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib", PIPEWIRE_MODULE_FOLDER];

/// The version of the way in which a tree is made. A tree of another version isn't used.
const RECIPE: u32 = 2;

/// The unpacked packages.
pub(super) struct Tree {
    path: PathBuf,
}

impl Tree {
    /// The newest tree that was made, or else a new one.
    ///
    /// # Errors
    /// When there is none and apt can't help.
    pub(super) fn provide() -> Result<Tree> {
        // Runs side by side make one.
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = workspace::target_dir().join("rig-cache");
        if let Some(path) = newest(&cache) {
            return Ok(Tree { path });
        }
        for tool in ["apt-get", "dpkg-deb"] {
            ensure!(
                provision::on_path(tool),
                "{tool} is missing: dom0 and the guests are made of Debian's packages, on Debian 12 or later"
            );
        }
        let apt = Apt::new(&cache)?;
        eprintln!("packages of Debian are fetched for dom0 and the guests, once: about 140 MB");
        apt.update()?;
        let packages = apt.closure()?;
        let path = cache.join(key(&packages));
        let unfinished = cache.join("unfinished");
        for leftover in [&unfinished, &path] {
            if leftover.exists() {
                std::fs::remove_dir_all(leftover)?;
            }
        }
        let downloads = unfinished.join("downloads");
        std::fs::create_dir_all(&downloads)?;
        apt.download(&packages, &downloads)?;
        let tree = Tree { path: unfinished.clone() };
        unpack(&downloads, &unfinished.join("root"))?;
        std::fs::remove_dir_all(&downloads)?;
        tree.unpack_kernels()?;
        std::fs::write(unfinished.join("packages.txt"), lines(&packages))?;
        std::fs::rename(&unfinished, &path)?;
        Ok(Tree { path })
    }

    /// The hypervisor, an ELF file.
    pub(super) fn hypervisor(&self) -> PathBuf {
        self.path.join("xen")
    }

    /// The kernel of dom0 and of the guests, an ELF file.
    pub(super) fn kernel(&self) -> PathBuf {
        self.path.join("vmlinux")
    }

    /// Versions of what matters, for people.
    pub(super) fn versions(&self) -> Result<String> {
        let packages = std::fs::read_to_string(self.path.join("packages.txt"))?;
        let wanted = ["linux-image-6", "xen-hypervisor-4", "qemu-system-xen"];
        let packages = packages.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
        Ok(packages.collect::<Vec<_>>().join(", "))
    }

    /// A file of the packages by its path; symbolic links are followed inside the tree.
    ///
    /// # Errors
    /// When no package has it.
    pub(super) fn file(&self, path: &str) -> Result<PathBuf> {
        resolve(&self.root(), path).ok_or_else(|| anyhow!("none of the packages has {path}"))
    }

    /// A shared library by its name.
    ///
    /// # Errors
    /// When no package has it.
    pub(super) fn library(&self, name: &str) -> Result<PathBuf> {
        LIBRARY_FOLDERS
            .iter()
            .find_map(|folder| resolve(&self.root(), &format!("{folder}/{name}")))
            .ok_or_else(|| anyhow!("none of the packages has the library {name}"))
    }

    /// The folder of the kernel's modules, and of Xen's programs: both have a version in their name.
    ///
    /// # Errors
    /// When there isn't exactly one.
    pub(super) fn versioned(&self, parent: &str, prefix: &str) -> Result<String> {
        let folder = self.root().join(parent);
        let names = std::fs::read_dir(&folder)
            .with_context(|| folder.display().to_string())?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| {
                name.starts_with(prefix) && name[prefix.len()..].starts_with(|c: char| c.is_ascii_digit())
            });
        match names.collect::<Vec<_>>().as_slice() {
            [name] => Ok(format!("{parent}/{name}")),
            names => bail!("one {parent}/{prefix}* is expected in the packages, found {names:?}"),
        }
    }

    /// All files in a folder and its folders, by their paths.
    pub(super) fn files_below(&self, folder: &str) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for entry in WalkDir::new(self.root().join(folder)) {
            let entry = entry?;
            if !entry.file_type().is_dir() {
                files.push(entry.path().strip_prefix(self.root())?.to_string_lossy().into_owned());
            }
        }
        files.sort();
        Ok(files)
    }

    fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// Unpacks hypervisor and kernel, for the emulated machine would take long for it, at each boot.
    fn unpack_kernels(&self) -> Result<()> {
        let boot = self.files_below("boot")?;
        let named = |start: &str, end: &str| {
            boot.iter()
                .find(|name| name.starts_with(start) && name.ends_with(end))
                .with_context(|| format!("none of the packages has {start}*{end}"))
        };
        let shell = workspace::shell()?;
        let hypervisor = std::fs::read(self.root().join(named("boot/xen-", "-amd64.gz")?))?;
        let busybox = self.file("bin/busybox")?;
        let unpacked = cmd!(shell, "{busybox} gunzip -c").stdin(hypervisor).quiet().output()?.stdout;
        std::fs::write(self.hypervisor(), unpacked)?;

        let kernel = std::fs::read(self.root().join(named("boot/vmlinuz-", "")?))?;
        let payload = payload(&kernel).context("the kernel is no bzImage with a payload of xz")?;
        // By its own loader, for the machine may have neither the program nor its libraries.
        let (loader, xz) = (self.file("lib64/ld-linux-x86-64.so.2")?, self.file("usr/bin/xz")?);
        let libraries =
            ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map(|path| self.root().join(path));
        let libraries = std::env::join_paths(libraries)?;
        let xz = cmd!(shell, "{loader} --library-path {libraries} {xz} -d -c").stdin(payload);
        Ok(std::fs::write(self.kernel(), xz.quiet().output()?.stdout)?)
    }
}

/// The compressed kernel in a bzImage (Linux, Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length),
/// without the length that follows it.
fn payload(image: &[u8]) -> Option<&[u8]> {
    const SECTOR_BYTES: usize = 512;
    const LENGTH_BYTES: usize = 4;
    let number = |at: usize| usize::try_from(u32::from_le_bytes(*image.get(at..)?.first_chunk()?)).ok();
    let setup_sectors = usize::from(*image.get(0x1f1)?);
    let start = (setup_sectors + 1) * SECTOR_BYTES + number(0x248)?;
    let payload = image.get(start..start.checked_add(number(0x24c)?.checked_sub(LENGTH_BYTES)?)?)?;
    payload.starts_with(b"\xfd7zXZ").then_some(payload)
}

/// Follows a path below a root, as it is for programs that have it as their root.
fn resolve(root: &Path, path: &str) -> Option<PathBuf> {
    let mut left: Vec<String> = parts(Path::new(path));
    left.reverse();
    let mut at = PathBuf::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        match std::fs::read_link(root.join(&next)) {
            Ok(target) => {
                links += 1;
                if links > 40 {
                    return None;
                }
                if target.is_absolute() {
                    at = PathBuf::new();
                }
                left.extend(parts(&target).into_iter().rev());
            }
            Err(_) => at = next,
        }
    }
    let path = root.join(at);
    path.exists().then_some(path)
}

fn parts(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::ParentDir => Some("..".to_owned()),
            _ => None,
        })
        .collect()
}

/// The tree that was finished last.
fn newest(cache: &Path) -> Option<PathBuf> {
    let trees = std::fs::read_dir(cache).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let finished = name.starts_with(&format!("{RECIPE}-")) && entry.path().join("packages.txt").exists();
        finished.then_some((entry.metadata().ok()?.modified().ok()?, entry.path()))
    });
    trees.max().map(|(_, path)| path)
}

/// A package and its exact version, as apt takes it: `name=version`.
type Package = String;

fn key(packages: &[Package]) -> String {
    let mut hasher = DefaultHasher::new();
    packages.hash(&mut hasher);
    format!("{RECIPE}-{:016x}", hasher.finish())
}

fn lines(packages: &[Package]) -> String {
    packages.iter().map(|package| format!("{package}\n")).collect()
}

fn unpack(downloads: &Path, root: &Path) -> Result<()> {
    std::fs::create_dir_all(root)?;
    for entry in std::fs::read_dir(downloads)? {
        let package = entry?.path();
        if package.extension().is_none_or(|extension| extension != "deb") {
            continue;
        }
        let status = Command::new("dpkg-deb").arg("--extract").arg(&package).arg(root).status()?;
        ensure!(status.success(), "dpkg-deb can't unpack {}", package.display());
    }
    Ok(())
}

/// apt with the machine's sources and keys, and directories of its own.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn new(cache: &Path) -> Result<Apt> {
        let state = cache.join("apt");
        for folder in ["lists/partial", "archives/partial"] {
            std::fs::create_dir_all(state.join(folder)).with_context(|| state.display().to_string())?;
        }
        std::fs::write(state.join("status"), "")?;
        let option = |name: &str, value: &Path| format!("-o{name}={}", value.display());
        Ok(Apt {
            options: vec![
                option("Dir::State::status", &state.join("status")),
                option("Dir::State::lists", &state.join("lists")),
                option("Dir::Cache", &state),
                // Otherwise apt, run by root, becomes a user that can't write here.
                "-oAPT::Sandbox::User=root".to_owned(),
                "-oAPT::Install-Recommends=false".to_owned(),
                "-qq".to_owned(),
            ],
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.args(&self.options).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn update(&self) -> Result<()> {
        let status = self.command().arg("update").status().context("apt-get")?;
        ensure!(status.success(), "apt-get can't fetch the lists of packages; is the network there?");
        Ok(())
    }

    /// All packages that have to be there, sorted.
    fn closure(&self) -> Result<Vec<Package>> {
        let simulated = self
            .command()
            .args(["install", "--simulate"])
            .args(PACKAGES)
            .stderr(Stdio::inherit())
            .output()
            .context("apt-get")?;
        let packages = installed(&String::from_utf8_lossy(&simulated.stdout));
        ensure!(
            simulated.status.success() && !packages.is_empty(),
            "apt-get does not know how to get {}; Debian 12 does",
            PACKAGES.join(", ")
        );
        Ok(packages)
    }

    fn download(&self, packages: &[Package], into: &Path) -> Result<()> {
        let status =
            self.command().arg("download").args(packages).current_dir(into).status().context("apt-get")?;
        ensure!(status.success(), "apt-get can't download the packages");
        Ok(())
    }
}

/// The packages of a simulated installation: `Inst name (version source [architecture]) ...`.
fn installed(simulation: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = simulation
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
            let (_, rest) = rest.split_once('(')?;
            let version = rest.split([' ', ')']).next()?;
            Some(format!("{name}={version}"))
        })
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_a_simulation_have_exact_versions() {
        let simulation = "NOTE: This is only a simulation!\n\
            Inst libc6 (2.36-9+deb12u14 Debian:12.12/oldstable, Debian-Security:12 [amd64])\n\
            Inst busybox-static (1:1.35.0-4+deb12u1+b1 Debian:12 [amd64])\n\
            Inst libc6 [2.36-8] (2.36-9+deb12u14 Debian:12 [amd64]) []\n\
            Conf libc6 (2.36-9+deb12u14 Debian:12 [amd64])\n";
        assert_eq!(installed(simulation), ["busybox-static=1:1.35.0-4+deb12u1+b1", "libc6=2.36-9+deb12u14"]);
        assert!(installed("E: Unable to locate package xen\n").is_empty());
    }

    #[test]
    fn another_version_has_another_key() {
        let [one, other] = ["xen=4.17.7", "xen=4.17.8"].map(|package| key(&[package.to_owned()]));
        assert_ne!(one, other);
        assert_eq!(one, key(&["xen=4.17.7".to_owned()]));
    }

    #[test]
    fn links_stay_inside_the_tree() {
        let scratch = workspace::Scratch::new(false).expect("a directory");
        let root = scratch.path();
        std::fs::create_dir_all(root.join("usr/lib")).expect("made");
        std::fs::write(root.join("usr/lib/libx.so.1.2"), "x").expect("written");
        std::os::unix::fs::symlink("libx.so.1.2", root.join("usr/lib/libx.so.1")).expect("linked");
        std::os::unix::fs::symlink("/usr/lib", root.join("lib")).expect("linked");
        std::os::unix::fs::symlink("../../../../../etc/passwd", root.join("usr/out")).expect("linked");
        std::os::unix::fs::symlink("loop", root.join("loop")).expect("linked");
        assert_eq!(resolve(root, "/lib/libx.so.1"), Some(root.join("usr/lib/libx.so.1.2")));
        assert_eq!(resolve(root, "usr/out"), None);
        assert_eq!(resolve(root, "loop"), None);
        assert_eq!(resolve(root, "lib/none"), None);
    }

    #[test]
    fn what_is_no_kernel_has_no_payload() {
        assert_eq!(payload(b"MZ"), None);
        assert_eq!(payload(&[0xff; 4096]), None);
        let mut image = vec![0; 2048];
        image[0x1f1] = 1;
        image[0x24c] = 12;
        image[1024..1029].copy_from_slice(b"\xfd7zXZ");
        assert_eq!(payload(&image).map(<[u8]>::len), Some(8));
    }
}
