//! A stream that the card below plays or records from the guest's own pages.

use audioback::card::{PortIndex, StreamParams};

use crate::voice::State;

/// A direct stream, and what its voice must know after a hand-over.
#[derive(Debug)]
pub(crate) struct Direct<S> {
    pub(crate) port: PortIndex,
    pub(crate) params: StreamParams,
    pub(crate) stream: S,
    pub(crate) state: State,
    pub(crate) is_link_wanted: bool,
    pub(crate) period_frames: u32,
    pub(crate) written_bytes: Option<u64>,
    /// Channels whose mute the guest has set, a bit each.
    pub(crate) muted: u16,
    /// The guest has set a volume or a mute.
    pub(crate) has_level: bool,
    /// It was paused since its start.
    pub(crate) was_paused: bool,
}

impl<S> Direct<S> {
    pub(crate) fn new(port: PortIndex, params: StreamParams, stream: S) -> Self {
        Self {
            port,
            params,
            stream,
            state: State::Ready,
            is_link_wanted: true,
            period_frames: 0,
            written_bytes: None,
            muted: 0,
            has_level: false,
            was_paused: false,
        }
    }

    /// Whether it can go on as a voice without a gap: it runs since its start, at the volume that a bus has, too.
    pub(crate) fn can_join(&self) -> bool {
        self.state == State::Running && !self.was_paused && !self.has_level
    }

    /// Notes a mute of a channel, or its end.
    pub(crate) fn note_mute(&mut self, channel: u8, is_muted: bool) {
        let bit = 1u16.checked_shl(channel.into()).unwrap_or_default();
        self.muted = if is_muted { self.muted | bit } else { self.muted & !bit };
    }
}
