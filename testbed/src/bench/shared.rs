//! Costs of one output for many: Linux guests on a shared port of the driver domain, and dom0's own driver with dmix
//! and with PipeWire.

use anyhow::Result;

use super::domain::costs;
use super::span::Span;
use super::{Row, probe, rig_run};
use crate::rig::{Dom0Sound, Outcome};

const GROUP: &str = "driver domain, guests on one shared output (aplay, periods of 10 ms)";
const DMIX: &str =
    "dom0's own driver, programs on one output by dmix (aplay, periods of 10 ms), for comparison";
const PIPEWIRE: &str =
    "dom0's own driver, programs on one output by PipeWire (pw-cat, quantum of 10 ms), for comparison";

/// Guests or programs that play at a time.
const COUNTS: [u32; 4] = [1, 2, 4, 8];

/// For how long each is measured; and how long it plays before that, for the mixer measures its turns for 20 s.
const SECONDS: u32 = 4;
const SETTLE_S: u32 = 22;

/// Boots the rig three times and measures.
pub(super) fn run() -> Result<Vec<Row>> {
    let mut rows = driver_domain()?;
    rows.extend(dmix()?);
    rows.extend(pipewire()?);
    Ok(rows)
}

fn boot(name: &'static str, script: &'static str, dom0_sound: Dom0Sound) -> Result<Outcome> {
    let counts: Vec<String> = COUNTS.map(|count| count.to_string()).into();
    rig_run::run(rig_run::Boot {
        name,
        script,
        variables: vec![
            ("COUNTS", counts.join(" ")),
            ("SECONDS_EACH", SECONDS.to_string()),
            ("SETTLE_S", SETTLE_S.to_string()),
        ],
        dom0_sound,
        codecs: 1,
        programs: Vec::new(),
        probe: probe::build()?,
    })
}

fn driver_domain() -> Result<Vec<Row>> {
    let outcome = boot("bench_shared", include_str!("../../rig/scenarios/bench_shared.sh"), Dom0Sound::None)?;
    let guest = outcome.figures("domains")?.value("guest1")?;
    let mut points = vec![("direct".to_owned(), 1, "direct")];
    points.extend(COUNTS.map(|count| (format!("shared:{count}"), count, "shared")));
    let mut rows = Vec::new();
    for (name, guests, port) in points {
        let parameters = [("port", port.to_owned()), ("guests", guests.to_string())];
        rows.extend(costs(outcome.figures(&name)?, GROUP, Some(guest), &parameters)?);
        let dry = outcome.figures(&format!("dry:{name}"))?;
        let row = |name, figure: &str, how| -> Result<Row> {
            Ok(Row::new(GROUP, name, dry.value(figure)?, 0, "", how).with(&parameters))
        };
        rows.extend([
            row("underruns", "underruns", "what aplay said of them, in all guests")?,
            row("ran dry", "ran_dry", "as the driver domain counts it, of all streams")?,
            row("FIFO errors", "fifo_errors", "as the driver domain counts them, of all streams")?,
        ]);
    }
    Ok(rows)
}

fn dmix() -> Result<Vec<Row>> {
    let outcome = boot("bench_dmix", include_str!("../../rig/scenarios/bench_dmix.sh"), Dom0Sound::Alsa)?;
    let mut rows = Vec::new();
    for count in COUNTS {
        let parameters = [("programs", count.to_string())];
        let underruns = outcome.figures(&format!("dry:dmix:{count}"))?.value("underruns")?;
        rows.extend([
            dom0_time(&outcome, DMIX, &format!("dmix:{count}"))?.with(&parameters),
            Row::new(DMIX, "underruns", underruns, 0, "", "what aplay said of them").with(&parameters),
        ]);
    }
    Ok(rows)
}

fn pipewire() -> Result<Vec<Row>> {
    let script = include_str!("../../rig/scenarios/bench_pipewire.sh");
    let outcome = boot("bench_pipewire", script, Dom0Sound::PipeWire)?;
    let mut rows = Vec::new();
    // Without a program it is the daemon's own cost.
    for count in [&[0], &COUNTS[..]].concat() {
        let parameters = [("programs", count.to_string())];
        let dry = outcome.figures(&format!("dry:pipewire:{count}"))?;
        let row = |name, figure: &str, how| -> Result<Row> {
            Ok(Row::new(PIPEWIRE, name, dry.value(figure)?, 0, "", how).with(&parameters))
        };
        rows.extend([
            dom0_time(&outcome, PIPEWIRE, &format!("pipewire:{count}"))?.with(&parameters),
            row("underruns", "underruns", "of the card, by the daemon's log")?,
            row(
                "late programs",
                "late",
                "a program's cycle had not ended when the next one began; by the same log",
            )?,
        ]);
    }
    Ok(rows)
}

/// The time that dom0 used, less that of an idle dom0 in the same boot.
fn dom0_time(outcome: &Outcome, group: &str, name: &str) -> Result<Row> {
    let used = |name: &str| Span(outcome.figures(name)?).per_second("dom0_cpu_ns", "at_ns");
    let own = "Xen's processor time of dom0 with its programs, less that of an idle dom0";
    Ok(Row::new(group, "vCPU time", (used(name)? - used("idle")?) / 1e6, 3, "ms/s", own))
}
