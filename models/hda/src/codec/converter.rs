//! A converter: its settings, and its samples.

use crate::played::Played;

/// The frame that the model requests from a capture source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFrame {
    /// Frames before it since the stream's reset, including those lost to FIFO errors.
    pub index: u64,
    /// The link frame that carries it: WALCLK, extended past its wraps, divided by 500.
    pub link_frame: u64,
}

/// The source of a capture converter's samples.
#[derive(Default)]
pub(crate) enum Source {
    #[default]
    Silence,
    Samples(Box<dyn FnMut(SourceFrame, usize) -> i32>),
    Loop {
        codec: usize,
        node: u8,
        delay_link_frames: u64,
    },
}

/// A converter's state.
#[derive(Default)]
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
