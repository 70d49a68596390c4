//! `cargo xtask check`.

use std::process::ExitCode;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::check::{circles, house_rules, layers, rooms};
use crate::image::{Bin, PACKAGE};
use crate::provision::TARGET;
use crate::{provision, workspace};

/// A step: its name, and what it does.
type Step = (&'static str, fn(&Shell) -> Result<()>);

const STEPS: &[Step] = &[
    ("fmt", fmt),
    ("clippy", clippy),
    ("clippy, the image", clippy_image),
    ("docs", docs),
    ("docs, the image", docs_image),
    ("deny", deny),
    ("rules", rules),
    ("layers", |_| layers::check()),
    ("circles", no_circles),
    ("file lengths", file_lengths),
    ("packages", packages),
    ("oldest compiler", oldest_compiler),
    ("shellcheck", shellcheck),
];

/// Runs the command.
pub fn execute() -> Result<ExitCode> {
    let shell = workspace::shell()?;
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n== {name}");
        if let Err(error) = step(&shell) {
            eprintln!("{name}: {error:#}");
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("check: all {} steps are clean", STEPS.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("check: failed: {}", failed.join("; "));
    Ok(ExitCode::FAILURE)
}

fn fmt(shell: &Shell) -> Result<()> {
    provision::component("fmt", "rustfmt")?;
    let cargo = workspace::cargo();
    Ok(cmd!(shell, "{cargo} fmt --all --check").run()?)
}

fn clippy(shell: &Shell) -> Result<()> {
    provision::component("clippy", "clippy")?;
    let cargo = workspace::cargo();
    Ok(cmd!(shell, "{cargo} clippy --workspace --all-targets -- -D warnings").run()?)
}

/// The image's own code is compiled only for its own target.
fn clippy_image(shell: &Shell) -> Result<()> {
    provision::component("clippy", "clippy")?;
    let core = provision::rust_target()?;
    let _environment = core.environment(shell);
    let core = core.arguments();
    let cargo = workspace::cargo();
    for bin in [Bin::Snddom, Bin::Bare] {
        let features = bin.features();
        cmd!(
            shell,
            "{cargo} clippy --package {PACKAGE} {features...} --target {TARGET} {core...} -- -D warnings"
        )
        .run()?;
    }
    Ok(())
}

fn docs(shell: &Shell) -> Result<()> {
    let cargo = workspace::cargo();
    let _strict = shell.push_env("RUSTDOCFLAGS", "-D warnings");
    eprintln!("RUSTDOCFLAGS='-D warnings'");
    Ok(cmd!(shell, "{cargo} doc --workspace --no-deps").run()?)
}

fn docs_image(shell: &Shell) -> Result<()> {
    let core = provision::rust_target()?;
    let _environment = core.environment(shell);
    let core = core.arguments();
    let cargo = workspace::cargo();
    let _strict = shell.push_env("RUSTDOCFLAGS", "-D warnings");
    eprintln!("RUSTDOCFLAGS='-D warnings'");
    for bin in [Bin::Snddom, Bin::Bare] {
        let features = bin.features();
        cmd!(shell, "{cargo} doc --package {PACKAGE} {features...} --no-deps --target {TARGET} {core...}")
            .run()?;
    }
    Ok(())
}

/// Not the advisories: their database isn't reachable from everywhere.
fn deny(shell: &Shell) -> Result<()> {
    provision::cargo_deny()?;
    let cargo = workspace::cargo();
    Ok(cmd!(shell, "{cargo} deny check licenses bans sources").run()?)
}

/// The script for dom0 runs wherever Xen does, on whatever shell is there.
fn shellcheck(shell: &Shell) -> Result<()> {
    provision::shellcheck()?;
    cmd!(shell, "shellcheck --shell=sh dist/snddom").run()?;
    Ok(cmd!(shell, "shellcheck .ci/run").run()?)
}

/// Files that need each other.
fn no_circles(_: &Shell) -> Result<()> {
    let found = circles::find()?;
    for circle in &found {
        eprintln!("{circle}");
    }
    anyhow::ensure!(found.is_empty(), "{} findings about circles of imports", found.len());
    Ok(())
}

fn file_lengths(_: &Shell) -> Result<()> {
    let found = rooms::too_long(&workspace::root())?;
    for file in &found {
        eprintln!("{file}");
    }
    anyhow::ensure!(found.is_empty(), "{} files are over 500 lines and don't say why", found.len());
    Ok(())
}

/// The crates that others may use: what would be published builds by itself.
fn packages(shell: &Shell) -> Result<()> {
    let cargo = workspace::cargo();
    let names = publishable(shell)?;
    anyhow::ensure!(!names.is_empty(), "no crate may be published");
    let names = names.iter().flat_map(|name| ["--package", name]);
    Ok(cmd!(shell, "{cargo} package --allow-dirty --quiet {names...}").run()?)
}

/// Packages whose manifest doesn't forbid it.
fn publishable(shell: &Shell) -> Result<Vec<String>> {
    let cargo = workspace::cargo();
    let metadata = cmd!(shell, "{cargo} metadata --no-deps --format-version 1").quiet().read()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let open = packages.filter(|package| package["publish"].is_null());
    Ok(open.filter_map(|package| Some(package["name"].as_str()?.to_owned())).collect())
}

/// The compiler that `rust-version` names. Where it's the one in use, every step is this check.
fn oldest_compiler(shell: &Shell) -> Result<()> {
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let used = cmd!(shell, "{rustc} --version").quiet().read()?;
    if used.starts_with(&format!("rustc {oldest}.")) {
        eprintln!("{used} is the oldest that the manifests allow");
        return Ok(());
    }
    anyhow::ensure!(
        provision::on_path("rustup"),
        "{used} isn't Rust {oldest}, the oldest that the manifests allow, and there is no rustup to add that"
    );
    cmd!(shell, "rustup toolchain install {oldest} --profile minimal").run()?;
    Ok(cmd!(shell, "rustup run {oldest} cargo check --workspace").run()?)
}

fn rules(_: &Shell) -> Result<()> {
    let violations = house_rules::violations(&workspace::root())?;
    for violation in &violations {
        eprintln!("{violation}");
    }
    anyhow::ensure!(violations.is_empty(), "{} lines break a rule of the house", violations.len());
    Ok(())
}

/// Draws the dependency picture.
pub fn picture() -> Result<ExitCode> {
    let written = crate::check::layers::draw()?;
    println!("written: {written}");
    Ok(ExitCode::SUCCESS)
}

/// Prints the lines of each room.
pub fn rooms() -> Result<ExitCode> {
    print!("{}", crate::check::rooms::table(&workspace::root())?);
    Ok(ExitCode::SUCCESS)
}
