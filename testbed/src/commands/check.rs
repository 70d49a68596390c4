//! `cargo xtask check`.

use std::process::ExitCode;

use anyhow::Result;
use xshell::{PushEnv, Shell, cmd};

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
    ("rules", |_| none(&house_rules::violations(&workspace::root())?, "lines break a rule of the house")),
    ("layers", |_| layers::check()),
    ("circles", |_| none(&circles::find()?, "findings about circles of imports")),
    ("file lengths", |_| {
        none(&rooms::too_long(&workspace::root())?, "files are over 500 lines and don't say why")
    }),
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

/// Clippy on the image's own code, which is compiled only for its own target.
fn clippy_image(shell: &Shell) -> Result<()> {
    provision::component("clippy", "clippy")?;
    on_images(shell, "clippy", &["--", "-D", "warnings"])
}

fn docs(shell: &Shell) -> Result<()> {
    let cargo = workspace::cargo();
    let _strict = strict_docs(shell);
    Ok(cmd!(shell, "{cargo} doc --workspace --no-deps").run()?)
}

fn docs_image(shell: &Shell) -> Result<()> {
    let _strict = strict_docs(shell);
    on_images(shell, "doc", &["--no-deps"])
}

fn strict_docs(shell: &Shell) -> PushEnv<'_> {
    eprintln!("RUSTDOCFLAGS='-D warnings'");
    shell.push_env("RUSTDOCFLAGS", "-D warnings")
}

/// Runs a command of cargo on both images.
fn on_images(shell: &Shell, command: &str, last: &[&str]) -> Result<()> {
    let core = provision::rust_target()?;
    let _environment = core.environment(shell);
    let core = core.arguments();
    let cargo = workspace::cargo();
    for bin in [Bin::Snddom, Bin::Bare] {
        let features = bin.features();
        cmd!(
            shell,
            "{cargo} {command} --package {PACKAGE} {features...} --target {TARGET} {core...} {last...}"
        )
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

/// The crates that others may use: what would be published builds by itself.
fn packages(shell: &Shell) -> Result<()> {
    let cargo = workspace::cargo();
    let packages = workspace::packages()?;
    // Their manifests don't forbid it.
    let open = packages.iter().filter(|package| package["publish"].is_null());
    let names: Vec<&str> = open.filter_map(|package| package["name"].as_str()).collect();
    anyhow::ensure!(!names.is_empty(), "no crate may be published");
    let names = names.into_iter().flat_map(|name| ["--package", name]);
    Ok(cmd!(shell, "{cargo} package --allow-dirty --quiet {names...}").run()?)
}

/// The compiler that `rust-version` names. Where it's the one in use, every step is this check.
fn oldest_compiler(shell: &Shell) -> Result<()> {
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    let rustc = workspace::rustc();
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

/// Fails with findings, and prints them.
fn none(found: &[String], what: &str) -> Result<()> {
    for finding in found {
        eprintln!("{finding}");
    }
    anyhow::ensure!(found.is_empty(), "{} {what}", found.len());
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
