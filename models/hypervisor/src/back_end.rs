//! The hypervisor as a driver domain sees it.

use alloc::boxed::Box;

use audiofront::GrantAccess;
use heapless::Vec;
use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MAX_BUFFER_PAGES,
    MapError, MappedBuffer, PageAccess, RemotePort, SharedPage,
};
use sndif::page_directory::pages_for;

use crate::grants::{Frame, Lease};
use crate::home::Loopback;
use crate::memory::PageMemory;
use crate::page::{HomePage, Side};
use crate::violations::Rule;

/// A driver domain's handle: audioback's `Hypervisor`.
#[derive(Debug)]
pub struct BackEnd<'a, M> {
    home: &'a Loopback<M>,
    domain: DomainId,
}

impl<M> Clone for BackEnd<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for BackEnd<'_, M> {}

/// A mapped buffer: addresses for the controller, and no way to look inside.
///
/// A handle, whose list comes from the hypervisor's stock and goes back there: it is handed from owner to owner, and
/// a list of 256 pages is too much to be copied each time.
#[derive(Debug)]
pub struct MappedPages {
    list: Box<PageList>,
}

/// What a [`MappedPages`] holds.
#[derive(Debug, Default)]
pub(crate) struct PageList {
    addresses: Vec<u64, MAX_BUFFER_PAGES>,
    leases: Vec<Lease, MAX_BUFFER_PAGES>,
    size_bytes: u32,
    guest: Option<DomainId>,
}

impl MappedBuffer for MappedPages {
    fn page_addresses(&self) -> &[u64] {
        &self.list.addresses
    }

    fn size_bytes(&self) -> u32 {
        self.list.size_bytes
    }
}

impl<'a, M: PageMemory> BackEnd<'a, M> {
    pub(crate) fn new(home: &'a Loopback<M>, domain: DomainId) -> Self {
        Self { home, domain }
    }

    /// Takes one of this domain's pending events.
    pub fn take_pending(&self) -> Option<EventChannel> {
        self.home.take_pending(self.domain)
    }

    /// A page that is mapped already, mapped once more, as Xen allows it. It can be touched as long as the first mapping lasts.
    ///
    /// # Errors
    /// If it isn't mapped, or not granted for that.
    pub fn map_again(
        &self,
        guest: DomainId,
        grant: GrantRef,
        access: PageAccess,
    ) -> Result<HomePage<'a, M>, MapError> {
        let needed = match access {
            PageAccess::ReadOnly => GrantAccess::ReadOnly,
            PageAccess::ReadWrite => GrantAccess::ReadWrite,
        };
        let mapped = self.home.grants.borrow().map_again(self.domain, guest, grant, needed);
        let (lease, _) = mapped.map_err(|rule| {
            self.home.violated(self.domain, rule, grant);
            MapError::NotGranted(grant)
        })?;
        let page = HomePage::new(self.home, self.domain, lease, Side::Mapped);
        Ok(if access == PageAccess::ReadOnly { page.read_only() } else { page })
    }

    fn map(&self, guest: DomainId, grant: GrantRef, access: GrantAccess) -> Result<(Lease, Frame), MapError> {
        let mapped = self.home.grants.borrow_mut().map(self.domain, guest, grant, access);
        mapped.map_err(|rule| {
            self.home.violated(self.domain, rule, grant);
            match rule {
                Rule::MappedTwice => MapError::AlreadyMapped(grant),
                _ => MapError::NotGranted(grant),
            }
        })
    }

    fn unmap(&self, lease: Lease) -> Option<Frame> {
        let unmapped = self.home.grants.borrow_mut().unmap(self.domain, lease);
        unmapped.map_err(|rule| self.home.violated(self.domain, rule, lease.grant)).ok()
    }
}

impl<'a, M: PageMemory> Hypervisor for BackEnd<'a, M> {
    type Page = HomePage<'a, M>;
    type Buffer = MappedPages;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        let (lease, _) = self.map(guest, grant, GrantAccess::ReadWrite)?;
        Ok(HomePage::new(self.home, self.domain, lease, Side::Mapped))
    }

    fn unmap_page(&mut self, page: Self::Page) {
        self.unmap(page.lease);
    }

    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError> {
        if grants.is_empty() || pages_for(size_bytes) as usize != grants.len() {
            self.home.violated(self.domain, Rule::BadBufferSize, GrantRef::NONE);
            return Err(MapError::NoRoom);
        }
        let needed = match access {
            DmaAccess::Read => GrantAccess::ReadOnly,
            DmaAccess::Write => GrantAccess::ReadWrite,
        };
        let Some(mut list) = self.home.page_lists.borrow_mut().pop() else {
            return Err(MapError::NoRoom);
        };
        list.size_bytes = size_bytes;
        list.guest = Some(guest);
        let mut buffer = MappedPages { list };
        for grant in grants {
            match self.map(guest, *grant, needed) {
                Ok((lease, frame)) => {
                    // As many as there are grants, so there is room.
                    let _ = buffer.list.leases.push(lease);
                    let _ = buffer.list.addresses.push(frame.device_address);
                }
                Err(error) => {
                    self.unmap_buffer(buffer);
                    return Err(error);
                }
            }
        }
        let mut memory = self.home.memory.borrow_mut();
        for address in &buffer.list.addresses {
            memory.allow_dma(*address, access);
        }
        drop(memory);
        Ok(buffer)
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        let MappedPages { mut list } = buffer;
        for (lease, address) in list.leases.iter().zip(&list.addresses) {
            if self.home.memory.borrow().dma_under_way(*address) {
                self.home.violated(self.domain, Rule::UnmappedUnderDma, lease.grant);
            }
            if let Some(frame) = self.unmap(*lease) {
                self.home.memory.borrow_mut().forbid_dma(frame.device_address);
            }
        }
        list.leases.clear();
        list.addresses.clear();
        // It came from there, so there is room for it.
        self.home.page_lists.borrow_mut().push(list);
    }

    fn with_buffer_page<R>(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: impl FnOnce(&dyn SharedPage) -> R,
    ) -> Result<R, MapError> {
        let (guest, lease) = buffer.list.guest.zip(buffer.list.leases.get(page)).ok_or(MapError::NoRoom)?;
        Ok(act(&self.map_again(guest, lease.grant, access)?))
    }

    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError> {
        self.home.channels.borrow_mut().bind(self.domain, guest, port.0).map(EventChannel)
    }

    fn unbind(&mut self, channel: EventChannel) {
        let closed = self.home.channels.borrow_mut().close(self.domain, channel.0);
        if closed.is_err() {
            self.home.violated(self.domain, Rule::ForeignChannel, GrantRef::NONE);
        }
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        self.home.channels.borrow_mut().is_abandoned(self.domain, channel.0)
    }

    fn notify(&mut self, channel: EventChannel) {
        let sent = self.home.channels.borrow_mut().notify(self.domain, channel.0);
        if sent.is_err() {
            self.home.violated(self.domain, Rule::ForeignChannel, GrantRef::NONE);
        }
    }
}
