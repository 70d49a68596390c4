//! Virtual processors (vcpu.h): the arguments of `HYPERVISOR_vcpu_op`.

/// `VCPUOP_get_runstate_info`: the time that a processor spent in each state; see [`RunstateInfo`].
pub const GET_RUNSTATE_INFO: u32 = 4;
/// `VCPUOP_register_vcpu_info`: moves a processor's `vcpu_info` out of the shared info page, for good; see
/// [`RegisterVcpuInfo`].
pub const REGISTER_VCPU_INFO: u32 = 10;

/// `struct vcpu_register_vcpu_info`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct RegisterVcpuInfo {
    /// In: frame number of the page.
    pub mfn: u64,
    /// In: offset in that page, in bytes.
    pub offset: u32,
    /// Unused.
    pub rsvd: u32,
}
assert_layout!(RegisterVcpuInfo, size 16, offset at 8, rsvd at 12);

/// `RUNSTATE_running`: the processor runs, or Xen runs on its behalf.
pub const RUNSTATE_RUNNING: usize = 0;
/// `RUNSTATE_runnable`: the processor waits for a physical one.
pub const RUNSTATE_RUNNABLE: usize = 1;
/// `RUNSTATE_blocked`: the processor is idle.
pub const RUNSTATE_BLOCKED: usize = 2;
/// `RUNSTATE_offline`: neither runnable nor blocked.
pub const RUNSTATE_OFFLINE: usize = 3;

/// `struct vcpu_runstate_info`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct RunstateInfo {
    /// Out: the current state, `RUNSTATE_*`.
    pub state: i32,
    /// Out: system time of the last change of state, in nanoseconds.
    pub state_entry_time: u64,
    /// Out: nanoseconds spent in each state, by `RUNSTATE_*`. Their sum is the age of the processor.
    pub time: [u64; 4],
}
assert_layout!(RunstateInfo, size 48, state_entry_time at 8, time at 16);
