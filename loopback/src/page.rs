//! A page in somebody's hands.

use audioback::hypervisor::DomainId;
use sndif::page::SharedPage;

use crate::grants::{Frame, Lease};
use crate::home::Loopback;
use crate::memory::PageMemory;
use crate::violations::Rule;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The back end has it mapped.
    Mapped,
    /// The front end owns it and has granted it.
    Granted,
}

/// A page that a domain has granted, or mapped. A copy of the handle is like a pointer: it can be kept too long. Then it
/// reads zeros, writes nothing, and each try is a violation.
#[derive(Debug)]
pub struct HomePage<'a, M> {
    home: &'a Loopback<M>,
    domain: DomainId,
    frame: Frame,
    pub(crate) lease: Lease,
    side: Side,
}

impl<M> Clone for HomePage<'_, M> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, M: PageMemory> HomePage<'a, M> {
    pub(crate) fn new(
        home: &'a Loopback<M>,
        domain: DomainId,
        (lease, frame): (Lease, Frame),
        side: Side,
    ) -> Self {
        Self { home, domain, frame, lease, side }
    }

    /// The address under which a controller would find the page.
    pub fn device_address(&self) -> u64 {
        self.frame.device_address
    }

    /// Whether the page may still be touched; if not, that is recorded.
    fn is_ours(&self) -> bool {
        let (ours, rule) = match self.side {
            Side::Mapped => (self.home.grants.borrow().is_mapped(self.lease), Rule::TouchedAfterUnmap),
            Side::Granted => (self.home.grants.borrow().is_granted(self.lease), Rule::TouchedAfterRevoke),
        };
        if !ours {
            self.home.violated(self.domain, rule, self.lease.grant);
        }
        ours
    }
}

impl<M: PageMemory> SharedPage for HomePage<'_, M> {
    fn load(&self, word: usize) -> u32 {
        if self.is_ours() { self.frame.words.load(word) } else { 0 }
    }

    fn store(&self, word: usize, value: u32) {
        if self.is_ours() {
            self.frame.words.store(word, value);
        }
    }

    fn fence(&self) {
        self.frame.words.fence();
    }
}
