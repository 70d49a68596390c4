//! Physical memory of a guest (memory.h): the arguments of `HYPERVISOR_memory_op`.

/// `XENMEM_decrease_reservation`: gives pages back to Xen; see [`MemoryReservation`].
///
/// Their frame numbers are unpopulated afterwards. The result is the number of extents done.
pub const DECREASE_RESERVATION: u32 = 1;
/// `XENMEM_populate_physmap`: puts memory behind frame numbers; see [`MemoryReservation`].
pub const POPULATE_PHYSMAP: u32 = 6;
/// `XENMEM_add_to_physmap`: see [`AddToPhysmap`].
pub const ADD_TO_PHYSMAP: u32 = 7;
/// `XENMEM_memory_map`: the memory map at the guest's start; see [`MemoryMap`].
pub const MEMORY_MAP: u32 = 9;
/// `XENMEM_remove_from_physmap`: see [`RemoveFromPhysmap`].
pub const REMOVE_FROM_PHYSMAP: u32 = 15;

/// `XENMAPSPACE_shared_info`: the shared info page.
pub const XENMAPSPACE_SHARED_INFO: u32 = 0;
/// `XENMAPSPACE_grant_table`: a page of the domain's own grant table.
pub const XENMAPSPACE_GRANT_TABLE: u32 = 1;

/// `struct xen_memory_reservation`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MemoryReservation {
    /// In: address of an array of the extents' first frame numbers, 64 bits each.
    pub extent_start: u64,
    /// In.
    pub nr_extents: u64,
    /// In: the logarithm to base 2 of an extent's pages.
    pub extent_order: u32,
    /// In: `XENMEMF_*`, 0.
    pub mem_flags: u32,
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub domid: u16,
}
assert_layout!(MemoryReservation, size 32, nr_extents at 8, extent_order at 16, mem_flags at 20, domid at 24);

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

/// `struct xen_remove_from_physmap`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct RemoveFromPhysmap {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub domid: u16,
    /// In: the frame number to unmap.
    pub gpfn: u64,
}
assert_layout!(RemoveFromPhysmap, size 16, gpfn at 8);

/// `struct xen_memory_map`. Entries are those of the BIOS call E820: address, size, type, 20 bytes each.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MemoryMap {
    /// In: entries that fit into the array; out: entries stored.
    pub nr_entries: u32,
    /// In: address of the array.
    pub buffer: u64,
}
assert_layout!(MemoryMap, size 16, buffer at 8);
