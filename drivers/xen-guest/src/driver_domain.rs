//! The back end's `Hypervisor`: other domains' pages, mapped one by one or as buffers, and channels to them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MAX_BUFFER_PAGES,
    MapError, MappedBuffer, PageAccess, RemotePort, SharedPage,
};
use sndif::page_directory::pages_for;

use crate::hypervisor::{Access, Blame, Errno, GrantError, Mapping, Slot, Unmapping, Xen};
use crate::slots::{Slots, TakeError};

/// Grants mapped, or mappings ended, by one hypercall.
const BATCH: usize = 32;

/// How often a grant is tried that Xen can't map at the moment.
const MAP_TRIES: usize = 4;

/// Channels that can be bound at a time: two for each of 120 streams.
pub const MAX_CHANNELS: usize = 240;

/// What went wrong that the back end isn't told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishaps {
    /// Mappings that Xen didn't end. Their slots are lost.
    pub unmaps_failed: u32,
    /// Channels that could not be closed.
    pub closes_failed: u32,
}

/// This domain, as the back end's `Hypervisor`.
#[derive(Debug)]
pub struct DriverDomain<X> {
    xen: X,
    slots: Slots,
    /// Lists for buffers, those in use not among them.
    #[expect(
        clippy::vec_box,
        reason = "the boxes are handed out; a list is too much to be copied each time"
    )]
    page_lists: Vec<Box<PageList>>,
    channels: heapless::Vec<EventChannel, MAX_CHANNELS>,
    mishaps: Mishaps,
}

/// A guest's page, mapped. The only handle to it; ended by `unmap_page`.
#[derive(Debug)]
pub struct GuestPage<V> {
    slot: Slot,
    view: V,
}

impl<V: SharedPage> SharedPage for GuestPage<V> {
    fn load(&self, word: usize) -> u32 {
        self.view.load(word)
    }

    fn store(&self, word: usize, value: u32) {
        self.view.store(word, value);
    }

    fn fence(&self) {
        self.view.fence();
    }
}

/// A guest's buffer, mapped for the controller. Its list comes from the stock and goes back there.
#[derive(Debug)]
pub struct GuestBuffer {
    list: Box<PageList>,
}

#[derive(Debug, Default)]
struct PageList {
    addresses: heapless::Vec<u64, MAX_BUFFER_PAGES>,
    slots: heapless::Vec<Slot, MAX_BUFFER_PAGES>,
    size_bytes: u32,
}

impl MappedBuffer for GuestBuffer {
    fn page_addresses(&self) -> &[u64] {
        &self.list.addresses
    }

    fn size_bytes(&self) -> u32 {
        self.list.size_bytes
    }
}

impl<X: Xen> DriverDomain<X> {
    /// A domain over `xen` in which `buffers` buffers can be mapped at a time. Takes all memory that it will ever need.
    pub fn new(xen: X, buffers: usize) -> Self {
        let slots = Slots::new(xen.slots());
        let page_lists = (0..buffers).map(|_| Box::default()).collect();
        Self { xen, slots, page_lists, channels: heapless::Vec::new(), mishaps: Mishaps::default() }
    }

    /// What it stands on.
    pub fn xen(&self) -> &X {
        &self.xen
    }

    /// What it stands on.
    pub fn xen_mut(&mut self) -> &mut X {
        &mut self.xen
    }

    /// Pages mapped now.
    pub fn mapped_pages(&self) -> usize {
        self.slots.mapped_count()
    }

    /// Pages that can still be mapped.
    pub fn free_slots(&self) -> usize {
        self.slots.free()
    }

    /// What went wrong that nobody was told of.
    pub fn mishaps(&self) -> Mishaps {
        self.mishaps
    }

