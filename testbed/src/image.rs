//! The image: how it's built and how large it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use xshell::{Shell, cmd};

use crate::{provision, workspace};

/// The image's target: freestanding, no vector registers.
pub(crate) const TARGET: &str = "x86_64-unknown-none";

/// The package that is the image.
pub(crate) const PACKAGE: &str = "snddom-kernel";

/// An image may load this much: 512 KiB.
pub(crate) const LIMIT_BYTES: u64 = 512 * 1024;

/// A built image.
pub(crate) struct Image {
    /// The ELF file.
    pub(crate) path: PathBuf,
    /// The file's size: headers, and what is loaded.
    pub(crate) file_bytes: u64,
    /// What is read from the file into memory: all loadable segments.
    pub(crate) loaded_bytes: u64,
    /// What the loadable segments take in memory, zeroed data included.
    pub(crate) memory_bytes: u64,
}

impl Image {
    /// Fails when the image's file is larger than [`LIMIT_BYTES`], and so what it loads.
    pub(crate) fn check_size(&self) -> Result<()> {
        if self.file_bytes > LIMIT_BYTES {
            bail!("the image has {} octets, {LIMIT_BYTES} is the limit", self.file_bytes);
        }
        Ok(())
    }
}

/// Builds the image in the release profile.
///
/// # Errors
/// When it doesn't build, or what comes out is no ELF64 executable.
pub(crate) fn build() -> Result<Image> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    let core = provision::rust_target()?;
    let _environment = core.environment(&shell);
    let core = core.arguments();
    // In place of all other flags, of the environment and of configuration files: the image is the same everywhere.
    let _flags = shell.push_env("CARGO_ENCODED_RUSTFLAGS", flags(&shell)?);
    // The messages say where the executable lies, wherever cargo was told to put its files.
    let build = cmd!(
        shell,
        "{cargo} build --release --package {PACKAGE} --target {TARGET} --message-format=json-render-diagnostics {core...}"
    );
    eprintln!("$ {build}");
    let messages = build.quiet().read().context("the image doesn't build")?;
    let path = executable(&messages, PACKAGE)?;
    let file = std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
    let (loaded_bytes, memory_bytes) = loadable(&file)
        .ok_or_else(|| anyhow!("{} is no ELF64 file with segments to load", path.display()))?;
    Ok(Image { path, file_bytes: file.len() as u64, loaded_bytes, memory_bytes })
}

/// The executable that cargo's messages name last.
pub(crate) fn executable(messages: &str, package: &str) -> Result<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .ok_or_else(|| anyhow!("cargo names no executable for {package}"))
}

/// How code is made for an image that is linked to run at one address: none of it has to look up where something lies,
/// and in such code a table of jumps takes twice the room of the comparisons in its place.
const CODE_FLAGS: [&str; 2] = ["-Crelocation-model=static", "-Cjump-tables=no"];

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

    // What the installed core library calls its source, also where that source lies on this machine.
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = cmd!(shell, "{rustc} --version --verbose").quiet().read()?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    let sysroot = cmd!(shell, "{rustc} --print sysroot").quiet().read()?;
    remapped.push((Path::new(&sysroot).join("lib/rustlib/src/rust"), format!("/rustc/{commit}")));

    let paths = remapped.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let flags = CODE_FLAGS.into_iter().map(str::to_owned).chain(paths);
    Ok(flags.collect::<Vec<_>>().join("\u{1f}"))
}

/// Sums up the loadable segments of an ELF64 file: octets in the file, octets in memory.
fn loadable(elf: &[u8]) -> Option<(u64, u64)> {
    // ELF-64 object file format: header fields by their offsets, program headers of 56 octets.
    const CLASS_64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
    const E_PHOFF: usize = 0x20;
    const E_PHENTSIZE: usize = 0x36;
    const E_PHNUM: usize = 0x38;
    const PT_LOAD: u32 = 1;
    const P_FILESZ: usize = 0x20;
    const P_MEMSZ: usize = 0x28;

    let u16_at = |at: usize| Some(u16::from_le_bytes(*elf.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(*elf.get(at..)?.first_chunk()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(*elf.get(at..)?.first_chunk()?));

    if !elf.starts_with(CLASS_64_LITTLE) {
        return None;
    }
    let table = usize::try_from(u64_at(E_PHOFF)?).ok()?;
    let entry_size = usize::from(u16_at(E_PHENTSIZE)?);
    let mut sums = (0_u64, 0_u64);
    for index in 0..usize::from(u16_at(E_PHNUM)?) {
        let entry = table.checked_add(index * entry_size)?;
        if u32_at(entry)? == PT_LOAD {
            sums.0 = sums.0.checked_add(u64_at(entry.checked_add(P_FILESZ)?)?)?;
            sums.1 = sums.1.checked_add(u64_at(entry.checked_add(P_MEMSZ)?)?)?;
        }
    }
    (sums.1 > 0).then_some(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loadable_segments_count() {
        let mut elf = vec![0; 64 + 2 * 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[0x20] = 64;
        elf[0x36] = 56;
        elf[0x38] = 2;
        elf[64] = 1; // PT_LOAD
        elf[64 + 0x20] = 100;
        elf[64 + 0x28] = 120;
        elf[64 + 56] = 4; // PT_NOTE
        elf[64 + 56 + 0x20] = 20;
        assert_eq!(loadable(&elf), Some((100, 120)));
        elf[64] = 4;
        assert_eq!(loadable(&elf), None);
    }

    #[test]
    fn what_is_no_elf_has_no_size() {
        assert_eq!(loadable(b""), None);
        assert_eq!(loadable(&[0x7f; 200]), None);
        assert_eq!(loadable(b"\x7fELF\x02\x01 cut short"), None);
    }
}
