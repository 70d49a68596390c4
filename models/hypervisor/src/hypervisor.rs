//! The state of all domains.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;

use hyper::{DomainId, EventChannel, GrantRef};
use sndif::nodes::TransportNodes;

use crate::channels::Channels;
use crate::grants::{Grants, PageList};
use crate::memory::PageMemory;
use crate::violations::{KEPT_VIOLATIONS, Rule, Violation, Violations};

/// Capacities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Grants of all domains. A stream takes 3 and one for each page of its buffer, a control page takes 1.
    pub grants: usize,
    /// Event channel ports of all domains. A stream takes 4.
    pub ports: usize,
    /// Streams that can publish their nodes and have a mapped buffer.
    pub streams: usize,
}

impl Limits {
    /// Enough for this many streams, each with the largest buffer.
    pub const fn for_streams(streams: usize) -> Self {
        Self {
            grants: streams.saturating_mul(audiofront::MAX_BUFFER_PAGES.saturating_add(4)),
            ports: streams.saturating_mul(4),
            streams,
        }
    }
}

/// A hypervisor in memory.
#[derive(Debug)]
pub struct MemoryHypervisor<M> {
    pub(crate) grants: RefCell<Grants>,
    pub(crate) channels: RefCell<Channels>,
    pub(crate) memory: RefCell<M>,
    /// Unused lists for mapped buffers. There is one for each stream.
    pub(crate) page_lists: RefCell<Vec<Box<PageList>>>,
    violations: RefCell<Violations>,
    published: RefCell<Vec<Published>>,
    /// The control page of each domain.
    control_pages: RefCell<Vec<(DomainId, GrantRef)>>,
    streams: usize,
}

#[derive(Debug)]
struct Published {
    domain: DomainId,
    stream: u32,
    nodes: TransportNodes,
}

// No cell is borrowed during a call into other crates, except `memory` during its own methods. So two borrows never overlap.
impl<M: PageMemory> MemoryHypervisor<M> {
    /// A hypervisor without domains. Allocates all its memory; `memory` supplies the pages as they are granted.
    pub fn new(memory: M, limits: Limits) -> Self {
        Self {
            grants: RefCell::new(Grants::new(limits.grants)),
            channels: RefCell::new(Channels::new(limits.ports)),
            memory: RefCell::new(memory),
            page_lists: RefCell::new((0..limits.streams).map(|_| Box::default()).collect()),
            violations: RefCell::new(Violations::new()),
            published: RefCell::new(Vec::with_capacity(limits.streams)),
            control_pages: RefCell::new(Vec::with_capacity(limits.streams)),
            streams: limits.streams,
        }
    }

    /// The nodes that a guest's stream has published.
    pub fn published(&self, domain: DomainId, stream: u32) -> Option<TransportNodes> {
        let published = self.published.borrow();
        published
            .iter()
            .find(|entry| entry.domain == domain && entry.stream == stream)
            .map(|entry| entry.nodes)
    }

    /// The control page that a guest has published for its card.
    pub fn published_control_page(&self, domain: DomainId) -> Option<GrantRef> {
        self.control_pages.borrow().iter().find(|(owner, _)| *owner == domain).map(|(_, grant)| *grant)
    }

    /// Takes one of the domain's pending events, in no particular order.
    pub fn take_pending(&self, domain: DomainId) -> Option<EventChannel> {
        self.channels.borrow_mut().take_pending(domain).map(EventChannel)
    }

    /// Whether an event is pending for the domain, so that it must not sleep.
    pub fn has_pending(&self, domain: DomainId) -> bool {
        self.channels.borrow().has_pending(domain)
    }

    /// Pages granted now.
    pub fn granted_pages(&self) -> usize {
        self.grants.borrow().granted_pages()
    }

    /// Pages mapped now.
    pub fn mapped_pages(&self) -> usize {
        self.grants.borrow().mapped_pages()
    }

    /// Number of broken [`Rule`]s.
    pub fn violation_count(&self) -> u32 {
        self.violations.borrow().count()
    }

    /// The first violations, up to [`KEPT_VIOLATIONS`].
    pub fn violations(&self) -> heapless::Vec<Violation, KEPT_VIOLATIONS> {
        self.violations.borrow().kept()
    }

    /// Calls `act` with the memory.
    pub fn with_memory<R>(&self, act: impl FnOnce(&mut M) -> R) -> R {
        act(&mut self.memory.borrow_mut())
    }

    pub(crate) fn violated(&self, by: DomainId, rule: Rule, grant: GrantRef) {
        self.violations.borrow_mut().record(by, rule, grant);
    }

    /// False: no room for another domain's control page.
    pub(crate) fn publish_control_page(&self, domain: DomainId, grant: GrantRef) -> bool {
        let mut pages = self.control_pages.borrow_mut();
        if let Some((_, known)) = pages.iter_mut().find(|(owner, _)| *owner == domain) {
            *known = grant;
            return true;
        }
        if pages.len() >= self.streams {
            return false;
        }
        pages.push((domain, grant));
        true
    }

    /// False: no room for another stream.
    pub(crate) fn publish(&self, domain: DomainId, stream: u32, nodes: &TransportNodes) -> bool {
        let mut published = self.published.borrow_mut();
        let known = published.iter_mut().find(|entry| entry.domain == domain && entry.stream == stream);
        if let Some(entry) = known {
            entry.nodes = *nodes;
            return true;
        }
        if published.len() >= self.streams {
            return false;
        }
        published.push(Published { domain, stream, nodes: *nodes });
        true
    }
}
