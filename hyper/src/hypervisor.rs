//! What the back end needs of the hypervisor: other domains' pages, and a way to knock at their door.

use crate::{GrantRef, SharedPage};
use heapless::Vec;

/// Pages in the largest buffer: one entry each in a buffer descriptor list, of which there are 256 at most
/// (HDA specification 1.0a, 3.3.39 "SDnLVI").
pub const MAX_BUFFER_PAGES: usize = 256;

/// The number that Xen gives a domain (`domid_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(pub u16);

/// An event channel's local port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventChannel(pub u32);

/// An event channel's port as the guest numbers it: an allegation like a grant reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RemotePort(pub u32);

/// Why a channel couldn't be bound. The blame lies with the guest, except for [`NoRoom`](BindError::NoRoom).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindError {
    /// There is no such channel, or it isn't for this domain.
    NotOffered(RemotePort),
    /// No port is left on this side.
    NoRoom,
}

/// What the controller may do with a guest's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmaAccess {
    /// Playback: the controller reads.
    Read,
    /// Capture: the controller writes.
    Write,
}

/// What the processor does with a guest's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageAccess {
    /// It reads.
    ReadOnly,
    /// It reads and writes.
    ReadWrite,
}

/// Why a grant couldn't be mapped. The blame lies with the guest, except for [`NoRoom`](MapError::NoRoom).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// The guest has made no such grant, or not for this domain, or not for this access.
    NotGranted(GrantRef),
    /// The same grant is mapped already for the same guest.
    AlreadyMapped(GrantRef),
    /// No guest-physical address or no handle is left on this side.
    NoRoom,
}

/// A guest's buffer, mapped so that the controller can reach it. Nobody else can: there is no accessor, by design. What a
/// front end puts there besides samples is reached by [`Hypervisor::with_buffer_page`].
pub trait MappedBuffer {
    /// Addresses for the controller, page by page, in the guest's order.
    fn page_addresses(&self) -> &[u64];
    /// Bytes in use from the start of the first page.
    fn size_bytes(&self) -> u32;
}

/// The list of grant references read from a guest's page directory.
pub type GrantList = Vec<GrantRef, MAX_BUFFER_PAGES>;

/// The hypervisor as seen from the driver domain.
pub trait Hypervisor {
    /// A mapped page of a guest's that both sides read and write: ring, event page, page directory.
    type Page: SharedPage;
    /// A mapped buffer, for DMA only.
    type Buffer: MappedBuffer;

    /// Maps one page for reading and writing.
    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError>;
    /// Ends a mapping made by [`map_page`](Self::map_page).
    fn unmap_page(&mut self, page: Self::Page);

    /// Maps a buffer of `size_bytes` for the controller: all of its pages or, on an error, none.
    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError>;
    /// Ends a mapping made by [`map_buffer`](Self::map_buffer). The caller has made sure that no DMA is under way.
    fn unmap_buffer(&mut self, buffer: Self::Buffer);

    /// Lets `act` see page `page` of a buffer, which is mapped once more for that long, elsewhere: what the controller may do with
    /// the buffer stays what [`map_buffer`](Self::map_buffer) was told, and it isn't told of the other address.
    ///
    /// # Errors
    /// Then `act` isn't called: the page isn't granted for that, or no more; or there is no such page, or no room.
    fn with_buffer_page(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: &mut dyn FnMut(&dyn SharedPage),
    ) -> Result<(), MapError>;

    /// Binds an event channel that the guest has opened for this domain. It is pending at once.
    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError>;
    /// Closes a channel made by [`bind`](Self::bind).
    fn unbind(&mut self, channel: EventChannel);
    /// Whether the guest has closed its end of a channel made by [`bind`](Self::bind), as happens to a program that is killed.
    fn is_abandoned(&mut self, channel: EventChannel) -> bool;
    /// Sends an event. Never waits; an event to a channel that is gone is lost, as it is on Xen.
    fn notify(&mut self, channel: EventChannel);
}
