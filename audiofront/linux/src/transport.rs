//! One stream's way to the back end: audiofront's `Transport` over Xen's character devices.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use audiofront::{EventPort, GrantAccess, GrantedPage, PublishFailed, StillMapped, Transport, ignored};
use hyper::{GrantRef, SharedPage};
use sndif::nodes::{self, TransportNodes};

use crate::error::{Error, Result};
use crate::sys::{EventChannels, Grants, Region};

/// The shared parts of all streams of a card.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) grants: Arc<Grants>,
    pub(crate) channels: EventChannels,
    pub(crate) back_end: u16,
    /// Nodes to be written at once, below the card's directory.
    pub(crate) nodes: Mutex<Vec<(String, String)>>,
}

impl Devices {
    /// Opens the devices for pages and channels to this domain.
    pub(crate) fn open(back_end: u16) -> Result<Self> {
        let grants =
            Grants::open().map_err(|error| Error::of_device(Grants::PATH, "xen-gntalloc", &error))?;
        let channels = EventChannels::open()
            .map_err(|error| Error::of_device(EventChannels::PATH, "xen-evtchn", &error))?;
        Ok(Self { grants: Arc::new(grants), channels, back_end, nodes: Mutex::new(Vec::new()) })
    }
}

/// A page granted to the back end.
#[derive(Debug)]
pub struct Page {
    region: Arc<Region>,
    page: usize,
}

impl Page {
    pub(crate) fn new(region: Arc<Region>, page: usize) -> Self {
        Self { region, page }
    }
}

impl SharedPage for Page {
    #[inline]
    fn load(&self, word: usize) -> u32 {
        if word < hyper::PAGE_WORDS { self.region.load(self.page * hyper::PAGE_WORDS + word) } else { 0 }
    }

    #[inline]
    fn store(&self, word: usize, value: u32) {
        if word < hyper::PAGE_WORDS {
            self.region.store(self.page * hyper::PAGE_WORDS + word, value);
        }
    }

    fn fence(&self) {
        self.region.fence();
    }
}

/// The DMA buffer of an open stream, contiguous in this process's memory. The controller's DMA
/// reads or writes it.
///
/// It stays mapped while this value or a clone lives, even after CLOSE. After CLOSE the controller
/// no longer accesses it.
#[derive(Clone, Debug)]
pub struct DmaArea {
    region: Arc<Region>,
    length_bytes: usize,
}

impl DmaArea {
    /// Bytes in the buffer.
    pub fn len(&self) -> usize {
        self.length_bytes
    }

    /// Always false.
    pub fn is_empty(&self) -> bool {
        self.length_bytes == 0
    }

    /// Copies samples in for playback. Samples past the end are dropped.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        let room = self.length_bytes.saturating_sub(offset);
        self.region.write(offset, &bytes[..bytes.len().min(room)]);
    }

    /// Copies captured samples out. Samples past the end stay unchanged.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        let room = self.length_bytes.min(self.region.length_bytes()).saturating_sub(offset);
        let length = bytes.len().min(room);
        self.region.read(offset, &mut bytes[..length]);
    }

    /// The page-aligned address of the first byte, such as for ALSA's mmap areas.
    /// [`len`](Self::len) bytes are readable and writable there while `self` or a clone lives.
    /// Never make a Rust reference of it: the controller or the back end changes the memory at any
    /// time.
    pub fn address(&self) -> *mut u8 {
        self.region.address()
    }

    /// The mapped file and the buffer's offset in it, to map the buffer at a chosen address
    /// (shared, whole pages). The pages are freed when `self` and all other mappings are gone.
    pub fn file(&self) -> Option<(BorrowedFd<'_>, u64)> {
        self.region.file()
    }
}

/// One stream's way to its back end.
pub struct LinuxTransport {
    devices: Arc<Devices>,
    /// The stream's directory, below the card's: `0/1`.
    directory: String,
    /// Pages granted for a buffer and not used yet: the region and the next page.
    reserved: Option<(Arc<Region>, usize)>,
    /// Whether contiguous pages for a buffer were unavailable. The buffer then gets no pages at
    /// all.
    refused: bool,
    /// The pages of the present buffer.
    buffer: Weak<Region>,
    /// The last page granted on its own.
    single: Weak<Region>,
    /// Why pages or channels were unavailable.
    trouble: Option<rustix::io::Errno>,
}

