//! The echo test while another guest plays to the same output: a monitor's recording explains what both play.

use super::echo::{number, report};
use super::scenario::{HostCheck, Scenario};
use super::sounds::long;
use crate::harness::{Microphone, Room};
use crate::judge::verdict::{Finding, ensure};
use crate::rig::Outcome;

pub(super) const AMD: Scenario = Scenario {
    name: "echo_shared",
    script: include_str!("../../../rig/scenarios/echo_shared.sh"),
    microphone: Microphone::Room(Room::with_delay(240)),
    files: || Ok(vec![("loud.raw".to_owned(), loud())]),
    host_checks: HOST_CHECKS,
    ..Scenario::ONE_CODEC
};

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("a_monitor_cancels_what_all_guests_play", |outcome| {
        let report = report(outcome, "guest1", "monitor.json")?;
        let (by_monitor, best) = (
            number(&report, "/monitor/published/converged_db")?,
            number(&report, "/monitor/correlated/converged_db")?,
        );
        let by_own = number(&report, "/erle/published/converged_db")?;
        let is_good = by_monitor >= GOOD_DB.min(best - LOSS_DB);
        ensure!(is_good, "{by_monitor:.1} dB by the monitor, of {best:.1} dB");
        let is_better = by_monitor >= by_own + GAIN_DB;
        ensure!(is_better, "{by_monitor:.1} dB by the monitor, {by_own:.1} dB by the own signal");
        Ok(format!("{by_monitor:.1} dB by the monitor, {by_own:.1} dB by the own signal alone"))
    }),
    ("a_guest_without_it_cancels_its_own_alone", |outcome| {
        let by_own = number(&report(outcome, "guest1", "own.json")?, "/erle/published/converged_db")?;
        let is_little = by_own < GOOD_DB - GAIN_DB;
        ensure!(is_little, "{by_own:.1} dB: was the other guest heard?");
        Ok(format!("{by_own:.1} dB"))
    }),
    ("the_signal_is_in_the_monitor_where_published", |outcome| {
        let report = report(outcome, "guest1", "monitor.json")?;
        let restarts = report.pointer("/monitor/restarts").and_then(serde_json::Value::as_array);
        let restarts = restarts.ok_or_else(|| Finding::failure("the report has no monitor"))?;
        let misplaced = restarts.iter().map(|restart| number(restart, "/misplaced_frames"));
        let misplaced: Vec<f64> = misplaced.collect::<Result<_, _>>()?;
        let worst = misplaced.iter().map(|frames| frames.abs()).fold(0.0, f64::max);
        let is_near = worst < A_FRAME_OFF;
        ensure!(is_near, "{worst:.2} frames off");
        Ok(format!("within {worst:.2} frames over {} restarts", misplaced.len()))
    }),
    ("the_offset_is_the_same_by_the_monitor", |outcome| {
        constant(outcome, "monitor.json", "/monitor/difference_frames/spread")
    }),
    ("the_offset_is_the_same_beside_a_monitor", |outcome| {
        constant(outcome, "monitor.json", "/difference_frames/spread")
    }),
    ("the_offset_is_the_same_without_a_monitor", |outcome| {
        constant(outcome, "own.json", "/difference_frames/spread")
    }),
];

/// The ERLE that is asked for, unless the best possible is less.
const GOOD_DB: f64 = 20.0;
/// What the published offset may cost.
const LOSS_DB: f64 = 3.0;
/// What the monitor has to gain over the own signal.
const GAIN_DB: f64 = 10.0;
/// Starts are whole frames. What is less comes from the other guest's sound, which is noise to who looks for the signal.
const A_FRAME_OFF: f64 = 0.5;

/// Half of full scale: as loud as the signal, and no sum clips.
fn loud() -> Vec<u8> {
    let bytes = long(5, 7).bytes;
    bytes.as_chunks().0.iter().flat_map(|sample| (i16::from_le_bytes(*sample) / 2).to_le_bytes()).collect()
}

fn constant(outcome: &Outcome, name: &str, pointer: &str) -> Result<String, Finding> {
    let spread = number(&report(outcome, "guest1", name)?, pointer)?;
    let is_constant = spread < A_FRAME_OFF;
    ensure!(is_constant, "it lies within {spread:.2} frames");
    Ok(format!("within {spread:.2} frames"))
}
