//! Where a front end's rings and channels are: four numbers for each stream, read once a connection.

use core::fmt;

use audioback::device::MAX_STREAMS;
use heapless::Vec;
use sndif::nodes::{self, TransportNodes};
use sndif::page_directory::GrantRef;
use xen_guest::xenstore::Reply;

use super::front_directory::FoundStream;
use super::names::{DeviceId, Excerpt, PathText};

/// The nodes of one stream, in the order in which they are read.
const NODES: [&str; 4] =
    [nodes::RING_REF, nodes::EVENT_CHANNEL, nodes::EVT_RING_REF, nodes::EVT_EVENT_CHANNEL];

/// Why a front end can't be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadTransport {
    /// A node isn't there.
    Missing,
    /// A node's value isn't a number.
    NoNumber(Excerpt),
}

impl fmt::Display for BadTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::NoNumber(text) => write!(f, "{text} is no number"),
        }
    }
}

/// A reader of the transport nodes of a device's streams.
#[derive(Debug, Default)]
pub(super) struct Transport {
    done: Vec<TransportNodes, MAX_STREAMS>,
    /// The first values of the stream that is being read.
    values: Vec<u32, 4>,
}

impl Transport {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.done.clear();
        self.values.clear();
    }

    /// What is to be read next; `None`: [`nodes`](Self::nodes) are complete.
    pub(super) fn next(&self, device: DeviceId, streams: &[FoundStream]) -> Option<PathText> {
        let stream = streams.get(self.done.len())?.id.path(device);
        let node = NODES.get(self.values.len())?;
        Some(PathText::new(format_args!("{stream}/{node}")))
    }

    /// Takes the answer to what [`next`](Self::next) wanted; `None`: it isn't there.
    pub(super) fn take(&mut self, answer: Option<Reply<'_>>) -> Result<(), BadTransport> {
        let reply = answer.ok_or(BadTransport::Missing)?;
        let text = reply.text().unwrap_or("");
        let value = nodes::decimal(text).ok_or_else(|| BadTransport::NoNumber(Excerpt::of(text)))?;
        // Emptied at each fourth.
        let _ = self.values.push(value);
        if let [ring_ref, event_channel, evt_ring_ref, evt_event_channel] = *self.values {
            let nodes = TransportNodes {
                ring_ref: GrantRef(ring_ref),
                event_channel,
                evt_ring_ref: GrantRef(evt_ring_ref),
                evt_event_channel,
            };
            // One for each stream, of which there are no more.
            let _ = self.done.push(nodes);
            self.values.clear();
        }
        Ok(())
    }

    /// What was read, a stream after the other.
    pub(super) fn nodes(&self) -> &[TransportNodes] {
        &self.done
    }
}
