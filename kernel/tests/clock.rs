//! Scaling, calibration and timer counts.

use core::arch::x86_64::CpuidResult;

use proptest::prelude::*;
use snddom_kernel::bare::calibration::{CountSample, from_counts};
use snddom_kernel::bare::timer;
use snddom_kernel::clock::TickScale;
use snddom_kernel::clock::frequency::from_cpuid;

fn regs(eax: u32, ebx: u32, ecx: u32) -> CpuidResult {
    CpuidResult { eax, ebx, ecx, edx: 0 }
}

#[test]
fn nanoseconds_come_out_exact_where_they_can() {
    let scale = TickScale::from_hz(1_000_000_000).expect("in bounds");
    assert_eq!(scale.ns(123_456_789_012), 123_456_789_012);
    let scale = TickScale::from_hz(62_500_000).expect("in bounds");
    assert_eq!(scale.ns(62_500_000 * 3600), 3600 * 1_000_000_000);
    assert_eq!(TickScale::from_hz(999_999), None);
    assert_eq!(TickScale::from_hz(100_000_000_001), None);
}

#[test]
fn the_far_end_of_time_saturates() {
    let slow = TickScale::from_hz(TickScale::MIN_HZ).expect("in bounds");
    assert_eq!(slow.ns(u64::MAX), u64::MAX);
}

#[test]
fn cpuid_is_asked_in_order() {
    let crystal = |leaf| match leaf {
        0 => regs(0x16, 0, 0),
        0x15 => regs(2, 216, 24_000_000),
        0x16 => regs(2600, 0, 0),
        _ => regs(0, 0, 0),
    };
    let found = from_cpuid(crystal).expect("stated");
    assert_eq!((found.hz, found.source), (2_592_000_000, "CPUID 0x15"));

    let no_crystal = |leaf| if leaf == 0x15 { regs(2, 216, 0) } else { crystal(leaf) };
    let found = from_cpuid(no_crystal).expect("stated");
    assert_eq!((found.hz, found.source), (2_600_000_000, "CPUID 0x16"));

    let hypervisor = |leaf| match leaf {
        0 => regs(0xd, 0, 0),
        1 => regs(0, 0, 1 << 31),
        0x4000_0000 => regs(0x4000_0010, 0, 0),
        0x4000_0010 => regs(2_893_202, 0, 0),
        _ => regs(0, 0, 0),
    };
    let found = from_cpuid(hypervisor).expect("stated");
    assert_eq!((found.hz, found.source), (2_893_202_000, "CPUID 0x40000010"));

    // QEMU's TCG: a hypervisor, but no such leaf. And leaves that are there but empty.
    let tcg = |leaf| if leaf == 0x4000_0000 { regs(0x4000_0001, 0, 0) } else { hypervisor(leaf) };
    assert_eq!(from_cpuid(tcg), None);
    assert_eq!(from_cpuid(|leaf| if leaf == 0 { regs(0x20, 0, 0) } else { regs(0, 0, 0) }), None);
    // A frequency that no processor has.
    let implausible = |leaf| if leaf == 0x15 { regs(1, u32::MAX, u32::MAX) } else { regs(0x15, 0, 0) };
    assert_eq!(from_cpuid(implausible), None);
}

