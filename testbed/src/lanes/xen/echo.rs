//! The echo test in rooms of several delays, and beside it by ALSA's pointers.

use serde_json::Value;

use super::scenario::{HostCheck, Scenario};
use crate::harness::{Microphone, Room};
use crate::judge::verdict::{Finding, ensure};
use crate::rig::Outcome;

pub(super) const AMD: Scenario = Scenario {
    name: "echo",
    script: include_str!("../../../rig/scenarios/echo.sh"),
    // As often as the script restarts the streams.
    microphone: Microphone::Rooms(&[
        (5, Room::with_delay(0)),
        (50, Room::with_delay(240)),
        (5, Room::with_delay(2_400)),
        (5, Room::with_delay(9_600)),
        (10, Room::with_delay(240)),
    ]),
    host_checks: HOST_CHECKS,
    ..Scenario::ONE_CODEC
};

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("the_offset_is_the_same_over_50_restarts", fifty_restarts),
    ("what_the_canceller_gains_over_alsa_pointers", |outcome| {
        let (ours, theirs) =
            (erle(outcome, "guest1", "room-5.json")?, erle(outcome, "guest2", "alsa-5.json")?);
        let is_better = ours > theirs;
        ensure!(is_better, "{ours:.1} dB with the published offset, {theirs:.1} dB with ALSA's");
        Ok(format!("{ours:.1} dB with the published offset, {theirs:.1} dB with ALSA's pointers"))
    }),
];

pub(super) fn report(outcome: &Outcome, guest: &str, name: &str) -> Result<Value, Finding> {
    let text = std::fs::read_to_string(outcome.handed_out(guest)?.join(name))
        .map_err(|error| Finding::failure(format!("{name}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| Finding::failure(format!("{name}: {error}")))
}

pub(super) fn number(report: &Value, pointer: &str) -> Result<f64, Finding> {
    let value = report.pointer(pointer).and_then(Value::as_f64);
    value.ok_or_else(|| Finding::failure(format!("the report has no number {pointer}")))
}

fn erle(outcome: &Outcome, guest: &str, name: &str) -> Result<f64, Finding> {
    number(&report(outcome, guest, name)?, "/erle/published/converged_db")
}

fn fifty_restarts(outcome: &Outcome) -> Result<String, Finding> {
    let report = report(outcome, "guest1", "room-5.json")?;
    let restarts = report.pointer("/restarts").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(restarts == 50, "{restarts} restarts");
    let spread = number(&report, "/difference_frames/spread")?;
    let mean = number(&report, "/difference_frames/mean")?;
    let is_constant = spread <= 1.0;
    ensure!(is_constant, "it lies within {spread:.2} frames");
    Ok(format!("correlated less published is {mean:.2} frames on the mean, within {spread:.2}"))
}
