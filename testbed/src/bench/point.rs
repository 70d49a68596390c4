//! Points of measurement: how many streams play, and how.

use anyhow::Result;

use super::row::Row;
use crate::rig::Outcome;

/// One point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// Streams that play at a time.
    pub(super) streams: u32,
    /// Frames a second.
    pub(super) rate_hz: u32,
    /// Frames of a period.
    pub(super) period_frames: u32,
    /// Frames of the buffer.
    pub(super) buffer_frames: u32,
    /// For how long it is measured.
    pub(super) seconds: u32,
}

/// For how long a pointer is looked at, which takes the processor all that time: three of the longest periods.
pub(super) const POINTER_MS: u32 = 300;

/// Frames of a period and of a buffer, and seconds: periods of 1.33, 5, 10 and 100 ms.
const PERIODS: [(u32, u32, u32); 4] = [(64, 1024, 1), (240, 2400, 2), (480, 4800, 4), (4800, 14_400, 4)];

/// By how many streams.
const STREAMS: [u32; 3] = [1, 2, 4];

/// The rate of all points but one.
pub(super) const RATE_HZ: u32 = 48_000;

impl Point {
    /// All periods, by all numbers of streams.
    pub(super) fn all() -> Vec<Point> {
        let at = |(period_frames, buffer_frames, seconds)| {
            STREAMS.map(|streams| Point { streams, rate_hz: RATE_HZ, period_frames, buffer_frames, seconds })
        };
        PERIODS.into_iter().flat_map(at).collect()
    }

    /// As the scenario takes it, and as it names what it has measured.
    pub(super) fn name(&self) -> String {
        let Point { streams, rate_hz, period_frames, buffer_frames, seconds } = self;
        format!("{streams}:{rate_hz}:{period_frames}:{buffer_frames}:{seconds}")
    }

    /// The circumstances, for rows.
    pub(super) fn parameters(&self) -> [(&'static str, String); 2] {
        let hundredths = (f64::from(self.period_frames) * 100_000.0 / f64::from(self.rate_hz)).round();
        [("streams", self.streams.to_string()), ("period ms", format!("{}", hundredths / 100.0))]
    }

    /// Rows of each way of playing: underruns, and the motion of ALSA's pointer.
    pub(super) fn rows(&self, outcome: &Outcome, group: &str) -> Result<Vec<Row>> {
        let parameters = self.parameters();
        let figures = outcome.figures(&format!("underruns:{}", self.name()))?;
        let underruns: u32 = figures.value("underruns")?;
        let row = |name, value, unit, how| Row::new(group, name, value, 0, unit, how).with(&parameters);
        let mut rows = vec![row("underruns", underruns.into(), "", "what aplay said of them")];
        if self.streams == 1 {
            let figures = outcome.figures(&format!("pointer:{}", self.name()))?;
            let number = |name| figures.value::<f64>(name);
            let age = "how long ALSA's pointer had stood when it was read, looked at some four thousand times a second";
            let step = "the longest step of ALSA's pointer";
            rows.extend([
                row("step", number("step_frames_max")?, "frames", step),
                row("age p50", number("age_ns_p50")? / 1e3, "us", age),
                row("age max", number("age_ns_max")? / 1e3, "us", age),
            ]);
        }
        Ok(rows)
    }
}

/// Variables of a scenario that measures these points.
pub(super) fn variables(points: &[Point]) -> Vec<(&'static str, String)> {
    let names: Vec<String> = points.iter().map(Point::name).collect();
    vec![("POINTS", names.join(" ")), ("POINTER_MS", POINTER_MS.to_string())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_has_a_name_and_circumstances_of_its_own() {
        let points = Point::all();
        assert_eq!(points.len(), 12);
        assert_eq!(points[0].name(), "1:48000:64:1024:1");
        assert_eq!(points[0].parameters()[1].1, "1.33");
        assert_eq!(points[11].parameters().map(|(_, value)| value), ["4", "100"]);
    }
}
