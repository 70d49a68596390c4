//! Exact figures from the model of the hardware, on the host.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::cmd;

use super::Row;
use crate::workspace;

const ERRORS: &str = "error of published positions, on the model, while LOCKED";
const PLAIN: &str =
    "error of published positions, on the model, from the first look after a start by SSYNC on";
const TOUCHED: &str = "bytes that the back end touches, on the model";
const LATENCY: &str = "from a write into the buffer to the link, on the model";

/// Random schedules, of all rates together; their seeds are always the same.
const SCHEDULES: &str = "200000";

/// Of plain starts, the same for each jitter.
const PLAIN_SCHEDULES: &str = "50000";

/// Runs the examples that measure, and reads what they say.
pub(super) fn run() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for line in example("snd-hda", "position_error", &[SCHEDULES])? {
        rows.extend(errors(&line)?);
    }
    for line in example("snd-hda", "position_error", &[PLAIN_SCHEDULES, "plain"])? {
        rows.extend(plain_errors(&line)?);
    }
    for line in example("snd-hda", "write_to_link", &[])? {
        rows.extend(latency(&line)?);
    }
    for line in example("snddom-kernel", "bytes_touched", &[])? {
        rows.extend(touched(&line)?);
    }
    Ok(rows)
}

/// A number of a line.
///
/// # Errors
/// It has none of that name.
pub(super) fn number(line: &Value, name: &str) -> Result<f64> {
    line[name].as_f64().with_context(|| format!("no {name} in {line}"))
}

fn errors(line: &Value) -> Result<Vec<Row>> {
    let parameters = [("rate Hz", number(line, "rate_hz")?.to_string())];
    let how = "random schedules with fixed seeds: drift of 500 ppm, steps of 10 ms, jitter of 100 us at most, wraps, pauses; \
               the stated bound was never broken, or the stage fails";
    let row = |name: &str, figure: &str| -> Result<Row> {
        Ok(Row::new(ERRORS, name, number(line, figure)? / 1e3, 3, "frames", how).with(&parameters))
    };
    let (instants, locked) = (number(line, "instants")?, number(line, "locked")?);
    let share = locked / instants * 100.0;
    Ok(vec![
        row("p50", "p50_milliframes")?,
        row("p99", "p99_milliframes")?,
        row("max", "max_milliframes")?,
        row("by cadence p99", "followed_p99_milliframes")?,
        row("by cadence max", "followed_max_milliframes")?,
        Row::new(ERRORS, "instants", instants, 0, "", "compared with the truth").with(&parameters),
        Row::new(ERRORS, "locked", share, 1, "%", "of these; the others state a larger bound")
            .with(&parameters),
    ])
}

fn plain_errors(line: &Value) -> Result<[Row; 4]> {
    let jitter = |name: &str| -> Result<String> { Ok((number(line, name)? / 1e3).to_string()) };
    let parameters = [
        ("reads us", jitter("read_jitter_ns")?),
        ("writes us", jitter("write_jitter_ns")?),
        ("rate Hz", number(line, "rate_hz")?.to_string()),
    ];
    let how = "every instant, locked or not; nothing is lost; drift of 500 ppm, steps of 10 ms, wraps; reads and writes of registers \
               take up to so much longer than they need, twice each; 4.095 stands for more, too";
    let row = |name: &str, figure: &str| -> Result<Row> {
        Ok(Row::new(PLAIN, name, number(line, figure)? / 1e3, 3, "frames", how).with(&parameters))
    };
    Ok([
        row("p99", "p99_milliframes")?,
        row("max", "max_milliframes")?,
        row("by cadence p99", "followed_p99_milliframes")?,
        row("by cadence max", "followed_max_milliframes")?,
    ])
}

