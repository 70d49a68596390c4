//! Assignment of grants to slots of the window.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use hyper::{DomainId, GrantRef};

use crate::hypervisor::{GrantHandle, Slot};

/// No slot: the end of a chain.
const NONE: u16 = u16::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    /// Taken for this grant; not known to be mapped, or impossible to unmap.
    Held(DomainId, GrantRef),
    Mapped(DomainId, GrantRef, GrantHandle),
}

impl State {
    fn grant(self) -> Option<(DomainId, GrantRef)> {
        match self {
            Self::Free => None,
            Self::Held(guest, grant) | Self::Mapped(guest, grant, _) => Some((guest, grant)),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    state: State,
    /// The next slot whose grant has the same hash.
    next: u16,
}

/// Why a slot couldn't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TakeError {
    /// The grant has a slot.
    Mapped,
    /// All slots are taken.
    Full,
}

/// The window's slots, with a hash table to find a grant.
#[derive(Debug)]
pub(crate) struct Slots {
    places: Box<[Place]>,
    chains: Box<[u16]>,
    /// Freed slots, oldest first: an address rests as long as possible before its next use.
    free: VecDeque<u16>,
}

impl Slots {
    pub(crate) fn new(count: u16) -> Self {
        // The last number means none.
        let count = count.min(NONE.saturating_sub(1));
        let chains = usize::from(count).next_power_of_two();
        Self {
            places: (0..count).map(|_| Place { state: State::Free, next: NONE }).collect(),
            chains: (0..chains).map(|_| NONE).collect(),
            free: (0..count).collect(),
        }
    }

    /// Takes a slot for a grant.
    pub(crate) fn take(&mut self, guest: DomainId, grant: GrantRef) -> Result<Slot, TakeError> {
        if self.find(self.chain_of(guest, grant), guest, grant) {
            return Err(TakeError::Mapped);
        }
        self.take_again(guest, grant)
    }

    /// Takes a slot for a grant that may have one already.
    pub(crate) fn take_again(&mut self, guest: DomainId, grant: GrantRef) -> Result<Slot, TakeError> {
        let chain = self.chain_of(guest, grant);
        let slot = self.free.pop_front().ok_or(TakeError::Full)?;
        let head = self.chains.get_mut(chain);
        if let (Some(place), Some(head)) = (self.places.get_mut(usize::from(slot)), head) {
            *place = Place { state: State::Held(guest, grant), next: *head };
            *head = slot;
        }
        Ok(Slot(slot))
    }

    /// The grant in the slot is mapped now.
    pub(crate) fn mapped(&mut self, slot: Slot, handle: GrantHandle) {
        if let Some(place) = self.places.get_mut(usize::from(slot.0))
            && let Some((guest, grant)) = place.state.grant()
        {
            place.state = State::Mapped(guest, grant, handle);
        }
    }

    /// The slot's mapping, if it has one.
    pub(crate) fn handle(&self, slot: Slot) -> Option<GrantHandle> {
        match self.places.get(usize::from(slot.0))?.state {
            State::Mapped(_, _, handle) => Some(handle),
            State::Free | State::Held(..) => None,
        }
    }

    /// The slot's grant.
    pub(crate) fn grant(&self, slot: Slot) -> Option<(DomainId, GrantRef)> {
        self.places.get(usize::from(slot.0))?.state.grant()
    }

    /// The slot's mapping couldn't be ended: neither the slot nor its grant can be used again.
    pub(crate) fn lose(&mut self, slot: Slot) {
        if let Some(place) = self.places.get_mut(usize::from(slot.0))
            && let Some((guest, grant)) = place.state.grant()
        {
            place.state = State::Held(guest, grant);
        }
    }

    /// The slot's mapping has ended.
    pub(crate) fn release(&mut self, slot: Slot) {
        let Some((guest, grant)) = self.grant(slot) else { return };
        let chain = self.chain_of(guest, grant);
        let next = self.places.get(usize::from(slot.0)).map_or(NONE, |place| place.next);
        let mut before = None;
        let mut at = self.chains.get(chain).copied().unwrap_or(NONE);
        // A chain has each slot at most once.
        for _ in 0..self.places.len() {
            if at == slot.0 || at == NONE {
                break;
            }
            before = Some(at);
            at = self.places.get(usize::from(at)).map_or(NONE, |place| place.next);
        }
        match before {
            None => {
                if let Some(head) = self.chains.get_mut(chain) {
                    *head = next;
                }
            }
            Some(before) => {
                if let Some(place) = self.places.get_mut(usize::from(before)) {
                    place.next = next;
                }
            }
        }
        if let Some(place) = self.places.get_mut(usize::from(slot.0)) {
            *place = Place { state: State::Free, next: NONE };
        }
        // Every slot has a place.
        self.free.push_back(slot.0);
    }

    /// Free slots.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    /// Slots with a mapping.
    pub(crate) fn mapped_count(&self) -> usize {
        self.places.iter().filter(|place| matches!(place.state, State::Mapped(..))).count()
    }

    fn find(&self, chain: usize, guest: DomainId, grant: GrantRef) -> bool {
        let mut at = self.chains.get(chain).copied().unwrap_or(NONE);
        for _ in 0..self.places.len() {
            let Some(place) = self.places.get(usize::from(at)) else { return false };
            if place.state.grant() == Some((guest, grant)) {
                return true;
            }
            at = place.next;
        }
        false
    }

    /// A guest can choose references that meet in one chain. It slows only accesses to its own
    /// pages.
    fn chain_of(&self, guest: DomainId, grant: GrantRef) -> usize {
        // Golden-section hashing spreads consecutive references evenly.
        let key = u64::from(grant.0) | u64::from(guest.0) << 32;
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        // The number of chains is a power of two, and never 0.
        hash as usize & self.chains.len().saturating_sub(1)
    }
}
