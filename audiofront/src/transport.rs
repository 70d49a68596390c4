//! The front end's requirements on its environment.

use hyper::{GrantRef, SharedPage};
use sndif::nodes::TransportNodes;

/// A local port of an event channel, as this domain numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventPort(pub u32);

/// The back end's access to a granted page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantAccess {
    /// Read only: the samples of a playback stream.
    ReadOnly,
    /// Read and write.
    ReadWrite,
}

/// A page of this domain that the back end may map.
#[derive(Debug)]
pub struct GrantedPage<P> {
    /// The page.
    pub page: P,
    /// The reference under which it is granted.
    pub grant: GrantRef,
}

/// The back end still maps the page. It stays granted and must not be reused.
#[derive(Debug)]
pub struct StillMapped<P>(pub GrantedPage<P>);

/// The nodes couldn't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishFailed;

/// A connection to one stream's back end. No method waits for the back end.
pub trait Transport {
    /// A page of this domain.
    type Page: SharedPage;

    /// Announces that the next `pages` calls of [`grant_page`](Self::grant_page) with this access
    /// are for one buffer. A transport may then place it contiguously in the application's memory.
    /// Only these calls use the reservation.
    fn reserve(&mut self, _pages: u32, _access: GrantAccess) {}
    /// Allocates a zeroed page and grants it to the back end. `None`: out of pages or of grants.
    fn grant_page(&mut self, access: GrantAccess) -> Option<GrantedPage<Self::Page>>;
    /// Ends a grant and frees the page.
    fn revoke_page(&mut self, page: GrantedPage<Self::Page>) -> Result<(), StillMapped<Self::Page>>;
    /// Creates an event channel that the back end may bind. `None`: out of ports.
    fn open_channel(&mut self) -> Option<EventPort>;
    /// Closes an event channel.
    fn close_channel(&mut self, port: EventPort);
    /// Sends an event.
    fn notify(&mut self, port: EventPort);
    /// Publishes the stream's transport nodes for the back end.
    fn publish(&mut self, nodes: &TransportNodes) -> Result<(), PublishFailed>;
    /// Publishes the reference of the card's control page in the node
    /// [`CONTROL_PAGE_REF`](sndif::nodes::CONTROL_PAGE_REF) of the card's directory. A transport
    /// need not support this.
    fn publish_control_page(&mut self, _grant: GrantRef) -> Result<(), PublishFailed> {
        Err(PublishFailed)
    }
}
