//! `cargo xtask miri`.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{BadInput, provision, workspace};

/// A package, and cargo's arguments for the tests of it that Miri ends in minutes.
type Suite = (&'static str, &'static str);

const SUITES: &[Suite] = &[
    ("snddom-xen-sys", "--tests"),
    ("snddom-hyper", "--lib"),
    // Loom has the control page's order of memory. 65,536 events take half an hour.
    ("sndif", "--lib --test wire --test names --test suite -- --skip control_page --skip ids_wrap"),
    // Without what takes hundreds of cases, fills a buffer of KiB byte by byte, or reads 200,000 times.
    ("xen-guest", "--test suite -- --skip do_no_harm --skip slots_are_neither --skip lines_without_room"),
    // Miri has no processor's counter, no memory that is shared by a file, and no socket that is asked for its bytes.
    (
        "audiofront-linux",
        "--lib -- anchor::tests directory::tests ioctl::tests --skip readers_see_no_mixture",
    ),
    ("hypervisor-model", "--tests"),
];

/// The models make numbers of addresses, and leak the pages of guests on purpose. Property tests read the time and keep a file.
const FLAGS: &str = "-Zmiri-permissive-provenance -Zmiri-ignore-leaks -Zmiri-disable-isolation";

/// Cases of a property test: Miri is some hundred times slower than the processor.
const PROPERTY_CASES: &str = "4";

/// Runs the command.
pub fn execute(given: &xtask::Miri) -> Result<ExitCode> {
    let suites = chosen(&given.only)?;
    look_for_miri()?;
    let mut failed = Vec::new();
    for (index, (package, tests)) in suites.iter().enumerate() {
        eprintln!("\n== {} of {}, {package}", index + 1, suites.len());
        let started = Instant::now();
        let mut cargo = Command::new("rustup");
        cargo.args(["run", "nightly", "cargo", "miri", "test", "--target-dir"]);
        cargo
            .arg(workspace::target_dir().join("miri"))
            .args(["--package", package])
            .args(tests.split_whitespace());
        cargo.env("MIRIFLAGS", FLAGS).env("PROPTEST_CASES", PROPERTY_CASES);
        // Cargo sets these for what it runs, and they would choose the stable one again.
        for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
            cargo.env_remove(variable);
        }
        let status = cargo.current_dir(workspace::root()).status().context("rustup")?;
        eprintln!("== {package} took {:.0} s", started.elapsed().as_secs_f64());
        if !status.success() {
            failed.push(*package);
        }
    }
    if failed.is_empty() {
        println!("miri: all {} suites are clean", suites.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("miri: failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// The suites of these packages; all without names.
fn chosen(only: &[String]) -> Result<Vec<&'static Suite>> {
    if let Some(unknown) = only.iter().find(|name| !SUITES.iter().any(|(package, _)| package == name)) {
        let known: Vec<&str> = SUITES.iter().map(|(package, _)| *package).collect();
        return Err(
            BadInput(format!("--only {unknown}: no such suite; there are {}", known.join(", "))).into()
        );
    }
    let is_wanted = |package: &str| only.is_empty() || only.iter().any(|name| name == package);
    Ok(SUITES.iter().filter(|(package, _)| is_wanted(package)).collect())
}

/// Looks for the nightly toolchain with Miri and the standard library's source.
fn look_for_miri() -> Result<()> {
    const HELP: &str =
        "rustup toolchain install nightly --profile minimal --component miri --component rust-src";
    if !provision::on_path("rustup") {
        bail!("rustup is missing, and Miri comes with its nightly toolchain. Install rustup, then: {HELP}");
    }
    let output = Command::new("rustup")
        .args(["component", "list", "--toolchain", "nightly", "--installed"])
        .output()
        .context("rustup")?;
    if !output.status.success() {
        bail!("the nightly toolchain is missing. Install it: {HELP}");
    }
    let installed = String::from_utf8_lossy(&output.stdout);
    for component in ["miri", "rust-src"] {
        if !installed.lines().any(|line| line.starts_with(component)) {
            bail!("the nightly toolchain has no {component}. Install it: {HELP}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_packages_of_the_workspace() {
        let packages = workspace::packages().expect("packages");
        for (name, _) in SUITES {
            assert!(packages.iter().any(|package| package["name"] == *name), "{name}");
        }
        assert_eq!(chosen(&[]).expect("all").len(), SUITES.len());
        assert_eq!(chosen(&["sndif".to_owned()]).expect("one").len(), 1);
        assert!(chosen(&["x".to_owned()]).expect_err("unknown").is::<BadInput>());
    }
}
