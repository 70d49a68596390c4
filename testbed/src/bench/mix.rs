//! Costs of mixing natively: the examples `cost` of `snddom-pcm` and of `mixer`. And what a guest has of a shared output on
//! a card in memory: the example `shared_port` of `mixer`.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use xshell::cmd;

use super::Row;
use super::model::number;
use crate::cargo_build::Messages;
use crate::{provision, workspace};

const SAMPLES: &str = "sample arithmetic, natively";
const MIXER: &str = "mixer, natively: 16-bit stereo voices on a bus of 48 kHz";
const LEAD: &str = "shared output, lead before the FIFO, on a card in memory";
const TURNS: &str = "shared output, voices of 10 ms, on a card in memory";

const TIMED: &str = "the least of many tries on this host: another host, another figure";
const COUNTED: &str = "callgrind, the difference of two runs: the same on every host, by compiler";

/// The cases of `snddom-pcm` that are told here.
const CASES: [&str; 7] = [
    "mix S16 stereo, 0 dB",
    "mix S16 stereo, -10 dB",
    "mix S32 stereo, 0 dB",
    "mix F32 stereo, 0 dB",
    "encode S16 stereo",
    "encode S32 stereo",
    "convert 44.1 to 48 kHz stereo",
];

/// The kinds of voices of `mixer` that are told here.
const KINDS: [&str; 2] = ["S16, 0 dB", "S16, 44.1 kHz"];

/// Runs the examples, also under valgrind where that is installed.
pub(super) fn run() -> Result<Vec<Row>> {
    let has_valgrind = provision::on_path("valgrind");
    if !has_valgrind {
        eprintln!("valgrind is not installed: instructions are left out (apt-get install valgrind)");
    }
    let mut rows = Vec::new();
    // One package after the other: their examples have the same name, and cargo puts them in the same place.
    for (package, read) in
        [("snddom-pcm", samples as fn(&Value) -> Result<Vec<Row>>), ("mixer", of_mixer as _)]
    {
        rows.extend(rows_of(&example(package, "cost", &["--json"])?, read)?);
        if has_valgrind {
            rows.extend(rows_of(&example(package, "cost", &["--json", "--instructions"])?, read)?);
        }
    }
    rows.extend(rows_of(&example("mixer", "shared_port", &[])?, shared_port)?);
    Ok(rows)
}

fn rows_of(lines: &[Value], read: fn(&Value) -> Result<Vec<Row>>) -> Result<Vec<Row>> {
    let rows: Vec<Vec<Row>> = lines.iter().map(read).collect::<Result<_>>()?;
    Ok(rows.concat())
}

/// `{"case": ..., "ns": ...}`, or with `instructions`
fn samples(line: &Value) -> Result<Vec<Row>> {
    let case = line["case"].as_str().with_context(|| format!("no case in {line}"))?;
    if !CASES.contains(&case) {
        return Ok(Vec::new());
    }
    let parameters = [("of a frame", case.to_owned())];
    let row = match line.get("instructions") {
        Some(_) => Row::new(SAMPLES, "instructions", number(line, "instructions")?, 1, "", COUNTED),
        None => Row::new(SAMPLES, "time", number(line, "ns")?, 2, "ns", TIMED),
    };
    Ok(vec![row.with(&parameters)])
}

/// `{"voices": ..., "unit": ..., kind: ...}`
fn of_mixer(line: &Value) -> Result<Vec<Row>> {
    let parameters = [("voices", number(line, "voices")?.to_string())];
    let is_counted = line["unit"] == "instructions";
    let row = |kind: &&str| -> Result<Row> {
        let value = number(line, kind)?;
        let row = match is_counted {
            true => Row::new(MIXER, &format!("{kind}: instructions"), value, 1, "/frame", COUNTED),
            false => Row::new(MIXER, kind, value, 1, "ns/frame", TIMED),
        };
        Ok(row.with(&parameters))
    };
    KINDS.iter().map(row).collect()
}

