//! Physical interrupts (physdev.h): the arguments of `HYPERVISOR_physdev_op`.
//!
//! An HVM guest may use these where Xen has the feature `XENFEAT_hvm_pirqs` (features.h).

/// `PHYSDEVOP_irq_status_query`: see [`IrqStatusQuery`].
pub const IRQ_STATUS_QUERY: u32 = 5;
/// `PHYSDEVOP_eoi`: see [`Eoi`].
pub const EOI: u32 = 12;
/// `PHYSDEVOP_get_free_pirq`: see [`GetFreePirq`].
pub const GET_FREE_PIRQ: u32 = 23;

/// `MAP_PIRQ_TYPE_MSI`.
pub const TYPE_MSI: i32 = 0;

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
    /// Out: `XENIRQSTAT_*`.
    pub flags: u32,
}
assert_layout!(IrqStatusQuery, size 8, flags at 4);

/// `XENIRQSTAT_needs_eoi`: the interrupt needs [`EOI`] after it was served.
pub const IRQ_STATUS_NEEDS_EOI: u32 = 1 << 0;

/// `struct physdev_get_free_pirq`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct GetFreePirq {
    /// In: [`TYPE_MSI`].
    pub kind: i32,
    /// Out.
    pub pirq: u32,
}
assert_layout!(GetFreePirq, size 8, pirq at 4);
