//! A page in somebody's hands.

use core::sync::atomic::{Ordering, fence};

use hyper::{DomainId, PageWords, SharedPage};

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
    pub(crate) lease: Lease,
    domain: DomainId,
    side: Side,
    is_writable: bool,
}

impl<M> Clone for HomePage<'_, M> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, M: PageMemory> HomePage<'a, M> {
    pub(crate) fn new(home: &'a Loopback<M>, domain: DomainId, lease: Lease, side: Side) -> Self {
        Self { home, lease, domain, side, is_writable: true }
    }

    /// The page, for reading only.
    pub(crate) fn read_only(self) -> Self {
        Self { is_writable: false, ..self }
    }

    /// The address under which a controller would find the page; `None` when it may not be touched any more.
    pub fn device_address(&self) -> Option<u64> {
        self.frame().map(|frame| frame.device_address)
    }

    fn frame(&self) -> Option<Frame> {
        let grants = self.home.grants.borrow();
        match self.side {
            Side::Mapped => grants.mapped(self.lease),
            Side::Granted => grants.granted(self.lease),
        }
    }

    /// The page, if it may still be touched; if not, that is recorded.
    fn words(&self) -> Option<&'static PageWords> {
        let frame = self.frame();
        if frame.is_none() {
            let rule = match self.side {
                Side::Mapped => Rule::TouchedAfterUnmap,
                Side::Granted => Rule::TouchedAfterRevoke,
            };
            self.home.violated(self.domain, rule, self.lease.grant);
        }
        frame.map(|frame| frame.words)
    }

    /// The same, to write to it.
    fn words_mut(&self) -> Option<&'static PageWords> {
        if !self.is_writable {
            self.home.violated(self.domain, Rule::WroteReadOnly, self.lease.grant);
            return None;
        }
        self.words()
    }
}

impl<M: PageMemory> SharedPage for HomePage<'_, M> {
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

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }
}