impl fmt::Debug for LinuxTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinuxTransport").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl LinuxTransport {
    /// A transport to a domain that belongs to no card: for pages and channels alone. What is
    /// published over it goes nowhere.
    ///
    /// # Errors
    /// A device is missing, or this process may not open it.
    pub fn to_domain(back_end: u16) -> Result<Self> {
        Ok(Self::new(Arc::new(Devices::open(back_end)?), String::new()))
    }

    pub(crate) fn new(devices: Arc<Devices>, directory: String) -> Self {
        Self {
            devices,
            directory,
            reserved: None,
            refused: false,
            buffer: Weak::new(),
            single: Weak::new(),
            trouble: None,
        }
    }

    /// The first `length_bytes` of the last granted buffer, if it is still granted.
    pub(crate) fn area(&self, length_bytes: usize) -> Option<DmaArea> {
        let region = self.buffer.upgrade()?;
        let length_bytes = length_bytes.min(region.length_bytes());
        Some(DmaArea { region, length_bytes })
    }

    /// The last page granted on its own, if it is still granted.
    pub(crate) fn single(&self) -> Option<DmaArea> {
        let region = self.single.upgrade()?;
        Some(DmaArea { length_bytes: region.length_bytes(), region })
    }

    pub(crate) fn trouble(&self) -> Option<rustix::io::Errno> {
        self.trouble
    }

    fn allocate(&mut self, access: GrantAccess, pages: u32) -> Option<Arc<Region>> {
        match Region::grant(&self.devices.grants, self.devices.back_end, access, pages) {
            Ok(region) => Some(Arc::new(region)),
            Err(error) => {
                self.trouble = Some(error);
                None
            }
        }
    }
}

impl Transport for LinuxTransport {
    type Page = Page;

    fn reserve(&mut self, pages: u32, access: GrantAccess) {
        self.reserved = self.allocate(access, pages).map(|region| (region, 0));
        self.refused = self.reserved.is_none();
        self.buffer = self.reserved.as_ref().map_or_else(Weak::new, |(region, _)| Arc::downgrade(region));
    }

    fn grant_page(&mut self, access: GrantAccess) -> Option<GrantedPage<Page>> {
        if std::mem::take(&mut self.refused) {
            return None;
        }
        let (region, page) = match self.reserved.take() {
            Some((region, page)) => {
                if page + 1 < region.references().len() {
                    self.reserved = Some((region.clone(), page + 1));
                }
                (region, page)
            }
            None => {
                let region = self.allocate(access, 1)?;
                self.single = Arc::downgrade(&region);
                (region, 0)
            }
        };
        let grant = *region.references().get(page)?;
        Some(GrantedPage { page: Page::new(region, page), grant })
    }

    /// The kernel keeps a page that the back end maps until it is unmapped, so this never reports
    /// one.
    fn revoke_page(&mut self, page: GrantedPage<Page>) -> std::result::Result<(), StillMapped<Page>> {
        drop(page);
        Ok(())
    }

    fn open_channel(&mut self) -> Option<EventPort> {
        let port = self.devices.channels.alloc_unbound(self.devices.back_end);
        port.map_err(|error| self.trouble = Some(error)).ok()
    }

    fn close_channel(&mut self, port: EventPort) {
        ignored(self.devices.channels.close(port), "the kernel closes it with the file at the latest");
    }

    fn notify(&mut self, port: EventPort) {
        ignored(self.devices.channels.notify(port), "it fails only on a port that this process doesn't own");
    }

    fn publish(&mut self, nodes: &TransportNodes) -> std::result::Result<(), PublishFailed> {
        let mut waiting = self.devices.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(
            [
                (nodes::RING_REF, nodes.ring_ref.0),
                (nodes::EVENT_CHANNEL, nodes.event_channel),
                (nodes::EVT_RING_REF, nodes.evt_ring_ref.0),
                (nodes::EVT_EVENT_CHANNEL, nodes.evt_event_channel),
            ]
            .map(|(node, value)| (format!("{}/{node}", self.directory), value.to_string())),
        );
        Ok(())
    }

    fn publish_control_page(&mut self, grant: GrantRef) -> std::result::Result<(), PublishFailed> {
        let mut waiting = self.devices.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push((nodes::CONTROL_PAGE_REF.to_owned(), grant.0.to_string()));
        Ok(())
    }
}
