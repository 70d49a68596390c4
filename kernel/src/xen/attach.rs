//! First steps as a Xen guest: hypercalls, and the pages that Xen shares from the start.
#![allow(unsafe_code, reason = "leaf: promises the hypercall layer what it can't see, and maps shared pages")]

use hyper::EventChannel;
use spin::Once;
use xen_guest::hypercalls::Hypercalls;
use xen_guest::hypervisor::Errno;
use xen_guest::presence::Presence;
use xen_guest::shared_page::{self, Window};
use xen_sys::SharedLayout;
use xen_sys::console::ConsoleRing;
use xen_sys::hvm;
use xen_sys::hypercall::Gate;
use xen_sys::sched;
use xen_sys::shared_info::SharedInfo;
use xen_sys::xs_wire::StoreRing;

use super::interrupts::UPCALL_VECTOR;
use crate::arch::{self, Exit, cpu};
use crate::boot::start_info::{MAX_MEMORY_ENTRIES, MemoryEntry};
use crate::memory::PAGE_BYTES;
use crate::memory::address_space::AddressSpace;
use crate::memory::page_table::MapError;
use crate::memory::range::PhysRange;
use crate::pci::bar;

/// Range to search for addresses without memory: above a driver domain's RAM, below devices and the
/// tools' pages under 4 GiB.
const ROOM: PhysRange = PhysRange { start: 0x4000_0000, end: 0xe000_0000 };

/// Addresses for foreign pages: the shared info page and the guests' granted pages. 30 streams of 1
/// MiB, plus a ring and an event page for each of 120 channels, need 7800 pages.
const WINDOW_BYTES: u64 = 32 << 20;

/// Hypercalls for the console and the exit function, used by every part of the image. They have no
/// window and map nothing.
static XEN: Once<Hypercalls> = Once::new();

/// A domain's shared pages and hypercalls.
#[derive(Debug)]
pub struct Xen {
    /// Hypercalls, with a window for the guests' pages.
    pub hypercalls: Hypercalls,
    /// Pending events and time.
    pub shared_info: &'static SharedInfo,
    /// The ring shared with xenstored.
    pub store: SharedRing<StoreRing>,
    /// The console's ring, if the domain has one.
    pub console: Option<SharedRing<ConsoleRing>>,
}

/// A page shared with a daemon, and its event channel.
#[derive(Debug)]
pub struct SharedRing<T: 'static> {
    /// The page.
    pub ring: &'static T,
    /// The channel.
    pub channel: EventChannel,
}

