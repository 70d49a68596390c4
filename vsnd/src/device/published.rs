//! The part of a device's status that is published.

use audioback::device::MAX_STREAMS;
use heapless::Vec;
use hyper::Nanos;
use sndif::state::XenbusState;

use crate::due::{after, earlier};
use crate::paths::StreamId;
use crate::status::{DeviceStatus, Ready, StreamStatus};

/// Interval between two writes of a stream's counters.
const COUNTERS_INTERVAL_NS: u64 = 1_000_000_000;

/// The part of a device's status that is published.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// There may be nodes to remove.
    is_there: bool,
    state: Option<XenbusState>,
    /// The time and the contents of each stream's last write.
    streams: Vec<Option<(Nanos, StreamStatus)>, MAX_STREAMS>,
}

impl Published {
    /// Prepares for the status of so many streams, none of it published.
    pub(super) fn set_up(&mut self, streams: usize) {
        self.streams.clear();
        for _ in 0..streams {
            crate::bounded::append(&mut self.streams, None);
        }
    }

    /// Whether there may be nodes to remove.
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// Notes that a status is being written: from now on there may be nodes to remove.
    pub(super) fn begin(&mut self) {
        self.is_there = true;
    }

    /// Notes that the nodes have been removed.
    pub(super) fn removed(&mut self) {
        self.is_there = false;
    }

    /// The next status to publish, of this state and these streams.
    pub(super) fn next(
        &self,
        state: XenbusState,
        streams: impl Iterator<Item = (StreamId, StreamStatus)>,
        now: Nanos,
    ) -> Ready<DeviceStatus> {
        if self.state != Some(state) {
            return Ok(DeviceStatus::State(state));
        }
        let mut next = None;
        for (index, (id, status)) in streams.enumerate() {
            let due = match self.streams.get(index) {
                Some(Some((_, published))) if *published == status => {
                    // It will soon have moved on, which nobody says.
                    if status.is_running() {
                        next = earlier(next, Some(after(now, COUNTERS_INTERVAL_NS)));
                    }
                    continue;
                }
                Some(Some((at, published))) if !published.differs_beyond_counters(&status) => {
                    after(*at, COUNTERS_INTERVAL_NS)
                }
                _ => now,
            };
            if due <= now {
                return Ok(DeviceStatus::Stream(index, id, status));
            }
            next = earlier(next, Some(due));
        }
        Err(next)
    }

    /// Notes that a status has been published.
    pub(super) fn on_published(&mut self, status: DeviceStatus, now: Nanos) {
        match status {
            DeviceStatus::State(state) => self.state = Some(state),
            DeviceStatus::Stream(index, _, status) => {
                if let Some(stream) = self.streams.get_mut(index) {
                    *stream = Some((now, status));
                }
            }
        }
    }
}
