//! Virtual processors (vcpu.h): the arguments of `HYPERVISOR_vcpu_op`.

/// `VCPUOP_register_vcpu_info`: moves a processor's `vcpu_info` out of the shared info page; see [`RegisterVcpuInfo`]. It
/// can't be undone.
pub const REGISTER_VCPU_INFO: u32 = 10;

/// `struct vcpu_register_vcpu_info`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct RegisterVcpuInfo {
    /// In: frame number of the page.
    pub mfn: u64,
    /// In: offset in it.
    pub offset: u32,
    /// Unused.
    pub rsvd: u32,
}
assert_layout!(RegisterVcpuInfo, size 16, offset at 8, rsvd at 12);
