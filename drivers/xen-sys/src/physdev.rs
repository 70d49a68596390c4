//! Physical interrupts (physdev.h): the arguments of `HYPERVISOR_physdev_op`.
//!
//! An HVM guest may use these where [`FEATURE_HVM_PIRQS`](crate::version::FEATURE_HVM_PIRQS) is set.

/// `PHYSDEVOP_irq_status_query`: see [`IrqStatusQuery`].
pub const IRQ_STATUS_QUERY: u32 = 5;
/// `PHYSDEVOP_eoi`: see [`Eoi`].
pub const EOI: u32 = 12;
/// `PHYSDEVOP_map_pirq`: see [`MapPirq`].
pub const MAP_PIRQ: u32 = 13;
/// `PHYSDEVOP_unmap_pirq`: see [`UnmapPirq`].
pub const UNMAP_PIRQ: u32 = 14;
/// `PHYSDEVOP_get_free_pirq`: see [`GetFreePirq`].
pub const GET_FREE_PIRQ: u32 = 23;

/// `MAP_PIRQ_TYPE_MSI`. In [`MAP_PIRQ`] for PV guests only; Xen refuses it to an HVM guest with EINVAL.
pub const TYPE_MSI: i32 = 0;
/// `MAP_PIRQ_TYPE_GSI`.
pub const TYPE_GSI: i32 = 1;
/// `MAP_PIRQ_TYPE_MSI_SEG`: as [`TYPE_MSI`], with the segment in the high half of `bus`.
pub const TYPE_MSI_SEG: i32 = 3;

/// `struct physdev_eoi`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Eoi {
    /// In: the pirq.
    pub irq: u32,
}
assert_layout!(Eoi, size 4);

/// `struct physdev_irq_status_query`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct IrqStatusQuery {
    /// In: the pirq.
    pub irq: u32,
    /// Out: `IRQ_STATUS_*`.
    pub flags: u32,
}
assert_layout!(IrqStatusQuery, size 8, flags at 4);

/// `XENIRQSTAT_needs_eoi`: the interrupt needs [`EOI`] after it was served.
pub const IRQ_STATUS_NEEDS_EOI: u32 = 1 << 0;
/// `XENIRQSTAT_shared`: other guests share it.
pub const IRQ_STATUS_SHARED: u32 = 1 << 1;

/// `struct physdev_map_pirq`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MapPirq {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub domid: u16,
    /// In: `TYPE_*`.
    pub kind: i32,
    /// In: the GSI; -1 for an MSI.
    pub index: i32,
    /// In: the pirq wanted, -1 for any; out: the pirq.
    pub pirq: i32,
    /// In, for an MSI: bus, and segment in the high half for [`TYPE_MSI_SEG`].
    pub bus: i32,
    /// In, for an MSI: device in bits 7 to 3, function below.
    pub devfn: i32,
    /// In, for an MSI-X: entry of the table.
    pub entry_nr: i32,
    /// In, for an MSI-X: address of the table; 0 for an MSI.
    pub table_base: u64,
}
assert_layout!(
    MapPirq, size 40,
    kind at 4, index at 8, pirq at 12, bus at 16, devfn at 20, entry_nr at 24, table_base at 32,
);

/// `struct physdev_unmap_pirq`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct UnmapPirq {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub domid: u16,
    /// In.
    pub pirq: i32,
}
assert_layout!(UnmapPirq, size 8, pirq at 4);

/// `struct physdev_get_free_pirq`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct GetFreePirq {
    /// In: [`TYPE_MSI`] or [`TYPE_GSI`].
    pub kind: i32,
    /// Out.
    pub pirq: u32,
}
assert_layout!(GetFreePirq, size 8, pirq at 4);
