//! `cargo xtask bench`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::bench::{self, STAGES, Stage};
use crate::{BadInput, workspace};

/// Runs the command.
pub fn execute(given: xtask::Bench) -> Result<ExitCode> {
    let stages = chosen(&given.only)?;
    // Before anything is run that takes long.
    let before = given.compare.as_deref().map(bench::read).transpose()?;
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        eprintln!("== {} of {}, {}: {}", index + 1, stages.len(), stage.name, stage.what);
        let started = Instant::now();
        // The other stages go on.
        match (stage.run)() {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("== {} failed: {error:#}", stage.name);
                failures.push(format!("{}: {error:#}", stage.name));
            }
        }
        eprintln!("== {} took {:.0} s", stage.name, started.elapsed().as_secs_f64());
    }
    print!("\n{}", bench::table(&rows));
    let path = given.json.unwrap_or_else(|| workspace::target_dir().join("bench.json"));
    bench::write(&path, &rows)?;
    println!("written: {}", path.display());
    if let (Some(before), Some(path)) = (before, given.compare) {
        let changes = bench::changes(&before, &rows);
        println!("{} figures differ from {}", changes.len(), path.display());
        for change in changes {
            println!("  {change}");
        }
    }
    ensure!(failures.is_empty(), "not all was measured: {}", failures.join("; "));
    Ok(ExitCode::SUCCESS)
}

/// The stages with these names, in their own order; all without names.
fn chosen(names: &[String]) -> Result<Vec<&'static Stage>> {
    if let Some(unknown) = names.iter().find(|name| !STAGES.iter().any(|stage| stage.name == **name)) {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        return Err(
            BadInput(format!("--only {unknown}: no such stage; there are {}", known.join(", "))).into()
        );
    }
    let is_wanted = |stage: &&Stage| names.is_empty() || names.iter().any(|name| name == stage.name);
    Ok(STAGES.iter().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_chosen_by_their_names() {
        assert_eq!(chosen(&[]).expect("all").len(), STAGES.len());
        let names = ["dom0".to_owned(), "image".to_owned()];
        let chosen: Vec<&str> = chosen(&names).expect("two").iter().map(|stage| stage.name).collect();
        assert_eq!(chosen, ["image", "dom0"]);
    }

    #[test]
    fn an_unknown_stage_is_bad_input_and_the_known_ones_are_named() {
        let error = chosen(&["all".to_owned()]).err().expect("unknown");
        assert!(error.is::<BadInput>());
        assert!(error.to_string().contains("image, "), "{error}");
    }
}
