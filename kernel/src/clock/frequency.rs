//! How fast the TSC counts: as the processor or the hypervisor says, else as measured.

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
    /// Measured against the interval timer.
    IntervalTimer,
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

/// An edge of the reference's square wave: it came between these two readings of the TSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EdgeBracket {
    /// Read before the last look that showed the old level.
    pub not_before: u64,
    /// Read after the first look that showed the new one.
    pub not_after: u64,
}

/// The interval timer's clock is a third of the NTSC colour subcarrier: 315/88 MHz / 3, or 13125000/11 Hz.
const PIT_HZ_TIMES_11: u128 = 13_125_000;

/// The frequency from edges of the interval timer's square wave, `clocks_per_edge` of its clocks apart.
///
/// Each pair of edges bounds the distance of two edges from below and above; all bounds must hold, so the more edges
/// the narrower it gets, and what is left is the error, not an estimate of it. `None` if no distance fits all
/// brackets (an edge was missed, by an SMI or a stolen time slice), or if what fits isn't plausible.
pub fn from_edges(edges: &[EdgeBracket], clocks_per_edge: u32) -> Option<TscFrequency> {
    /// Fraction bits of a distance in ticks.
    const FRACTION: u32 = 24;
    let (mut least, mut most) = (0u128, u128::MAX);
    for (first_index, first) in edges.iter().enumerate() {
        for (distance, second) in (1u128..).zip(edges.iter().skip(first_index + 1)) {
            let shortest = second.not_before.checked_sub(first.not_after)?;
            let longest = second.not_after.checked_sub(first.not_before)?;
            least = least.max((u128::from(shortest) << FRACTION) / distance);
            most = most.min((u128::from(longest) << FRACTION).div_ceil(distance));
        }
    }
    if least == 0 || least > most || most == u128::MAX || clocks_per_edge == 0 {
        return None;
    }
    // Below 2^89: least is at most most, which a pair has bounded to 64 + 24 bits.
    let middle = (least + most) / 2;
    let hz = middle.checked_mul(PIT_HZ_TIMES_11)? / (11 * u128::from(clocks_per_edge)) >> FRACTION;
    let error_ppb = u32::try_from((most - middle).checked_mul(1_000_000_000)?.div_ceil(middle)).ok()?;
    let hz = u64::try_from(hz).ok()?;
    TickScale::from_hz(hz).map(|_| TscFrequency { hz, error_ppb, source: Source::IntervalTimer })
}