/// Why the domain can't use Xen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// No addresses are free for other domains' pages.
    #[error("no addresses are free for other domains' pages")]
    NoRoom,
    /// Those addresses, or a page from Xen's tools, could not be mapped.
    #[error("Xen's pages: {0}")]
    Map(MapError),
    /// Xen refused this operation.
    #[error("Xen refuses {0}: error {number}", number = .1.0)]
    Refused(&'static str, Errno),
    /// Xen's tools have not set this up.
    #[error("the domain was built without {0}")]
    Missing(&'static str),
}

/// Detects Xen. If present, the image ends through it from now on.
pub fn detect() -> Option<(Presence, &'static Hypercalls)> {
    let presence = Presence::detect(cpu::cpuid)?;
    let hypercalls = XEN.call_once(|| {
        // SAFETY: a window without slots promises nothing.
        let none = unsafe { Window::new(0, 0) };
        // SAFETY: Xen is present. This is ring 0, long mode, mapped one to one. The gate matches
        // the vendor.
        unsafe { Hypercalls::new(gate(), none) }
    });
    arch::set_way_out(shut_down);
    Some((presence, hypercalls))
}

/// Ends the domain. A failure counts as a crash too, so the domain's `on_crash` decides what
/// follows.
fn shut_down(how: Exit) {
    let reason = match how {
        Exit::Pass => sched::SHUTDOWN_POWEROFF,
        Exit::Reboot => sched::SHUTDOWN_REBOOT,
        Exit::Fail | Exit::Crash => sched::SHUTDOWN_CRASH,
    };
    if let Some(hypercalls) = XEN.get() {
        // This returns only if Xen refuses. The caller then stops the processor.
        let _ = hypercalls.shutdown(reason);
    }
}

fn gate() -> Gate {
    let vendor = cpu::cpuid(0);
    Gate::for_vendor(vendor.ebx, vendor.edx, vendor.ecx)
}

impl Xen {
    /// Enables hypercalls and maps the shared pages. Call it once, after [`detect`] has found Xen.
    pub fn attach(space: &mut AddressSpace, memory: &[MemoryEntry]) -> Result<Self, AttachError> {
        let mut occupied = heapless::Vec::<PhysRange, MAX_MEMORY_ENTRIES>::new();
        occupied.extend(memory.iter().map(|entry| entry.range));
        let start = bar::place(WINDOW_BYTES, ROOM, &occupied).ok_or(AttachError::NoRoom)?;
        let window = PhysRange { start, end: start + WINDOW_BYTES };
        space.map_shared(window).map_err(AttachError::Map)?;
        // The first page is for the shared info.
        let slots = (WINDOW_BYTES / PAGE_BYTES - 1) as u16;

        // SAFETY: the loader's map has no memory there, and only this window uses it. It stays
        // mapped and is never executable.
        let granted = unsafe { Window::new(start + PAGE_BYTES, slots) };
        // SAFETY: the caller has detected Xen. This is ring 0, long mode, mapped one to one. The
        // gate matches the vendor.
        let hypercalls = unsafe { Hypercalls::new(gate(), granted) };
        // SAFETY: the window's first page has no memory, is used only here and stays mapped.
        let shared_info = unsafe { hypercalls.map_shared_info(start as usize) };
        let shared_info = shared_info.map_err(|errno| AttachError::Refused("the shared info page", errno))?;

        // Upcalls end sleeps. Xen's tools also require a vector: they destroy a domain without one
        // instead of asking it to shut down.
        // SAFETY: `interrupts` handles this vector and only keeps further interrupts disabled.
        let upcall = unsafe { hypercalls.set_callback_vector(UPCALL_VECTOR) };
        upcall.map_err(|errno| AttachError::Refused("a vector for upcalls", errno))?;

        let store = shared_ring(&hypercalls, space, hvm::PARAM_STORE_PFN, hvm::PARAM_STORE_EVTCHN)?;
        let store = store.ok_or(AttachError::Missing("a xenstore page"))?;
        let console = shared_ring(&hypercalls, space, hvm::PARAM_CONSOLE_PFN, hvm::PARAM_CONSOLE_EVTCHN)?;
        Ok(Self { hypercalls, shared_info, store, console })
    }
}

/// The page and channel named by two HVM parameters. `None` if no page is set.
fn shared_ring<T: SharedLayout>(
    xen: &Hypercalls,
    space: &mut AddressSpace,
    page: u32,
    channel: u32,
) -> Result<Option<SharedRing<T>>, AttachError> {
    let param = |index| xen.hvm_param(index).map_err(|errno| AttachError::Refused("an HVM parameter", errno));
    let (page, channel) = (param(page)?, param(channel)?);
    let Some(address) = page.checked_mul(PAGE_BYTES).filter(|&address| address != 0) else {
        return Ok(None);
    };
    let range = PhysRange { start: address, end: address.saturating_add(PAGE_BYTES) };
    space.map_shared(range).map_err(AttachError::Map)?;
    // SAFETY: Xen's tools reserve the page for this use. It is now mapped permanently.
    let ring = unsafe { shared_page::at(address as usize) };
    // Ports are 32 bits wide, so the parameter's upper half is 0.
    Ok(Some(SharedRing { ring, channel: EventChannel(channel as u32) }))
}
