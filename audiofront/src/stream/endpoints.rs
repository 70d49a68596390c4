//! The endpoints of a stream: ring, event page and their channels.

use hyper::SharedPage;
use sndif::nodes::TransportNodes;

use crate::error::{ConnectError, ignored};
use crate::transport::{EventPort, GrantAccess, GrantedPage, Transport};

/// Granted pages and open channels, published as `nodes`.
#[derive(Debug)]
pub(super) struct Endpoints<P> {
    pub(super) ring: P,
    pub(super) event_page: P,
    pub(super) nodes: TransportNodes,
}

impl<P: SharedPage> Endpoints<P> {
    /// Grants, opens and publishes. A failure leaves nothing behind.
    pub(super) fn open<T: Transport<Page = P>>(transport: &mut T) -> Result<Self, ConnectError> {
        let pages = [(); 2].map(|()| transport.grant_page(GrantAccess::ReadWrite));
        let ports = [(); 2].map(|()| transport.open_channel());
        let (ring, event_page, ring_port, event_port) = match (pages, ports) {
            ([Some(ring), Some(event_page)], [Some(ring_port), Some(event_port)]) => {
                (ring, event_page, ring_port, event_port)
            }
            (pages, ports) => {
                let out_of_pages = pages.iter().any(Option::is_none);
                for page in pages.into_iter().flatten() {
                    ignored(transport.revoke_page(page), "an unpublished page can't be mapped");
                }
                ports.into_iter().flatten().for_each(|port| transport.close_channel(port));
                return Err(if out_of_pages { ConnectError::NoPage } else { ConnectError::NoChannel });
            }
        };
        let nodes = TransportNodes {
            ring_ref: ring.grant,
            event_channel: ring_port.0,
            evt_ring_ref: event_page.grant,
            evt_event_channel: event_port.0,
        };
        let endpoints = Self { ring: ring.page, event_page: event_page.page, nodes };
        if transport.publish(&nodes).is_err() {
            endpoints.close(transport);
            return Err(ConnectError::NotPublished);
        }
        Ok(endpoints)
    }

    /// Ends the grants and closes the channels.
    pub(super) fn close<T: Transport<Page = P>>(self, transport: &mut T) {
        let Self { ring, event_page, nodes } = self;
        for (page, grant) in [(ring, nodes.ring_ref), (event_page, nodes.evt_ring_ref)] {
            let revoked = transport.revoke_page(GrantedPage { page, grant });
            ignored(revoked, "a page that the back end still maps stays granted, as `disconnect` says");
        }
        transport.close_channel(EventPort(nodes.event_channel));
        transport.close_channel(EventPort(nodes.evt_event_channel));
    }
}
