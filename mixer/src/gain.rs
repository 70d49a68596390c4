//! A voice's volume: each channel has its own.

use audioback::card::{Trim, VolumeRange};
use pcm::{Channels, Gain, MilliDb, Signal, Volume, Wide};

use crate::scratch::{BLOCK_FRAMES, head};

/// The volume of a voice on a shared port: 0 dB at most, so that one guest's volume makes nothing clip.
pub(crate) const VOLUME: VolumeRange =
    VolumeRange { min_mdb: -100_000, max_mdb: 0, step_mdb: 1, can_mute: true };

/// Duration of a change: 10 ms. A shorter one clicks.
const RAMP_NS: u64 = 10_000_000;

/// The volumes of all channels.
#[derive(Debug)]
pub(crate) struct VoiceGain {
    channels: Channels,
    levels: [MilliDb; 8],
    is_muted: [bool; 8],
    /// The administrator's gains: the stream's own, and its port's.
    trims: [Trim; 2],
    volumes: [Volume; 8],
}

impl VoiceGain {
    /// 0 dB, not muted.
    pub(crate) fn new(channels: Channels) -> Self {
        Self {
            channels,
            levels: [MilliDb::UNITY; 8],
            is_muted: [false; 8],
            trims: [Trim::default(); 2],
            volumes: [const { Volume::new(Gain::UNITY) }; 8],
        }
    }

    /// The volume of a channel, in units of 0.001 dB.
    pub(crate) fn level_mdb(&self, channel: u8) -> Option<i32> {
        self.levels.get(self.index(channel)?).map(|level| level.0)
    }

    /// Sets the volume of a channel. `ramp_hz` is the frame rate of a change, 0 if nobody hears it. `None`: no such channel.
    pub(crate) fn set_level(&mut self, channel: u8, mdb: i32, ramp_hz: u32) -> Option<()> {
        let index = self.index(channel)?;
        *self.levels.get_mut(index)? = MilliDb(mdb.clamp(VOLUME.min_mdb, MilliDb::MAX.0));
        self.renew(index, ramp_hz)
    }

    /// Mutes a channel or ends that.
    pub(crate) fn set_mute(&mut self, channel: u8, is_muted: bool, ramp_hz: u32) -> Option<()> {
        let index = self.index(channel)?;
        *self.is_muted.get_mut(index)? = is_muted;
        self.renew(index, ramp_hz)
    }

    /// Sets the administrator's gains of the stream and of its port. The volume of a channel doesn't show them.
    pub(crate) fn set_trims(&mut self, trims: [Trim; 2], ramp_hz: u32) {
        // A change that is none leaves a change under way alone.
        if core::mem::replace(&mut self.trims, trims) != trims {
            for index in 0..self.channels.count() {
                self.renew(index, ramp_hz);
            }
        }
    }

    pub(crate) fn trims(&self) -> [Trim; 2] {
        self.trims
    }

    fn index(&self, channel: u8) -> Option<usize> {
        Some(usize::from(channel)).filter(|index| *index < self.channels.count())
    }

    fn renew(&mut self, index: usize, ramp_hz: u32) -> Option<()> {
        let [own, ports] = self.trims;
        let trim = own.and(ports);
        let is_muted = *self.is_muted.get(index)? || trim.is_muted;
        let level = MilliDb(self.levels.get(index)?.0.saturating_add(trim.mdb));
        let gain = if is_muted { Gain::MUTE } else { Gain::from(level) };
        let frames = u64::from(ramp_hz).saturating_mul(RAMP_NS) / 1_000_000_000;
        self.volumes.get_mut(index)?.ramp_to(gain, u32::try_from(frames).unwrap_or(u32::MAX));
        Some(())
    }

    fn used(&self) -> &[Volume] {
        self.volumes.get(..self.channels.count()).unwrap_or_default()
    }

    /// The gain that all channels have and keep, if they do.
    fn common(&self) -> Option<Gain> {
        let gain = self.used().first()?.target();
        self.used().iter().all(|one| one.frames_to_go() == 0 && one.target() == gain).then_some(gain)
    }

    /// Whether samples pass as they are.
    pub(crate) fn is_unity(&self) -> bool {
        self.common() == Some(Gain::UNITY)
    }

    /// Applies the volumes to a block of frames.
    pub(crate) fn apply(&mut self, frames: &mut [Wide]) {
        match self.common() {
            Some(Gain::UNITY) => {}
            Some(Gain::MUTE) => frames.fill(0),
            Some(gain) => frames.iter_mut().for_each(|sample| *sample = sample.scaled(gain)),
            None => self.apply_each(frames),
        }
    }

    /// Takes the channels apart, for they have different gains, and puts them together again.
    fn apply_each(&mut self, frames: &mut [Wide]) {
        let count = self.channels.count();
        let length = self.channels.frames(frames.len());
        for (channel, volume) in self.volumes.iter_mut().take(count).enumerate() {
            let (mut before, mut after) = ([0; BLOCK_FRAMES], [0; BLOCK_FRAMES]);
            for (to, from) in before.iter_mut().zip(frames.iter().skip(channel).step_by(count)) {
                *to = *from;
            }
            volume.mix(Channels::MONO, head(&mut before, length), &mut after);
            for (to, from) in frames.iter_mut().skip(channel).step_by(count).zip(after) {
                *to = from;
            }
        }
    }
}