    /// Maps up to [`BATCH`] grants: all or none. `take` finds a slot for each. `mapped` is told each one, in order, once all are
    /// mapped.
    fn map_batch(
        &mut self,
        guest: DomainId,
        access: Access,
        grants: &[GrantRef],
        take: fn(&mut Slots, DomainId, GrantRef) -> Result<Slot, TakeError>,
        mapped: &mut dyn FnMut(&X, Slot),
    ) -> Result<(), MapError> {
        let mut batch = heapless::Vec::<Mapping, BATCH>::new();
        let mut failure = None;
        for grant in grants {
            match take(&mut self.slots, guest, *grant) {
                Ok(slot) => {
                    let entry = Mapping { slot, grant: *grant, result: Err(GrantError::NotDone) };
                    if batch.push(entry).is_err() {
                        self.slots.release(slot);
                        failure = Some(MapError::NoRoom);
                        break;
                    }
                }
                Err(error) => {
                    failure = Some(match error {
                        TakeError::Mapped => MapError::AlreadyMapped(*grant),
                        TakeError::Full => MapError::NoRoom,
                    });
                    break;
                }
            }
        }
        if failure.is_none() {
            failure = self.map_taken(guest, access, &mut batch);
        }
        let Some(error) = failure else {
            for entry in &batch {
                mapped(&self.xen, entry.slot);
            }
            return Ok(());
        };
        for entry in &batch {
            if entry.result.is_err() {
                self.slots.release(entry.slot);
            }
        }
        let done = batch.iter().filter(|entry| entry.result.is_ok()).map(|entry| entry.slot);
        let done: heapless::Vec<Slot, BATCH> = done.collect();
        self.unmap_slots(&done);
        Err(error)
    }

    /// Maps what has a slot; what can't be mapped at the moment is tried again a few times. Returns the first error.
    fn map_taken(
        &mut self,
        guest: DomainId,
        access: Access,
        batch: &mut heapless::Vec<Mapping, BATCH>,
    ) -> Option<MapError> {
        self.xen.map(guest, access, batch);
        for _ in 1..MAP_TRIES {
            for entry in batch.iter_mut().filter(|entry| entry.result == Err(GrantError::Again)) {
                self.xen.map(guest, access, core::slice::from_mut(entry));
            }
        }
        let mut failure = None;
        for entry in batch.iter() {
            match entry.result {
                Ok(handle) => self.slots.mapped(entry.slot, handle),
                Err(error) if failure.is_none() => {
                    failure = Some(match error.blame() {
                        Blame::Guest => {
                            // The back end says that it refuses; a guest could fill the log.
                            log::debug!("domain {}, grant {}: {error}", guest.0, entry.grant.0);
                            MapError::NotGranted(entry.grant)
                        }
                        Blame::DriverDomain => {
                            log::error!("domain {}, grant {}: {error}", guest.0, entry.grant.0);
                            MapError::NoRoom
                        }
                    });
                }
                Err(_) => {}
            }
        }
        failure
    }

    /// Ends mappings, [`BATCH`] at a time. A slot whose mapping Xen doesn't end is lost.
    fn unmap_slots(&mut self, slots: &[Slot]) {
        for chunk in slots.chunks(BATCH) {
            let mut batch = heapless::Vec::<Unmapping, BATCH>::new();
            for slot in chunk {
                if let Some(handle) = self.slots.handle(*slot) {
                    // A chunk is no longer than the batch.
                    let _ = batch.push(Unmapping { slot: *slot, handle, result: Err(GrantError::NotDone) });
                }
            }
            self.xen.unmap(&mut batch);
            for entry in &batch {
                match entry.result {
                    Ok(()) => self.slots.release(entry.slot),
                    Err(error) => {
                        self.mishaps.unmaps_failed = self.mishaps.unmaps_failed.saturating_add(1);
                        let (guest, grant) =
                            self.slots.grant(entry.slot).unwrap_or((DomainId(0), GrantRef(0)));
                        log::error!(
                            "domain {}, grant {}: still mapped at {:#x}: {error}",
                            guest.0,
                            grant.0,
                            self.xen.address(entry.slot)
                        );
                        self.slots.lose(entry.slot);
                    }
                }
            }
        }
    }
}

