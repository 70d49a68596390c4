//! Virtual processors (vcpu.h): the arguments of `HYPERVISOR_vcpu_op`.

/// `VCPUOP_get_runstate_info`: the time that a processor spent in each state; see [`RunstateInfo`].
pub const GET_RUNSTATE_INFO: u32 = 4;

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
