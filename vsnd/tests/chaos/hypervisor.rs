//! The hypervisor as the driver domain sees it, with a note of the guest behind each mapped buffer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MapError, MappedBuffer,
    PageAccess, RemotePort, SharedPage,
};
use hypervisor_model::hda_pages::Pages;
use hypervisor_model::{BackEnd, DomainPage, MappedPages};

/// The guest that a mapped buffer belongs to, by the address of its first page.
pub type Owners = Rc<RefCell<BTreeMap<u64, DomainId>>>;

/// A driver domain's hypervisor that notes the owners of buffers.
pub struct NotingHypervisor<'w> {
    pub back: BackEnd<'w, Pages>,
    pub owners: Owners,
}

impl<'w> Hypervisor for NotingHypervisor<'w> {
    type Page = DomainPage<'w, Pages>;
    type Buffer = MappedPages;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        self.back.map_page(guest, grant)
    }

    fn unmap_page(&mut self, page: Self::Page) {
        self.back.unmap_page(page);
    }

    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError> {
        let buffer = self.back.map_buffer(guest, grants, size_bytes, access)?;
        if let Some(first) = buffer.page_addresses().first() {
            self.owners.borrow_mut().insert(*first, guest);
        }
        Ok(buffer)
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        self.back.unmap_buffer(buffer);
    }

    fn with_buffer_page<R>(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: impl FnOnce(&dyn SharedPage) -> R,
    ) -> Result<R, MapError> {
        self.back.with_buffer_page(buffer, page, access, act)
    }

    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError> {
        self.back.bind(guest, port)
    }

    fn unbind(&mut self, channel: EventChannel) {
        self.back.unbind(channel);
    }

    fn note_request(&mut self, channel: EventChannel) {
        self.back.note_request(channel);
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        self.back.is_abandoned(channel)
    }

    fn notify(&mut self, channel: EventChannel) {
        self.back.notify(channel);
    }
}
