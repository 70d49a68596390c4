//! The result: numbers for programs, a table for people, and a verdict.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Spread, erle};

/// The limits for a pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Largest spread of correlated less published offset over all restarts, in frames.
    pub spread_frames: f64,
    /// Largest distance of the mean difference from the room's delay, if known, in frames.
    pub offset_frames: f64,
    /// Least linear ERLE with the published offset, in dB.
    ///
    /// If the signal is too short to reach it even with the correlated offset, that result less 3
    /// dB suffices.
    pub erle_db: f64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { spread_frames: 1.0, offset_frames: 1.0, erle_db: erle::GOOD_DB }
    }
}

/// Largest loss of the published offset against the correlated one, in dB.
const ERLE_LOSS_DB: f64 = 3.0;

/// Error from whole frames and from the interpolation of a peak.
const ROUNDING_FRAMES: f64 = 1.0;

/// One restart of the streams.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Restart {
    /// The published offset, see [`crate::Take`].
    pub published_offset_frames: f64,
    /// The published error of the offset.
    pub offset_error_frames: f64,
    /// Movement of the published offset while the streams ran.
    pub published_jitter_frames: f64,
    /// The offset of the signal's first arrival.
    pub correlated_offset_frames: f64,
    /// The offset of the strongest peak.
    pub strongest_offset_frames: f64,
    /// Clarity of the result: the response's peak over its floor.
    pub peak_to_floor: f64,
    /// The gain of the first arrival.
    pub gain: f64,
    /// Whether one request started both streams.
    pub linked_start: bool,
}

impl Restart {
    /// Correlated less published: the way through the air, if the system is right.
    #[must_use]
    pub fn difference_frames(&self) -> f64 {
        self.correlated_offset_frames - self.published_offset_frames
    }
}

/// The canceller's results, by alignment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Erle {
    /// With the published offset and the room's delay.
    pub published: erle::Trace,
    /// With the correlated offset: the best possible result.
    pub correlated: erle::Trace,
    /// With the mean of each take's readings, which no program knows before the take ends.
    ///
    /// It shows the cost of readings that move while streams run.
    pub averaged: erle::Trace,
    /// With the published offset, and the canceller's own search from there on.
    pub estimated: erle::Trace,
}

/// One restart, by the monitor's recording.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MonitorRestart {
    /// The recorded frame that was at the link together with the monitor's frame 0, as published.
    pub published_offset_frames: f64,
    /// The same offset by the signal's first arrival in both recordings.
    pub correlated_offset_frames: f64,
    /// Distance of the signal in the monitor's recording from where the published offsets have it.
    pub misplaced_frames: f64,
}

impl MonitorRestart {
    /// Correlated less published: the way through the air, if the system is right.
    #[must_use]
    pub fn difference_frames(&self) -> f64 {
        self.correlated_offset_frames - self.published_offset_frames
    }
}

/// The results with the monitor's recording as far end.
#[derive(Clone, Debug, PartialEq)]
pub struct MonitorReport {
    /// The restarts.
    pub restarts: Vec<MonitorRestart>,
    /// The canceller's result with the published offset and the room's delay.
    pub published: erle::Trace,
    /// With the correlated offset: the best possible result.
    pub correlated: erle::Trace,
}

impl MonitorReport {
    /// Correlated less published offset over all restarts.
    #[must_use]
    pub fn differences(&self) -> Option<Spread> {
        Spread::of(self.restarts.iter().map(MonitorRestart::difference_frames))
    }

    fn judge(&self, bounds: &Bounds) -> Finding {
        let worst = self.restarts.iter().map(|restart| restart.misplaced_frames.abs()).fold(0.0, f64::max);
        let width = self.differences().map_or(0.0, |differences| differences.width());
        let detail = format!(
            "the signal is in the monitor within {worst:.2} frames of its published place, at most {ROUNDING_FRAMES} are \
             allowed; correlated less published lies within {width:.2}, at most {} are allowed",
            bounds.spread_frames
        );
        let holds = worst <= ROUNDING_FRAMES && width <= bounds.spread_frames;
        Finding { name: "monitor", holds, detail }
    }
}

/// The report of a check.
#[derive(Clone, Debug)]
pub struct Report {
    /// The source of the published offsets.
    pub source: String,
    /// The name of the played signal.
    pub signal: String,
    /// Its length in seconds.
    pub signal_seconds: f64,
    /// The room's delay, if known.
    pub room_delay_frames: Option<f64>,
    /// The restarts; at least one.
    pub restarts: Vec<Restart>,
    /// The canceller's results, with the played signal as far end.
    pub erle: Erle,
    /// The results with a monitor's recording as far end, if there is a monitor.
    pub monitor: Option<MonitorReport>,
    /// The limits for a pass.
    pub bounds: Bounds,
}