/// Samples as a timer at `pit_offset_ns` and a TSC of `hz` would give them, latched `latch_ns` after each start.
fn samples(hz: u64, start_ns: u64, step_ns: u64, latch_ns: u64, width_ns: u64) -> Vec<CountSample> {
    (0..24u64)
        .map(|index| {
            let asked_ns = start_ns + index * step_ns;
            let tsc = |ns: u64| (u128::from(ns) * u128::from(hz) / 1_000_000_000) as u64;
            let counts = u128::from(asked_ns + latch_ns) * 13_125_000 / 11 / 1_000_000_000;
            CountSample {
                not_before: tsc(asked_ns),
                not_after: tsc(asked_ns + width_ns) + 1,
                count: 0xffff - counts as u16,
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn the_frequency_lies_within_the_stated_error(
        hz in 50_000_000u64..6_000_000_000,
        start_ns in 0u64..10_000,
        step_ns in 300u64..5_000,
        width_ns in 50u64..2_000,
        latch in 0u64..=100,
        gap_ns in 7_000_000u64..9_000_000,
    ) {
        let latch_ns = width_ns * latch / 100;
        let first = samples(hz, start_ns, step_ns, latch_ns, width_ns);
        let last = samples(hz, start_ns + gap_ns, step_ns, latch_ns, width_ns);
        let found = from_counts(&first, &last).expect("samples that agree");
        let off_ppb = u128::from(found.hz.abs_diff(hz)) * 1_000_000_000 / u128::from(hz);
        // What the fraction rounds off comes on top of it.
        prop_assert!(off_ppb <= u128::from(found.error_ppb) + 50, "{off_ppb} ppb, stated {}", found.error_ppb);
        prop_assert!(found.error_ppb < 700_000);
    }

    #[test]
    fn hostile_samples_make_no_panic(
        first in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u16>()), 0..4),
        last in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u16>()), 0..4),
    ) {
        let sample = |&(not_before, not_after, count): &_| CountSample { not_before, not_after, count };
        let first: Vec<_> = first.iter().map(sample).collect();
        let last: Vec<_> = last.iter().map(sample).collect();
        let _ = from_counts(&first, &last);
    }

    #[test]
    fn time_never_runs_backwards(hz in 1_000_000u64..100_000_000_000, a: u64, b: u64) {
        let scale = TickScale::from_hz(hz).expect("in bounds");
        let (early, late) = (a.min(b), a.max(b));
        prop_assert!(scale.ns(early) <= scale.ns(late));
    }

    #[test]
    fn scaling_is_as_good_as_it_says(hz in 1_000_000u64..100_000_000_000, ticks in 0u64..1 << 60) {
        let scale = TickScale::from_hz(hz).expect("in bounds");
        let exact = u128::from(ticks) * 1_000_000_000 / u128::from(hz);
        if exact < u128::from(u64::MAX) {
            let off = exact - u128::from(scale.ns(ticks));
            prop_assert!(off <= exact / 40_000_000 + 1);
        }
    }

    #[test]
    fn a_timer_is_never_early_by_its_count(ns in 0u64.., hz in 1u64..10_000_000_000) {
        let count = timer::count_for(ns, hz);
        prop_assert!(count >= 1);
        if count < u32::MAX {
            prop_assert!(u128::from(count) * 1_000_000_000 >= u128::from(ns) * u128::from(hz));
        }
    }
}

#[test]
fn a_stopped_processor_between_samples_spoils_nothing() {
    let hz = 2_400_000_000;
    let mut first = samples(hz, 500, 900, 40, 100);
    let last = samples(hz, 8_000_000, 900, 40, 100);
    let calm = from_counts(&first, &last).expect("samples that agree");
    // 700 us went by within one sample.
    first[5].not_before -= 1_680_000.min(first[5].not_before);
    let stopped = from_counts(&first, &last).expect("samples that agree");
    assert!(stopped.error_ppb >= calm.error_ppb);
    assert!(stopped.error_ppb < 100_000);
}

#[test]
fn a_turn_of_the_counter_is_noticed() {
    let hz = 1_000_000_000;
    let first = samples(hz, 500, 900, 40, 100);
    let mut last = samples(hz, 8_000_000, 900, 40, 100);
    // The last sample came 54.9 ms later than its count tells.
    last[23].not_before += 54_925_000;
    last[23].not_after += 54_925_000;
    assert_eq!(from_counts(&first, &last), None);
}

#[test]
fn the_timers_rate_is_what_was_counted() {
    assert_eq!(timer::rate_hz(1_000_000, 1_000_000), Some(1_000_000_000));
    assert_eq!(timer::rate_hz(0, 1_000_000), None);
    assert_eq!(timer::rate_hz(5, 0), None);
    assert_eq!(timer::count_for(0, 1_000_000_000), 1);
    assert_eq!(timer::count_for(1_500, 1_000_000), 2);
    assert_eq!(timer::count_for(u64::MAX, u64::MAX), u32::MAX);
}
