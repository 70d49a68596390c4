//! The xen lane: the image as driver domain under the real Xen, in virtual time.
//!
//! A boot costs half a minute, so each scenario is one boot with many checks. A scenario is a shell script in
//! `testbed/rig/scenarios`, which dom0 runs: what it asks with `check NAME ...` becomes the row `xen::SCENARIO::NAME`, and
//! so does what is asked here, on the host, of what the codecs heard and what the guests handed out.

mod alsa;
mod domain;
mod echo;
mod neighbours;
mod restart;
mod scenario;
mod sessions;
mod sounds;
mod torture;
mod user_front;

use std::time::Instant;

use super::Row;
use crate::image::{Bin, Image};
use crate::judge::verdict::Finding;
use crate::provision;
use scenario::Scenario;

/// All scenarios.
const SCENARIOS: &[Scenario] = &[
    sessions::AMD,
    sessions::INTEL,
    sessions::LOOP_BACK,
    domain::AMD,
    neighbours::AMD,
    neighbours::INTEL,
    restart::AMD,
    torture::AMD,
    user_front::AMD,
    alsa::AMD,
    echo::AMD,
];

/// Runs the scenarios of which a row's name contains `only`, or all.
pub fn run(only: Option<&str>) -> Vec<Row> {
    let wanted = |scenario: &&Scenario| {
        only.is_none_or(|only| {
            scenario.checks().into_iter().chain([""]).any(|name| scenario.row_name(name).contains(only))
        })
    };
    let scenarios: Vec<&Scenario> = SCENARIOS.iter().filter(wanted).collect();
    if scenarios.is_empty() {
        return Vec::new();
    }
    let image =
        provision::qemu().and_then(|()| provision::recording()).and_then(|_| Image::build(Bin::Snddom));
    scenarios
        .into_iter()
        .flat_map(|scenario| {
            eprintln!("\n== xen::{}", scenario.name);
            let started = Instant::now();
            let result = match &image {
                Ok(image) => scenario.run(image),
                Err(error) => Err(Finding::error(format!("{error:#}"))),
            };
            let rows = scenario.rows(result, started.elapsed());
            for row in &rows {
                println!("{} ... {} {}", row.name, row.verdict, row.detail);
            }
            rows
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rows_are_their_own() {
        let mut names: Vec<String> = SCENARIOS
            .iter()
            .flat_map(|scenario| scenario.checks().into_iter().map(|check| scenario.row_name(check)))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(!names.iter().any(|name| name.contains('$')), "a check's name is a plain word");
    }
}
