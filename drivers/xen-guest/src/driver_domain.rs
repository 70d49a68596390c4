//! The trait `Hypervisor` over Xen: maps other domains' pages and buffers, and binds channels.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MAX_BUFFER_PAGES,
    MapError, MappedBuffer, PAGE_SIZE_BYTES, PageAccess, RemotePort, SampleMemory, SharedPage, read_pages,
    write_pages,
};

use crate::grant_slots::{Slots, TakeError};
use crate::guest_channels::GuestChannels;
pub use crate::guest_channels::MAX_CHANNELS;
use crate::hypervisor::{Errno, GrantError, Mapping, Slot, Unmapping, Xen};

/// Grants mapped or unmapped by one hypercall.
const BATCH: usize = 32;

type Batch<T> = heapless::Vec<T, BATCH>;

/// Finds a slot for a grant.
type TakeSlot = fn(&mut Slots, DomainId, GrantRef) -> Result<Slot, TakeError>;

/// Tries to map a grant that Xen can't map yet.
const MAP_TRIES: usize = 4;

/// This domain, as a [`Hypervisor`].
#[derive(Debug)]
pub struct DriverDomain<X: Xen> {
    xen: X,
    slots: Slots,
    /// Unused page lists. The boxes are handed out: a list is too much to be copied each time.
    page_lists: Vec<Box<PageList<X::View>>>,
    channels: GuestChannels,
}

/// A guest's mapped page. This is its only handle; `unmap_page` ends it.
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

    fn store_run(&self, first: usize, values: impl Iterator<Item = u32>) {
        self.view.store_run(first, values);
    }

    fn load_run(&self, first: usize, into: &mut [[u8; 4]]) {
        self.view.load_run(first, into);
    }

    fn fence(&self) {
        self.view.fence();
    }
}

/// A guest's buffer, mapped for the controller. Its list comes from the stock and returns there.
///
/// The mapping is the processor's, too; [`SampleMemory`] is its only way there.
#[derive(Debug)]
pub struct GuestBuffer<V> {
    list: Box<PageList<V>>,
}

#[derive(Debug)]
struct PageList<V> {
    addresses: heapless::Vec<u64, MAX_BUFFER_PAGES>,
    slots: heapless::Vec<Slot, MAX_BUFFER_PAGES>,
    views: heapless::Vec<V, MAX_BUFFER_PAGES>,
    size_bytes: u32,
    /// The pages are mapped for writing.
    is_writable: bool,
}

impl<V> Default for PageList<V> {
    fn default() -> Self {
        Self {
            addresses: heapless::Vec::new(),
            slots: heapless::Vec::new(),
            views: heapless::Vec::new(),
            size_bytes: 0,
            is_writable: false,
        }
    }
}

impl<V> PageList<V> {
    /// Adds mapped pages. A buffer has no more pages than the list has places.
    fn extend<X: Xen<View = V>>(&mut self, xen: &X, slots: &[Slot]) {
        self.slots.extend(slots.iter().copied());
        self.addresses.extend(slots.iter().map(|slot| xen.address(*slot)));
        self.views.extend(slots.iter().map(|slot| xen.view(*slot)));
    }
}

impl<V> MappedBuffer for GuestBuffer<V> {
    fn page_addresses(&self) -> &[u64] {
        &self.list.addresses
    }

    fn size_bytes(&self) -> u32 {
        self.list.size_bytes
    }
}

impl<V: SharedPage> SampleMemory for GuestBuffer<V> {
    fn read(&self, offset_bytes: u32, into: &mut [u8]) {
        read_pages(&self.list.views, self.list.size_bytes, offset_bytes, into);
    }

    fn write(&self, offset_bytes: u32, from: &[u8]) {
        // A store to a page that is mapped for reading would end the domain.
        if self.list.is_writable {
            write_pages(&self.list.views, self.list.size_bytes, offset_bytes, from);
        }
    }
}

impl<X: Xen> DriverDomain<X> {
    /// A domain over `xen` for up to `buffers` buffers at once. Allocates all its memory here.
    pub fn new(xen: X, buffers: usize) -> Self {
        let slots = Slots::new(xen.slots());
        let page_lists = (0..buffers).map(|_| Box::default()).collect();
        Self { xen, slots, page_lists, channels: GuestChannels::default() }
    }

    /// The interface to Xen.
    pub fn xen_mut(&mut self) -> &mut X {
        &mut self.xen
    }

    /// The bound channels, for the loop that takes their events.
    pub fn channels_mut(&mut self) -> &mut GuestChannels {
        &mut self.channels
    }

    /// Pages mapped now.
    pub fn mapped_pages(&self) -> usize {
        self.slots.mapped_count()
    }

    /// Pages that can still be mapped.
    pub fn free_slots(&self) -> usize {
        self.slots.free()
    }

    /// Maps up to [`BATCH`] grants: all or none. `take` finds a slot for each. Returns the slots
    /// in grant order.
    fn map_batch(
        &mut self,
        guest: DomainId,
        access: PageAccess,
        grants: &[GrantRef],
        take: TakeSlot,
    ) -> Result<Batch<Slot>, MapError> {
        let mut batch = Batch::new();
        let mapped = self.take_slots(guest, grants, take, &mut batch);
        match mapped.and_then(|()| self.map_taken(guest, access, &mut batch)) {
            Ok(()) => Ok(batch.iter().map(|entry| entry.slot).collect()),
            Err(error) => {
                self.roll_back(&batch);
                Err(error)
            }
        }
    }

    /// Maps one grant.
    fn map_one(
        &mut self,
        guest: DomainId,
        access: PageAccess,
        grant: GrantRef,
        take: TakeSlot,
    ) -> Result<Slot, MapError> {
        self.map_batch(guest, access, &[grant], take)?.first().copied().ok_or(MapError::NoRoom)
    }

