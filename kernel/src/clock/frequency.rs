//! How fast the TSC counts: as the processor or the hypervisor says, else as measured.

use core::fmt;

use super::TickScale;

/// What CPUID returned for a leaf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "registers, by their names")]
pub struct CpuidRegisters {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
}

/// Who said how fast the TSC counts.
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
            Self::IntervalTimer => "the interval timer",
        })
    }
}

/// How fast the TSC counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TscFrequency {
    /// Ticks a second.
    pub hz: u64,
    /// How far off that may be, in parts per 10^9; 0 where the source states none.
    pub error_ppb: u32,
    /// Who said so.
    pub source: Source,
}

/// The frequency by CPUID (Intel SDM volume 2, CPUID leaves 15H and 16H; the hypervisors' common leaf 0x40000010:
/// EAX is the TSC's frequency in kHz). `None` where no leaf says so, or not plausibly.
pub fn from_cpuid(cpuid: impl Fn(u32) -> CpuidRegisters) -> Option<TscFrequency> {
    let stated = |hz: u64, source| TickScale::from_hz(hz).map(|_| TscFrequency { hz, error_ppb: 0, source });
    let highest = cpuid(0).eax;
    if highest >= 0x15 {
        let ratio = cpuid(0x15);
        if ratio.eax != 0 && ratio.ebx != 0 {
            // 32 by 32 bits fit into 64.
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

/// A reading of the interval timer's 16-bit count, which goes down, between two readings of the TSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CountSample {
    /// The TSC before the count was latched.
    pub not_before: u64,
    /// The TSC after that.
    pub not_after: u64,
    /// The count.
    pub count: u16,
}

/// The interval timer's clock is a twelfth of four times the NTSC colour subcarrier: 105/88 MHz, or 13125000/11 Hz.
const PIT_HZ_TIMES_11: u64 = 13_125_000;

/// The frequency from samples of the interval timer's count: some, and some that came later, by less than a turn of
/// the counter.
///
/// Each pair of an early and a late sample bounds the length of a count from below and above: the ticks that went by
/// are known within the samples' own spread, the counts within one. All bounds must hold, so the more samples the
/// narrower it gets, and what is left is the error, not an estimate of it. Somebody who stops the processor in between
/// (SMI, hypervisor, a busy host) widens a sample and spoils nothing. `None` if no length fits all samples, or if what
/// fits isn't plausible.
pub fn from_counts(first: &[CountSample], last: &[CountSample]) -> Option<TscFrequency> {
    /// Fraction bits of a length in ticks.
    const FRACTION: u32 = 20;
    let (mut least, mut most) = (0u64, u64::MAX);
    for early in first {
        for late in last {
            // A late sample that is one turn ahead or behind makes a length that no other pair agrees with.
            let counts = u64::from(early.count.wrapping_sub(late.count));
            let shortest = late.not_before.checked_sub(early.not_after)?;
            let longest = late.not_after.checked_sub(early.not_before)?;
            if counts < 2 || longest >= 1 << (64 - FRACTION) {
                return None;
            }
            least = least.max((shortest << FRACTION) / (counts + 1));
            most = most.min((longest << FRACTION).div_ceil(counts - 1));
        }
    }
    if least == 0 || least > most || most == u64::MAX {
        return None;
    }
    // Up to 64 bits each: in 128 bits neither product overflows.
    let middle = u128::from(least + (most - least) / 2);
    let hz = u64::try_from((middle * u128::from(PIT_HZ_TIMES_11) / 11) >> FRACTION).ok()?;
    let error_ppb = (u128::from(most) - middle) * 1_000_000_000 / middle + 1;
    let error_ppb = u32::try_from(error_ppb).ok()?;
    TickScale::from_hz(hz).map(|_| TscFrequency { hz, error_ppb, source: Source::IntervalTimer })
}
