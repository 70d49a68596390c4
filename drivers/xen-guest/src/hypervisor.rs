//! The interface to Xen.

use core::fmt;

use hyper::{DomainId, EventChannel, GrantRef, PageAccess, RemotePort, SharedPage};
pub use xen_sys::errno::Errno;
use xen_sys::grant_table as abi;

/// A place in the window of guest-physical addresses for grants. Numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// Xen's name for a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantHandle(pub u32);

/// A grant to map, and the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// The place.
    pub slot: Slot,
    /// The grant.
    pub grant: GrantRef,
    /// The outcome; [`GrantError::NotDone`] at first.
    pub result: Result<GrantHandle, GrantError>,
}

/// A mapping to end, and the outcome.
#[derive(Clone, Copy, Debug)]
pub struct Unmapping {
    /// The place.
    pub slot: Slot,
    /// The mapping.
    pub handle: GrantHandle,
    /// The outcome; [`GrantError::NotDone`] at first.
    pub result: Result<(), GrantError>,
}

/// Why a grant wasn't mapped or unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The operation's status (grant_table.h, `enum grant_status`).
    #[error(fmt = write_status)]
    Status(i16),
    /// The hypercall failed as a whole, before this operation.
    #[error("the hypercall failed: {0}")]
    Hypercall(Errno),
    /// Not tried.
    #[error("not tried")]
    NotDone,
}

/// Statuses, whether the guest is to blame if its grant can't be mapped, and their meanings.
///
/// A general error is mostly a grant for another domain or for reading only, so the guest's.
const STATUSES: [(i16, bool, &str); 11] = [
    (abi::GNTST_GENERAL_ERROR, true, "general error (granted to another domain, or for reading only?)"),
    (abi::GNTST_BAD_DOMAIN, true, "no such domain"),
    (abi::GNTST_BAD_GNTREF, true, "no such grant"),
    (abi::GNTST_BAD_HANDLE, false, "no such mapping"),
    (abi::GNTST_BAD_VIRT_ADDR, false, "nothing can be mapped there"),
    (abi::GNTST_BAD_DEV_ADDR, false, "bad device address"),
    (abi::GNTST_NO_DEVICE_SPACE, false, "no room in the IOMMU"),
    (abi::GNTST_PERMISSION_DENIED, true, "permission denied"),
    (abi::GNTST_BAD_PAGE, true, "not a page that can be granted"),
    (abi::GNTST_EAGAIN, true, "not at this moment"),
    (abi::GNTST_NO_SPACE, false, "Xen has no handle left"),
];

fn known(status: i16) -> Option<(i16, bool, &'static str)> {
    STATUSES.into_iter().find(|(known, ..)| *known == status)
}

fn write_status(status: &i16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match known(*status) {
        Some((_, _, meaning)) => f.write_str(meaning),
        None => write!(f, "status {status}"),
    }
}

impl GrantError {
    /// Xen can't do it now, for example because the page is swapped out.
    pub const AGAIN: Self = Self::Status(abi::GNTST_EAGAIN);

    /// Converts a status.
    ///
    /// # Errors
    /// The status' error.
    pub const fn check(status: i16) -> Result<(), Self> {
        if status == abi::GNTST_OKAY { Ok(()) } else { Err(Self::Status(status)) }
    }

    /// Whether the guest has no such grant, or vanished. Otherwise this domain has a bug or lacks a resource.
    pub fn is_guests_fault(self) -> bool {
        match self {
            Self::Status(status) => known(status).is_some_and(|(_, is_guests, _)| is_guests),
            Self::Hypercall(_) | Self::NotDone => false,
        }
    }
}

/// The hypercalls that a driver domain needs.
///
/// The window's guest-physical addresses hold no memory of this domain's own. The processor sees
/// the slots at the same addresses, and so do devices, through the IOMMU.
pub trait Xen {
    /// The processor's view of a slot.
    type View: SharedPage;

    /// Slots in the window.
    fn slots(&self) -> u16;
    /// A slot's guest-physical address, a multiple of 4096; 0 if the slot doesn't exist.
    fn address(&self, slot: Slot) -> u64;
    /// The page mapped at a slot. Use it only during a mapping.
    fn view(&self, slot: Slot) -> Self::View;

    /// Maps as many of `guest`'s grants as possible; each `result` is its outcome.
    fn map(&mut self, guest: DomainId, access: PageAccess, batch: &mut [Mapping]);
    /// Ends as many mappings as possible; each `result` is its outcome. After `Ok`, neither the
    /// processor nor a device reaches the page.
    fn unmap(&mut self, batch: &mut [Unmapping]);

    /// Binds a channel that `remote` made for this domain. It is pending at once.
    ///
    /// # Errors
    /// Xen's; EINVAL if this domain has no such port.
    fn bind_interdomain(&mut self, remote: DomainId, port: RemotePort) -> Result<EventChannel, Errno>;
    /// Closes a channel.
    ///
    /// # Errors
    /// Xen's.
    fn close(&mut self, channel: EventChannel) -> Result<(), Errno>;
    /// Whether a channel waits for a binding. A bound one waits again once the other end closes.
    fn is_unbound(&self, channel: EventChannel) -> bool;
    /// Sends an event. It is lost if the channel's other end is gone.
    ///
    /// # Errors
    /// Xen's.
    fn send(&mut self, channel: EventChannel) -> Result<(), Errno>;
}
