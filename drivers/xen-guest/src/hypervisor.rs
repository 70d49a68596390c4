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

/// Why a grant wasn't mapped or unmapped (grant_table.h, `enum grant_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantError {
    /// `GNTST_general_error`: a grant for another domain or for reading only, or an unnumbered
    /// error.
    General,
    /// `GNTST_bad_domain`: the domain doesn't exist, or no longer.
    BadDomain,
    /// `GNTST_bad_gntref`: the grant doesn't exist.
    BadReference,
    /// `GNTST_bad_handle`: the mapping doesn't exist.
    BadHandle,
    /// `GNTST_bad_virt_addr`: nothing can be mapped there.
    BadAddress,
    /// `GNTST_bad_dev_addr`.
    BadDeviceAddress,
    /// `GNTST_no_device_space`: the IOMMU has no room.
    NoDeviceSpace,
    /// `GNTST_permission_denied`.
    PermissionDenied,
    /// `GNTST_bad_page`: the granted page isn't the guest's own.
    BadPage,
    /// `GNTST_eagain`: not now, for example because the page is swapped out.
    Again,
    /// `GNTST_no_space`: Xen has no handle left.
    NoSpace,
    /// A status that no header has, or one of other operations.
    Other(i16),
    /// The hypercall failed as a whole, before this operation.
    Hypercall(Errno),
    /// Not tried.
    NotDone,
}

/// The side that caused an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The guest has no such grant, or vanished.
    Guest,
    /// This domain made an invalid request or ran out of a resource: a bug, or a limit.
    DriverDomain,
}

impl GrantError {
    /// Converts a status.
    ///
    /// # Errors
    /// The status' error.
    pub const fn check(status: i16) -> Result<(), Self> {
        Err(match status {
            abi::GNTST_OKAY => return Ok(()),
            abi::GNTST_GENERAL_ERROR => Self::General,
            abi::GNTST_BAD_DOMAIN => Self::BadDomain,
            abi::GNTST_BAD_GNTREF => Self::BadReference,
            abi::GNTST_BAD_HANDLE => Self::BadHandle,
            abi::GNTST_BAD_VIRT_ADDR => Self::BadAddress,
            abi::GNTST_BAD_DEV_ADDR => Self::BadDeviceAddress,
            abi::GNTST_NO_DEVICE_SPACE => Self::NoDeviceSpace,
            abi::GNTST_PERMISSION_DENIED => Self::PermissionDenied,
            abi::GNTST_BAD_PAGE => Self::BadPage,
            abi::GNTST_EAGAIN => Self::Again,
            abi::GNTST_NO_SPACE => Self::NoSpace,
            other => Self::Other(other),
        })
    }

    /// The responsible side if a guest's grant can't be mapped.
    ///
    /// A general error is mostly a grant for another domain or for reading only, so the guest's.
    pub const fn blame(self) -> Blame {
        match self {
            Self::General
            | Self::BadDomain
            | Self::BadReference
            | Self::PermissionDenied
            | Self::BadPage
            | Self::Again => Blame::Guest,
            Self::BadHandle
            | Self::BadAddress
            | Self::BadDeviceAddress
            | Self::NoDeviceSpace
            | Self::NoSpace
            | Self::Other(_)
            | Self::Hypercall(_)
            | Self::NotDone => Blame::DriverDomain,
        }
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::General => "general error (granted to another domain, or for reading only?)",
            Self::BadDomain => "no such domain",
            Self::BadReference => "no such grant",
            Self::BadHandle => "no such mapping",
            Self::BadAddress => "nothing can be mapped there",
            Self::BadDeviceAddress => "bad device address",
            Self::NoDeviceSpace => "no room in the IOMMU",
            Self::PermissionDenied => "permission denied",
            Self::BadPage => "not a page that can be granted",
            Self::Again => "not at this moment",
            Self::NoSpace => "Xen has no handle left",
            Self::Other(status) => return write!(f, "status {status}"),
            Self::Hypercall(errno) => return write!(f, "the hypercall failed: {errno}"),
            Self::NotDone => "not tried",
        };
        f.write_str(text)
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
