//! The TSC's frequency as stated by the processor or the hypervisor.

use core::arch::x86_64::CpuidResult;

use super::TickScale;

/// The TSC's frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TscFrequency {
    /// Ticks per second.
    pub hz: u64,
    /// Error bound in parts per 10^9; 0 if the source states none.
    pub error_ppb: u32,
    /// Its source, for people.
    pub source: &'static str,
}

impl TscFrequency {
    /// A frequency. `None`: it isn't plausible.
    pub fn new(hz: u64, error_ppb: u32, source: &'static str) -> Option<Self> {
        TickScale::from_hz(hz).map(|_| Self { hz, error_ppb, source })
    }
}

/// The frequency from CPUID. `None` if no leaf states a plausible one.
///
/// References: Intel SDM volume 2, CPUID leaves 15H and 16H. In the hypervisors' common leaf
/// 0x40000010 EAX is the TSC's frequency in kHz.
pub fn from_cpuid(cpuid: impl Fn(u32) -> CpuidResult) -> Option<TscFrequency> {
    let highest = cpuid(0).eax;
    if highest >= 0x15 {
        let ratio = cpuid(0x15);
        if ratio.eax != 0 && ratio.ebx != 0 {
            // A product of two 32-bit factors fits into 64 bits.
            let hz = u64::from(ratio.ecx) * u64::from(ratio.ebx) / u64::from(ratio.eax);
            // The base frequency counts where 0x15 gives a ratio but no crystal.
            let base_mhz = if highest >= 0x16 { cpuid(0x16).eax & 0xffff } else { 0 };
            let by_base = || TscFrequency::new(u64::from(base_mhz) * 1_000_000, 0, "CPUID 0x16");
            let stated = TscFrequency::new(hz, 0, "CPUID 0x15").or_else(by_base);
            if stated.is_some() {
                return stated;
            }
        }
    }
    let in_hypervisor = cpuid(1).ecx & (1 << 31) != 0;
    if in_hypervisor && (0x4000_0010..=0x4000_ffff).contains(&cpuid(0x4000_0000).eax) {
        return TscFrequency::new(u64::from(cpuid(0x4000_0010).eax) * 1_000, 0, "CPUID 0x40000010");
    }
    None
}
