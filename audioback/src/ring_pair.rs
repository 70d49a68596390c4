//! The mapped request ring and event page of a stream, and their event channels.

use hyper::{BindError, DomainId, EventChannel, Hypervisor, MapError, RemotePort, SharedPage};
use sndif::event_page::{EventWriter, Full};
use sndif::nodes::TransportNodes;
use sndif::ring::BackRing;
use sndif::state::XenbusState;

use crate::period_edges::EventPacer;
use crate::resources::Resource;

/// Why a device could not be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The device does not wait for a front end.
    WrongState(XenbusState),
    /// The front end published a wrong number of streams.
    StreamCount,
    /// The guest would hold more of this than it may.
    OverLimit(Resource),
    /// A ring, an event page or the control page cannot be mapped.
    Map(MapError),
    /// An event channel cannot be bound.
    Bind(BindError),
}

impl ConnectError {
    /// Whether room is short, in this domain or by the guest's limits, so that a later try may succeed.
    pub const fn is_shortage(&self) -> bool {
        matches!(self, Self::OverLimit(_) | Self::Map(MapError::NoRoom) | Self::Bind(BindError::NoRoom))
    }
}

/// A request ring whose indices are impossible, so that none of its entries can be trusted.
pub(crate) struct BrokenRing;

/// The connection of a stream to its front end.
pub(crate) struct Line<P> {
    pub(crate) ring: BackRing<P>,
    pub(crate) ring_channel: EventChannel,
    event_writer: EventWriter<P>,
    event_channel: EventChannel,
}

impl<P: SharedPage> Line<P> {
    /// Maps and binds the nodes that the front end has published. After an error nothing is mapped or bound.
    pub(crate) fn connect<H: Hypervisor<Page = P>>(
        hypervisor: &mut H,
        guest: DomainId,
        nodes: &TransportNodes,
    ) -> Result<Self, ConnectError> {
        let ring = hypervisor.map_page(guest, nodes.ring_ref).map_err(ConnectError::Map)?;
        let event_page = match hypervisor.map_page(guest, nodes.evt_ring_ref) {
            Ok(page) => page,
            Err(error) => {
                hypervisor.unmap_page(ring);
                return Err(ConnectError::Map(error));
            }
        };
        let channels =
            hypervisor.bind(guest, RemotePort(nodes.event_channel)).and_then(|ring_channel| match hypervisor
                .bind(guest, RemotePort(nodes.evt_event_channel))
            {
                Ok(event_channel) => Ok((ring_channel, event_channel)),
                Err(error) => {
                    hypervisor.unbind(ring_channel);
                    Err(error)
                }
            });
        match channels {
            Ok((ring_channel, event_channel)) => Ok(Self {
                ring: BackRing::attach(ring),
                ring_channel,
                event_writer: EventWriter::attach(event_page),
                event_channel,
            }),
            Err(error) => {
                hypervisor.unmap_page(ring);
                hypervisor.unmap_page(event_page);
                Err(ConnectError::Bind(error))
            }
        }
    }

    pub(crate) fn disconnect<H: Hypervisor<Page = P>>(self, hypervisor: &mut H) {
        hypervisor.unbind(self.ring_channel);
        hypervisor.unbind(self.event_channel);
        hypervisor.unmap_page(self.ring.into_page());
        hypervisor.unmap_page(self.event_writer.into_page());
    }

    /// Posts a position, and notes the result in the stream's pacer. A full event page receives nothing and uses up no id.
    pub(crate) fn post<H: Hypervisor<Page = P>>(
        &mut self,
        hypervisor: &mut H,
        events: Option<&mut EventPacer>,
        bytes: u64,
    ) {
        let posted = self.event_writer.post(bytes);
        if let Some(events) = events {
            match posted {
                Ok(_) => events.posted(bytes),
                Err(Full) => events.found_no_room(bytes),
            }
        }
        if posted == Ok(true) {
            hypervisor.notify(self.event_channel);
        }
    }
}
