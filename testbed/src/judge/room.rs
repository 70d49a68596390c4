//! Finds what was played in what was recorded in a room.

use echo_check::correlate::{self, Arrival};

use crate::judge::verdict::Finding;
use crate::qemu::session::{CAPTURE_RATE_HZ, Outcome, Session};
use crate::wav::FRAME_BYTES;

/// Where in what was recorded in a room is what was played.
pub fn came_back(session: &Session, outcome: &Outcome) -> Result<Arrival, Finding> {
    let left = |bytes: &[u8]| -> Vec<i16> {
        let frames = bytes.as_chunks::<FRAME_BYTES>().0;
        frames.iter().map(|[low, high, ..]| i16::from_le_bytes([*low, *high])).collect()
    };
    let played = session.playback.first().map(|pcm| left(&pcm.bytes)).unwrap_or_default();
    correlate::find(&played, &left(&outcome.recorded), CAPTURE_RATE_HZ as usize)
        .map_err(|error| Finding::failure(error.to_string()))
}

/// Judges what was recorded in a room: what was played has to be in it.
pub fn judge(session: &Session, outcome: &Outcome) -> Result<String, Finding> {
    let arrival = came_back(session, outcome)?;
    let second = f64::from(CAPTURE_RATE_HZ);
    Ok(format!(
        "what was played came back {:.2} frames ({:.2} ms) into what was recorded, {:.0} times above the floor",
        arrival.first_frames,
        arrival.first_frames * 1000.0 / second,
        arrival.peak_to_floor
    ))
}
