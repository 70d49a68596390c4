//! The card's control page on the front end's side: granted, published, read.

use hyper::{GrantRef, SharedPage};
use sndif::control_page::{ControlReader, Header, HeaderError, ReadError, Slot};

use crate::error::{ConnectError, ignored};
use crate::transport::{GrantAccess, GrantedPage, StillMapped, Transport};

/// A card's control page: one for all of its streams, which are counted in the order of xenstore.
///
/// A back end that keeps one says so by [`FEATURE_CONTROL_PAGE`](sndif::nodes::FEATURE_CONTROL_PAGE) in its directory. The page
/// has to be published before the front end becomes Initialised; what a back end that doesn't know it leaves is a page that
/// [is not attached to](HeaderError::NotAttached).
#[derive(Debug)]
pub struct ControlPage<P> {
    reader: ControlReader<P>,
    grant: GrantRef,
}

impl<P: SharedPage> ControlPage<P> {
    /// Grants a page and publishes its reference. A failure leaves nothing behind.
    ///
    /// # Errors
    /// [`ConnectError::NoPage`], or [`ConnectError::NotPublished`] by a transport that can't.
    pub fn connect<T: Transport<Page = P>>(transport: &mut T) -> Result<Self, ConnectError> {
        let granted = transport.grant_page(GrantAccess::ReadWrite).ok_or(ConnectError::NoPage)?;
        if transport.publish_control_page(granted.grant).is_err() {
            ignored(transport.revoke_page(granted), "an unpublished page can't be mapped");
            return Err(ConnectError::NotPublished);
        }
        Ok(Self { reader: ControlReader::init(granted.page), grant: granted.grant })
    }

    /// What the back end says of the device.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn header(&self) -> Result<Header, HeaderError> {
        self.reader.header()
    }

    /// What the back end says of stream `index` of the card, as it was at one moment. It takes no exit and no request.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn slot(&self, index: usize) -> Result<Slot, ReadError> {
        self.reader.slot(index)
    }

    /// Of that what a position is computed from, cheaper: see [`ControlReader::position`].
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
    /// [`StillMapped`]: it hasn't; the page stays granted.
    pub fn disconnect<T: Transport<Page = P>>(self, transport: &mut T) -> Result<(), StillMapped<P>> {
        transport.revoke_page(GrantedPage { page: self.reader.into_page(), grant: self.grant })
    }
}
