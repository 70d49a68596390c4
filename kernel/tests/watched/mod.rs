//! A hypervisor that counts what a back end touches of its guests' pages.

use std::cell::RefCell;
use std::collections::BTreeSet;

use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MapError, PageAccess,
    RemotePort, SharedPage,
};

/// What was touched, in bytes: read and written alike.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    buffers: BTreeSet<(u16, u32)>,
    /// By page: the guest and its grant, each time that it was mapped to be looked into.
    pages: Vec<((u16, u32), u64)>,
}

impl Touched {
    /// Bytes of pages that were part of a buffer at any time: samples.
    pub fn samples(&self) -> u64 {
        self.sum(|page| self.buffers.contains(page))
    }

    /// Bytes of all other pages: rings, events, lists of pages.
    pub fn others(&self) -> u64 {
        self.sum(|page| !self.buffers.contains(page))
    }

    fn sum(&self, which: impl Fn(&(u16, u32)) -> bool) -> u64 {
        self.pages.iter().filter(|(page, _)| which(page)).map(|(_, bytes)| bytes).sum()
    }
}

thread_local! {
    static TOUCHED: RefCell<Touched> = RefCell::default();
}

/// What was touched since this was last asked, in this thread.
pub fn take() -> Touched {
    TOUCHED.take()
}

/// A hypervisor whose user is watched.
pub struct Watched<H>(H);

impl<H> Watched<H> {
    /// Watches the user of `hypervisor`.
    pub fn new(hypervisor: H) -> Self {
        Self(hypervisor)
    }
}

/// A page that counts what is touched of it.
pub struct WatchedPage<P> {
    page: P,
    of: (u16, u32),
}

impl<P> WatchedPage<P> {
    fn count(&self, words: u64) {
        TOUCHED.with_borrow_mut(|touched| {
            match touched.pages.iter_mut().find(|(page, _)| *page == self.of) {
                Some((_, bytes)) => *bytes += 4 * words,
                None => touched.pages.push((self.of, 4 * words)),
            }
        });
    }
}

impl<P: SharedPage> SharedPage for WatchedPage<P> {
    fn load(&self, word: usize) -> u32 {
        self.count(1);
        self.page.load(word)
    }

    fn store(&self, word: usize, value: u32) {
        self.count(1);
        self.page.store(word, value);
    }

    fn store_run(&self, first: usize, values: impl Iterator<Item = u32>) {
        self.page.store_run(first, values.inspect(|_| self.count(1)));
    }

    fn load_run(&self, first: usize, into: &mut [[u8; 4]]) {
        self.count(into.len() as u64);
        self.page.load_run(first, into);
    }

    fn fence(&self) {
        self.page.fence();
    }
}

impl<H: Hypervisor> Hypervisor for Watched<H> {
    type Page = WatchedPage<H::Page>;
    type Buffer = H::Buffer;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        Ok(WatchedPage { page: self.0.map_page(guest, grant)?, of: (guest.0, grant.0) })
    }

    fn unmap_page(&mut self, page: Self::Page) {
        self.0.unmap_page(page.page);
    }

    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError> {
        let buffers = grants.iter().map(|grant| (guest.0, grant.0));
        TOUCHED.with_borrow_mut(|touched| touched.buffers.extend(buffers));
        self.0.map_buffer(guest, grants, size_bytes, access)
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        self.0.unmap_buffer(buffer);
    }

    fn with_buffer_page<R>(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: impl FnOnce(&dyn SharedPage) -> R,
    ) -> Result<R, MapError> {
        // Whose it is can't be asked here; that it is part of a buffer is sure.
        let of = (u16::MAX, page as u32);
        TOUCHED.with_borrow_mut(|touched| touched.buffers.insert(of));
        self.0.with_buffer_page(buffer, page, access, |page| act(&WatchedPage { page, of }))
    }

    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError> {
        self.0.bind(guest, port)
    }

    fn unbind(&mut self, channel: EventChannel) {
        self.0.unbind(channel);
    }

    fn note_request(&mut self, channel: EventChannel) {
        self.0.note_request(channel);
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        self.0.is_abandoned(channel)
    }

    fn notify(&mut self, channel: EventChannel) {
        self.0.notify(channel);
    }
}
