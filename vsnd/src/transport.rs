//! The front end's transport nodes: four numbers for each stream, and the card's control page if it
//! has one.
//!
//! They are read once a connection.

use audioback::device::MAX_STREAMS;
use heapless::Vec;
use hyper::GrantRef;
use sndif::nodes::{self, TransportNodes};
use xen_guest::xenstore::Reply;

use crate::bounded;
use crate::card_config::FoundStream;
use crate::excerpt::Excerpt;
use crate::paths::{DeviceId, PathText};

/// The nodes of one stream, in the order in which they are read.
const NODES: [&str; 4] =
    [nodes::RING_REF, nodes::EVENT_CHANNEL, nodes::EVT_RING_REF, nodes::EVT_EVENT_CHANNEL];

/// The reason why a front end's nodes don't make a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTransport {
    /// A node doesn't exist.
    #[error("missing")]
    Missing,
    /// A node's value isn't a number.
    #[error("{0} is no number")]
    NoNumber(Excerpt),
}

/// Reads the transport nodes of a device's streams.
#[derive(Debug, Default)]
pub(crate) struct TransportReader {
    complete: Vec<TransportNodes, MAX_STREAMS>,
    /// The first values of the stream that is being read.
    values: Vec<u32, 4>,
    /// The card's control page. `None`: unread. A front end without the extension, as Linux's, has none.
    control_page: Option<Option<GrantRef>>,
}

impl TransportReader {
    /// Forgets all values, so that they are read again.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The path of the next value; `None`: all have been read.
    pub(crate) fn next(&self, device: DeviceId, streams: &[FoundStream]) -> Option<PathText> {
        let Some(stream) = streams.get(self.complete.len()) else {
            let card = device.front_directory();
            let is_unread = self.control_page.is_none();
            return is_unread.then(|| PathText::new(format_args!("{card}/{}", nodes::CONTROL_PAGE_REF)));
        };
        let stream = stream.id.path(device);
        let node = NODES.get(self.values.len())?;
        Some(PathText::new(format_args!("{stream}/{node}")))
    }

    /// Takes the [`next`](Self::next) value; `None`: the node doesn't exist.
    ///
    /// # Errors
    /// If the front end can't be connected to.
    pub(crate) fn take(
        &mut self,
        value: Option<Reply<'_>>,
        streams: &[FoundStream],
    ) -> Result<(), BadTransport> {
        let is_control_page = self.complete.len() >= streams.len();
        if is_control_page && value.is_none() {
            self.control_page = Some(None);
            return Ok(());
        }
        let text = value.ok_or(BadTransport::Missing)?.text().unwrap_or("");
        let value = nodes::decimal(text).ok_or_else(|| BadTransport::NoNumber(Excerpt::of(text)))?;
        if is_control_page {
            self.control_page = Some(Some(GrantRef(value)));
            return Ok(());
        }
        bounded::append(&mut self.values, value);
        if let [ring_ref, event_channel, evt_ring_ref, evt_event_channel] = *self.values {
            let nodes = TransportNodes {
                ring_ref: GrantRef(ring_ref),
                event_channel,
                evt_ring_ref: GrantRef(evt_ring_ref),
                evt_event_channel,
            };
            bounded::append(&mut self.complete, nodes);
            self.values.clear();
        }
        Ok(())
    }

    /// The nodes of all streams, in the streams' order.
    pub(crate) fn nodes(&self) -> &[TransportNodes] {
        &self.complete
    }

    /// The card's control page, if it has one.
    pub(crate) fn control_page(&self) -> Option<GrantRef> {
        self.control_page.flatten()
    }
}