fn latency(line: &Value) -> Result<[Row; 2]> {
    let (rate_hz, frames) = (number(line, "rate_hz")?, number(line, "lead_frames")?);
    let controller = line["controller"].as_str().with_context(|| format!("no controller in {line}"))?;
    let parameters = [("controller", controller.to_owned()), ("rate Hz", rate_hz.to_string())];
    let how = "how far ahead of the frame at the link a frame has to be written to be heard, each time; found at the converter";
    Ok([
        Row::new(LATENCY, "lead", frames, 0, "frames", how).with(&parameters),
        Row::new(LATENCY, "time", frames * 1e6 / rate_hz, 1, "us", how).with(&parameters),
    ])
}

fn touched(line: &Value) -> Result<[Row; 2]> {
    let parameters = [("channels", number(line, "channels")?.to_string())];
    let how = "the whole house plays 16-bit samples at 48 kHz; every page that the back end can look into counts each word that it \
               reads or writes";
    let row = |name: &str, figure: &str| -> Result<Row> {
        let bytes = number(line, figure)? / number(line, "frames")?;
        Ok(Row::new(TOUCHED, name, bytes, 2, "bytes/frame", how).with(&parameters))
    };
    Ok([row("samples", "sample_bytes")?, row("all else", "other_bytes")?])
}

/// Runs an example: each line is a JSON object.
fn example(package: &str, name: &str, arguments: &[&str]) -> Result<Vec<Value>> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    let run = cmd!(shell, "{cargo} run --quiet --package {package} --example {name} -- {arguments...}");
    eprintln!("$ {run}");
    let said = run.quiet().read().with_context(|| format!("the example {name}"))?;
    let lines =
        said.lines().map(|line| serde_json::from_str(line).with_context(|| format!("{name}: {line}")));
    let lines: Vec<Value> = lines.collect::<Result<_>>()?;
    ensure!(!lines.is_empty(), "the example {name} says nothing");
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_told_in_frames() {
        let line = json!({
            "rate_hz": 44100, "instants": 200, "locked": 50, "p50_milliframes": 62, "p99_milliframes": 900,
            "max_milliframes": 999, "followed_p99_milliframes": 120, "followed_max_milliframes": 450,
        });
        let values: Vec<f64> = errors(&line).expect("well said").iter().map(|row| row.value).collect();
        assert_eq!(values, [0.062, 0.9, 0.999, 0.12, 0.45, 200.0, 25.0]);
        assert!(errors(&json!({ "rate_hz": 44100 })).is_err());
    }

    #[test]
    fn errors_of_plain_starts_are_told_for_each_jitter() {
        let line = json!({
            "read_jitter_ns": 100_000, "write_jitter_ns": 0, "rate_hz": 48000, "p99_milliframes": 146,
            "max_milliframes": 247, "followed_p99_milliframes": 146, "followed_max_milliframes": 247,
        });
        let rows = plain_errors(&line).expect("well said");
        assert_eq!(rows.each_ref().map(|row| row.value), [0.146, 0.247, 0.146, 0.247]);
        assert_eq!(rows[0].parameters[0].1, "100");
        assert!(plain_errors(&json!({ "rate_hz": 44100 })).is_err());
    }

    #[test]
    fn what_is_touched_is_told_by_the_frame() {
        let line = json!({ "channels": 2, "frames": 1000, "sample_bytes": 0, "other_bytes": 500 });
        let values = touched(&line).expect("well said").map(|row| row.value);
        assert_eq!(values, [0.0, 0.5]);
        assert!(touched(&json!({ "channels": 2, "frames": 1000 })).is_err());
    }

    #[test]
    fn a_lead_is_told_in_frames_and_in_time() {
        let line = json!({ "controller": "qemu", "rate_hz": 48000, "lead_frames": 1536 });
        let [lead, time] = latency(&line).expect("well said");
        assert_eq!((lead.value, time.value, time.unit.as_str()), (1536.0, 32_000.0, "us"));
        assert_eq!(lead.parameters[0].1, "qemu");
        assert!(latency(&json!({ "controller": "qemu", "rate_hz": 48000 })).is_err());
    }
}
