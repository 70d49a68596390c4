//! Costs of the driver domain under Xen, while Linux's own front end plays: by streams and periods.

use anyhow::{Context, Result};

use super::point::{self, Point, RATE_HZ};
use super::span::Span;
use super::{Row, probe, rig_run};
use crate::rig::{Dom0Sound, Figures, Outcome};

const GROUP: &str = "driver domain, Linux's own front end (aplay)";
const IDLE: &str = "driver domain, nothing plays";
const START: &str = "driver domain, start";
const MEMORY: &str = "driver domain, memory";
const COPIES: &str = "driver domain, by the frame";

/// The same periods as at 48 kHz with 10 ms, and a third of the frames.
const SLOW: Point =
    Point { streams: 1, rate_hz: 16_000, period_frames: 160, buffer_frames: 1600, seconds: 4 };

/// Boots the rig once and measures.
pub(super) fn run() -> Result<Vec<Row>> {
    let mut points = Point::all();
    points.push(SLOW);
    let outcome = rig_run::run(rig_run::Boot {
        name: "bench",
        script: include_str!("../../rig/scenarios/bench.sh"),
        variables: point::variables(&points),
        dom0_sound: Dom0Sound::None,
        codecs: 4,
        programs: Vec::new(),
        probe: probe::build()?,
    })?;
    rows(&outcome)
}

fn rows(outcome: &Outcome) -> Result<Vec<Row>> {
    let domains = outcome.figures("domains")?;
    let guest = domains.value("guest1")?;
    let mut rows = start(outcome)?;
    rows.extend(memory(outcome, domains.value("snddom")?)?);
    for (name, what) in [("nothing", "no guest"), ("no_stream", "a guest, no stream")] {
        let parameters = [("while", what.to_owned())];
        rows.extend(costs(outcome.figures(name)?, IDLE, None, &parameters)?);
    }
    for point in Point::all() {
        let figures = outcome.figures(&point.name())?;
        rows.extend(costs(figures, GROUP, Some(guest), &point.parameters())?);
        rows.extend(point.rows(outcome, GROUP)?);
    }
    rows.push(by_the_frame(outcome)?);
    Ok(rows)
}

/// The driver domain's counters, and Xen's.
pub(super) fn costs(
    figures: &Figures,
    group: &str,
    guest: Option<u16>,
    parameters: &[(&str, String)],
) -> Result<Vec<Row>> {
    let span = Span(figures);
    let counted = |name, counter: &str, how| -> Result<Row> {
        let value = span.per_second(counter, "time_ns")?;
        Ok(Row::new(group, name, value, 1, "1/s", how).with(parameters))
    };
    let time = |name, counter: &str, clock: &str, how| -> Result<Row> {
        let ms = span.per_second(counter, clock)? / 1e6;
        Ok(Row::new(group, name, ms, 3, "ms/s", how).with(parameters))
    };
    let mut rows = vec![
        counted("wake-ups", "wakeups", "sleeps of the main loop that ended, as the image counts them")?,
        counted("by deadline", "by_deadline", "turns at which the timer had an event")?,
        counted("by ring", "by_ring", "turns at which a stream's request ring had an event")?,
        counted("by store", "by_store", "turns at which xenstored had one")?,
        counted("hypercalls", "hypercalls", "as the image counts them")?,
        time(
            "vCPU time",
            "running_ns",
            "time_ns",
            "Xen's run state of the vCPU: in the image, and in Xen for it",
        )?,
        time(
            "waiting",
            "runnable_ns",
            "time_ns",
            "Xen's run state of the vCPU: ready to run while another domain did",
        )?,
    ];
    if let Some(guest) = guest {
        let counter = format!("dom{guest}_cpu_ns");
        rows.push(time(
            "guest",
            &counter,
            "at_ns",
            "Xen's processor time of the first guest, its kernel and its programs",
        )?);
    }
    Ok(rows)
}

/// Times until it serves.
fn start(outcome: &Outcome) -> Result<Vec<Row>> {
    let ready = ready_line(outcome)?;
    let seconds = ready.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
    let seconds: f64 = seconds.parse().with_context(|| format!("no time in {ready:?}"))?;
    let create = outcome.figures("create")?;
    let at = |name| -> Result<f64> { Ok(create.value::<f64>(name)? / 1e6) };
    let row = |name, ms, how| Row::new(START, name, ms, 3, "ms", how);
    let state_2 = at("state_2_at_ns")?;
    Ok(vec![
        row("entry to ready", seconds * 1e3, "the image's log"),
        row(
            "device to state 2",
            state_2 - at("directory_at_ns")?,
            "from the first node of a guest's device to InitWait",
        ),
        row(
            "xl create to state 2",
            state_2 - at("from_at_ns")?,
            "from the start of xl create for a guest to InitWait",
        ),
        row("xl create", at("to_at_ns")? - at("from_at_ns")?, "all of xl create for a guest"),
    ])
}

/// The line with which the image goes to work.
fn ready_line(outcome: &Outcome) -> Result<String> {
    let said = outcome.driver_domain();
    let line = said.lines().find(|line| line.contains("xen: ready;")).context("the image isn't ready")?;
    Ok(line.to_owned())
}

/// Its memory.
fn memory(outcome: &Outcome, snddom: u16) -> Result<Vec<Row>> {
    let figures = outcome.figures("no_stream")?;
    let pages: f64 = figures.value(&format!("to_dom{snddom}_pages"))?;
    let ready = ready_line(outcome)?;
    let mut numbers = ready
        .rsplit("ready;")
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok());
    let (taken, all): (f64, f64) =
        numbers.next().zip(numbers.next()).with_context(|| format!("no heap in {ready:?}"))?;
    let row = |name, bytes: f64, how| Row::new(MEMORY, name, bytes / 1024.0, 1, "KiB", how);
    Ok(vec![
        row("domain", pages * 4096.0, "pages that Xen has given it"),
        row("heap", all, "set aside for what is allocated at the start"),
        row("heap taken", taken, "when it goes to work; nothing is allocated afterwards"),
    ])
}

/// The same number of periods with three times the frames: what a frame costs, apart from what a period does, as far as that
/// can be told apart.
fn by_the_frame(outcome: &Outcome) -> Result<Row> {
    let fast = Point { rate_hz: RATE_HZ, period_frames: 480, buffer_frames: 4800, ..SLOW };
    let per_second = |point: &Point| -> Result<f64> {
        Span(outcome.figures(&point.name())?).per_second("running_ns", "time_ns")
    };
    let ns = per_second(&fast)? - per_second(&SLOW)?;
    let frames = f64::from(fast.rate_hz - SLOW.rate_hz);
    let how = "vCPU time at 48 kHz less that at 16 kHz, both with periods of 10 ms, by the 32,000 frames that they differ; looks that \
               fall otherwise are in it, and are as much as a copy would be";
    Ok(Row::new(COPIES, "vCPU time a frame", ns / frames, 3, "ns", how))
}
