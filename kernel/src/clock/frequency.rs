//! The TSC's frequency as stated by the processor or the hypervisor.

use core::arch::x86_64::CpuidResult;
use core::fmt;

use super::TickScale;

/// The source of a frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// CPUID 0x15: crystal and ratio.
    Crystal,
    /// CPUID 0x16: base frequency, where 0x15 gives a ratio but no crystal.
    BaseFrequency,
    /// CPUID 0x40000010: the hypervisor.
    Hypervisor,
    /// CPUID 0x40000003: Xen.
    Xen,
    /// Xen's `vcpu_time_info`.
    XenTimeInfo,
    /// Measured against the interval timer.
    IntervalTimer,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crystal => "CPUID 0x15",
            Self::BaseFrequency => "CPUID 0x16",
            Self::Hypervisor => "CPUID 0x40000010",
            Self::Xen => "CPUID 0x40000003",
            Self::XenTimeInfo => "Xen's time page",
            Self::IntervalTimer => "the interval timer",
        })
    }
}

/// The TSC's frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TscFrequency {
    /// Ticks per second.
    pub hz: u64,
    /// Error bound in parts per 10^9; 0 if the source states none.
    pub error_ppb: u32,
    /// Its source.
    pub source: Source,
}

/// The frequency from CPUID. `None` if no leaf states a plausible one.
///
/// References: Intel SDM volume 2, CPUID leaves 15H and 16H. In the hypervisors' common leaf
/// 0x40000010 EAX is the TSC's frequency in kHz.
pub fn from_cpuid(cpuid: impl Fn(u32) -> CpuidResult) -> Option<TscFrequency> {
    let stated = |hz: u64, source| TickScale::from_hz(hz).map(|_| TscFrequency { hz, error_ppb: 0, source });
    let highest = cpuid(0).eax;
    if highest >= 0x15 {
        let ratio = cpuid(0x15);
        if ratio.eax != 0 && ratio.ebx != 0 {
            // A product of two 32-bit factors fits into 64 bits.
            let hz = u64::from(ratio.ecx) * u64::from(ratio.ebx) / u64::from(ratio.eax);
            if let Some(frequency) = stated(hz, Source::Crystal) {
                return Some(frequency);
            }
            let base_mhz = if highest >= 0x16 { cpuid(0x16).eax & 0xffff } else { 0 };
            if let Some(frequency) = stated(u64::from(base_mhz) * 1_000_000, Source::BaseFrequency) {
                return Some(frequency);
            }
        }
    }
    let in_hypervisor = cpuid(1).ecx & (1 << 31) != 0;
    if in_hypervisor && (0x4000_0010..=0x4000_ffff).contains(&cpuid(0x4000_0000).eax) {
        return stated(u64::from(cpuid(0x4000_0010).eax) * 1_000, Source::Hypervisor);
    }
    None
}
