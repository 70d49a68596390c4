//! The page that Xen shares with a guest (xen.h, "Start-of-day shared data structure"), in its 64-bit layout.
//!
//! Xen takes the layout from the processor's mode when the page is mapped, so map it in 64-bit mode.

use core::sync::atomic::{AtomicI8, AtomicU8, AtomicU32, AtomicU64};

/// Virtual processors with their `vcpu_info` in the page (arch-x86/xen.h, `XEN_LEGACY_MAX_VCPUS`).
pub const LEGACY_MAX_VCPUS: usize = 32;

/// Words of the event channels' bits: 64 bits each.
pub const EVENT_WORDS: usize = 64;

/// `struct vcpu_time_info`: the system time at one moment, and the rate to extrapolate with.
///
/// Xen makes `version` odd, changes the other fields, and makes it even again.
#[derive(Debug, Default)]
#[repr(C)]
pub struct VcpuTimeInfo {
    /// Odd while Xen changes the other fields; another number afterwards.
    pub version: AtomicU32,
    /// Unused.
    pub pad0: AtomicU32,
    /// The time stamp counter at that moment.
    pub tsc_timestamp: AtomicU64,
    /// System time at that moment: nanoseconds since Xen was booted.
    pub system_time: AtomicU64,
    /// Nanoseconds per tick in units of 2^-32, after `tsc_shift`.
    pub tsc_to_system_mul: AtomicU32,
    /// The shift of ticks before the multiplication: to the left, or to the right if negative.
    pub tsc_shift: AtomicI8,
    /// `PVCLOCK_*`.
    pub flags: AtomicU8,
    /// Unused.
    pub pad1: [AtomicU8; 2],
}
assert_layout!(
    VcpuTimeInfo, size 32,
    tsc_timestamp at 8, system_time at 16, tsc_to_system_mul at 24, tsc_shift at 28, flags at 29,
);

/// `struct vcpu_info`.
#[derive(Debug, Default)]
#[repr(C)]
pub struct VcpuInfo {
    /// An unmasked channel became pending. The guest clears it before it looks at the bits.
    pub evtchn_upcall_pending: AtomicU8,
    /// Disables upcalls; ignored by Xen in HVM guests.
    pub evtchn_upcall_mask: AtomicU8,
    /// Unused.
    pub pad: [AtomicU8; 6],
    /// A bit for each word of `evtchn_pending` with a new unmasked bit.
    pub evtchn_pending_sel: AtomicU64,
    /// `struct arch_vcpu_info`: address of a page fault, for PV guests.
    pub cr2: AtomicU64,
    /// Unused.
    pub arch_pad: AtomicU64,
    /// System time for this virtual processor.
    pub time: VcpuTimeInfo,
}
assert_layout!(VcpuInfo, size 64, evtchn_upcall_mask at 1, evtchn_pending_sel at 8, cr2 at 16, time at 32);

/// `struct arch_shared_info`, of no use to an HVM guest.
#[derive(Debug, Default)]
#[repr(C)]
pub struct ArchSharedInfo {
    /// `max_pfn` to `p2m_generation`.
    pub words: [AtomicU64; 6],
}
assert_layout!(ArchSharedInfo, size 48);

/// `struct shared_info`.
#[derive(Debug)]
#[repr(C)]
pub struct SharedInfo {
    /// One for each of the first virtual processors.
    pub vcpu_info: [VcpuInfo; LEGACY_MAX_VCPUS],
    /// A bit for each channel with an event. Set by Xen, cleared by the guest.
    pub evtchn_pending: [AtomicU64; EVENT_WORDS],
    /// A bit for each channel without upcalls. Set and cleared by the guest; ignored by `SCHEDOP_poll`.
    pub evtchn_mask: [AtomicU64; EVENT_WORDS],
    /// As in [`VcpuTimeInfo`], for the wall clock.
    pub wc_version: AtomicU32,
    /// Wall-clock time at system time 0: seconds since the Unix epoch, low half.
    pub wc_sec: AtomicU32,
    /// Nanoseconds on top of the seconds.
    pub wc_nsec: AtomicU32,
    /// High half of the seconds.
    pub wc_sec_hi: AtomicU32,
    /// `struct arch_shared_info`.
    pub arch: ArchSharedInfo,
}
assert_layout!(
    SharedInfo, size 3136,
    evtchn_pending at 2048, evtchn_mask at 2560, wc_version at 3072, wc_sec at 3076, wc_nsec at 3080,
    wc_sec_hi at 3084, arch at 3088,
);

impl Default for SharedInfo {
    fn default() -> Self {
        Self {
            vcpu_info: Default::default(),
            evtchn_pending: [const { AtomicU64::new(0) }; EVENT_WORDS],
            evtchn_mask: [const { AtomicU64::new(0) }; EVENT_WORDS],
            wc_version: AtomicU32::new(0),
            wc_sec: AtomicU32::new(0),
            wc_nsec: AtomicU32::new(0),
            wc_sec_hi: AtomicU32::new(0),
            arch: ArchSharedInfo::default(),
        }
    }
}
