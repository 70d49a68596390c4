//! What the driver domain costs under Xen while programs in guests are the front ends, with a control page and no period
//! events; and what such a guest has of it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::domain::costs;
use super::{Row, probe, rig_run};
use crate::rig::Outcome;
use crate::tool;

const GROUP: &str = "driver domain, control page and no period events (audiofront)";
const GUEST: &str = "position in the guest, control page";

/// How many guests play at a time, a stream each.
const GUESTS: [u32; 3] = [1, 2, 4];

/// How often the position is looked at.
const LOOKS: u32 = 300;

/// Frames in a nanosecond.
const FRAMES_A_NS: f64 = 48_000.0 / 1e9;

/// Boots the rig once and measures.
pub(super) fn run() -> Result<Vec<Row>> {
    let outcome = rig_run::run(rig_run::Boot {
        name: "bench_page",
        script: include_str!("../../rig/scenarios/bench_page.sh"),
        variables: vec![("LOOKS", LOOKS.to_string())],
        dom0_plays: false,
        codecs: 4,
        programs: tool::build()?,
        probe: probe::build()?,
    })?;
    let domains = rig_run::figures(&outcome, "domains")?;
    let guest = domains.value("guest1").context("no guest1")?.to_owned();
    let mut rows = Vec::new();
    for guests in GUESTS {
        let figures = rig_run::figures(&outcome, &format!("page:{guests}"))?;
        rows.extend(costs(figures, GROUP, Some(&guest), &[("streams", guests.to_string())])?);
    }
    let folder = handed_out(&outcome)?;
    rows.extend(positions(&read(folder, "positions.jsonl")?)?);
    rows.extend(read_cost(&read(folder, "read-cost.json")?)?);
    Ok(rows)
}

/// The folder with what the first guest handed out.
fn handed_out(outcome: &Outcome) -> Result<&Path> {
    let folder = outcome.handed_out.get("guest1").context("guest1 has handed out nothing")?;
    folder.as_deref().map_err(|why| anyhow::anyhow!("guest1: {why}"))
}

fn read(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// A look at the position.
struct Look {
    guest_ns: f64,
    frames: f64,
    age_ns: f64,
    error_ns: f64,
    is_locked: bool,
}

fn looks(text: &str) -> Result<Vec<Look>> {
    let mut looks = Vec::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if row["position"].is_null() {
            continue;
        }
        let number = |name: &str| row[name].as_f64().with_context(|| format!("no {name} in {line}"));
        looks.push(Look {
            guest_ns: number("guest_ns")?,
            frames: number("position")?,
            age_ns: number("age_ns")?,
            error_ns: number("error_ns")?,
            is_locked: row["lock"] == "LOCKED",
        });
    }
    ensure!(looks.len() > 1, "no positions were seen");
    Ok(looks)
}

/// How old positions are, how sure, and whether they agree with one another.
fn positions(text: &str) -> Result<Vec<Row>> {
    let looks = looks(text)?;
    let ranked = |value: fn(&Look) -> f64| {
        let mut values: Vec<f64> = looks.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        move |percent: usize| values[(values.len() - 1) * percent / 100]
    };
    let (age, error) = (ranked(|look| look.age_ns / 1e3), ranked(|look| look.error_ns / 1e3));
    let mut outside = 0u32;
    for (index, one) in looks.iter().enumerate() {
        for other in &looks[index + 1..] {
            let off = (other.frames - one.frames) - (other.guest_ns - one.guest_ns) * FRAMES_A_NS;
            // What is read is whole frames.
            let bound = (one.error_ns + other.error_ns) * FRAMES_A_NS + 2.0;
            outside += u32::from(off.abs() > bound);
        }
    }
    let locked = looks.iter().filter(|look| look.is_locked).count() as f64 / looks.len() as f64 * 100.0;
    let old =
        "time since the back end wrote the pair that the position is computed from, looked at each 13 ms";
    let bound = "the bound that is stated with the position, the guest's clock included";
    let agree =
        "pairs of positions that are further from each other than the time between them, by both bounds";
    Ok(vec![
        Row::new(GUEST, "age p50", age(50), 1, "us", old),
        Row::new(GUEST, "age p99", age(99), 1, "us", old),
        Row::new(GUEST, "age max", age(100), 1, "us", old),
        Row::new(GUEST, "bound p50", error(50), 1, "us", bound),
        Row::new(GUEST, "bound max", error(100), 1, "us", bound),
        Row::new(GUEST, "locked", locked, 1, "%", "looks at which the position was told to be LOCKED"),
        Row::new(GUEST, "positions", looks.len() as f64, 0, "", "looks that found one"),
        Row::new(GUEST, "outside the bound", outside.into(), 0, "pairs", agree),
    ])
}

fn read_cost(text: &str) -> Result<Vec<Row>> {
    let value: Value = serde_json::from_str(text.trim()).context("read-cost.json")?;
    let number = |name: &str| value[name].as_f64().with_context(|| format!("read-cost.json has no {name}"));
    let how = "a read of the page, the counter and both clocks' maps, in a thread in which any system call ends the program; \
               under icount a nanosecond is an instruction";
    Ok(vec![Row::new(GUEST, "cost of a position", number("ns_a_read")?, 1, "ns", how)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(guest_ns: u64, position: u64, error_ns: u64) -> String {
        format!(
            r#"{{"guest_ns":{guest_ns},"position":{position},"age_ns":2000,"error_ns":{error_ns},"lock":"LOCKED"}}"#
        )
    }

    fn outside(text: &str) -> f64 {
        let rows = positions(text).expect("rows");
        rows.iter().find(|row| row.name == "outside the bound").expect("there").value
    }

    #[test]
    fn positions_that_agree_are_inside_and_others_are_not() {
        let good = [line(0, 100, 1000), line(1_000_000, 148, 1000), line(2_000_000, 196, 1000)].join("\n");
        assert_eq!(outside(&good), 0.0);
        let bad = [line(0, 100, 1000), line(1_000_000, 148, 1000), line(2_000_000, 200, 1000)].join("\n");
        assert_eq!(outside(&bad), 2.0);
        let unsure = [line(0, 100, 1000), line(2_000_000, 200, 100_000)].join("\n");
        assert_eq!(outside(&unsure), 0.0);
    }

    #[test]
    fn what_is_no_position_is_left_out_and_none_at_all_is_an_error() {
        let none = r#"{"stream":0,"direction":"playback","position":null}"#;
        assert!(positions(none).is_err());
        let some = [none.to_owned(), line(0, 0, 1), line(1000, 0, 1)].join("\n");
        let rows = positions(&some).expect("rows");
        assert_eq!(rows.iter().find(|row| row.name == "positions").expect("there").value, 2.0);
        assert!(positions("{}").is_err());
    }
}
