//! The grant table of all domains. Each reference belongs to one domain only.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use audiofront::GrantAccess;
use hyper::{DomainId, GrantRef, MAX_BUFFER_PAGES, PAGE_WORDS, PageWords, SharedPage};

use crate::violations::Rule;

/// The first reference. Xen reserves those below (`GNTTAB_NR_RESERVED_ENTRIES`).
pub const FIRST_GRANT: u32 = 8;

/// A page of the memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) device_address: u64,
    pub(crate) words: &'static PageWords,
}

/// One use of a grant: from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) grant: GrantRef,
    /// Number of earlier uses of the reference. It differs between this use and later ones.
    pub(crate) generation: u32,
}

/// The pages of a mapped buffer.
#[derive(Debug, Default)]
pub(crate) struct PageList {
    pub(crate) addresses: heapless::Vec<u64, MAX_BUFFER_PAGES>,
    pub(crate) leases: heapless::Vec<Lease, MAX_BUFFER_PAGES>,
    pub(crate) words: heapless::Vec<&'static PageWords, MAX_BUFFER_PAGES>,
    pub(crate) is_writable: bool,
    pub(crate) size_bytes: u32,
    pub(crate) guest: Option<DomainId>,
}

#[derive(Clone, Copy, Debug)]
struct Grant {
    frame: Frame,
    owner: DomainId,
    peer: DomainId,
    access: GrantAccess,
    granted: bool,
    mapped: bool,
    /// Counted up when the grant ends, and when a mapping ends.
    grant_generation: u32,
    map_generation: u32,
}

#[derive(Debug)]
pub(crate) struct Grants {
    places: Vec<Grant>,
    capacity: usize,
    /// Ended grants, oldest first. The oldest is used again first, so that a stale reference does not go unnoticed.
    free: VecDeque<GrantRef>,
}

impl Grants {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { places: Vec::with_capacity(capacity), capacity, free: VecDeque::with_capacity(capacity) }
    }

    /// Grants a zeroed page of `owner` to `peer`. `new_frame` supplies pages up to the capacity; then ended grants are used again.
    pub(crate) fn grant(
        &mut self,
        owner: DomainId,
        peer: DomainId,
        access: GrantAccess,
        new_frame: impl FnOnce() -> Option<Frame>,
    ) -> Option<Lease> {
        if self.places.len() < self.capacity
            && let Some(frame) = new_frame()
        {
            let index = u32::try_from(self.places.len()).ok()?;
            let reference = GrantRef(index.checked_add(FIRST_GRANT)?);
            self.places.push(Grant {
                frame,
                owner,
                peer,
                access,
                granted: true,
                mapped: false,
                grant_generation: 0,
                map_generation: 0,
            });
            return Some(Lease { grant: reference, generation: 0 });
        }
        let reference = self.free.pop_front()?;
        let grant = self.place(reference)?;
        grant.owner = owner;
        grant.peer = peer;
        grant.access = access;
        grant.granted = true;
        (0..PAGE_WORDS).for_each(|word| grant.frame.words.store(word, 0));
        Some(Lease { grant: reference, generation: grant.grant_generation })
    }

    /// Ends a grant.
    pub(crate) fn revoke(&mut self, by: DomainId, lease: Lease) -> Result<(), Rule> {
        let grant = self.place(lease.grant).ok_or(Rule::RevokedTwice)?;
        if !grant.granted || grant.owner != by || grant.grant_generation != lease.generation {
            return Err(Rule::RevokedTwice);
        }
        if grant.mapped {
            return Err(Rule::RevokedWhileMapped);
        }
        grant.granted = false;
        grant.grant_generation = grant.grant_generation.wrapping_add(1);
        self.free.push_back(lease.grant);
        Ok(())
    }

    /// Maps a grant of `guest` for `by`.
    pub(crate) fn map(
        &mut self,
        by: DomainId,
        guest: DomainId,
        reference: GrantRef,
        access: GrantAccess,
    ) -> Result<(Lease, Frame), Rule> {
        let leased = self.lease(by, guest, reference, access)?;
        let grant = self.place(reference).ok_or(Rule::MappedUngranted)?;
        if core::mem::replace(&mut grant.mapped, true) { Err(Rule::MappedTwice) } else { Ok(leased) }
    }

    /// Maps a grant of `guest` that `by` has mapped before. The lease ends with the first mapping.
    pub(crate) fn map_again(
        &self,
        by: DomainId,
        guest: DomainId,
        reference: GrantRef,
        access: GrantAccess,
    ) -> Result<(Lease, Frame), Rule> {
        let leased = self.lease(by, guest, reference, access)?;
        if self.mapped(leased.0).is_some() { Ok(leased) } else { Err(Rule::MappedUngranted) }
    }

    /// The next mapping of a grant of `guest` to `by`, or the one under way.
    fn lease(
        &self,
        by: DomainId,
        guest: DomainId,
        reference: GrantRef,
        access: GrantAccess,
    ) -> Result<(Lease, Frame), Rule> {
        let grant = self.peek(reference).ok_or(Rule::MappedUngranted)?;
        let may = grant.granted
            && grant.owner == guest
            && grant.peer == by
            && (grant.access == GrantAccess::ReadWrite || access == GrantAccess::ReadOnly);
        if !may {
            return Err(Rule::MappedUngranted);
        }
        Ok((Lease { grant: reference, generation: grant.map_generation }, grant.frame))
    }

    /// Ends a mapping of `by`.
    pub(crate) fn unmap(&mut self, by: DomainId, lease: Lease) -> Result<Frame, Rule> {
        let grant = self.place(lease.grant).ok_or(Rule::UnmappedTwice)?;
        if !grant.mapped || grant.peer != by || grant.map_generation != lease.generation {
            return Err(Rule::UnmappedTwice);
        }
        grant.mapped = false;
        grant.map_generation = grant.map_generation.wrapping_add(1);
        Ok(grant.frame)
    }

    /// The page of a grant, unless that has ended.
    pub(crate) fn granted(&self, lease: Lease) -> Option<Frame> {
        let grant = self.peek(lease.grant)?;
        (grant.granted && grant.grant_generation == lease.generation).then_some(grant.frame)
    }

    /// The page of a mapping, unless that has ended.
    pub(crate) fn mapped(&self, lease: Lease) -> Option<Frame> {
        let grant = self.peek(lease.grant)?;
        (grant.mapped && grant.map_generation == lease.generation).then_some(grant.frame)
    }

    pub(crate) fn granted_pages(&self) -> usize {
        self.places.iter().filter(|grant| grant.granted).count()
    }

    pub(crate) fn mapped_pages(&self) -> usize {
        self.places.iter().filter(|grant| grant.mapped).count()
    }

    fn place(&mut self, reference: GrantRef) -> Option<&mut Grant> {
        self.places.get_mut(reference.0.checked_sub(FIRST_GRANT)? as usize)
    }

    fn peek(&self, reference: GrantRef) -> Option<&Grant> {
        self.places.get(reference.0.checked_sub(FIRST_GRANT)? as usize)
    }
}
