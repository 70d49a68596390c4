//! Xen in memory: the hypervisor in memory, which checks ownership, behind the trait that real hypercalls fulfil.

use std::collections::{BTreeMap, VecDeque};

use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MapError, MappedBuffer,
    PageAccess, RemotePort, SharedPage,
};
use hypervisor_model::{BackEnd, DomainPage, HeapMemory, MappedPages, MemoryHypervisor, PageMemory};
use xen_guest::hypervisor::{Errno, GrantError, GrantHandle, Mapping, Slot, Unmapping, Xen};
use xen_sys::grant_table as abi;

pub const WINDOW: u64 = 0x4000_0000;
pub const BAD_HANDLE: GrantError = GrantError::Status(abi::GNTST_BAD_HANDLE);

enum Mapped<'a> {
    Page(DomainPage<'a, HeapMemory>),
    Buffer(MappedPages),
    /// Mapped at another slot already.
    Again(DomainPage<'a, HeapMemory>),
}

/// What the processor sees at a slot.
#[derive(Debug)]
pub struct View<'a>(DomainPage<'a, HeapMemory>);

impl SharedPage for View<'_> {
    fn load(&self, word: usize) -> u32 {
        self.0.load(word)
    }

    fn store(&self, word: usize, value: u32) {
        self.0.store(word, value);
    }

    fn fence(&self) {}
}

pub struct MemoryXen<'a> {
    home: &'a MemoryHypervisor<HeapMemory>,
    back: BackEnd<'a, HeapMemory>,
    slots: u16,
    mapped: BTreeMap<Slot, (GrantHandle, Mapped<'a>)>,
    /// What is mapped at each slot.
    grants: BTreeMap<Slot, (DomainId, GrantRef)>,
    next_handle: u32,
    /// What becomes of the next operations; `None`, and when it is empty: what should.
    pub map_script: VecDeque<Option<GrantError>>,
    pub unmap_script: VecDeque<Option<GrantError>>,
    /// Hypercalls made.
    pub map_calls: u32,
    pub unmap_calls: u32,
    /// Addresses in the order in which they were mapped.
    pub addresses: Vec<u64>,
}

impl<'a> MemoryXen<'a> {
    pub fn new(home: &'a MemoryHypervisor<HeapMemory>, domain: DomainId, slots: u16) -> Self {
        Self {
            home,
            back: home.back_end(domain),
            slots,
            mapped: BTreeMap::new(),
            grants: BTreeMap::new(),
            next_handle: 100,
            map_script: VecDeque::new(),
            unmap_script: VecDeque::new(),
            map_calls: 0,
            unmap_calls: 0,
            addresses: Vec::new(),
        }
    }

    fn map_one(
        &mut self,
        guest: DomainId,
        access: PageAccess,
        entry: &Mapping,
    ) -> Result<GrantHandle, GrantError> {
        if let Some(Some(error)) = self.map_script.pop_front() {
            return Err(error);
        }
        assert!(entry.slot.0 < self.slots, "outside the window");
        assert!(!self.mapped.contains_key(&entry.slot), "a slot mapped over");
        let status = |error| match error {
            MapError::NotGranted(_) => GrantError::Status(abi::GNTST_BAD_GNTREF),
            _ => GrantError::Status(abi::GNTST_GENERAL_ERROR),
        };
        let is_mapped = self.grants.values().any(|mapped| *mapped == (guest, entry.grant));
        let again = |access| self.back.map_again(guest, entry.grant, access).map(Mapped::Again);
        let mapped = match access {
            PageAccess::ReadOnly if is_mapped => again(PageAccess::ReadOnly).map_err(status)?,
            PageAccess::ReadWrite if is_mapped => again(PageAccess::ReadWrite).map_err(status)?,
            PageAccess::ReadWrite => {
                let page = self.back.map_page(guest, entry.grant).map_err(status)?;
                let address = page.device_address().expect("just mapped");
                self.home.with_memory(|memory| memory.allow_dma(address, DmaAccess::Write));
                Mapped::Page(page)
            }
            PageAccess::ReadOnly => {
                let grants: GrantList = [entry.grant].into_iter().collect();
                let buffer = self.back.map_buffer(guest, &grants, 4096, DmaAccess::Read);
                Mapped::Buffer(buffer.map_err(status)?)
            }
        };
        self.next_handle += 1;
        let handle = GrantHandle(self.next_handle);
        self.mapped.insert(entry.slot, (handle, mapped));
        self.grants.insert(entry.slot, (guest, entry.grant));
        self.addresses.push(self.address(entry.slot));
        Ok(handle)
    }

