//! The grant table, version 1 (grant_table.h): the arguments of `HYPERVISOR_grant_table_op`.

/// `GNTTABOP_map_grant_ref`: see [`MapGrantRef`].
pub const MAP_GRANT_REF: u32 = 0;
/// `GNTTABOP_unmap_grant_ref`: see [`UnmapGrantRef`].
pub const UNMAP_GRANT_REF: u32 = 1;
/// `GNTTABOP_setup_table`: see [`SetupTable`].
pub const SETUP_TABLE: u32 = 2;
/// `GNTTABOP_query_size`: see [`QuerySize`].
pub const QUERY_SIZE: u32 = 6;
/// `GNTTABOP_set_version`: see [`SetVersion`].
pub const SET_VERSION: u32 = 8;
/// `GNTTABOP_get_version`: see [`GetVersion`].
pub const GET_VERSION: u32 = 10;

/// Reserved references at the start of a table (`GNTTAB_NR_RESERVED_ENTRIES`).
pub const RESERVED_ENTRIES: u32 = 8;
/// The toolstack's entry for the console page (`GNTTAB_RESERVED_CONSOLE`).
pub const RESERVED_CONSOLE: u32 = 0;
/// The toolstack's entry for the xenstore page (`GNTTAB_RESERVED_XENSTORE`).
pub const RESERVED_XENSTORE: u32 = 1;

/// `struct grant_entry_v1`: an entry of a domain's own table.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct EntryV1 {
    /// `GTF_*`.
    pub flags: u16,
    /// The domain that may use it.
    pub domid: u16,
    /// Frame number, in the granting domain's space.
    pub frame: u32,
}
assert_layout!(EntryV1, size 8, domid at 2, frame at 4);

/// `GTF_permit_access`: the entry lets the domain map the frame.
pub const GTF_PERMIT_ACCESS: u16 = 1;
/// `GTF_readonly`: for reading only.
pub const GTF_READONLY: u16 = 1 << 2;
/// `GTF_reading`: mapped for reading now; set by Xen.
pub const GTF_READING: u16 = 1 << 3;
/// `GTF_writing`: mapped for writing now; set by Xen.
pub const GTF_WRITING: u16 = 1 << 4;

/// `struct gnttab_map_grant_ref`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MapGrantRef {
    /// In: the address of the mapping. In a translated guest it is a guest-physical address, and the granted frame replaces
    /// the frame that was mapped there.
    pub host_addr: u64,
    /// In: `GNTMAP_*`.
    pub flags: u32,
    /// In: the grant reference.
    pub grant_ref: u32,
    /// In: the granting domain.
    pub dom: u16,
    /// Out: `GNTST_*`.
    pub status: i16,
    /// Out: the handle that ends the mapping.
    pub handle: u32,
    /// Out: the frame's address for devices, if [`GNTMAP_DEVICE_MAP`] was set.
    pub dev_bus_addr: u64,
}
assert_layout!(
    MapGrantRef, size 32,
    flags at 8, grant_ref at 12, dom at 16, status at 18, handle at 20, dev_bus_addr at 24,
);

/// `GNTMAP_device_map`: map for devices, by bus address.
pub const GNTMAP_DEVICE_MAP: u32 = 1 << 0;
/// `GNTMAP_host_map`: map at `host_addr`. In a translated guest with an IOMMU, devices see it there too.
pub const GNTMAP_HOST_MAP: u32 = 1 << 1;
/// `GNTMAP_readonly`: for reading only.
pub const GNTMAP_READONLY: u32 = 1 << 2;

/// `struct gnttab_unmap_grant_ref`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct UnmapGrantRef {
    /// In: the address of the mapping.
    pub host_addr: u64,
    /// In: the address from [`MapGrantRef`]; 0 without a device mapping.
    pub dev_bus_addr: u64,
    /// In.
    pub handle: u32,
    /// Out: `GNTST_*`.
    pub status: i16,
}
assert_layout!(UnmapGrantRef, size 24, dev_bus_addr at 8, handle at 16, status at 20);

/// `struct gnttab_setup_table`: grows the domain's own table. A translated guest then maps its frames with
/// [`XENMAPSPACE_GRANT_TABLE`](crate::memory::XENMAPSPACE_GRANT_TABLE).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct SetupTable {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub dom: u16,
    /// In: the least number of pages for the table.
    pub nr_frames: u32,
    /// Out: `GNTST_*`.
    pub status: i16,
    /// In: address of an array of `nr_frames` 64-bit frame numbers, filled in by Xen.
    pub frame_list: u64,
}
assert_layout!(SetupTable, size 24, nr_frames at 4, status at 8, frame_list at 16);

/// `struct gnttab_query_size`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct QuerySize {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub dom: u16,
    /// Out: pages of the table.
    pub nr_frames: u32,
    /// Out: the most pages that it may have.
    pub max_nr_frames: u32,
    /// Out: `GNTST_*`.
    pub status: i16,
}
assert_layout!(QuerySize, size 16, nr_frames at 4, max_nr_frames at 8, status at 12);

/// `struct gnttab_set_version`. It works only while no grant of the domain itself is in use.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct SetVersion {
    /// In and out: 1 or 2.
    pub version: u32,
}
assert_layout!(SetVersion, size 4);

/// `struct gnttab_get_version`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct GetVersion {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub dom: u16,
    /// Unused.
    pub pad: u16,
    /// Out.
    pub version: u32,
}
assert_layout!(GetVersion, size 8, version at 4);

/// `GNTST_okay`.
pub const GNTST_OKAY: i16 = 0;
/// `GNTST_general_error`: among others, a grant for another domain, or one for reading mapped for writing.
pub const GNTST_GENERAL_ERROR: i16 = -1;
/// `GNTST_bad_domain`: no such domain.
pub const GNTST_BAD_DOMAIN: i16 = -2;
/// `GNTST_bad_gntref`: no such reference, or one of another kind.
pub const GNTST_BAD_GNTREF: i16 = -3;
/// `GNTST_bad_handle`.
pub const GNTST_BAD_HANDLE: i16 = -4;
/// `GNTST_bad_virt_addr`: nothing can be mapped at this address.
pub const GNTST_BAD_VIRT_ADDR: i16 = -5;
/// `GNTST_bad_dev_addr`.
pub const GNTST_BAD_DEV_ADDR: i16 = -6;
/// `GNTST_no_device_space`: no room in the IOMMU.
pub const GNTST_NO_DEVICE_SPACE: i16 = -7;
/// `GNTST_permission_denied`.
pub const GNTST_PERMISSION_DENIED: i16 = -8;
/// `GNTST_bad_page`: the granted frame can't be mapped.
pub const GNTST_BAD_PAGE: i16 = -9;
/// `GNTST_bad_copy_arg`.
pub const GNTST_BAD_COPY_ARG: i16 = -10;
/// `GNTST_address_too_big`.
pub const GNTST_ADDRESS_TOO_BIG: i16 = -11;
/// `GNTST_eagain`: not done; try again.
pub const GNTST_EAGAIN: i16 = -12;
/// `GNTST_no_space`: out of handles.
pub const GNTST_NO_SPACE: i16 = -13;
