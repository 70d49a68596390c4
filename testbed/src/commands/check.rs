//! `cargo xtask check`.

use std::process::ExitCode;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::check::house_rules;
use crate::image::{PACKAGE, TARGET};
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
    Ok(cmd!(shell, "{cargo} clippy --package {PACKAGE} --target {TARGET} {core...} -- -D warnings").run()?)
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
    Ok(cmd!(shell, "{cargo} doc --package {PACKAGE} --no-deps --target {TARGET} {core...}").run()?)
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
