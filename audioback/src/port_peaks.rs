//! Peak levels of what passes a port.

/// Channels of a bus, at most.
pub const MAX_PEAK_CHANNELS: usize = 8;

/// The peaks of what has passed the link of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortPeaks {
    /// Frames that were measured.
    pub frames: u64,
    /// Channels of the port.
    pub channels: u8,
    /// The peak of each channel relative to full scale, in units of 0.001 dB, rounded down. `None`: silence.
    pub levels_mdb: [Option<i32>; MAX_PEAK_CHANNELS],
}
