//! Costs of dom0's own ALSA path on the same controller under the same Xen: snd_hda_intel and aplay.

use anyhow::Result;

use super::point::{self, Point};
use super::span::Span;
use super::{Row, probe, rig_run};
use crate::rig::{Dom0Sound, Outcome};

const GROUP: &str = "dom0's own ALSA path (snd_hda_intel, aplay), for comparison";

/// Boots the rig once and measures.
pub(super) fn run() -> Result<Vec<Row>> {
    // One codec, one stream: Linux's generic codec driver wants the names of its controls to be different, and with two codecs
    // of the emulator's on a controller it configures none.
    let points: Vec<Point> = Point::all().into_iter().filter(|point| point.streams == 1).collect();
    let outcome = rig_run::run(rig_run::Boot {
        name: "bench_dom0",
        script: include_str!("../../rig/scenarios/bench_dom0.sh"),
        variables: point::variables(&points),
        dom0_sound: Dom0Sound::Alsa,
        codecs: 1,
        programs: Vec::new(),
        probe: probe::build()?,
    })?;
    rows(&outcome, &points)
}

fn rows(outcome: &Outcome, points: &[Point]) -> Result<Vec<Row>> {
    let idle = Span(outcome.figures("idle")?).per_second("dom0_cpu_ns", "at_ns")?;
    let mut rows = Vec::new();
    for point in points {
        let parameters = point.parameters();
        let span = Span(outcome.figures(&point.name())?);
        let used = span.per_second("dom0_cpu_ns", "at_ns")?;
        let interrupts = span.per_second("interrupts", "at_ns")?;
        let row = |name, value, decimals, unit, how| {
            Row::new(GROUP, name, value, decimals, unit, how).with(&parameters)
        };
        let own = "Xen's processor time of dom0, less that of an idle dom0";
        rows.extend([
            row("interrupts", interrupts, 1, "1/s", "of the controller, by /proc/interrupts"),
            row("vCPU time", (used - idle) / 1e6, 3, "ms/s", own),
            row("idle dom0", idle / 1e6, 3, "ms/s", "what was taken off"),
        ]);
        rows.extend(point.rows(outcome, GROUP)?);
    }
    Ok(rows)
}