    /// Takes a slot for each grant. On an error `batch` names the taken ones.
    fn take_slots(
        &mut self,
        guest: DomainId,
        grants: &[GrantRef],
        take: TakeSlot,
        batch: &mut Batch<Mapping>,
    ) -> Result<(), MapError> {
        for &grant in grants {
            let slot = take(&mut self.slots, guest, grant).map_err(|error| match error {
                TakeError::Mapped => MapError::AlreadyMapped(grant),
                TakeError::Full => MapError::NoRoom,
            })?;
            let entry = Mapping { slot, grant, result: Err(GrantError::NotDone) };
            batch.push(entry).map_err(|entry| {
                self.slots.release(entry.slot);
                MapError::NoRoom
            })?;
        }
        Ok(())
    }

    /// Maps the grants that have a slot. Retries a few times if Xen can't yet. Returns the first
    /// error.
    fn map_taken(
        &mut self,
        guest: DomainId,
        access: PageAccess,
        batch: &mut Batch<Mapping>,
    ) -> Result<(), MapError> {
        self.xen.map(guest, access, batch);
        for _ in 1..MAP_TRIES {
            for entry in batch.iter_mut().filter(|entry| entry.result == Err(GrantError::AGAIN)) {
                self.xen.map(guest, access, core::slice::from_mut(entry));
            }
        }
        let mut first_error = None;
        for entry in batch.iter() {
            match entry.result {
                Ok(handle) => self.slots.mapped(entry.slot, handle),
                Err(error) => first_error = first_error.or(Some((error, entry.grant))),
            }
        }
        let Some((error, grant)) = first_error else { return Ok(()) };
        if error.is_guests_fault() {
            // The back end logs its refusal. At a higher level a guest could flood the log here.
            log::debug!("domain {}, grant {}: {error}", guest.0, grant.0);
            return Err(MapError::NotGranted(grant));
        }
        log::error!("domain {}, grant {}: {error}", guest.0, grant.0);
        Err(MapError::NoRoom)
    }

    /// Ends the mappings of a batch that failed, and frees its slots.
    fn roll_back(&mut self, batch: &Batch<Mapping>) {
        for entry in batch.iter().filter(|entry| entry.result.is_err()) {
            self.slots.release(entry.slot);
        }
        let mapped = batch.iter().filter(|entry| entry.result.is_ok()).map(|entry| entry.slot);
        let mapped: Batch<Slot> = mapped.collect();
        self.unmap_slots(&mapped);
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
    type Buffer = GuestBuffer<X::View>;

    fn map_page(&mut self, guest: DomainId, grant: GrantRef) -> Result<Self::Page, MapError> {
        let slot = self.map_one(guest, PageAccess::ReadWrite, grant, Slots::take)?;
        Ok(GuestPage { slot, view: self.xen.view(slot) })
    }

    fn unmap_page(&mut self, page: Self::Page) {
        // The view ends before its mapping.
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
        if grants.is_empty() || (size_bytes as usize).div_ceil(PAGE_SIZE_BYTES) != grants.len() {
            log::error!("a buffer of {size_bytes} bytes in {} pages", grants.len());
            return Err(MapError::NoRoom);
        }
        let access = match access {
            DmaAccess::Read => PageAccess::ReadOnly,
            DmaAccess::Write => PageAccess::ReadWrite,
        };
        let list = self.page_lists.pop().ok_or(MapError::NoRoom)?;
        let mut buffer = GuestBuffer { list };
        buffer.list.size_bytes = size_bytes;
        buffer.list.is_writable = access == PageAccess::ReadWrite;
        for chunk in grants.chunks(BATCH) {
            match self.map_batch(guest, access, chunk, Slots::take) {
                Ok(slots) => buffer.list.extend(&self.xen, &slots),
                Err(error) => {
                    self.unmap_buffer(buffer);
                    return Err(error);
                }
            }
        }
        Ok(buffer)
    }

    fn unmap_buffer(&mut self, buffer: Self::Buffer) {
        let GuestBuffer { mut list } = buffer;
        // The views end before their mappings.
        list.views.clear();
        self.unmap_slots(&list.slots);
        list.slots.clear();
        list.addresses.clear();
        // It came from there, so it fits.
        self.page_lists.push(list);
    }

    fn with_buffer_page<R>(
        &mut self,
        buffer: &Self::Buffer,
        page: usize,
        access: PageAccess,
        act: impl FnOnce(&dyn SharedPage) -> R,
    ) -> Result<R, MapError> {
        let mapped = buffer.list.slots.get(page).and_then(|slot| self.slots.grant(*slot));
        let (guest, grant) = mapped.ok_or(MapError::NoRoom)?;
        let slot = self.map_one(guest, access, grant, Slots::take_again)?;
        let view = self.xen.view(slot);
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
        self.channels.add(channel);
        Ok(channel)
    }

    fn unbind(&mut self, channel: EventChannel) {
        if !self.channels.remove(channel) {
            // Not a channel of this domain: closing it could hit another channel.
            log::error!("channel {} isn't bound", channel.0);
            return;
        }
        if let Err(errno) = self.xen.close(channel) {
            log::error!("channel {}: can't be closed: {errno}", channel.0);
        }
    }

    fn note_request(&mut self, channel: EventChannel) {
        self.channels.on_request(channel);
    }

    fn is_abandoned(&mut self, channel: EventChannel) -> bool {
        self.xen.is_unbound(channel)
    }

    fn notify(&mut self, channel: EventChannel) {
        // The other end may have closed it. Xenstore reports that.
        if let Err(errno) = self.xen.send(channel) {
            log::debug!("channel {}: no event can be sent: {errno}", channel.0);
        }
    }
}
