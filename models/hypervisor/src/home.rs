//! The hypervisor itself.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;

use hyper::{DomainId, EventChannel, GrantRef};
use sndif::nodes::TransportNodes;

use crate::back_end::{BackEnd, PageList};
use crate::channels::Channels;
use crate::front_end::FrontEnd;
use crate::grants::Grants;
use crate::memory::PageMemory;
use crate::violations::{KEPT_VIOLATIONS, Rule, Violation, Violations};

/// How much there is of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Grants, of all domains: a stream takes 3 and one for each page of its buffer, a control
    /// page one.
    pub grants: usize,
    /// Ports of event channels, of all domains: a stream takes 4.
    pub ports: usize,
    /// Streams that can publish their nodes, and have a buffer mapped.
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

/// The hypervisor in memory.
#[derive(Debug)]
pub struct Loopback<M> {
    pub(crate) grants: RefCell<Grants>,
    pub(crate) channels: RefCell<Channels>,
    pub(crate) memory: RefCell<M>,
    /// Lists for mapped buffers, one for each stream, those in use not among them.
    pub(crate) page_lists: RefCell<Vec<Box<PageList>>>,
    violations: RefCell<Violations>,
    published: RefCell<Vec<Published>>,
    /// The control page of each domain's card, of which it has one.
    control_pages: RefCell<Vec<(DomainId, GrantRef)>>,
    streams: usize,
}

#[derive(Debug)]
struct Published {
    domain: DomainId,
    stream: u32,
    nodes: TransportNodes,
}

// None of the cells is ever borrowed across a call to the outside, except for `memory` while its own methods run; so no
// borrow can meet another.
impl<M: PageMemory> Loopback<M> {
    /// A hypervisor without any domain. Takes all the memory that it will ever need for itself; pages come from `memory`
    /// as they are granted.
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

    /// What the driver domain `domain` sees.
    pub fn back_end(&self, domain: DomainId) -> BackEnd<'_, M> {
        BackEnd::new(self, domain)
    }

    /// What the guest `domain` sees, with stream `stream` of its own served by `back`.
    pub fn front_end(&self, domain: DomainId, back: DomainId, stream: u32) -> FrontEnd<'_, M> {
        FrontEnd::new(self, domain, back, stream)
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

    /// Takes one of the domain's pending events; which one comes first isn't said.
    pub fn take_pending(&self, domain: DomainId) -> Option<EventChannel> {
        self.channels.borrow_mut().take_pending(domain).map(EventChannel)
    }

    /// Whether an event is pending for the domain: it must not sleep then.
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

    /// How often a [`Rule`] was broken.
    pub fn violation_count(&self) -> u32 {
        self.violations.borrow().count()
    }

    /// The first violations, up to [`KEPT_VIOLATIONS`].
    pub fn violations(&self) -> heapless::Vec<Violation, KEPT_VIOLATIONS> {
        self.violations.borrow().kept()
    }

    /// Does something with the memory.
    pub fn with_memory<R>(&self, act: impl FnOnce(&mut M) -> R) -> R {
        act(&mut self.memory.borrow_mut())
    }

    pub(crate) fn violated(&self, by: DomainId, rule: Rule, grant: GrantRef) {
        self.violations.borrow_mut().record(by, rule, grant);
    }

    /// False: as many cards as there may be streams have published one already.
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

    /// False: as many streams as there may be have published already.
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
