//! What is exact on the model of the hardware, on the host.

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::Row;
use crate::rig::Figures;
use crate::workspace;

const ERRORS: &str = "error of published positions, on the model, while LOCKED";
const LATENCY: &str = "from a write into the buffer to the link, on the model";

/// Runs the examples that measure, and reads what they say.
pub(super) fn run() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for figures in example("snd-hda", "position_errors")? {
        rows.extend(errors(&figures)?);
    }
    for figures in example("snd-hda", "write_to_link")? {
        rows.extend(latency(&figures)?);
    }
    Ok(rows)
}

fn errors(figures: &Figures) -> Result<Vec<Row>> {
    let number = |name: &str| -> Result<f64> {
        Ok(figures.value(name).with_context(|| format!("position_errors says no {name}"))?.parse()?)
    };
    let parameters = [("rate Hz", number("rate_hz")?.to_string())];
    let how = "random schedules with fixed seeds: drift of 500 ppm, steps of 10 ms, jitter of 100 us at most, wraps, pauses; no \
               stated bound was broken, or the stage fails";
    let row = |name: &str, figure: &str| -> Result<Row> {
        Ok(Row::new(ERRORS, name, number(figure)? / 1e3, 3, "frames", how).with(&parameters))
    };
    let share = number("locked")? / number("instants")? * 100.0;
    Ok(vec![
        row("p50", "p50_milliframes")?,
        row("p99", "p99_milliframes")?,
        row("max", "max_milliframes")?,
        Row::new(ERRORS, "instants", number("instants")?, 0, "", "compared with the truth").with(&parameters),
        Row::new(ERRORS, "locked", share, 1, "%", "of these; the others state a larger bound")
            .with(&parameters),
    ])
}

fn latency(figures: &Figures) -> Result<[Row; 2]> {
    let text = |name: &str| figures.value(name).with_context(|| format!("write_to_link says no {name}"));
    let (rate_hz, frames): (f64, f64) = (text("rate_hz")?.parse()?, text("lead_frames")?.parse()?);
    let parameters =
        [("controller", text("controller")?.to_owned()), ("rate Hz", text("rate_hz")?.to_owned())];
    let how = "how far ahead of the frame at the link a frame has to be written to be heard, each time; found at the converter";
    Ok([
        Row::new(LATENCY, "lead", frames, 0, "frames", how).with(&parameters),
        Row::new(LATENCY, "time", frames * 1e6 / rate_hz, 1, "us", how).with(&parameters),
    ])
}

/// Runs an example of a package: each line is pairs `name=value`.
fn example(package: &str, name: &str) -> Result<Vec<Figures>> {
    let shell = workspace::shell()?;
    let cargo = workspace::cargo();
    let run = cmd!(shell, "{cargo} run --quiet --package {package} --example {name}");
    eprintln!("$ {run}");
    let said = run.quiet().read().with_context(|| format!("the example {name} of {package}"))?;
    let lines: Vec<Figures> =
        said.lines().map(|line| Figures { name: name.to_owned(), text: line.to_owned() }).collect();
    ensure!(!lines.is_empty(), "the example {name} of {package} says nothing");
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_frames() {
        let text =
            "rate_hz=44100 instants=200 locked=50 p50_milliframes=62 p99_milliframes=900 max_milliframes=999";
        let rows = errors(&Figures { name: String::new(), text: text.to_owned() }).expect("well said");
        let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [0.062, 0.9, 0.999, 200.0, 25.0]);
    }

    #[test]
    fn a_lead_is_told_in_frames_and_in_time() {
        let text = "controller=qemu rate_hz=48000 lead_frames=1536".to_owned();
        let [lead, time] = latency(&Figures { name: String::new(), text }).expect("well said");
        assert_eq!((lead.value, time.value, time.unit.as_str()), (1536.0, 32_000.0, "us"));
        assert_eq!(lead.parameters[0].1, "qemu");
        let text = "controller=qemu rate_hz=48000".to_owned();
        assert!(latency(&Figures { name: String::new(), text }).is_err());
    }
}
