//! HVM parameters (hvm/hvm_op.h, hvm/params.h).

/// `HVMOP_set_param`: see [`HvmParam`].
pub const SET_PARAM: u32 = 0;
/// `HVMOP_get_param`: see [`HvmParam`].
pub const GET_PARAM: u32 = 1;

/// `struct xen_hvm_param`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct HvmParam {
    /// In: [`DOMID_SELF`](crate::DOMID_SELF).
    pub domid: u16,
    /// Unused.
    pub pad: u16,
    /// In: `PARAM_*`.
    pub index: u32,
    /// In or out.
    pub value: u64,
}
assert_layout!(HvmParam, size 16, index at 4, value at 8);

/// `HVM_PARAM_CALLBACK_IRQ`: the way of event upcalls; 0 disables them.
pub const PARAM_CALLBACK_IRQ: u32 = 0;
/// Position of the type in [`PARAM_CALLBACK_IRQ`] (`HVM_PARAM_CALLBACK_IRQ_TYPE_MASK`).
pub const CALLBACK_TYPE_SHIFT: u32 = 56;
/// `HVM_PARAM_CALLBACK_TYPE_VECTOR`: by the vector in the low 8 bits.
pub const CALLBACK_TYPE_VECTOR: u64 = 2;
/// `HVM_PARAM_STORE_PFN`: frame number of the xenstore ring.
pub const PARAM_STORE_PFN: u32 = 1;
/// `HVM_PARAM_STORE_EVTCHN`: port of the xenstore ring.
pub const PARAM_STORE_EVTCHN: u32 = 2;
/// `HVM_PARAM_CONSOLE_PFN`: frame number of the console ring; 0 without a console.
pub const PARAM_CONSOLE_PFN: u32 = 17;
/// `HVM_PARAM_CONSOLE_EVTCHN`: port of the console ring.
pub const PARAM_CONSOLE_EVTCHN: u32 = 18;