/// One judged property.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Name: `spread`, `offset`, `promise`, `monitor` or `erle`.
    pub name: &'static str,
    /// Whether it is within its bound.
    pub holds: bool,
    /// The value and its bound, in words.
    pub detail: String,
}

impl Report {
    /// Correlated less published offset over all restarts.
    #[must_use]
    pub fn differences(&self) -> Option<Spread> {
        Spread::of(self.restarts.iter().map(Restart::difference_frames))
    }

    /// All judged properties.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut judge = |name, holds, detail| findings.push(Finding { name, holds, detail });
        if let Some(differences) = self.differences() {
            let (width, bound) = (differences.width(), self.bounds.spread_frames);
            let detail = format!(
                "correlated less published lies within {width:.2} frames over {} restarts, at most {bound} are allowed",
                self.restarts.len()
            );
            judge("spread", width <= bound, detail);
            if let Some(room) = self.room_delay_frames {
                let bound = self.bounds.offset_frames;
                let off = differences.mean - room;
                let detail = format!(
                    "correlated less published is {off:+.2} frames off the room's {room:.2} on the mean, at most {bound} are \
                     allowed"
                );
                judge("offset", off.abs() <= bound, detail);
                // A system that states no bound can't break it.
                let beyond = |restart: &Restart| {
                    (restart.difference_frames() - room).abs() - restart.offset_error_frames
                };
                let worst = self.restarts.iter().map(beyond).fold(f64::NEG_INFINITY, f64::max);
                if worst.is_finite() {
                    let holds = worst <= ROUNDING_FRAMES;
                    let detail = match holds {
                        true => {
                            "every published offset is within the error that was published with it".to_owned()
                        }
                        false => format!("a published offset is {worst:.2} frames beyond its own error"),
                    };
                    judge("promise", holds, detail);
                }
            }
        }
        if let Some(monitor) = &self.monitor {
            findings.push(monitor.judge(&self.bounds));
        }
        let own = self.erle.published.converged_db();
        // With a monitor, its recording is the far end. What others play is no fault of the own signal's.
        let (published, best) = match &self.monitor {
            Some(monitor) => (monitor.published.converged_db(), monitor.correlated.converged_db()),
            None => (own, self.erle.correlated.converged_db()),
        };
        let bound = best.map_or(self.bounds.erle_db, |best| self.bounds.erle_db.min(best - ERLE_LOSS_DB));
        let mut detail = format!(
            "the canceller removes {} with the published offset, {} with the correlated one; {bound:.1} dB are asked for",
            decibels(published),
            decibels(best)
        );
        if self.monitor.is_some() {
            detail = format!("by the monitor {detail}; by the own signal alone it removes {}", decibels(own));
        }
        let holds = published.is_some_and(|published| published >= bound);
        findings.push(Finding { name: "erle", holds, detail });
        findings
    }

    /// Whether all findings hold.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings().iter().all(|finding| finding.holds)
    }

    /// The report as JSON. Frames at 48 kHz, seconds and dB; `null` for unknown values.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let restart = |restart: &Restart| {
            let mut restart_json = json!(restart);
            restart_json["difference_frames"] = json!(restart.difference_frames());
            restart_json
        };
        let trace = |trace: &erle::Trace| {
            json!({
                "converged_db": trace.converged_db(),
                "converged_total_db": trace.converged_total_db(),
                "worst_after_convergence_db": trace.worst_after_convergence_db(),
                "seconds_to_20_db": trace.seconds_to(erle::GOOD_DB),
                "seconds_to_80_percent": seconds_to_80_percent(trace),
                "points": trace.points.iter()
                    .map(|point| json!([point.at_s, point.linear_db, point.total_db]))
                    .collect::<Vec<_>>(),
            })
        };
        json!({
            "source": self.source,
            "signal": self.signal,
            "signal_seconds": self.signal_seconds,
            "rate_hz": crate::RATE_HZ,
            "room_delay_frames": self.room_delay_frames,
            "difference_frames": self.differences().map(spread_json),
            "restarts": self.restarts.iter().map(restart).collect::<Vec<_>>(),
            "erle": {
                "published": trace(&self.erle.published),
                "correlated": trace(&self.erle.correlated),
                "averaged": trace(&self.erle.averaged),
                "estimated": trace(&self.erle.estimated),
            },
            "monitor": self.monitor.as_ref().map(|monitor| json!({
                "restarts": monitor.restarts,
                "difference_frames": monitor.differences().map(spread_json),
                "published": trace(&monitor.published),
                "correlated": trace(&monitor.correlated),
            })),
            "bounds": self.bounds,
            "findings": self.findings(),
            "passes": self.passes(),
        })
    }
}

