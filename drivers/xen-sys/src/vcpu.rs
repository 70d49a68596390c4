//! Virtual processors (vcpu.h): the arguments of `HYPERVISOR_vcpu_op`.

/// `VCPUOP_get_runstate_info`: how a processor has spent its time; see [`RunstateInfo`].
pub const GET_RUNSTATE_INFO: u32 = 4;
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

/// `RUNSTATE_running`: it runs on a physical processor, or Xen does on its behalf.
pub const RUNSTATE_RUNNING: usize = 0;
/// `RUNSTATE_runnable`: it waits for a physical processor.
pub const RUNSTATE_RUNNABLE: usize = 1;
/// `RUNSTATE_blocked`: it has nothing to do.
pub const RUNSTATE_BLOCKED: usize = 2;
/// `RUNSTATE_offline`: it is neither runnable nor blocked.
pub const RUNSTATE_OFFLINE: usize = 3;

/// `struct vcpu_runstate_info`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct RunstateInfo {
    /// Out: the state it is in, `RUNSTATE_*`.
    pub state: i32,
    /// Out: system time in nanoseconds at which it got into that state.
    pub state_entry_time: u64,
    /// Out: nanoseconds spent in each state, by `RUNSTATE_*`. In sum, the time since the processor was made.
    pub time: [u64; 4],
}
assert_layout!(RunstateInfo, size 48, state_entry_time at 8, time at 16);
