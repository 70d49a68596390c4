//! A converter: its settings, and the samples that it plays or records.

use crate::played::Played;

/// The frame that a capture source is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFrame {
    /// Frames before it since the stream's reset, with those that a FIFO error lost.
    pub index: u64,
    /// The link frame in which it travels: WALCLK, extended over its wraps, divided by 500.
    pub link_frame: u64,
}

/// Where a capture converter's samples come from.
pub(crate) enum Source {
    Silence,
    Samples(Box<dyn FnMut(SourceFrame, usize) -> i32>),
    Loop { codec: usize, node: u8, delay_link_frames: u64 },
}

/// A converter's state.
pub(crate) struct Converter {
    pub(crate) node: u8,
    pub(crate) output: bool,
    pub(crate) channels: usize,
    pub(crate) format: u16,
    pub(crate) tag: u8,
    pub(crate) channel: u8,
    pub(crate) played: Played,
    pub(crate) source: Source,
}
