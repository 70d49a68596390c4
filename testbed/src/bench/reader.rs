//! Cost of reading a position natively: the example `read_cost` of `audiofront-linux`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::Row;
use crate::cargo_build::Messages;
use crate::{provision, workspace};

const GROUP: &str = "read of a position, natively";
const PACKAGE: &str = "audiofront-linux";

/// Without it rustix looks for the kernel's vDSO, which valgrind hides.
const VALGRIND_FEATURE: &str = "rustix/use-libc-auxv";

/// The example's names of its reads, and the functions that read.
const READS: [(&str, &str); 3] = [
    ("slot", "*measured_slot*"),
    ("position, with its slot", "*measured_now*"),
    ("position, frames alone", "*measured_frames*"),
];

/// Reads for the time, and reads for the count of instructions.
const TIMED: u32 = 10_000_000;
const COUNTED: u32 = 10_000;

/// Builds the example and runs it, by itself and under valgrind where that is installed.
pub(super) fn run() -> Result<Vec<Row>> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    let build = cmd!(
        shell,
        "{cargo} build --profile counted --package {PACKAGE} --example read_cost --features {VALGRIND_FEATURE} --message-format=json-render-diagnostics"
    );
    let messages = Messages::of(build, || "the example read_cost doesn't build".to_owned())?;
    let program = messages.executable(PACKAGE)?;
    let said = Command::new(&program).arg(TIMED.to_string()).output().context("read_cost")?;
    ensure!(said.status.success(), "read_cost ends with {}", said.status);
    let said = String::from_utf8_lossy(&said.stdout);
    let has_valgrind = provision::on_path("valgrind");
    if !has_valgrind {
        eprintln!(
            "valgrind is not installed: instructions of a read are left out (apt-get install valgrind)"
        );
    }
    let mut rows = Vec::new();
    for (name, function) in READS {
        let how = "a loop of reads on this host: another host, another figure";
        rows.push(row(name, "time", time_ns(&said, name)?, "ns", how));
        if has_valgrind {
            let how = "callgrind, the loop around the reads included: the same on every host, by compiler";
            rows.push(row(name, "instructions", counted(&program, function)?, "", how));
        }
    }
    Ok(rows)
}

fn row(read: &str, name: &str, value: f64, unit: &str, how: &str) -> Row {
    Row::new(GROUP, name, value, 1, unit, how).with(&[("of", read.to_owned())])
}

/// `slot: 12.3 ns a read, ...`
fn time_ns(said: &str, name: &str) -> Result<f64> {
    said.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.split(' ').next()?.parse().ok())
        .with_context(|| format!("read_cost tells no time of {name}"))
}

/// Instructions of a read.
fn counted(program: &Path, function: &str) -> Result<f64> {
    let valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={function}"))
        .arg(program)
        .arg(COUNTED.to_string())
        .output()
        .context("valgrind")?;
    let said = String::from_utf8_lossy(&valgrind.stderr);
    let all =
        instructions(&said).with_context(|| format!("valgrind counts nothing in {function}: {said}"))?;
    Ok(all / f64::from(COUNTED))
}

/// `==1== Collected : 123456`
fn instructions(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok().filter(|all| *all > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_are_found() {
        let said =
            "slot: 12.5 ns a read, 1000 reads, the last at frame 48000\nposition, alone: 24.0 ns a read, 1\n";
        assert_eq!(time_ns(said, "slot").expect("there"), 12.5);
        assert_eq!(time_ns(said, "position, alone").expect("there"), 24.0);
        assert!(time_ns(said, "position").is_err());
        assert_eq!(instructions("==7== Events    : Ir\n==7== Collected : 123456\n"), Some(123_456.0));
        assert_eq!(instructions("==7== Collected : 0\n"), None);
        assert_eq!(instructions(""), None);
    }
}
