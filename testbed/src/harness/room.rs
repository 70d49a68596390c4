//! A room: what is played comes back through an impulse response and a delay.

use std::borrow::Cow;
use std::path::Path;

use anyhow::Result;

use super::WRITE_FRAMES;
use crate::BadInput;
use crate::wav::{self, FRAME_BYTES};

/// The longest impulse response of a file, in frames: 100 ms at 48 kHz.
const LONGEST_RESPONSE_FRAMES: usize = 4_800;

/// The longest delay of a room, in milliseconds.
const LONGEST_DELAY_MS: f64 = 1_000.0;

/// The response of a small room without one: the direct way, and a few reflections. Lag in frames, gain.
static SMALL_ROOM: [(usize, f32); 6] =
    [(0, 0.5), (131, -0.18), (274, 0.12), (403, 0.08), (688, -0.05), (1_010, 0.03)];

/// A room.
#[derive(Clone, Debug, PartialEq)]
pub struct Room {
    /// Added to the harness's own delay.
    pub(super) delay_frames: usize,
    /// Lag in frames, gain.
    pub(super) taps: Cow<'static, [(usize, f32)]>,
}

impl Room {
    /// What the harness takes itself, ahead of any delay: what has come together to a Write is at most so late.
    pub const OWN_DELAY_FRAMES: usize = WRITE_FRAMES;

    /// A room with this delay before what a small room does, at 48 kHz.
    pub const fn with_delay(delay_frames: usize) -> Room {
        Room { delay_frames, taps: Cow::Borrowed(&SMALL_ROOM) }
    }

    /// A cable: all of what is played, this much later, and nothing else.
    #[cfg(test)]
    pub const fn cable(delay_frames: usize) -> Room {
        Room { delay_frames, taps: Cow::Borrowed(&[(0, 1.0)]) }
    }

    /// Reads `DELAY_MS[:IMPULSE.wav]`.
    ///
    /// # Errors
    /// When it can't be read, or isn't quieter than what is played.
    pub fn parse(text: &str, rate_hz: u32) -> Result<Room> {
        let (delay, impulse) = match text.split_once(':') {
            Some((delay, file)) => (delay, Some(Path::new(file))),
            None => (text, None),
        };
        let bad = |why: String| BadInput(format!("--room {text}: {why}"));
        let milliseconds: f64 =
            delay.parse().map_err(|_| bad(format!("{delay} is no number of milliseconds")))?;
        if !(0.0..=LONGEST_DELAY_MS).contains(&milliseconds) {
            return Err(bad(format!("from 0 to {LONGEST_DELAY_MS} ms")).into());
        }
        let delay_frames = (milliseconds * f64::from(rate_hz) / 1000.0).round() as usize;
        let Some(path) = impulse else { return Ok(Room::with_delay(delay_frames)) };
        let response = wav::load(path)?.pcm;
        if response.rate_hz != rate_hz || response.frames() > LONGEST_RESPONSE_FRAMES as u64 {
            return Err(bad(format!(
                "{} has {} frames at {} Hz: at most {LONGEST_RESPONSE_FRAMES} at {rate_hz} Hz are taken",
                path.display(),
                response.frames(),
                response.rate_hz
            ))
            .into());
        }
        let taps: Vec<(usize, f32)> = left(&response.bytes)
            .enumerate()
            .filter(|(_, sample)| *sample != 0.0)
            .map(|(lag, sample)| (lag, sample / 32_768.0))
            .collect();
        let gain: f32 = taps.iter().map(|(_, gain)| gain.abs()).sum();
        if !(gain > 0.0 && gain <= 1.0) {
            return Err(bad(format!(
                "the absolute samples of {} add up to {gain:.2} of full scale: more than 0 and at most 1 can't clip",
                path.display()
            ))
            .into());
        }
        Ok(Room { delay_frames, taps: taps.into() })
    }
}

pub(super) fn stereo([low_left, high_left, low_right, high_right]: &[u8; FRAME_BYTES]) -> [f32; 2] {
    [[*low_left, *high_left], [*low_right, *high_right]].map(|bytes| f32::from(i16::from_le_bytes(bytes)))
}

fn left(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.as_chunks::<FRAME_BYTES>().0.iter().map(|frame| stereo(frame)[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_room_is_quieter_than_its_source() {
        assert!(SMALL_ROOM.iter().map(|(_, gain)| gain.abs()).sum::<f32>() < 1.0);
    }

    #[test]
    fn rooms_are_read_or_refused_with_a_reason() {
        assert_eq!(Room::parse("5", 48_000).expect("read"), Room::with_delay(240));
        assert_eq!(Room::parse("0", 44_100).expect("read"), Room::with_delay(0));
        let refused = |text: &str| Room::parse(text, 48_000).expect_err("refused").to_string();
        assert!(refused("near").contains("near is no number"));
        assert!(refused("-1").contains("from 0 to 1000 ms"));
        assert!(refused("1:/nowhere.wav").contains("/nowhere.wav"));

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("room.wav");
        let pcm = |sample: i16, rate_hz| wav::Pcm { rate_hz, bytes: [sample.to_le_bytes(); 6].concat() };
        let given = format!("1:{}", path.display());
        pcm(8_192, 48_000).write(&path).expect("written");
        let room = Room::parse(&given, 48_000).expect("read");
        assert_eq!(
            (room.delay_frames, room.taps.as_ref()),
            (48, [(0, 0.25), (1, 0.25), (2, 0.25)].as_slice())
        );
        for (loud, rate_hz, why) in
            [(32_000, 48_000, "full scale"), (0, 48_000, "full scale"), (1, 8_000, "8000 Hz")]
        {
            pcm(loud, rate_hz).write(&path).expect("written");
            assert!(refused(&given).contains(why), "{}", refused(&given));
        }
    }
}
