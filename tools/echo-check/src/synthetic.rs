//! A synthetic room with known truth, for tests and examples of the check.

use anyhow::Result;

use crate::{DuplexRun, Frame, Monitored, OffsetReading, Take};

/// A room with a response and noise, and a system that publishes true or false offsets.
#[derive(Clone, Debug)]
pub struct SyntheticRoom {
    /// The response: lag in frames, and gain.
    pub taps: Vec<(usize, f64)>,
    /// Frames by which recording starts before playing, one number a restart. The last one
    /// repeats.
    pub starts_frames: Vec<usize>,
    /// Frames added to the published offset, one number a restart. The last one repeats.
    pub lies_frames: Vec<f64>,
    /// Frames added to the offset that is published in the middle of each take.
    pub jump_frames: f64,
    /// The level of the noise, in steps of 16 bits.
    pub noise: f64,
    /// The level of what another guest plays to the same output all the time, in steps of 16 bits.
    /// A monitor records it, with the signal. `None`: nobody else, and no monitor.
    pub others: Option<f64>,
    /// Frames by which the monitor's recording starts late, of which the system doesn't tell.
    pub monitor_lies_frames: usize,
    /// Number of restarts so far.
    pub restarts: usize,
}

impl SyntheticRoom {
    /// A room with one way through it, and a truthful system.
    #[must_use]
    pub fn with_echo(delay_frames: usize, gain: f64) -> SyntheticRoom {
        SyntheticRoom {
            taps: vec![(delay_frames, gain)],
            starts_frames: vec![0],
            lies_frames: vec![0.0],
            jump_frames: 0.0,
            noise: 10.0,
            others: None,
            monitor_lies_frames: 0,
            restarts: 0,
        }
    }
}

/// By how much the monitor starts to record after the input.
const MONITOR_START_FRAMES: usize = 37;

impl SyntheticRoom {
    /// What the output plays from the start of the recording on, with what it played before that in front: so many frames.
    fn played(&self, play: &[Frame], start: usize, before: usize) -> Vec<f64> {
        let level = self.others.unwrap_or_default();
        let others = Noise::new(self.restarts as u64 + 1_000_000);
        let mut played: Vec<f64> =
            others.take(before + start + play.len()).map(|value| (value * level).round()).collect();
        for (played, [left, _]) in played.iter_mut().skip(before + start).zip(play) {
            *played += f64::from(*left);
        }
        played
    }
}

impl DuplexRun for SyntheticRoom {
    fn run(&mut self, play: &[Frame]) -> Result<Take> {
        let of_this = |index: usize, count: usize| index.min(count.saturating_sub(1));
        let start = self.starts_frames.get(of_this(self.restarts, self.starts_frames.len())).copied();
        let start = start.unwrap_or_default();
        let lie = self.lies_frames.get(of_this(self.restarts, self.lies_frames.len())).copied();
        self.restarts += 1;
        let length = start + play.len();
        let mut heard: Vec<f64> =
            Noise::new(self.restarts as u64).take(length).map(|value| value * self.noise).collect();
        let before = self.taps.iter().map(|(lag, _)| *lag).max().unwrap_or_default();
        let played = self.played(play, start, before);
        for (lag, gain) in &self.taps {
            for (heard, played) in heard.iter_mut().zip(played.iter().skip(before - lag)) {
                *heard += gain * played;
            }
        }
        let monitor = self.others.map(|_| Monitored {
            recorded: played
                .iter()
                .skip(before + MONITOR_START_FRAMES + self.monitor_lies_frames)
                .map(|value| [*value as i16; 2])
                .collect(),
            published_offset_frames: MONITOR_START_FRAMES as f64,
            track: Vec::new(),
        });
        let published = start as f64 + lie.unwrap_or_default();
        let track = if self.jump_frames == 0.0 {
            Vec::new()
        } else {
            vec![OffsetReading { at_frame: length as u64 / 2, offset_frames: published + self.jump_frames }]
        };
        Ok(Take {
            captured: heard.iter().map(|value| [value.round() as i16; 2]).collect(),
            published_offset_frames: published,
            offset_error_frames: 0.5,
            track,
            linked_start: start == 0,
            monitor,
        })
    }

    fn source(&self) -> &str {
        "a made-up room"
    }
}

/// White noise, uniform over -1 to 1, deterministic by seed.
#[derive(Clone, Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Noise {
        Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
}

impl Iterator for Noise {
    type Item = f64;

    /// Marsaglia's xorshift followed by a multiplication (xorshift64*).
    fn next(&mut self) -> Option<f64> {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        Some(value as f64 / (1_u64 << 52) as f64 - 1.0)
    }
}

/// A stand-in for a voice: low-passed noise, four syllables a second.
#[cfg(test)]
pub(crate) fn voice_like(frames: usize) -> Vec<i16> {
    let mut low = [0.0_f64; 2];
    Noise::new(11)
        .take(frames)
        .enumerate()
        .map(|(at, noise)| {
            low[0] += 0.3 * (noise - low[0]);
            low[1] += 0.3 * (low[0] - low[1]);
            let syllable = (at as f64 * std::f64::consts::TAU * 4.0 / 48_000.0).sin().max(0.0);
            (low[1] * syllable * 24_000.0) as i16
        })
        .collect()
}
