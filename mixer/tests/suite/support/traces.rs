//! What a port of the card in memory leaves behind, and its faults.

use audioback::card::{CardError, PortSet};

/// The traces that a port leaves, and its faults.
#[derive(Default)]
pub struct Port0 {
    /// Bytes that went out to the link in all runs, one after another.
    pub played: Vec<u8>,
    /// Frame that each run started at in `played`.
    pub starts: Vec<u64>,
    /// FIFO errors of the run.
    pub fifo_errors: u32,
    /// The same from each start and resume on.
    pub runs: Vec<HardwareRun>,
    /// The ports that its streams were told, one after another.
    pub reaches: Vec<PortSet>,
    /// The period, the written bytes, and whether positions at the link are wanted, as last told.
    pub period_frames: Option<u32>,
    pub written_bytes: Option<u64>,
    pub is_link_wanted: Option<bool>,
    /// The stream fails at the next look.
    pub fails: bool,
    /// The next start fails.
    pub start_fails: bool,
    /// The next open is refused.
    pub open_fails: bool,
    /// No stream can take the port from another one.
    pub take_fails: bool,
    /// A stream that takes the port from another one fails, until its next start.
    pub fails_once_taken: bool,
    /// RUN doesn't clear.
    pub sticks: bool,
    pub is_taken: bool,
    /// Each channel's amplifier.
    pub volume: [i32; 8],
    pub muted: [bool; 8],
    /// The amplifiers' codec misses so many answers from now on. It has the level later.
    pub level_fails: u32,
    pub opens: u32,
    /// Closes that were tried.
    pub closes: u32,
}

impl Port0 {
    /// Changes the level of a channel, if there is such a channel.
    pub fn set_level(&mut self, channel: u8, change: impl FnOnce(&mut Self, usize)) -> Result<(), CardError> {
        let channel = Some(usize::from(channel)).filter(|channel| *channel < self.volume.len());
        change(self, channel.ok_or(CardError::Unsupported)?);
        let fails = self.level_fails > 0;
        self.level_fails = self.level_fails.saturating_sub(1);
        if fails { Err(CardError::Hardware) } else { Ok(()) }
    }
}

/// When the frames of a run are at the link, in parts of a nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HardwareRun {
    /// This holds from then on.
    pub since: u128,
    /// The index of the run's first frame, and its time, shifted by pauses.
    pub first: u64,
    pub begun: u128,
    pub rate_hz: u32,
}

/// Parts of a nanosecond, so that the begin of each link frame is a whole number.
pub const PARTS_PER_NS: u128 = 48_000;
pub const PARTS_PER_LINK_FRAME: u128 = 1_000_000_000;

/// Frames of a rate in so many parts.
pub fn frames_in(parts: u128, rate_hz: u32) -> u64 {
    (parts * u128::from(rate_hz) / (PARTS_PER_NS * 1_000_000_000)) as u64
}

/// The time in parts.
pub fn parts_of(ns: u64) -> u128 {
    u128::from(ns) * PARTS_PER_NS
}