fn spread_json(spread: Spread) -> Value {
    json!({ "min": spread.min, "max": spread.max, "mean": spread.mean, "spread": spread.width() })
}

fn seconds_to_80_percent(trace: &erle::Trace) -> Option<f64> {
    trace.converged_db().and_then(|converged| trace.seconds_to(0.8 * converged))
}

fn decibels(value: Option<f64>) -> String {
    value.map_or("nothing".to_owned(), |value| format!("{value:.1} dB"))
}

fn seconds(value: Option<f64>) -> String {
    value.map_or("never".to_owned(), |value| format!("{value:.1} s"))
}

fn milliseconds(frames: f64) -> f64 {
    frames * 1000.0 / f64::from(crate::RATE_HZ)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { source, signal, signal_seconds, .. } = self;
        let linked = self.restarts.iter().filter(|restart| restart.linked_start).count();
        writeln!(
            f,
            "echo-check: offsets by {source}; {signal}, {signal_seconds:.2} s, {} restarts, {linked} of them linked\n",
            self.restarts.len()
        )?;
        writeln!(f, "{:34} {:>10} {:>10} {:>10} {:>8}", "frames at 48 kHz", "mean", "min", "max", "spread")?;
        let mut row = |name, values: Option<Spread>| match values {
            Some(spread) => {
                let Spread { min, max, mean } = spread;
                writeln!(f, "{name:34} {mean:>10.2} {min:>10.2} {max:>10.2} {:>8.2}", spread.width())
            }
            None => Ok(()),
        };
        type Column<R> = (&'static str, fn(&R) -> f64);
        let columns: [Column<Restart>; 4] = [
            ("published offset", |restart| restart.published_offset_frames),
            ("its error, as published", |restart| restart.offset_error_frames),
            ("correlated offset, first arrival", |restart| restart.correlated_offset_frames),
            ("correlated less published", Restart::difference_frames),
        ];
        for (name, value) in columns {
            row(name, Spread::of(self.restarts.iter().map(value)))?;
        }
        let columns: [Column<MonitorRestart>; 4] = [
            ("monitor: published offset", |restart| restart.published_offset_frames),
            ("monitor: correlated offset", |restart| restart.correlated_offset_frames),
            ("monitor: correlated less published", MonitorRestart::difference_frames),
            ("monitor: signal less its place", |restart| restart.misplaced_frames),
        ];
        for (name, value) in columns {
            let restarts = self.monitor.iter().flat_map(|monitor| &monitor.restarts);
            row(name, Spread::of(restarts.map(value)))?;
        }
        if let Some(differences) = self.differences() {
            write!(f, "\nthe way through the room: {:.2} ms", milliseconds(differences.mean))?;
            match self.room_delay_frames {
                Some(room) => writeln!(f, ", known to be {:.2} ms", milliseconds(room))?,
                None => writeln!(f)?,
            }
        }
        writeln!(
            f,
            "\n{:34} {:>10} {:>10} {:>10} {:>10}",
            "ERLE of the canceller", "converged", "worst", "to 20 dB", "to 80 %"
        )?;
        let by_own = [
            ("with the published offset", &self.erle.published),
            ("with its mean over each take", &self.erle.averaged),
            ("with the correlated offset", &self.erle.correlated),
            ("published, and its own search", &self.erle.estimated),
        ];
        let by_monitor = self.monitor.iter().flat_map(|monitor| {
            [("monitor: published offset", &monitor.published), ("monitor: correlated", &monitor.correlated)]
        });
        for (name, trace) in by_own.into_iter().chain(by_monitor) {
            writeln!(
                f,
                "{name:34} {:>10} {:>10} {:>10} {:>10}",
                decibels(trace.converged_db()),
                decibels(trace.worst_after_convergence_db()),
                seconds(trace.seconds_to(erle::GOOD_DB)),
                seconds(seconds_to_80_percent(trace))
            )?;
        }
        writeln!(f)?;
        for finding in self.findings() {
            let result = if finding.holds { "pass" } else { "FAIL" };
            writeln!(f, "{result} {:8} {}", finding.name, finding.detail)?;
        }
        Ok(())
    }
}
