//! Channels of a frame: how many, and where each is heard.

use core::num::NonZeroU8;

/// The number of channels of a stream: 1 to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channels(NonZeroU8);

impl Channels {
    /// One channel.
    pub const MONO: Self = Self(NonZeroU8::MIN);
    /// Left and right.
    pub const STEREO: Self = Self(NonZeroU8::MIN.saturating_add(1));
    /// The most channels: 8.
    pub const MAX: Self = Self(NonZeroU8::MIN.saturating_add(7));

    /// So many channels, if they are 1 to 8.
    pub const fn new(count: usize) -> Option<Self> {
        match NonZeroU8::new(count as u8) {
            Some(held) if count <= Self::MAX.count() => Some(Self(held)),
            _ => None,
        }
    }

    /// The number: 1 to 8.
    pub const fn count(self) -> usize {
        self.0.get() as usize
    }

    /// Whole frames in so many samples.
    pub const fn frames(self, samples: usize) -> usize {
        samples / self.count()
    }

    /// The standard position of each channel, in the order of ALSA and of HD Audio's codecs.
    ///
    /// | channels | positions |
    /// |---|---|
    /// | 1 | mono |
    /// | 2 | FL FR |
    /// | 3 | FL FR FC |
    /// | 4 | FL FR RL RR |
    /// | 5 | FL FR RL RR FC |
    /// | 6 | FL FR RL RR FC LFE |
    /// | 7 | FL FR RL RR FC LFE RC |
    /// | 8 | FL FR RL RR FC LFE SL SR |
    ///
    /// 1, 2, 4, 6 and 8 are ALSA's `snd_pcm_std_chmaps`. ALSA has no standard for the others; 3 and 5 are the layouts
    /// 3/0 and 3/2 of ITU-R BS.775, and 7 has one surround channel more.
    pub const fn positions(self) -> &'static [Position] {
        use Position::{
            FrontCenter, FrontLeft, FrontRight, LowFrequency, Mono, RearCenter, RearLeft, RearRight,
            SideLeft, SideRight,
        };
        match self.count() {
            1 => &[Mono],
            2 => &[FrontLeft, FrontRight],
            3 => &[FrontLeft, FrontRight, FrontCenter],
            4 => &[FrontLeft, FrontRight, RearLeft, RearRight],
            5 => &[FrontLeft, FrontRight, RearLeft, RearRight, FrontCenter],
            6 => &[FrontLeft, FrontRight, RearLeft, RearRight, FrontCenter, LowFrequency],
            7 => &[FrontLeft, FrontRight, RearLeft, RearRight, FrontCenter, LowFrequency, RearCenter],
            _ => {
                &[FrontLeft, FrontRight, RearLeft, RearRight, FrontCenter, LowFrequency, SideLeft, SideRight]
            }
        }
    }
}

/// Where a channel is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// The only channel.
    Mono,
    /// FL: the left of the stereo pair.
    FrontLeft,
    /// FR: the right of the stereo pair.
    FrontRight,
    /// RL: left surround, behind the listener.
    RearLeft,
    /// RR: right surround, behind the listener.
    RearRight,
    /// FC: the centre.
    FrontCenter,
    /// LFE: low-frequency effects.
    LowFrequency,
    /// SL: left of the listener.
    SideLeft,
    /// SR: right of the listener.
    SideRight,
    /// RC: the centre behind the listener.
    RearCenter,
}
