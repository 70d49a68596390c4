//! Assignment of grants to slots of the window.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use hyper::{DomainId, GrantRef};

use crate::hypervisor::{GrantHandle, Slot};

/// A taken slot.
#[derive(Clone, Copy, Debug)]
struct Taken {
    guest: DomainId,
    grant: GrantRef,
    /// `None`: not known to be mapped, or impossible to unmap.
    handle: Option<GrantHandle>,
}

/// Why a slot couldn't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeError {
    /// The grant has a slot.
    Mapped,
    /// All slots are taken.
    Full,
}

/// The window's slots.
#[derive(Debug)]
pub(crate) struct Slots {
    places: Box<[Option<Taken>]>,
    /// The taken slots, sorted by their grants. It has room for all, so it never allocates.
    by_grant: Vec<(DomainId, GrantRef, Slot)>,
    /// Freed slots, oldest first: an address rests as long as possible before its next use.
    free: VecDeque<Slot>,
}

impl Slots {
    pub(crate) fn new(count: u16) -> Self {
        Self {
            places: (0..count).map(|_| None).collect(),
            by_grant: Vec::with_capacity(count.into()),
            free: (0..count).map(Slot).collect(),
        }
    }

    /// Takes a slot for a grant.
    pub(crate) fn take(&mut self, guest: DomainId, grant: GrantRef) -> Result<Slot, TakeError> {
        let place = self.by_grant.partition_point(|taken| (taken.0, taken.1) < (guest, grant));
        if self.by_grant.get(place).is_some_and(|taken| (taken.0, taken.1) == (guest, grant)) {
            return Err(TakeError::Mapped);
        }
        self.take_again(guest, grant)
    }

    /// Takes a slot for a grant that may have one already.
    pub(crate) fn take_again(&mut self, guest: DomainId, grant: GrantRef) -> Result<Slot, TakeError> {
        let slot = self.free.pop_front().ok_or(TakeError::Full)?;
        if let Some(place) = self.place(slot) {
            *place = Some(Taken { guest, grant, handle: None });
        }
        let entry = (guest, grant, slot);
        self.by_grant.insert(self.by_grant.partition_point(|taken| *taken < entry), entry);
        Ok(slot)
    }

    /// The grant in the slot is mapped now.
    pub(crate) fn mapped(&mut self, slot: Slot, handle: GrantHandle) {
        if let Some(Some(taken)) = self.place(slot) {
            taken.handle = Some(handle);
        }
    }

    /// The slot's mapping, if it has one.
    pub(crate) fn handle(&self, slot: Slot) -> Option<GrantHandle> {
        (*self.places.get(usize::from(slot.0))?)?.handle
    }

    /// The slot's grant.
    pub(crate) fn grant(&self, slot: Slot) -> Option<(DomainId, GrantRef)> {
        (*self.places.get(usize::from(slot.0))?).map(|taken| (taken.guest, taken.grant))
    }

    /// The slot's mapping couldn't be ended: neither the slot nor its grant can be used again.
    pub(crate) fn lose(&mut self, slot: Slot) {
        if let Some(Some(taken)) = self.place(slot) {
            taken.handle = None;
        }
    }

    /// The slot's mapping has ended.
    pub(crate) fn release(&mut self, slot: Slot) {
        let Some(Taken { guest, grant, .. }) = self.place(slot).and_then(Option::take) else { return };
        if let Ok(place) = self.by_grant.binary_search(&(guest, grant, slot)) {
            self.by_grant.remove(place);
        }
        self.free.push_back(slot);
    }

    /// Free slots.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Slots with a mapping.
    pub(crate) fn mapped_count(&self) -> usize {
        self.places.iter().flatten().filter(|taken| taken.handle.is_some()).count()
    }

    fn place(&mut self, slot: Slot) -> Option<&mut Option<Taken>> {
        self.places.get_mut(usize::from(slot.0))
    }
}
