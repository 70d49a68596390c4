//! The view of a driver domain.

use alloc::boxed::Box;

use audiofront::GrantAccess;
use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MapError, MappedBuffer,
    PageAccess, RemotePort, SampleMemory, SharedPage, read_pages, write_pages,
};
use sndif::page_directory::pages_for;

use crate::grants::{Frame, Lease, PageList};
use crate::hypervisor::MemoryHypervisor;
use crate::memory::PageMemory;
use crate::page::{DomainPage, Side};
use crate::violations::Rule;

/// A driver domain's handle.
#[derive(Debug)]
pub struct BackEnd<'a, M> {
    hypervisor: &'a MemoryHypervisor<M>,
    domain: DomainId,
}

impl<M> Clone for BackEnd<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for BackEnd<'_, M> {}

/// A mapped buffer: addresses for the controller, and the samples for a mixer ([`SampleMemory`]).
///
/// The list of pages is boxed because it is moved often and has up to 256 entries. The hypervisor keeps unused lists.
#[derive(Debug)]
pub struct MappedPages {
    list: Box<PageList>,
}

impl MappedBuffer for MappedPages {
    fn page_addresses(&self) -> &[u64] {
        &self.list.addresses
    }

    fn size_bytes(&self) -> u32 {
        self.list.size_bytes
    }
}

impl SampleMemory for MappedPages {
    fn read(&self, offset_bytes: u32, into: &mut [u8]) {
        read_pages(&self.list.words, self.list.size_bytes, offset_bytes, into);
    }

    fn write(&self, offset_bytes: u32, from: &[u8]) {
        if self.list.is_writable {
            write_pages(&self.list.words, self.list.size_bytes, offset_bytes, from);
        }
    }
}

impl<M: PageMemory> MemoryHypervisor<M> {
    /// The view of the driver domain `domain`.
    pub fn back_end(&self, domain: DomainId) -> BackEnd<'_, M> {
        BackEnd { hypervisor: self, domain }
    }
}

impl<'a, M: PageMemory> BackEnd<'a, M> {
    /// Maps a mapped page a second time, as Xen allows. The second mapping ends with the first.
    ///
    /// # Errors
    /// [`MapError::NotGranted`] if the page is not mapped, or not granted for `access`.
    pub fn map_again(
        &self,
        guest: DomainId,
        grant: GrantRef,
        access: PageAccess,
    ) -> Result<DomainPage<'a, M>, MapError> {
        let needed = match access {
            PageAccess::ReadOnly => GrantAccess::ReadOnly,
            PageAccess::ReadWrite => GrantAccess::ReadWrite,
        };
        let mapped = self.hypervisor.grants.borrow().map_again(self.domain, guest, grant, needed);
        let (lease, _) = mapped.map_err(|rule| {
            self.hypervisor.violated(self.domain, rule, grant);
            MapError::NotGranted(grant)
        })?;
        let page = DomainPage::new(self.hypervisor, self.domain, lease, Side::Mapped);
        Ok(if access == PageAccess::ReadOnly { page.read_only() } else { page })
    }

    fn map(&self, guest: DomainId, grant: GrantRef, access: GrantAccess) -> Result<(Lease, Frame), MapError> {
        let mapped = self.hypervisor.grants.borrow_mut().map(self.domain, guest, grant, access);
        mapped.map_err(|rule| {
            self.hypervisor.violated(self.domain, rule, grant);
            match rule {
                Rule::MappedTwice => MapError::AlreadyMapped(grant),
                _ => MapError::NotGranted(grant),
            }
        })
    }

    fn unmap(&self, lease: Lease) -> Option<Frame> {
        let unmapped = self.hypervisor.grants.borrow_mut().unmap(self.domain, lease);
        unmapped.map_err(|rule| self.hypervisor.violated(self.domain, rule, lease.grant)).ok()
    }
}

impl<'a, M: PageMemory> Hypervisor for BackEnd<'a, M> {
    type Page = DomainPage<'a, M>;
    type Buffer = MappedPages;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        let (lease, _) = self.map(guest, grant, GrantAccess::ReadWrite)?;
        Ok(DomainPage::new(self.hypervisor, self.domain, lease, Side::Mapped))
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
            self.hypervisor.violated(self.domain, Rule::BadBufferSize, GrantRef::NONE);
            return Err(MapError::NoRoom);
        }
        let needed = match access {
            DmaAccess::Read => GrantAccess::ReadOnly,
            DmaAccess::Write => GrantAccess::ReadWrite,
        };
        let Some(mut list) = self.hypervisor.page_lists.borrow_mut().pop() else {
            return Err(MapError::NoRoom);
        };
        list.size_bytes = size_bytes;
        list.guest = Some(guest);
        list.is_writable = access == DmaAccess::Write;
        let mut buffer = MappedPages { list };
        for grant in grants {
            match self.map(guest, *grant, needed) {
                Ok((lease, frame)) => {
                    let is_kept = buffer.list.leases.push(lease).is_ok()
                        && buffer.list.addresses.push(frame.device_address).is_ok()
                        && buffer.list.words.push(frame.words).is_ok();
                    // The lists and `grants` have the same capacity.
                    debug_assert!(is_kept, "a page too many");
                }
                Err(error) => {
                    self.unmap_buffer(buffer);
                    return Err(error);
                }
            }
        }
        let mut memory = self.hypervisor.memory.borrow_mut();
        for address in &buffer.list.addresses {
            memory.allow_dma(*address, access);
        }
        drop(memory);
        Ok(buffer)
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        let MappedPages { mut list } = buffer;
        for (lease, address) in list.leases.iter().zip(&list.addresses) {
            if self.hypervisor.memory.borrow().dma_under_way(*address) {
                self.hypervisor.violated(self.domain, Rule::UnmappedUnderDma, lease.grant);
            }
            if let Some(frame) = self.unmap(*lease) {
                self.hypervisor.memory.borrow_mut().forbid_dma(frame.device_address);
            }
        }
        list.leases.clear();
        list.addresses.clear();
        list.words.clear();
        self.hypervisor.page_lists.borrow_mut().push(list);
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
        self.hypervisor.channels.borrow_mut().bind(self.domain, guest, port.0).map(EventChannel)
    }

    fn unbind(&mut self, channel: EventChannel) {
        self.hypervisor.with_channels(self.domain, |channels| channels.close(self.domain, channel.0));
    }

    fn note_request(&mut self, _: EventChannel) {
        // All events are delivered at once.
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        self.hypervisor.channels.borrow_mut().is_abandoned(self.domain, channel.0)
    }

    fn notify(&mut self, channel: EventChannel) {
        self.hypervisor.with_channels(self.domain, |channels| channels.notify(self.domain, channel.0));
    }
}
