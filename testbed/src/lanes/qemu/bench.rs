//! The bench of the lane's cases: images, sessions, recordings.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::image::{Bin, Image};
use crate::judge::verdict::Finding;
use crate::provision;
use crate::qemu::session::{Outcome, Session};
use crate::wav::{self, Pcm};
use crate::workspace::Scratch;

/// A test of the lane. Returns what it saw, in a line.
pub(super) type Case = fn(&Bench) -> Result<String, Finding>;

/// The bench of the cases.
pub(super) struct Bench {
    /// The image without Xen, which plays here.
    pub(super) image: Image,
    /// The image for Xen, which is shipped.
    pub(super) shipped: Image,
    pub(super) keep: bool,
}

impl Bench {
    pub(super) fn new(keep: bool) -> Result<Bench> {
        provision::qemu()?;
        provision::recording()?;
        Ok(Bench { image: Image::build(Bin::Bare)?, shipped: Image::build(Bin::Snddom)?, keep })
    }

    pub(super) fn scratch(&self) -> Result<Scratch, Finding> {
        let scratch = Scratch::new(self.keep)?;
        if self.keep {
            eprintln!("files: {}", scratch.path().display());
        }
        Ok(scratch)
    }

    pub(super) fn session(&self) -> Session {
        Session::new(&self.image.path)
    }

    /// Runs a session to its end, whatever that is.
    pub(super) fn run(&self, session: &Session) -> Result<Outcome, Finding> {
        Ok(session.run(&self.scratch()?, |_, _| ())?)
    }

    /// Runs a session that must end well.
    pub(super) fn pass(&self, session: &Session) -> Result<Outcome, Finding> {
        let outcome = self.run(session)?;
        outcome.judge().inspect_err(|_| show(&outcome))?;
        Ok(outcome)
    }
}

/// Shows the last words of an image, for a test that went wrong.
pub(super) fn show(outcome: &Outcome) {
    eprintln!("{}\n{}", outcome.log.tail(30), outcome.log.emulator.trim());
}

/// One of the recordings that come with alsa-utils, as the card plays it: real voices, and noise.
pub(in crate::lanes) fn recording(name: &str) -> Result<Pcm, Finding> {
    let default = provision::recording()?;
    let path = default.parent().unwrap_or(Path::new("/")).join(name);
    Ok(wav::load(&path)?.pcm)
}

/// A recording of which no two frames in a row are alike, and no channel is like the other: the hardest to be played
/// exactly by accident. From a linear congruential generator, so always the same.
pub(in crate::lanes) fn noise(rate_hz: u32, frames: usize, seed: u64) -> Pcm {
    let mut state = seed;
    let bytes = (0..frames)
        .flat_map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 32) as u32).to_le_bytes()
        })
        .collect();
    Pcm { rate_hz, bytes }
}

/// The time of the last line of the log, on the image's clock: `[    1.234567] LEVEL target: text`.
pub(super) fn last_stamp(outcome: &Outcome) -> Option<Duration> {
    let console = String::from_utf8_lossy(&outcome.log.console);
    console.lines().rev().find_map(stamp)
}

fn stamp(line: &str) -> Option<Duration> {
    let (seconds, micros) = line.strip_prefix('[')?.split_once(']')?.0.trim().split_once('.')?;
    Some(Duration::from_secs(seconds.parse().ok()?) + Duration::from_micros(micros.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read() {
        assert_eq!(stamp("[    1.234567] WARN hda: late"), Some(Duration::from_micros(1_234_567)));
        assert_eq!(stamp("@verdict pass"), None);
        assert_eq!(stamp("[now] hello"), None);
    }

    #[test]
    fn noise_is_the_same_every_time_and_its_channels_differ() {
        let pcm = noise(48_000, 100, 1);
        assert_eq!(pcm, noise(48_000, 100, 1));
        assert_ne!(pcm, noise(48_000, 100, 2));
        assert!(pcm.bytes.as_chunks::<4>().0.iter().all(|[a, b, c, d]| [a, b] != [c, d]));
    }
}
