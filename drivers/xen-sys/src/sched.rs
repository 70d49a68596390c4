//! The scheduler (sched.h): the arguments of `HYPERVISOR_sched_op`.

/// `SCHEDOP_yield`: gives way to other virtual processors; no argument.
pub const YIELD: u32 = 0;
/// `SCHEDOP_block`: sleeps until an event is to be delivered; no argument.
pub const BLOCK: u32 = 1;
/// `SCHEDOP_shutdown`: ends the domain; see [`Shutdown`].
pub const SHUTDOWN: u32 = 2;
/// `SCHEDOP_poll`: sleeps until one of some ports is pending, or for some time; see [`Poll`].
pub const POLL: u32 = 3;

/// `struct sched_shutdown`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Shutdown {
    /// In: `SHUTDOWN_*`.
    pub reason: u32,
}
assert_layout!(Shutdown, size 4);

/// `struct sched_poll`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Poll {
    /// In: address of an array of ports, 32 bits each.
    pub ports: u64,
    /// In: ports in the array, [`MAX_POLL_PORTS`] at most.
    pub nr_ports: u32,
    /// In: the latest system time to return at, in nanoseconds; 0 sets no limit.
    pub timeout: u64,
}
assert_layout!(Poll, size 24, nr_ports at 8, timeout at 16);

/// Most ports in a [`POLL`]. No header says so: Xen's scheduler answers EINVAL to more.
pub const MAX_POLL_PORTS: usize = 128;

/// `SHUTDOWN_poweroff`: a normal end.
pub const SHUTDOWN_POWEROFF: u32 = 0;
/// `SHUTDOWN_reboot`: start it again.
pub const SHUTDOWN_REBOOT: u32 = 1;
/// `SHUTDOWN_suspend`: saved, for a later resume.
pub const SHUTDOWN_SUSPEND: u32 = 2;
/// `SHUTDOWN_crash`: `on_crash` decides.
pub const SHUTDOWN_CRASH: u32 = 3;
/// `SHUTDOWN_watchdog`: `on_watchdog` decides.
pub const SHUTDOWN_WATCHDOG: u32 = 4;
