//! The state of all domains.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;

use hyper::{DomainId, EventChannel, GrantRef};
use sndif::nodes::TransportNodes;

use crate::channels::{Channels, NotYours};
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
    /// The nodes of each domain's streams.
    published: RefCell<Vec<((DomainId, u32), TransportNodes)>>,
    /// The control page of each domain.
    control_pages: RefCell<Vec<(DomainId, GrantRef)>>,
    streams: usize,
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
            violations: RefCell::default(),
            published: RefCell::new(Vec::with_capacity(limits.streams)),
            control_pages: RefCell::new(Vec::with_capacity(limits.streams)),
            streams: limits.streams,
        }
    }

    /// The nodes that a guest's stream has published.
    pub fn published(&self, domain: DomainId, stream: u32) -> Option<TransportNodes> {
        get(&self.published.borrow(), (domain, stream))
    }

    /// The control page that a guest has published for its card.
    pub fn published_control_page(&self, domain: DomainId) -> Option<GrantRef> {
        get(&self.control_pages.borrow(), domain)
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
        self.violations.borrow().count
    }

    /// The first violations, up to [`KEPT_VIOLATIONS`].
    pub fn violations(&self) -> heapless::Vec<Violation, KEPT_VIOLATIONS> {
        self.violations.borrow().kept.clone()
    }

    /// Takes these violations, and counts anew.
    pub fn take_violations(&self) -> heapless::Vec<Violation, KEPT_VIOLATIONS> {
        core::mem::take(&mut *self.violations.borrow_mut()).kept
    }

    /// Calls `act` with the memory.
    pub fn with_memory<R>(&self, act: impl FnOnce(&mut M) -> R) -> R {
        act(&mut self.memory.borrow_mut())
    }

    pub(crate) fn violated(&self, by: DomainId, rule: Rule, grant: GrantRef) {
        self.violations.borrow_mut().record(by, rule, grant);
    }

    /// Has `by` do something with its channels.
    pub(crate) fn with_channels(
        &self,
        by: DomainId,
        act: impl FnOnce(&mut Channels) -> Result<(), NotYours>,
    ) {
        if act(&mut self.channels.borrow_mut()).is_err() {
            self.violated(by, Rule::ForeignChannel, GrantRef::NONE);
        }
    }

    /// False: no room for another domain's control page.
    pub(crate) fn publish_control_page(&self, domain: DomainId, grant: GrantRef) -> bool {
        put(&mut self.control_pages.borrow_mut(), domain, grant, self.streams)
    }

    /// False: no room for another stream.
    pub(crate) fn publish(&self, domain: DomainId, stream: u32, nodes: &TransportNodes) -> bool {
        put(&mut self.published.borrow_mut(), (domain, stream), *nodes, self.streams)
    }
}

/// Sets the value of a key. False: the list has no room for another key.
fn put<K: PartialEq, V>(list: &mut Vec<(K, V)>, key: K, value: V, capacity: usize) -> bool {
    let has_room = list.len() < capacity;
    match list.iter_mut().find(|(known, _)| *known == key) {
        Some((_, place)) => *place = value,
        None if has_room => list.push((key, value)),
        None => return false,
    }
    true
}

/// The value of a key.
fn get<K: PartialEq, V: Copy>(list: &[(K, V)], key: K) -> Option<V> {
    list.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
}