/// `{"measured": "lead", ...}` or `{"measured": "voices", ...}`
fn shared_port(line: &Value) -> Result<Vec<Row>> {
    let frames_ms = |name| -> Result<f64> { Ok(number(line, name)? / 48.0) };
    match line["measured"].as_str() {
        Some("lead") => {
            let parameters = [("period frames", number(line, "period_frames")?.to_string())];
            let row = |name: &str, figure, how| -> Result<Row> {
                Ok(Row::new(LEAD, name, frames_ms(figure)?, 2, "ms", how).with(&parameters))
            };
            let heard = "the least time before the FIFO fetches it at which a frame is announced, and none is lost in 5 s; turns are up \
                         to 0.6 ms late; 41 s after the start";
            let taken = "how far ahead of the FIFO announced frames are taken, at most";
            Ok(vec![row("latest announcement", "heard_frames", heard)?, row("taken", "taken_frames", taken)?])
        }
        Some("voices") => {
            let parameters = [("voices", number(line, "voices")?.to_string())];
            let row = |name: &str, figure, decimals, unit, how| -> Result<Row> {
                Ok(Row::new(TURNS, name, number(line, figure)?, decimals, unit, how).with(&parameters))
            };
            Ok(vec![
                row(
                    "turns",
                    "turns_a_second",
                    1,
                    "1/s",
                    "turns of the mixer alone; requests and period events wake the image besides",
                )?,
                row("voices' FIFO errors", "errors", 0, "", "of all voices, in 51 s")?,
                row("late turns", "late_turns", 0, "", "as the bus counts them")?,
            ])
        }
        _ => anyhow::bail!("not known: {line}"),
    }
}

/// Builds an example and runs it: each line is a JSON object.
fn example(package: &str, name: &str, arguments: &[&str]) -> Result<Vec<Value>> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    let build = cmd!(
        shell,
        "{cargo} build --profile counted --package {package} --example {name} --message-format=json-render-diagnostics"
    );
    let program = Messages::of(build, || format!("the example {name} doesn't build"))?.executable(package)?;
    let output =
        Command::new(&program).args(arguments).output().with_context(|| format!("{package}: {name}"))?;
    ensure!(output.status.success(), "{package}: {name} ends with {}", output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{package}: {name}: {line}")))
        .collect::<Result<_>>()?;
    ensure!(!lines.is_empty(), "{package}: the example {name} says nothing");
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn costs_of_samples_are_told_by_case() {
        let timed = samples(&json!({ "case": CASES[0], "ns": 1.004 })).expect("well said");
        let counted = samples(&json!({ "case": CASES[0], "instructions": 6.26 })).expect("well said");
        let told = [&timed[0], &counted[0]].map(|row| (row.name.as_str(), row.value));
        assert_eq!(told, [("time", 1.0), ("instructions", 6.3)]);
        assert!(samples(&json!({ "case": "another", "ns": 1.0 })).expect("well said").is_empty());
        assert!(samples(&json!({ "ns": 1.0 })).is_err());
    }

    #[test]
    fn costs_of_voices_are_told_by_their_number() {
        let line = |unit| json!({ "voices": 8, "unit": unit, "S16, 0 dB": 20.0, "S16, 44.1 kHz": 678.0 });
        let [timed, counted] = ["ns", "instructions"].map(|unit| of_mixer(&line(unit)).expect("well said"));
        assert_eq!(timed.iter().map(|row| row.value).collect::<Vec<_>>(), [20.0, 678.0]);
        assert_eq!(timed[0].parameters, counted[0].parameters);
        assert_ne!(timed[0].key(), counted[0].key());
        assert!(of_mixer(&json!({ "voices": 8, "unit": "ns" })).is_err());
    }

    #[test]
    fn a_lead_is_told_in_milliseconds() {
        let line =
            json!({ "measured": "lead", "period_frames": 480, "heard_frames": 288, "taken_frames": 240 });
        let values: Vec<f64> = shared_port(&line).expect("well said").iter().map(|row| row.value).collect();
        assert_eq!(values, [6.0, 5.0]);
        let line = json!({ "measured": "voices", "voices": 8, "turns_a_second": 187.6, "errors": 1, "late_turns": 2 });
        let values: Vec<f64> = shared_port(&line).expect("well said").iter().map(|row| row.value).collect();
        assert_eq!(values, [187.6, 1.0, 2.0]);
        assert!(shared_port(&json!({ "measured": "else" })).is_err());
    }
}
