//! The view of a guest, for one of its streams.

use audiofront::{EventPort, GrantAccess, GrantedPage, PublishFailed, StillMapped, Transport};
use hyper::{DomainId, GrantRef};
use sndif::nodes::TransportNodes;

use crate::grants::Frame;
use crate::hypervisor::MemoryHypervisor;
use crate::memory::PageMemory;
use crate::page::{DomainPage, Side};
use crate::violations::Rule;

/// A guest's handle for one of its streams.
#[derive(Debug)]
pub struct FrontEnd<'a, M> {
    hypervisor: &'a MemoryHypervisor<M>,
    domain: DomainId,
    back: DomainId,
    stream: u32,
}

impl<M: PageMemory> MemoryHypervisor<M> {
    /// The view of the guest `domain` for its stream `stream`, which `back` serves.
    pub fn front_end(&self, domain: DomainId, back: DomainId, stream: u32) -> FrontEnd<'_, M> {
        FrontEnd { hypervisor: self, domain, back, stream }
    }
}

impl<'a, M: PageMemory> Transport for FrontEnd<'a, M> {
    type Page = DomainPage<'a, M>;

    fn grant_page(&mut self, access: GrantAccess) -> Option<GrantedPage<Self::Page>> {
        let new_frame = || {
            let (device_address, words) = self.hypervisor.memory.borrow_mut().allocate()?;
            Some(Frame { device_address, words })
        };
        let granted = self.hypervisor.grants.borrow_mut().grant(self.domain, self.back, access, new_frame)?;
        let page = DomainPage::new(self.hypervisor, self.domain, granted, Side::Granted);
        Some(GrantedPage { grant: page.lease.grant, page })
    }

    fn revoke_page(&mut self, page: GrantedPage<Self::Page>) -> Result<(), StillMapped<Self::Page>> {
        let revoked = self.hypervisor.grants.borrow_mut().revoke(self.domain, page.page.lease);
        match revoked {
            Ok(()) => Ok(()),
            Err(rule) => {
                self.hypervisor.violated(self.domain, rule, page.grant);
                // A grant that ended before has lost no page.
                if rule == Rule::RevokedWhileMapped { Err(StillMapped(page)) } else { Ok(()) }
            }
        }
    }

    fn open_channel(&mut self) -> Option<EventPort> {
        self.hypervisor.channels.borrow_mut().open(self.domain, self.back).map(EventPort)
    }

    fn close_channel(&mut self, port: EventPort) {
        self.hypervisor.with_channels(self.domain, |channels| channels.close(self.domain, port.0));
    }

    fn notify(&mut self, port: EventPort) {
        self.hypervisor.with_channels(self.domain, |channels| channels.notify(self.domain, port.0));
    }

    fn publish(&mut self, nodes: &TransportNodes) -> Result<(), PublishFailed> {
        if self.hypervisor.publish(self.domain, self.stream, nodes) { Ok(()) } else { Err(PublishFailed) }
    }

    fn publish_control_page(&mut self, grant: GrantRef) -> Result<(), PublishFailed> {
        if self.hypervisor.publish_control_page(self.domain, grant) { Ok(()) } else { Err(PublishFailed) }
    }
}
