//! A session's result, for people.

use crate::harness::Source;
use crate::image::Image;
use crate::judge::compare::{self, Comparison};
use crate::judge::verdict::Finding;
use crate::qemu::machine_line::Direction;
use crate::qemu::session::{CAPTURE_RATE_HZ, Outcome, Session};
use crate::wav::{FRAME_BYTES, Pcm};

/// The distance of published positions from expected ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
    /// The smallest of published minus expected, in frames.
    pub min: i64,
    /// The median.
    pub median: i64,
    /// The largest.
    pub max: i64,
    /// The number of published positions.
    pub count: usize,
}

impl Distance {
    /// Over a list of published and expected frames; `None` when it's empty.
    pub fn of(positions: impl IntoIterator<Item = (u64, u64)>) -> Option<Distance> {
        // Frames of any recording are far below 2^63.
        let mut distances: Vec<i64> = positions
            .into_iter()
            .map(|(published, expected)| published.wrapping_sub(expected) as i64)
            .collect();
        distances.sort_unstable();
        let count = distances.len();
        Some(Distance {
            min: *distances.first()?,
            median: *distances.get(count / 2)?,
            max: *distances.last()?,
            count,
        })
    }
}

/// Judges what a codec played: all of the recording, exactly, and nothing but silence behind it.
pub fn judge_playback(played: &Pcm, outcome: &Outcome, output: usize) -> Result<Comparison, Finding> {
    judge_heard(played, outcome.heard(output), output)
}

/// Judges what was heard of a codec: all of the recording, exactly, and nothing but silence behind it.
pub fn judge_heard(played: &Pcm, heard: &[u8], output: usize) -> Result<Comparison, Finding> {
    let comparison = compare::compare(&played.bytes, heard, FRAME_BYTES);
    if !comparison.is_exact() {
        return Err(Finding::failure(format!("output {output}: {comparison}")));
    }
    let tail = heard.get(played.bytes.len()..).unwrap_or_default();
    if let Some(at) = tail.iter().position(|byte| *byte != 0) {
        let frame = played.frames() + (at / FRAME_BYTES) as u64;
        return Err(Finding::failure(format!("output {output}: old sound behind the end, at frame {frame}")));
    }
    Ok(comparison)
}

/// Judges what was recorded: as many frames as were asked for, all that was fed, without a break.
pub fn judge_capture(source: &Source, frames: u64, outcome: &Outcome) -> Result<compare::Alignment, Finding> {
    if outcome.recorded_frames() != frames {
        return Err(Finding::failure(format!(
            "{} frames were recorded, not {frames}",
            outcome.recorded_frames()
        )));
    }
    // The emulator may have asked for some of the feed before the stream ran: a second's worth at the very most.
    let longest_miss = u64::from(CAPTURE_RATE_HZ);
    let aligned = compare::align(&outcome.recorded, longest_miss, |index| source.frame(index))
        .ok_or_else(|| Finding::failure("nothing of what was fed is in what was recorded"))?;
    if !aligned.comparison.is_exact() {
        return Err(Finding::failure(format!("what was recorded {} from what was fed", aligned.comparison)));
    }
    Ok(aligned)
}

/// Judges what was recorded in a room: what was played has to be in it.
pub fn judge_room(session: &Session, outcome: &Outcome) -> Result<String, Finding> {
    #[cfg(feature = "room")]
    return super::room::judge(session, outcome);
    #[cfg(not(feature = "room"))]
    {
        crate::ignored((session, outcome), "only a test bed with rooms can judge them");
        Err(Finding::error("this test bed was built without its rooms: the feature is called room"))
    }
}

/// The summary of a session, one fact a line.
pub fn summary(session: &Session, image: &Image, outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        text.push_str(&format!("{name:<16}{value}\n"));
    };
    for (output, pcm) in session.playback.iter().enumerate() {
        let frames = outcome.done_of(Direction::Playback, output).map_or(0, |done| done.frames);
        let seconds = pcm.duration().as_secs_f64();
        let rate_hz = pcm.rate_hz;
        line(
            "played",
            format!("output {output}: {frames} of {} frames, {seconds:.2} s at {rate_hz} Hz", pcm.frames()),
        );
        line(
            "came out",
            match (&session.host_sound, judge_playback(pcm, outcome, output)) {
                (Some(driver), _) => format!("by the host's sound ({driver}), so it could not be compared"),
                (None, Ok(comparison)) => comparison.to_string(),
                (None, Err(finding)) => finding.detail,
            },
        );
        line("position", distance(outcome, Direction::Playback, output));
    }
    if let Some(capture) = &session.capture {
        line("recorded", format!("{} of {} frames", outcome.recorded_frames(), capture.frames));
        line(
            if session.room.is_some() { "room" } else { "fed" },
            match (&session.host_sound, judge_capture(&capture.source, capture.frames, outcome)) {
                (None, _) if session.room.is_some() => {
                    judge_room(session, outcome).unwrap_or_else(|finding| finding.detail)
                }
                (Some(driver), _) => format!("by the host's sound ({driver}), so it could not be compared"),
                (None, Ok(aligned)) => format!(
                    "{} from frame {} of the feed on, behind {} frames of silence",
                    aligned.comparison, aligned.missed_frames, aligned.silent_frames
                ),
                (None, Err(finding)) => finding.detail,
            },
        );
        line("position", distance(outcome, Direction::Capture, 0));
    }
    let underruns: u64 = outcome.done().map(|done| done.underruns).sum();
    let fifo_errors: u64 = outcome.done().map(|done| done.fifo_errors).sum();
    line("underruns", format!("{underruns}, FIFO errors {fifo_errors}"));
    line("image", format!("{} bytes", image.file_bytes));
    if let Some(memory_bytes) = outcome.memory_bytes() {
        line("memory", format!("{:.1} MiB found", memory_bytes as f64 / f64::from(1 << 20)));
    }
    if let Some(since_entry_ns) = outcome.first_sample_ns() {
        line("first sample", format!("{:.2} ms after entry", since_entry_ns as f64 / 1e6));
    }
    text
}

fn distance(outcome: &Outcome, direction: Direction, stream: usize) -> String {
    let positions =
        outcome.positions(direction, stream as u32).map(|position| (position.frames, position.expected));
    match Distance::of(positions) {
        Some(Distance { min, median, max, count }) => {
            format!("published minus expected: min {min}, median {median}, max {max} frames ({count} times)")
        }
        None => "none was published".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Distance;

    #[test]
    fn distances_have_a_sign() {
        let distance = Distance::of([(100, 103), (200, 199), (300, 300), (400, 407), (500, 500)]);
        assert_eq!(distance, Some(Distance { min: -7, median: 0, max: 1, count: 5 }));
        assert_eq!(Distance::of([]), None);
    }
}
