//! The shipped image holds the driver domain alone: no guest, no hypervisor in memory, no faults on command.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use xshell::cmd;

use crate::image::{Bin, Image, PACKAGE};
use crate::workspace;

/// Crates and modules that belong to the image without Xen, as the linker's map spells them: demangled, or mangled with
/// the length of each name before it.
const FOREIGN_NAMES: [&str; 5] =
    ["hypervisor_model", "audiofront", "snddom_kernel::bare", "snddom_kernel..bare", "snddom_kernel4bare"];

/// Every map of the shipped image names this module. A map without it was misread.
const OWN_NAME: &str = "snddom_kernel::xen";

/// Packages that the shipped image must not depend on.
const FOREIGN_PACKAGES: [&str; 2] = ["hypervisor-model", "audiofront"];

/// Packages that the shipped image stands on.
const OWN_PACKAGES: [&str; 5] = ["linked_list_allocator", "spin", "heapless", "snddom-xen-sys", "snd-hda"];

/// Checks the linker's map and the packages of the shipped image. Returns a line about both.
///
/// # Errors
/// One of them names a part that belongs to the other image, or lacks one that it must have.
pub fn check(shipped: &Image) -> Result<String> {
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

/// Checks the names in a linker's map, and counts them.
fn check_symbols(map: &str) -> Result<usize> {
    let names: BTreeSet<&str> = map.lines().filter_map(name).collect();
    let foreign: Vec<&str> = names
        .iter()
        .filter(|name| FOREIGN_NAMES.iter().any(|foreign| name.contains(foreign)))
        .copied()
        .collect();
    ensure!(foreign.is_empty(), "the shipped image holds parts of the test image: {}", foreign.join(", "));
    ensure!(
        names.iter().any(|name| name.contains(OWN_NAME)),
        "the linker's map has no symbol of {OWN_NAME}: it isn't the shipped image's"
    );
    Ok(names.len())
}

/// The symbol or section that a line of LLD's map is about: behind two addresses, size and alignment. An input section
/// stands in brackets behind the path of its file, which says nothing about the image.
fn name(line: &str) -> Option<&str> {
    let mut rest = line;
    for _ in 0..4 {
        rest = rest.trim_start().split_once(' ')?.1;
    }
    Some(rest.rsplit_once(":(").map_or(rest, |(_, section)| section).trim())
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
          100000           100000    2fbfe    16 .text
          100040           100040      5a3    16         /src/audiofront/snddom.rcgu.o:(.text._ZN13snddom_kernel3xen7runtime4main17h0123456789abcdefE)
          100040           100040      5a3     1                 snddom_kernel::xen::runtime::main::h0123456789abcdef
          1005f0           1005f0       20     1                 pvh_start32
";

    #[test]
    fn a_map_of_the_driver_domain_passes() {
        check_symbols(GOOD).expect("nothing foreign");
    }

    #[test]
    fn a_symbol_of_the_test_image_is_found() {
        for symbol in [
            "snddom_kernel::bare::fault::commit::h0123456789abcdef",
            "snddom_kernel::bare::loop_back::LoopBack$LT$M$GT$::poll::h0123456789abcdef",
            "_$LT$hypervisor_model..back_end..BackEnd$u20$as$u20$hyper..Hypervisor$GT$::notify::h0123456789abcdef",
            "<hypervisor_model::back_end::BackEnd as hyper::Hypervisor>::notify",
            "/src/snddom.rcgu.o:(.text._ZN13snddom_kernel4bare5fault6commit17h0123456789abcdefE)",
            "/src/snddom.rcgu.o:(.rodata._RNvNtCs1234_10audiofront6stream4poll)",
        ] {
            let map =
                format!("{GOOD}          100f00           100f00       20     1                 {symbol}\n");
            let error = check_symbols(&map).expect_err(symbol).to_string();
            assert!(error.contains("holds parts of the test image"), "{symbol}: {error}");
        }
    }

    #[test]
    fn a_map_without_the_driver_domain_is_refused() {
        assert!(check_symbols("").is_err());
        assert!(check_symbols("100000 100000 20 1 core::fmt::write::h0123456789abcdef").is_err());
    }

    #[test]
    fn packages_are_judged_by_name() {
        let good = OWN_PACKAGES.map(|name| format!("{name} v1.0.0 (/somewhere)\n")).concat();
        assert_eq!(check_packages(&good).expect("all of them"), 5);
        assert!(check_packages(&format!("{good}hypervisor-model v0.1.0\n")).is_err());
        assert!(check_packages(&good.replace("spin ", "spinning ")).is_err());
    }
}
