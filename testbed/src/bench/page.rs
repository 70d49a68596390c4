//! What the driver domain costs under Xen while programs in guests are the front ends, with a control page and no period
//! events; and what such a guest has of it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::domain::costs;
use super::{Row, probe, rig_run};
use crate::judge::positions::{self, Reading};
use crate::rig::Dom0Sound;
use crate::tool;

const GROUP: &str = "driver domain, control page and no period events (audiofront)";
const PLUGIN: &str = "driver domain, ALSA's plug-in (aplay)";
const GUEST: &str = "position in the guest, control page";

/// Guests that play at a time, a stream each.
const GUESTS: [u32; 3] = [1, 2, 4];

/// What aplay asks the plug-in for: frames in a period and in the buffer.
const PLUGIN_POINTS: [(u32, u32); 4] = [(64, 2_048), (240, 2_400), (480, 4_800), (4_800, 19_200)];

/// Seconds in which aplay's wake-ups are counted.
const COUNTED_S: f64 = 6.0;

/// Readings of the position.
const LOOKS: u32 = 300;

/// Boots the rig once and measures.
pub(super) fn run() -> Result<Vec<Row>> {
    let plugin_points = PLUGIN_POINTS.map(|(period, buffer)| format!("{period}:{buffer}"));
    let outcome = rig_run::run(rig_run::Boot {
        name: "bench_page",
        script: include_str!("../../rig/scenarios/bench_page.sh"),
        variables: vec![("LOOKS", LOOKS.to_string()), ("PLUGIN_POINTS", plugin_points.join(" "))],
        dom0_sound: Dom0Sound::None,
        codecs: 4,
        programs: tool::build()?,
        probe: probe::build()?,
    })?;
    let domains = outcome.figures("domains")?;
    let guest = domains.value("guest1")?;
    let mut rows = Vec::new();
    for guests in GUESTS {
        let figures = outcome.figures(&format!("page:{guests}"))?;
        rows.extend(costs(figures, GROUP, Some(guest), &[("streams", guests.to_string())])?);
    }
    for ((period, buffer), name) in PLUGIN_POINTS.into_iter().zip(&plugin_points) {
        let parameters = [("period", format!("{period}")), ("buffer", format!("{buffer}"))];
        rows.extend(costs(outcome.figures(&format!("plugin:{name}"))?, PLUGIN, Some(guest), &parameters)?);
        let program = outcome.figures(&format!("plugin_program:{name}"))?;
        let wakeups: u32 = program.value("wakeups")?;
        let a_period = f64::from(wakeups) / COUNTED_S * f64::from(period) / 48_000.0;
        let underruns: u32 = program.value("underruns")?;
        let how = "voluntary context switches of aplay in a period";
        let row = |name, value, decimals, unit, how| {
            Row::new(PLUGIN, name, value, decimals, unit, how).with(&parameters)
        };
        rows.push(row("program's wake-ups", a_period, 2, "1/period", how));
        rows.push(row("underruns", underruns.into(), 0, "", "what aplay said of them"));
    }
    let folder = outcome.handed_out("guest1").map_err(|finding| anyhow::anyhow!(finding.detail))?;
    rows.extend(positions(&read(folder, "positions.jsonl")?)?);
    rows.extend(read_cost(&read(folder, "read-cost.json")?)?);
    Ok(rows)
}

fn read(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// How old positions are, how sure, and whether they agree with one another.
fn positions(text: &str) -> Result<Vec<Row>> {
    let looks = positions::parse(text)?;
    ensure!(looks.len() > 1, "no positions were seen");
    let ranked = |value: fn(&Reading) -> f64| {
        let mut values: Vec<f64> = looks.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        move |percent: usize| values[(values.len() - 1) * percent / 100]
    };
    let (age, error) = (ranked(|look| look.age_ns / 1e3), ranked(|look| look.error_ns / 1e3));
    let mut outside = 0u32;
    for (index, one) in looks.iter().enumerate() {
        for other in &looks[index + 1..] {
            let (off, bound) = one.off(other);
            outside += u32::from(off > bound);
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
