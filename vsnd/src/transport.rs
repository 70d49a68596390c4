//! Where a front end's rings and channels are: four numbers for each stream, and where it has one, the card's control page. Read
//! once a connection.

use core::fmt;

use audioback::device::MAX_STREAMS;
use heapless::Vec;
use hyper::GrantRef;
use sndif::nodes::{self, TransportNodes};
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
    control_page: ControlPageNode,
}

/// What is known of the node of a card's control page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ControlPageNode {
    #[default]
    Unread,
    /// A front end that knows nothing of control pages, as Linux's.
    Absent,
    Named(GrantRef),
}

impl Transport {
    /// Begins anew.
    pub(super) fn clear(&mut self) {
        self.done.clear();
        self.values.clear();
        self.control_page = ControlPageNode::Unread;
    }

    /// What is to be read next; `None`: [`nodes`](Self::nodes) are complete.
    pub(super) fn next(&self, device: DeviceId, streams: &[FoundStream]) -> Option<PathText> {
        let Some(stream) = streams.get(self.done.len()) else {
            let card = device.front_directory();
            return (self.control_page == ControlPageNode::Unread)
                .then(|| PathText::new(format_args!("{card}/{}", nodes::CONTROL_PAGE_REF)));
        };
        let stream = stream.id.path(device);
        let node = NODES.get(self.values.len())?;
        Some(PathText::new(format_args!("{stream}/{node}")))
    }

    /// Takes the answer to what [`next`](Self::next) wanted; `None`: it isn't there.
    pub(super) fn take(
        &mut self,
        answer: Option<Reply<'_>>,
        streams: &[FoundStream],
    ) -> Result<(), BadTransport> {
        let is_card = self.done.len() >= streams.len();
        if is_card && answer.is_none() {
            self.control_page = ControlPageNode::Absent;
            return Ok(());
        }
        let reply = answer.ok_or(BadTransport::Missing)?;
        let text = reply.text().unwrap_or("");
        let value = nodes::decimal(text).ok_or_else(|| BadTransport::NoNumber(Excerpt::of(text)))?;
        if is_card {
            self.control_page = ControlPageNode::Named(GrantRef(value));
            return Ok(());
        }
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
    /// The card's control page, if it has one.
    pub(super) fn control_page(&self) -> Option<GrantRef> {
        match self.control_page {
            ControlPageNode::Named(grant) => Some(grant),
            ControlPageNode::Unread | ControlPageNode::Absent => None,
        }
    }
}
