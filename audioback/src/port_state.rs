//! The use of a port, as a card with a mixer knows it.

use hyper::Nanos;

/// The use of a port now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortState {
    /// No stream has it.
    #[default]
    Idle,
    /// One stream has it, whose buffer the hardware reads or writes.
    Direct,
    /// A mixer has it, for any number of streams.
    Shared(BusState),
}

/// The state of a mixer's bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusState {
    /// Frames per second.
    pub rate_hz: u32,
    /// Samples in a frame.
    pub channels: u8,
    /// The hardware plays or records it. Without streams it goes on for a while.
    pub is_running: bool,
    /// Open streams, without those of monitors.
    pub voices: u16,
    /// Those of them that run.
    pub running: u16,
    /// The most that announced frames are mixed ahead of what the hardware has fetched. An input has none.
    pub lead: Nanos,
    /// Frames since the bus was opened in which a channel was beyond full scale.
    pub clipped_frames: u64,
    /// Turns since then that came too late for a stream.
    pub late_turns: u32,
    /// FIFO errors of the hardware since then.
    pub fifo_errors: u32,
}
