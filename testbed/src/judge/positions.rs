//! Positions that a program in a guest has read: lines of `audiofront position --json`.

use anyhow::{Context, Result};
use serde_json::Value;

/// Frames of the link in a nanosecond.
const FRAMES_A_NS: f64 = 48_000.0 / 1e9;

/// Frames that rounding adds: positions are whole frames.
const ROUNDING_FRAMES: f64 = 2.0;

/// One reading of a position.
pub struct Reading {
    /// `playback` or `capture`.
    pub direction: String,
    /// The guest's clock.
    pub guest_ns: f64,
    /// The position.
    pub frames: f64,
    /// Time since the back end wrote the pair behind the position.
    pub age_ns: f64,
    /// The published bound.
    pub error_ns: f64,
    /// Whether the published lock is LOCKED.
    pub is_locked: bool,
}

impl Reading {
    /// The published bound in frames.
    pub fn error_frames(&self) -> f64 {
        self.error_ns * FRAMES_A_NS
    }

    /// Frames by which a later reading is off what the time between says, and what both bounds allow.
    pub fn off(&self, later: &Reading) -> (f64, f64) {
        let off = (later.frames - self.frames) - (later.guest_ns - self.guest_ns) * FRAMES_A_NS;
        (off.abs(), self.error_frames() + later.error_frames() + ROUNDING_FRAMES)
    }
}

/// The readings that found a position.
///
/// # Errors
/// A line is malformed.
pub fn parse(text: &str) -> Result<Vec<Reading>> {
    let mut readings = Vec::new();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if row["position"].is_null() {
            continue;
        }
        let number = |name: &str| row[name].as_f64().with_context(|| format!("no {name} in {line}"));
        readings.push(Reading {
            direction: row["direction"].as_str().unwrap_or_default().to_owned(),
            guest_ns: number("guest_ns")?,
            frames: number("position")?,
            age_ns: number("age_ns")?,
            error_ns: number("error_ns")?,
            is_locked: row["lock"] == "LOCKED",
        });
    }
    Ok(readings)
}
