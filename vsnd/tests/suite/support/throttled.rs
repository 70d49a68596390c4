//! The hypervisor in memory, with the throttle of events that the image has, and the page of pending events.

use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MapError, Nanos,
    PageAccess, RemotePort, SharedPage,
};
use hypervisor_model::hda_pages::Pages;
use hypervisor_model::{BackEnd, DomainPage, MappedPages};
use xen_guest::event_channels::EventChannels;
use xen_guest::guest_channels::GuestChannels;
use xen_sys::shared_info::SharedInfo;

use super::raise::raise;

/// A driver domain's hypervisor, which throttles events.
pub struct Throttled {
    back: BackEnd<'static, Pages>,
    channels: GuestChannels,
    info: &'static SharedInfo,
    events: EventChannels<'static>,
}

impl Throttled {
    pub fn new(back: BackEnd<'static, Pages>) -> Self {
        let info: &'static SharedInfo = Box::leak(Box::default());
        Self { back, channels: GuestChannels::default(), info, events: EventChannels::new(info) }
    }

    /// An event of this channel.
    pub fn raise(&mut self, channel: EventChannel) {
        raise(self.info, channel.0);
    }

    /// Whether an event ends the domain's sleep.
    pub fn any_pending(&self) -> bool {
        self.events.any_pending()
    }

    /// Takes all events, at the begin of a turn.
    pub fn take_all(&mut self) {
        self.events.take_all(|channel| self.channels.on_event(channel));
    }

    /// Masks and unmasks channels, at the end of a turn.
    pub fn throttle(&mut self, now: Nanos) -> Option<Nanos> {
        self.channels.throttle(&self.events, now)
    }
}

impl Hypervisor for Throttled {
    type Page = DomainPage<'static, Pages>;
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
        self.back.map_buffer(guest, grants, size_bytes, access)
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
        let channel = self.back.bind(guest, port)?;
        self.channels.add(channel);
        Ok(channel)
    }

    fn unbind(&mut self, channel: EventChannel) {
        assert!(self.channels.remove(channel), "it is bound");
        self.back.unbind(channel);
    }

    fn note_request(&mut self, channel: EventChannel) {
        self.channels.on_request(channel);
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        self.back.is_abandoned(channel)
    }

    fn notify(&mut self, channel: EventChannel) {
        self.back.notify(channel);
    }
}
