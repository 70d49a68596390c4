//! The front end's side of the card's control page: grants, publishes and reads it.

use hyper::{GrantRef, SharedPage};
use sndif::control_page::{ControlReader, Header, HeaderError, ReadError, Slot};

use crate::error::{ConnectError, ignored};
use crate::transport::{GrantAccess, GrantedPage, StillMapped, Transport};

/// A card's control page, shared by all of its streams. Streams count in xenstore's order.
///
/// A back end that keeps one announces [`FEATURE_CONTROL_PAGE`](sndif::nodes::FEATURE_CONTROL_PAGE)
/// in its directory. Publish the page before the front end becomes Initialised. A back end that
/// doesn't know it leaves it [unattached](HeaderError::NotAttached).
#[derive(Debug)]
pub struct ControlPage<P> {
    reader: ControlReader<P>,
    grant: GrantRef,
}

impl<P: SharedPage> ControlPage<P> {
    /// Grants a page and publishes its reference. A failure leaves nothing behind.
    ///
    /// # Errors
    /// [`ConnectError::NoPage`], or [`ConnectError::NotPublished`] if the transport can't publish
    /// it.
    pub fn connect<T: Transport<Page = P>>(transport: &mut T) -> Result<Self, ConnectError> {
        let granted = transport.grant_page(GrantAccess::ReadWrite).ok_or(ConnectError::NoPage)?;
        if transport.publish_control_page(granted.grant).is_err() {
            ignored(transport.revoke_page(granted), "an unpublished page can't be mapped");
            return Err(ConnectError::NotPublished);
        }
        Ok(Self { reader: ControlReader::init(granted.page), grant: granted.grant })
    }

    /// The back end's description of the device.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn header(&self) -> Result<Header, HeaderError> {
        self.reader.header()
    }

    /// A consistent snapshot of stream `index` of the card. It needs no exit and no request.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn slot(&self, index: usize) -> Result<Slot, ReadError> {
        self.reader.slot(index)
    }

    /// Only the values for computing a position, which is cheaper: see [`ControlReader::position`].
    ///
    /// # Errors
    /// See [`ReadError`].
    #[inline]
    pub fn position(&self, index: usize) -> Result<Slot, ReadError> {
        self.reader.position(index)
    }

    /// The reference under which the page is granted.
    pub const fn grant(&self) -> GrantRef {
        self.grant
    }

    /// Ends the grant. The back end must have closed the device before.
    ///
    /// # Errors
    /// [`StillMapped`]: the back end hasn't; the page stays granted.
    pub fn disconnect<T: Transport<Page = P>>(self, transport: &mut T) -> Result<(), StillMapped<P>> {
        transport.revoke_page(GrantedPage { page: self.reader.into_page(), grant: self.grant })
    }
}
