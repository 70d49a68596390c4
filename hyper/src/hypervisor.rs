//! The hypervisor as a driver domain needs it: pages of other domains, and event channels to them.

use crate::{GrantRef, SharedPage};
use heapless::Vec;

/// Most pages in a buffer. The bound is fixed, so that a list of grants needs no heap.
pub const MAX_BUFFER_PAGES: usize = 256;

/// The number that Xen gives a domain (xen.h, `domid_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(pub u16);

/// A local port of an event channel (event_channel.h, `evtchn_port_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventChannel(pub u32);

/// A port of an event channel as the guest numbers it: an allegation, like a grant reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RemotePort(pub u32);

/// The reason why a channel can't be bound. The guest is to blame, except for [`NoRoom`](BindError::NoRoom).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindError {
    /// The guest has no such channel, or offers it to another domain.
    NotOffered(RemotePort),
    /// No port is left on this side.
    NoRoom,
}

/// The access of a device to a guest's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmaAccess {
    /// The device reads memory.
    Read,
    /// The device writes memory.
    Write,
}

/// The access of the processor to a guest's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageAccess {
    /// Reads only.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
}

/// The reason why a grant can't be mapped. The guest is to blame, except for [`NoRoom`](MapError::NoRoom).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The guest made no such grant, or made it for another domain or another access.
    NotGranted(GrantRef),
    /// The same grant of the same guest is mapped already.
    AlreadyMapped(GrantRef),
    /// No guest-physical address or no handle is left on this side.
    NoRoom,
}

/// A guest's buffer, mapped for a device.
///
/// Code that is generic over this can't reach a sample: there is no accessor, by design. A mixer asks for
/// [`SampleMemory`](crate::SampleMemory). For volumes, [`Hypervisor::with_buffer_page`] maps a page once more.
pub trait MappedBuffer {
    /// Addresses for the device, page by page, in the guest's order; at most [`MAX_BUFFER_PAGES`].
    fn page_addresses(&self) -> &[u64];
    /// Bytes in use from the start of the first page.
    fn size_bytes(&self) -> u32;
}

impl<B: MappedBuffer + ?Sized> MappedBuffer for &B {
    fn page_addresses(&self) -> &[u64] {
        (**self).page_addresses()
    }

    fn size_bytes(&self) -> u32 {
        (**self).size_bytes()
    }
}

/// Grant references of a buffer's pages, in order.
pub type GrantList = Vec<GrantRef, MAX_BUFFER_PAGES>;

/// The hypervisor as seen from a driver domain.
///
/// No method waits for a guest.
pub trait Hypervisor {
    /// A mapped page of a guest that both sides read and write.
    type Page: SharedPage;
    /// A mapped buffer, for DMA only.
    type Buffer: MappedBuffer;

    /// Maps one page of `guest` for reading and writing (grant_table.h, `GNTTABOP_map_grant_ref`).
    ///
    /// # Errors
    /// See [`MapError`]; nothing is mapped then.
    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError>;
    /// Ends a mapping made by [`map_page`](Self::map_page).
    fn unmap_page(&mut self, page: Self::Page);

    /// Maps a buffer of `size_bytes` for a device.
    ///
    /// # Errors
    /// See [`MapError`]; no page of the buffer is mapped then.
    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError>;
    /// Ends a mapping made by [`map_buffer`](Self::map_buffer). The caller has made sure that no DMA is under way.
    fn unmap_buffer(&mut self, buffer: Self::Buffer);

    /// Shows page `page` of a buffer, counted from 0, to `act`, and returns its result.
    ///
    /// The page is mapped once more for the duration, at another address. The device doesn't learn that address, and its
    /// own access stays as [`map_buffer`](Self::map_buffer) set it.
    ///
    /// # Errors
    /// See [`MapError`]; a page past the buffer's end is [`NoRoom`](MapError::NoRoom). `act` isn't called then.
    fn with_buffer_page<R>(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: impl FnOnce(&dyn SharedPage) -> R,
    ) -> Result<R, MapError>;

    /// Binds an event channel that the guest opened for this domain (event_channel.h, `EVTCHNOP_bind_interdomain`).
    ///
    /// The channel is pending at once.
    ///
    /// # Errors
    /// See [`BindError`].
    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError>;
    /// Closes a channel made by [`bind`](Self::bind) (event_channel.h, `EVTCHNOP_close`).
    fn unbind(&mut self, channel: EventChannel);
    /// Notes that a request was taken from the ring of a channel. The domain may throttle a channel whose events bring none.
    fn note_request(&mut self, channel: EventChannel);
    /// Whether the guest closed its end of a channel, as happens when its program is killed (`EVTCHNOP_status`).
    fn is_abandoned(&mut self, channel: EventChannel) -> bool;
    /// Sends an event (`EVTCHNOP_send`). An event to a channel that is gone is lost.
    fn notify(&mut self, channel: EventChannel);
}

impl<H: Hypervisor + ?Sized> Hypervisor for &mut H {
    type Page = H::Page;
    type Buffer = H::Buffer;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        (**self).map_page(guest, grant)
    }

    fn unmap_page(&mut self, page: Self::Page) {
        (**self).unmap_page(page);
    }

    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError> {
        (**self).map_buffer(guest, grants, size_bytes, access)
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        (**self).unmap_buffer(buffer);
    }

    fn with_buffer_page<R>(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: impl FnOnce(&dyn SharedPage) -> R,
    ) -> Result<R, MapError> {
        (**self).with_buffer_page(buffer, page, access, act)
    }

    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError> {
        (**self).bind(guest, port)
    }

    fn unbind(&mut self, channel: EventChannel) {
        (**self).unbind(channel);
    }

    fn note_request(&mut self, channel: EventChannel) {
        (**self).note_request(channel);
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        (**self).is_abandoned(channel)
    }

    fn notify(&mut self, channel: EventChannel) {
        (**self).notify(channel);
    }
}