impl<X: Xen> Hypervisor for DriverDomain<X> {
    type Page = GuestPage<X::View>;
    type Buffer = GuestBuffer;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        let mut page = None;
        self.map_batch(guest, Access::ReadWrite, &[grant], Slots::take, &mut |xen, slot| {
            page = Some(GuestPage { slot, view: xen.view(slot) });
        })?;
        page.ok_or(MapError::NoRoom)
    }

    fn unmap_page(&mut self, page: Self::Page) {
        // The view is gone before what it looked at.
        let GuestPage { slot, view } = page;
        drop(view);
        self.unmap_slots(&[slot]);
    }

    fn map_buffer(
        &mut self,
        guest: DomainId,
        grants: &GrantList,
        size_bytes: u32,
        access: DmaAccess,
    ) -> Result<Self::Buffer, MapError> {
        if grants.is_empty() || pages_for(size_bytes) as usize != grants.len() {
            log::error!("a buffer of {size_bytes} octets in {} pages", grants.len());
            return Err(MapError::NoRoom);
        }
        let access = match access {
            DmaAccess::Read => Access::ReadOnly,
            DmaAccess::Write => Access::ReadWrite,
        };
        let list = self.page_lists.pop().ok_or(MapError::NoRoom)?;
        let mut buffer = GuestBuffer { list };
        buffer.list.size_bytes = size_bytes;
        for chunk in grants.chunks(BATCH) {
            let list = &mut buffer.list;
            let mapped = self.map_batch(guest, access, chunk, Slots::take, &mut |xen, slot| {
                // As many as there are grants, so there is room.
                let _ = list.slots.push(slot);
                let _ = list.addresses.push(xen.address(slot));
            });
            if let Err(error) = mapped {
                self.unmap_buffer(buffer);
                return Err(error);
            }
        }
        Ok(buffer)
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        let GuestBuffer { mut list } = buffer;
        self.unmap_slots(&list.slots);
        list.slots.clear();
        list.addresses.clear();
        // It came from there, so there is room for it.
        self.page_lists.push(list);
    }

    fn with_buffer_page<R>(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: impl FnOnce(&dyn SharedPage) -> R,
    ) -> Result<R, MapError> {
        let access = match access {
            PageAccess::ReadOnly => Access::ReadOnly,
            PageAccess::ReadWrite => Access::ReadWrite,
        };
        let mapped = buffer.list.slots.get(page).and_then(|slot| self.slots.grant(*slot));
        let (guest, grant) = mapped.ok_or(MapError::NoRoom)?;
        let mut again = None;
        self.map_batch(guest, access, &[grant], Slots::take_again, &mut |xen, slot| {
            again = Some((slot, xen.view(slot)));
        })?;
        let (slot, view) = again.ok_or(MapError::NoRoom)?;
        let result = act(&view);
        drop(view);
        self.unmap_slots(&[slot]);
        Ok(result)
    }

    fn bind(&mut self, guest: DomainId, port: RemotePort) -> Result<EventChannel, BindError> {
        if self.channels.is_full() {
            return Err(BindError::NoRoom);
        }
        let channel = self.xen.bind_interdomain(guest, port).map_err(|errno| {
            log::debug!("domain {}, port {}: can't be bound: {errno}", guest.0, port.0);
            match errno {
                // No free port (EVTCHNOP_bind_interdomain), or no memory for one.
                Errno::ENOSPC | Errno::ENOMEM => BindError::NoRoom,
                _ => BindError::NotOffered(port),
            }
        })?;
        // There is room, as seen above.
        let _ = self.channels.push(channel);
        Ok(channel)
    }

    fn unbind(&mut self, channel: EventChannel) {
        let Some(place) = self.channels.iter().position(|bound| *bound == channel) else {
            // It is nobody's to close.
            log::error!("channel {} isn't bound", channel.0);
            self.mishaps.closes_failed = self.mishaps.closes_failed.saturating_add(1);
            return;
        };
        self.channels.swap_remove(place);
        if let Err(errno) = self.xen.close(channel) {
            log::error!("channel {}: can't be closed: {errno}", channel.0);
            self.mishaps.closes_failed = self.mishaps.closes_failed.saturating_add(1);
        }
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        self.xen.is_unbound(channel)
    }

    fn notify(&mut self, channel: EventChannel) {
        // The other end may have closed it: the guest will be heard of in xenstore.
        if let Err(errno) = self.xen.send(channel) {
            log::debug!("channel {}: no event can be sent: {errno}", channel.0);
        }
    }
}
