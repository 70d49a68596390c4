//! The scheduler (sched.h): the arguments of `HYPERVISOR_sched_op`.

/// `SCHEDOP_yield`: gives way to other virtual processors; no argument.
pub const YIELD: u32 = 0;
/// `SCHEDOP_shutdown`: ends the domain; see [`Shutdown`].
pub const SHUTDOWN: u32 = 2;

/// `struct sched_shutdown`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Shutdown {
    /// In: `SHUTDOWN_*`.
    pub reason: u32,
}
assert_layout!(Shutdown, size 4);

/// `SHUTDOWN_poweroff`: a normal end.
pub const SHUTDOWN_POWEROFF: u32 = 0;
/// `SHUTDOWN_reboot`: start it again.
pub const SHUTDOWN_REBOOT: u32 = 1;
/// `SHUTDOWN_crash`: `on_crash` decides.
pub const SHUTDOWN_CRASH: u32 = 3;
