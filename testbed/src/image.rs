//! The images: how they are built, and their sizes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::cargo_build::Messages;
use crate::provision::TARGET;
use crate::{elf, provision, workspace};

/// The images' package.
pub const PACKAGE: &str = "snddom-kernel";

/// Largest file of the shipped image: 512 KiB.
pub const LIMIT_BYTES: u64 = 512 * 1024;

/// The images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bin {
    /// The driver domain under Xen: the one that is shipped.
    Snddom,
    /// The test image for QEMU without Xen.
    Bare,
}

impl Bin {
    /// The executable's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snddom => "snddom",
            Self::Bare => "snddom-bare",
        }
    }

    /// Cargo's arguments for the image's feature alone.
    pub fn features(self) -> [&'static str; 3] {
        let feature = match self {
            Self::Snddom => "xen",
            Self::Bare => "bare",
        };
        ["--no-default-features", "--features", feature]
    }
}

/// A built image.
pub struct Image {
    /// The ELF file.
    pub path: PathBuf,
    /// The linker's map, which names the functions at the addresses of an epitaph.
    pub map: PathBuf,
    /// The file's size: headers, and all loaded bytes.
    pub file_bytes: u64,
    /// Bytes that are read from the file into memory: all loadable segments.
    pub loaded_bytes: u64,
    /// Size of the loadable segments in memory, zeroed data included.
    pub memory_bytes: u64,
}

impl Image {
    /// Builds an image in the release profile.
    ///
    /// # Errors
    /// It doesn't build, or isn't an ELF64 executable.
    pub fn build(bin: Bin) -> Result<Image> {
        let shell = workspace::shell()?;
        let cargo = workspace::cargo();
        let core = provision::rust_target()?;
        let _environment = core.environment(&shell);
        let core = core.arguments();
        // In place of all other flags, of the environment and of configuration files: the image is the same everywhere.
        let _flags = shell.push_env("CARGO_ENCODED_RUSTFLAGS", flags(&shell)?);
        let (name, features) = (bin.name(), bin.features());
        // The messages say where the executable lies, wherever cargo was told to put its files.
        let build = cmd!(
            shell,
            "{cargo} build --release --package {PACKAGE} --bin {name} {features...} --target {TARGET} --message-format=json-render-diagnostics {core...}"
        );
        let messages = Messages::of(build, || format!("{name} doesn't build"))?;
        let path = messages.executable(PACKAGE)?;
        let map = messages.build_folder(PACKAGE)?.join(format!("{name}.map"));
        let file = std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
        let loaded = elf::loaded_size(&file)
            .with_context(|| format!("{} is no ELF64 file with segments to load", path.display()))?;
        Ok(Image {
            path,
            map,
            file_bytes: file.len() as u64,
            loaded_bytes: loaded.file_bytes,
            memory_bytes: loaded.memory_bytes,
        })
    }

    /// Fails if the file is larger than [`LIMIT_BYTES`].
    pub fn check_size(&self) -> Result<()> {
        if self.file_bytes > LIMIT_BYTES {
            bail!("the image has {} bytes, {LIMIT_BYTES} is the limit", self.file_bytes);
        }
        Ok(())
    }
}

/// The image is linked to run at one address, so its code needs no indirection to find data.
const CODE_FLAGS: [&str; 1] = ["-Crelocation-model=static"];

/// The compiler's flags in the form of `CARGO_ENCODED_RUSTFLAGS`: [`CODE_FLAGS`], and such that keep this machine's paths
/// out of the image, where panics say in which file they are.
fn flags(shell: &Shell) -> Result<String> {
    let cargo = workspace::cargo();
    let metadata =
        cmd!(shell, "{cargo} metadata --format-version 1 --filter-platform {TARGET}").quiet().read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    // Where cargo unpacks what comes from registries: the folder's name depends on the registry's address.
    let registries: BTreeSet<&Path> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|package| package["source"].is_string())
        .filter_map(|package| Path::new(package["manifest_path"].as_str()?).parent()?.parent())
        .collect();
    let mut remapped: Vec<(PathBuf, String)> =
        registries.into_iter().map(|path| (path.to_path_buf(), "registry".to_owned())).collect();

    // The installed core library names its source so. With the source on this machine the name stays.
    let rustc = workspace::rustc();
    let version = cmd!(shell, "{rustc} --version --verbose").quiet().read()?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let sysroot = cmd!(shell, "{rustc} --print sysroot").quiet().read()?;
    remapped.push((Path::new(&sysroot).join("lib/rustlib/src/rust"), format!("/rustc/{commit}")));

    let paths = remapped.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let flags = CODE_FLAGS.into_iter().map(str::to_owned).chain(paths);
    Ok(flags.collect::<Vec<_>>().join("\u{1f}"))
}
