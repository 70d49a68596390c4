//! The grant table, version 1 (grant_table.h): the arguments of `HYPERVISOR_grant_table_op`.

/// `GNTTABOP_map_grant_ref`: see [`MapGrantRef`].
pub const MAP_GRANT_REF: u32 = 0;
/// `GNTTABOP_unmap_grant_ref`: see [`UnmapGrantRef`].
pub const UNMAP_GRANT_REF: u32 = 1;

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
    /// Out: the frame's address for devices, if `GNTMAP_device_map` was set.
    pub dev_bus_addr: u64,
}
assert_layout!(
    MapGrantRef, size 32,
    flags at 8, grant_ref at 12, dom at 16, status at 18, handle at 20, dev_bus_addr at 24,
);

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
/// `GNTST_eagain`: not done; try again.
pub const GNTST_EAGAIN: i16 = -12;
/// `GNTST_no_space`: out of handles.
pub const GNTST_NO_SPACE: i16 = -13;
