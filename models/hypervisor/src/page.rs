//! A domain's handle to a page.

use core::sync::atomic::{Ordering, fence};

use hyper::{DomainId, PageWords, SharedPage};

use crate::grants::{Frame, Lease};
use crate::hypervisor::MemoryHypervisor;
use crate::memory::PageMemory;
use crate::violations::Rule;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The back end has mapped it.
    Mapped,
    /// The front end has granted it.
    Granted,
}

/// A page that a domain has granted or mapped. A handle that outlives that reads zeros and writes nothing, and each access is a
/// violation.
#[derive(Debug)]
pub struct DomainPage<'a, M> {
    hypervisor: &'a MemoryHypervisor<M>,
    pub(crate) lease: Lease,
    domain: DomainId,
    side: Side,
    is_writable: bool,
}

impl<M> Clone for DomainPage<'_, M> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, M: PageMemory> DomainPage<'a, M> {
    pub(crate) fn new(
        hypervisor: &'a MemoryHypervisor<M>,
        domain: DomainId,
        lease: Lease,
        side: Side,
    ) -> Self {
        Self { hypervisor, lease, domain, side, is_writable: true }
    }

    /// The page without write access.
    pub(crate) fn read_only(self) -> Self {
        Self { is_writable: false, ..self }
    }

    /// The page's address for a controller. `None` after the grant or the mapping has ended.
    pub fn device_address(&self) -> Option<u64> {
        self.frame().map(|frame| frame.device_address)
    }

    fn frame(&self) -> Option<Frame> {
        let grants = self.hypervisor.grants.borrow();
        match self.side {
            Side::Mapped => grants.mapped(self.lease),
            Side::Granted => grants.granted(self.lease),
        }
    }

    /// The page, or a violation.
    fn words(&self) -> Option<&'static PageWords> {
        let frame = self.frame();
        if frame.is_none() {
            let rule = match self.side {
                Side::Mapped => Rule::TouchedAfterUnmap,
                Side::Granted => Rule::TouchedAfterRevoke,
            };
            self.hypervisor.violated(self.domain, rule, self.lease.grant);
        }
        frame.map(|frame| frame.words)
    }

    /// The page for a write, or a violation.
    fn words_mut(&self) -> Option<&'static PageWords> {
        if !self.is_writable {
            self.hypervisor.violated(self.domain, Rule::WroteReadOnly, self.lease.grant);
            return None;
        }
        self.words()
    }
}

impl<M: PageMemory> SharedPage for DomainPage<'_, M> {
    fn load(&self, word: usize) -> u32 {
        self.words().map_or(0, |words| words.load(word))
    }

    fn store(&self, word: usize, value: u32) {
        if let Some(words) = self.words_mut() {
            words.store(word, value);
        }
    }

    fn store_run(&self, first: usize, values: impl Iterator<Item = u32>) {
        if let Some(words) = self.words_mut() {
            words.store_run(first, values);
        }
    }

    fn load_run(&self, first: usize, into: &mut [[u8; 4]]) {
        match self.words() {
            Some(words) => words.load_run(first, into),
            None => into.fill([0; 4]),
        }
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}
