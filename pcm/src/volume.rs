//! The gain of a voice, which moves to a new value without a step.

use crate::channels::Channels;
use crate::gain::Gain;
use crate::mix;
use crate::signal::{Signal, Wide};

/// The gain of one voice. It stands still, or moves in a straight line to another gain.
///
/// ```
/// use pcm::{Channels, Gain, MilliDb, Volume, Wide};
///
/// // Fades a stereo voice in over 4 frames.
/// let mut volume = Volume::new(Gain::MUTE);
/// volume.ramp_to(Gain::UNITY, 4);
/// let mut sum: [Wide; 12] = [0; 12];
/// volume.mix(Channels::STEREO, &[1 << 20; 12], &mut sum);
/// let left: Vec<_> = sum.iter().step_by(2).map(|wide| wide >> 34).collect();
/// assert_eq!(left, [1, 2, 3, 4, 4, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct Volume {
    target: Gain,
    ramp: Option<Ramp>,
}

/// A straight line from one gain to another, in whole numbers.
#[derive(Clone, Debug)]
struct Ramp {
    now: i64,
    /// Whole steps of 2^-58 a frame, rounded down.
    step: i64,
    /// The remainder of the division that made `step`: below `frames`.
    rest: i64,
    /// Sum of remainders that made no whole step yet: below `frames`.
    remainders: i64,
    frames: i64,
    frames_to_go: u32,
}

impl Ramp {
    /// The gain of the next frame.
    fn next(&mut self) -> Gain {
        // All values are between two gains, or below 2^32: no sum overflows.
        self.now = self.now.wrapping_add(self.step);
        self.remainders = self.remainders.wrapping_add(self.rest);
        if self.remainders >= self.frames {
            self.remainders = self.remainders.wrapping_sub(self.frames);
            self.now = self.now.wrapping_add(1);
        }
        self.frames_to_go = self.frames_to_go.saturating_sub(1);
        Gain::from_bits(self.now)
    }
}

impl Volume {
    /// A volume that stands still.
    pub const fn new(gain: Gain) -> Self {
        Self { target: gain, ramp: None }
    }

    /// The gain that the volume has, or moves to.
    pub const fn target(&self) -> Gain {
        self.target
    }

    /// The gain of the last frame, or the one that the volume stands at.
    pub fn now(&self) -> Gain {
        self.ramp.as_ref().map_or(self.target, |ramp| Gain::from_bits(ramp.now))
    }

    /// Frames until the volume stands still.
    pub fn frames_to_go(&self) -> u32 {
        self.ramp.as_ref().map_or(0, |ramp| ramp.frames_to_go)
    }

    /// Sets the gain from the next frame on, with a step in the signal.
    pub fn set(&mut self, gain: Gain) {
        *self = Self::new(gain);
    }

    /// Moves to `gain` over the next `frames` frames.
    ///
    /// With `a` the gain now and `b` the new one, frame `k` from 1 to `frames` has `a + (b - a) * k / frames`, rounded
    /// down to a step of 2^-58. The last has `b` exactly. 0 frames are [`set`](Self::set).
    pub fn ramp_to(&mut self, gain: Gain, frames: u32) {
        let now = self.now().bits();
        self.target = gain;
        let frames_to_go = frames;
        let frames = i64::from(frames);
        // Gains are from 0 to 2^62, so their difference fits. There is no quotient for 0 frames.
        let way = gain.bits().wrapping_sub(now);
        self.ramp = way.checked_div_euclid(frames).map(|step| {
            let rest = way.checked_rem_euclid(frames).unwrap_or_default();
            Ramp { now, step, rest, remainders: 0, frames, frames_to_go }
        });
    }

    /// Adds a voice's frames to a sum, at this volume, and moves it on by as many frames. Returns their number.
    ///
    /// `voice` and `sum` hold interleaved frames of so many channels. The shorter one counts; a rest that is no frame
    /// is left alone. Rounding adds at most 2^-48 of full scale to the sum's error.
    pub fn mix<S: Signal>(&mut self, channels: Channels, voice: &[S], sum: &mut [Wide]) -> usize {
        let count = channels.count();
        let frames = channels.frames(voice.len().min(sum.len()));
        let ramped_frames = frames.min(self.frames_to_go() as usize);
        // Neither exceeds the shorter slice.
        let (whole, ramped) = (frames.wrapping_mul(count), ramped_frames.wrapping_mul(count));
        let (voice, sum) = (voice.get(..whole).unwrap_or_default(), sum.get_mut(..whole).unwrap_or_default());
        let (ramped_voice, voice) = voice.split_at_checked(ramped).unwrap_or_default();
        let (ramped_sum, sum) = sum.split_at_mut_checked(ramped).unwrap_or_default();
        if let Some(ramp) = &mut self.ramp {
            for (from, to) in ramped_voice.chunks_exact(count).zip(ramped_sum.chunks_exact_mut(count)) {
                mix::add_scaled(ramp.next(), from, to);
            }
            if ramp.frames_to_go == 0 {
                self.ramp = None;
            }
        }
        mix::add_scaled(self.target, voice, sum);
        frames
    }
}
