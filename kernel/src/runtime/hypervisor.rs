//! The hypervisor of whichever home this is, as one type.
//!
//! The image has two homes, and everything from the back end down to the descriptor list is generic over its hypervisor.
//! With a type for each home the image would hold all of that twice.

use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MapError, MappedBuffer,
    PageAccess, RemotePort, SharedPage,
};

/// The hypervisor in memory, or Xen. Which of them is settled once, when the image finds out where it is.
#[derive(Debug)]
pub enum AnyHypervisor<M, X> {
    /// The loop-back home's.
    Memory(M),
    /// Xen.
    Xen(X),
}

/// A page mapped by an [`AnyHypervisor`].
#[derive(Debug)]
pub enum AnyPage<M, X> {
    /// By the one in memory.
    Memory(M),
    /// By Xen.
    Xen(X),
}

/// A buffer mapped by an [`AnyHypervisor`].
#[derive(Debug)]
pub enum AnyBuffer<M, X> {
    /// By the one in memory.
    Memory(M),
    /// By Xen.
    Xen(X),
}

impl<M, X> From<M> for AnyHypervisor<M, X> {
    fn from(memory: M) -> Self {
        Self::Memory(memory)
    }
}

impl<M: SharedPage, X: SharedPage> SharedPage for AnyPage<M, X> {
    fn load(&self, word: usize) -> u32 {
        match self {
            Self::Memory(page) => page.load(word),
            Self::Xen(page) => page.load(word),
        }
    }

    fn store(&self, word: usize, value: u32) {
        match self {
            Self::Memory(page) => page.store(word, value),
            Self::Xen(page) => page.store(word, value),
        }
    }

    fn fence(&self) {
        match self {
            Self::Memory(page) => page.fence(),
            Self::Xen(page) => page.fence(),
        }
    }
}

impl<M: MappedBuffer, X: MappedBuffer> MappedBuffer for AnyBuffer<M, X> {
    fn page_addresses(&self) -> &[u64] {
        match self {
            Self::Memory(buffer) => buffer.page_addresses(),
            Self::Xen(buffer) => buffer.page_addresses(),
        }
    }

    fn size_bytes(&self) -> u32 {
        match self {
            Self::Memory(buffer) => buffer.size_bytes(),
            Self::Xen(buffer) => buffer.size_bytes(),
        }
    }
}

impl<M: Hypervisor, X: Hypervisor> Hypervisor for AnyHypervisor<M, X> {
    type Page = AnyPage<M::Page, X::Page>;
    type Buffer = AnyBuffer<M::Buffer, X::Buffer>;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        match self {
            Self::Memory(memory) => memory.map_page(guest, grant).map(AnyPage::Memory),
            Self::Xen(xen) => xen.map_page(guest, grant).map(AnyPage::Xen),
        }
    }

    fn unmap_page(&mut self, page: Self::Page) {
        match (self, page) {
            (Self::Memory(memory), AnyPage::Memory(page)) => memory.unmap_page(page),
            (Self::Xen(xen), AnyPage::Xen(page)) => xen.unmap_page(page),
            _ => log_foreign(),
        }
    }

    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError> {
        match self {
            Self::Memory(memory) => {
                memory.map_buffer(guest, grants, size_bytes, access).map(AnyBuffer::Memory)
            }
            Self::Xen(xen) => xen.map_buffer(guest, grants, size_bytes, access).map(AnyBuffer::Xen),
        }
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        match (self, buffer) {
            (Self::Memory(memory), AnyBuffer::Memory(buffer)) => memory.unmap_buffer(buffer),
            (Self::Xen(xen), AnyBuffer::Xen(buffer)) => xen.unmap_buffer(buffer),
            _ => log_foreign(),
        }
    }

    fn with_buffer_page(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: &mut dyn FnMut(&dyn SharedPage),
    ) -> Result<(), MapError> {
        match (self, buffer) {
            (Self::Memory(memory), AnyBuffer::Memory(buffer)) => {
                memory.with_buffer_page(buffer, page, access, act)
            }
            (Self::Xen(xen), AnyBuffer::Xen(buffer)) => xen.with_buffer_page(buffer, page, access, act),
            _ => Err(MapError::NoRoom),
        }
    }

    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError> {
        match self {
            Self::Memory(memory) => memory.bind(guest, port),
            Self::Xen(xen) => xen.bind(guest, port),
        }
    }

    fn unbind(&mut self, channel: EventChannel) {
        match self {
            Self::Memory(memory) => memory.unbind(channel),
            Self::Xen(xen) => xen.unbind(channel),
        }
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        match self {
            Self::Memory(memory) => memory.is_abandoned(channel),
            Self::Xen(xen) => xen.is_abandoned(channel),
        }
    }

    fn notify(&mut self, channel: EventChannel) {
        match self {
            Self::Memory(memory) => memory.notify(channel),
            Self::Xen(xen) => xen.notify(channel),
        }
    }
}

/// There is one hypervisor for the image's whole life, so this is never met; if it were, the mapping would stay.
fn log_foreign() {
    log::error!("what another hypervisor has mapped stays mapped");
}
