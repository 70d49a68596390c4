//! Physical memory of a guest (memory.h): the arguments of `HYPERVISOR_memory_op`.

/// `XENMEM_add_to_physmap`: see [`AddToPhysmap`].
pub const ADD_TO_PHYSMAP: u32 = 7;

/// `XENMAPSPACE_shared_info`: the shared info page.
pub const XENMAPSPACE_SHARED_INFO: u32 = 0;

/// `struct xen_add_to_physmap`: maps a page of Xen at a frame number.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct AddToPhysmap {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub domid: u16,
    /// In: for `XENMAPSPACE_gmfn_range` only.
    pub size: u16,
    /// In: `XENMAPSPACE_*`.
    pub space: u32,
    /// In: the page in that space.
    pub idx: u64,
    /// In: the frame number to map it at.
    pub gpfn: u64,
}
assert_layout!(AddToPhysmap, size 24, size at 2, space at 4, idx at 8, gpfn at 16);