    fn unmap_one(&mut self, entry: &Unmapping) -> Result<(), GrantError> {
        if let Some(Some(error)) = self.unmap_script.pop_front() {
            return Err(error);
        }
        match self.mapped.remove(&entry.slot) {
            Some((handle, mapped)) if handle == entry.handle => {
                self.grants.remove(&entry.slot);
                match mapped {
                    Mapped::Again(_) => {}
                    Mapped::Page(page) => {
                        let address = page.device_address().expect("still mapped");
                        self.home.with_memory(|memory| memory.forbid_dma(address));
                        self.back.unmap_page(page);
                    }
                    Mapped::Buffer(buffer) => self.back.unmap_buffer(buffer),
                }
                Ok(())
            }
            _ => Err(BAD_HANDLE),
        }
    }

    /// The address that a controller really uses for the one at `slot`.
    pub fn machine_address(&self, slot_address: u64) -> u64 {
        let slot = Slot(((slot_address - WINDOW) / 4096) as u16);
        match &self.mapped[&slot].1 {
            Mapped::Page(page) | Mapped::Again(page) => page.device_address().expect("mapped"),
            Mapped::Buffer(buffer) => buffer.page_addresses()[0],
        }
    }
}

impl<'a> Xen for MemoryXen<'a> {
    type View = View<'a>;

    fn slots(&self) -> u16 {
        self.slots
    }

    fn address(&self, slot: Slot) -> u64 {
        WINDOW + u64::from(slot.0) * 4096
    }

    fn view(&self, slot: Slot) -> View<'a> {
        match &self.mapped[&slot].1 {
            Mapped::Page(page) | Mapped::Again(page) => View(page.clone()),
            Mapped::Buffer(_) => {
                let (guest, grant) = self.grants[&slot];
                View(self.back.map_again(guest, grant, PageAccess::ReadOnly).expect("mapped"))
            }
        }
    }

    fn map(&mut self, guest: DomainId, access: PageAccess, batch: &mut [Mapping]) {
        self.map_calls += 1;
        for entry in batch {
            entry.result = self.map_one(guest, access, entry);
        }
    }

    fn unmap(&mut self, batch: &mut [Unmapping]) {
        self.unmap_calls += 1;
        for entry in batch {
            entry.result = self.unmap_one(entry);
        }
    }

    fn bind_interdomain(&mut self, remote: DomainId, port: RemotePort) -> Result<EventChannel, Errno> {
        self.back.bind(remote, port).map_err(|error| match error {
            BindError::NotOffered(_) => Errno::EINVAL,
            BindError::NoRoom => Errno::ENOSPC,
        })
    }

    fn is_unbound(&self, channel: EventChannel) -> bool {
        self.back.clone().is_abandoned(channel)
    }

    fn close(&mut self, channel: EventChannel) -> Result<(), Errno> {
        self.back.unbind(channel);
        Ok(())
    }

    fn send(&mut self, channel: EventChannel) -> Result<(), Errno> {
        self.back.notify(channel);
        Ok(())
    }
}

/// References in the order of granting.
pub fn grants(references: &[GrantRef]) -> GrantList {
    references.iter().copied().collect()
}
