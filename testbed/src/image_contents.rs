//! The shipped image holds the driver domain alone: no guest, no hypervisor in memory, no faults on command.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use xshell::cmd;

use crate::image::{Bin, Image, PACKAGE};
use crate::workspace;

/// Paths whose items belong to the image without Xen.
const FOREIGN_PATHS: [&str; 3] = ["snddom_kernel::bare", "hypervisor_model::", "audiofront::"];

/// A path that every map of the shipped image names. A map without it was misread.
const OWN_PATH: &str = "snddom_kernel::xen";

/// Packages that the shipped image must not depend on.
const FOREIGN_PACKAGES: [&str; 2] = ["hypervisor-model", "audiofront"];

/// Packages that the shipped image stands on.
const OWN_PACKAGES: [&str; 5] = ["linked_list_allocator", "spin", "heapless", "xen-sys", "snd-hda"];

/// Checks the linker's map and the packages of the shipped image. Returns a line about both.
///
/// # Errors
/// One of them names a part that belongs to the other image, or lacks one that it must have.
pub(crate) fn check(shipped: &Image) -> Result<String> {
    let map = std::fs::read_to_string(&shipped.map).with_context(|| shipped.map.display().to_string())?;
    let symbols = check_symbols(&map)?;
    let packages = check_packages(&dependencies()?)?;
    Ok(format!("{symbols} symbols and {packages} packages, none of the test image"))
}

/// The packages of the shipped image, as cargo draws them.
fn dependencies() -> Result<String> {
    let shell = workspace::shell()?;
    let (cargo, features) = (workspace::cargo(), Bin::Snddom.features());
    cmd!(shell, "{cargo} tree --package {PACKAGE} {features...} --edges normal --prefix none")
        .quiet()
        .read()
        .context("cargo tree")
}

/// Checks the symbols of a linker's map, and counts them.
fn check_symbols(map: &str) -> Result<usize> {
    let symbols: BTreeSet<String> = map.split_whitespace().filter_map(demangled).collect();
    let foreign: Vec<&str> = symbols
        .iter()
        .filter(|symbol| FOREIGN_PATHS.iter().any(|path| symbol.contains(path)))
        .map(String::as_str)
        .collect();
    ensure!(foreign.is_empty(), "the shipped image holds parts of the test image: {}", foreign.join(", "));
    ensure!(
        symbols.iter().any(|symbol| symbol.contains(OWN_PATH)),
        "the linker's map has no symbol of {OWN_PATH}: it isn't the shipped image's"
    );
    Ok(symbols.len())
}

/// The path of a mangled Rust name; also of a section that bears one.
fn demangled(word: &str) -> Option<String> {
    let start = word.find("_ZN").or_else(|| word.find("_R"))?;
    let symbol = rustc_demangle::try_demangle(word.get(start..)?).ok()?;
    Some(format!("{symbol:#}"))
}

/// Checks the packages that `cargo tree` lists, and counts them.
fn check_packages(tree: &str) -> Result<usize> {
    let packages: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    if let Some(foreign) = FOREIGN_PACKAGES.iter().find(|name| packages.contains(*name)) {
        bail!("the shipped image depends on {foreign}, which belongs to the test image");
    }
    if let Some(missing) = OWN_PACKAGES.iter().find(|name| !packages.contains(*name)) {
        bail!("the shipped image doesn't depend on {missing}");
    }
    Ok(packages.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
     VMA              LMA     Size Align Out     In      Symbol
  100040           100040      5a3    16         snddom.o:(.text._ZN13snddom_kernel3xen7runtime4main17h0123456789abcdefE)
  100040           100040      5a3     1                 _ZN13snddom_kernel3xen7runtime4main17h0123456789abcdefE
  1005f0           1005f0       20     1                 pvh_start32
";

    #[test]
    fn a_map_of_the_driver_domain_passes() {
        assert_eq!(check_symbols(GOOD).expect("nothing foreign"), 1);
    }

    #[test]
    fn a_symbol_of_the_test_image_is_found() {
        for symbol in [
            "_ZN13snddom_kernel4bare5fault6commit17h0123456789abcdefE",
            "_ZN13snddom_kernel4bare9loop_back17LoopBack$LT$M$GT$4poll17h0123456789abcdefE",
            "_ZN70_$LT$hypervisor_model..back_end..BackEnd$u20$as$u20$hyper..Hypervisor$GT$6notify17h0123456789abcdefE",
            "_RNvNtCs1234_10audiofront6stream4poll",
        ] {
            let map = format!("{GOOD}  100f00           100f00       20     1                 {symbol}\n");
            let error = check_symbols(&map).expect_err(symbol).to_string();
            assert!(error.contains("holds parts of the test image"), "{symbol}: {error}");
        }
    }

    #[test]
    fn a_map_without_the_driver_domain_is_refused() {
        assert!(check_symbols("").is_err());
        assert!(check_symbols("100000 100000 20 1 _ZN4core3fmt5write17h0123456789abcdefE").is_err());
    }

    #[test]
    fn packages_are_judged_by_name() {
        let good = OWN_PACKAGES.map(|name| format!("{name} v1.0.0 (/somewhere)\n")).concat();
        assert_eq!(check_packages(&good).expect("all of them"), 5);
        assert!(check_packages(&format!("{good}hypervisor-model v0.1.0\n")).is_err());
        assert!(check_packages(&good.replace("spin ", "spinning ")).is_err());
    }
}
