//! The xen lane: the image as driver domain under the real Xen, in virtual time.
//!
//! A boot costs half a minute, so each scenario is one boot with many checks. A scenario is a shell script in
//! `testbed/rig/scenarios`, which dom0 runs: what it asks with `check NAME ...` becomes the row `xen::SCENARIO::NAME`, and
//! so does what is asked here, on the host, of what the codecs heard and what the guests handed out.

mod alsa;
mod domain;
mod echo;
mod echo_shared;
mod hostile;
mod mixed;
mod names;
mod neighbours;
mod restart;
mod scenario;
mod sessions;
mod sounds;
mod torture;
mod user_front;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::Row;
use crate::image::{Bin, Image};
use crate::judge::verdict::Finding;
use crate::provision;
use scenario::Scenario;

/// All scenarios, the longest first, so that none is left to run alone at the end.
const SCENARIOS: &[Scenario] = &[
    echo::AMD,
    torture::AMD,
    echo_shared::AMD,
    mixed::AMD,
    user_front::AMD,
    alsa::AMD,
    restart::AMD,
    neighbours::AMD,
    neighbours::INTEL,
    names::AMD,
    domain::AMD,
    sessions::AMD,
    sessions::INTEL,
    sessions::LOOP_BACK,
];

/// Scenarios that run only when `--only` asks for one: the whole lane has no time for them.
const ASKED_FOR: &[Scenario] = &[hostile::AMD];

/// So many scenarios run side by side: an emulator keeps one core busy, and in virtual time none is disturbed by another.
const SIDE_BY_SIDE: usize = 2;

/// Runs the scenarios of which a row's name contains `only`, or all but those that have to be asked for.
pub fn run(only: Option<&str>) -> Vec<Row> {
    let wanted = |scenario: &&Scenario| {
        only.is_none_or(|only| {
            scenario.checks().into_iter().chain([""]).any(|name| scenario.row_name(name).contains(only))
        })
    };
    let asked_for: &[Scenario] = if only.is_some() { ASKED_FOR } else { &[] };
    let scenarios: Vec<&Scenario> = SCENARIOS.iter().chain(asked_for).filter(wanted).collect();
    if scenarios.is_empty() {
        return Vec::new();
    }
    let image =
        provision::qemu().and_then(|()| provision::recording()).and_then(|_| Image::build(Bin::Snddom));
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Vec<Row>>> = scenarios.iter().map(|_| Mutex::default()).collect();
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(scenarios.len()) {
            scope.spawn(|| {
                while let Some((scenario, rows)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    scenarios.get(index).zip(done.get(index))
                } {
                    *rows.lock().unwrap_or_else(PoisonError::into_inner) = run_one(scenario, &image);
                }
            });
        }
    });
    done.into_iter().flat_map(|rows| rows.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Runs one scenario, and says what it comes to.
fn run_one(scenario: &Scenario, image: &anyhow::Result<Image>) -> Vec<Row> {
    eprintln!("\n== xen::{}", scenario.name);
    let started = Instant::now();
    let result = match image {
        Ok(image) => scenario.run(image),
        Err(error) => Err(Finding::error(format!("{error:#}"))),
    };
    let rows = scenario.rows(result, started.elapsed());
    for row in &rows {
        println!("{} ... {} {}", row.name, row.verdict, row.detail);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rows_are_their_own() {
        let mut names: Vec<String> = SCENARIOS
            .iter()
            .chain(ASKED_FOR)
            .flat_map(|scenario| scenario.checks().into_iter().map(|check| scenario.row_name(check)))
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(!names.iter().any(|name| name.contains('$')), "a check's name is a plain word");
    }
}
