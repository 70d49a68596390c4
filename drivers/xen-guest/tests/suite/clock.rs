//! System time: scaling, torn readings, monotony.

use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;

use hyper::{Clock, Nanos};
use proptest::prelude::*;
use xen_guest::clock::{TimeError, TimeScale, XenClock, read};
use xen_sys::shared_info::VcpuTimeInfo;

fn page(version: u32, scale: TimeScale) -> VcpuTimeInfo {
    let info = VcpuTimeInfo::default();
    set(&info, version, scale);
    info
}

fn set(info: &VcpuTimeInfo, version: u32, scale: TimeScale) {
    info.tsc_timestamp.store(scale.tsc_timestamp, SeqCst);
    info.system_time.store(scale.system_time_ns, SeqCst);
    info.tsc_to_system_mul.store(scale.mul, SeqCst);
    info.tsc_shift.store(scale.shift, SeqCst);
    info.version.store(version, SeqCst);
}

/// 1 GHz: half of 2^32 after a shift by one.
const GIGAHERTZ: TimeScale =
    TimeScale { tsc_timestamp: 1_000, system_time_ns: 5_000_000, mul: 1 << 31, shift: 1 };

#[test]
fn ticks_become_nanoseconds() {
    // Header: 2.4 GHz is (10^9 << 32) / mul >> shift.
    let mul = ((1u128 << 33) * 1_000_000_000 / 2_400_000_000) as u32;
    let scale = TimeScale { tsc_timestamp: 0, system_time_ns: 0, mul, shift: -1 };
    let second = scale.ns_at(2_400_000_000).expect("in range");
    assert!((999_999_999..=1_000_000_000).contains(&second), "{second}");
    assert_eq!(GIGAHERTZ.ns_at(1_777), Some(5_000_777));
    // A counter that lags behind does not make time run backwards.
    assert_eq!(GIGAHERTZ.ns_at(3), Some(5_000_000));
}

#[test]
fn the_scale_states_the_counters_frequency() {
    assert_eq!(GIGAHERTZ.tsc_hz(), Some(1_000_000_000));
    // The factor's highest bit is set, as Xen chooses the shift.
    for (hz, shift) in [(1_000_000_u64, 10), (800_000_000, 1), (2_400_000_000, -1), (5_999_999_999, -2)] {
        let mul = (1_000_000_000_u128 << 32 << 10 >> (shift + 10)) / u128::from(hz);
        let scale = TimeScale { mul: u32::try_from(mul).expect("32 bits"), shift, ..GIGAHERTZ };
        let stated = scale.tsc_hz().expect("a frequency");
        assert!(stated.abs_diff(hz) <= hz >> 30, "{hz} Hz, stated {stated}");
    }
    for nonsense in [TimeScale { mul: 0, ..GIGAHERTZ }, TimeScale { shift: 32, ..GIGAHERTZ }] {
        assert_eq!(nonsense.tsc_hz(), None);
    }
}

#[test]
fn extremes_neither_overflow_nor_wrap() {
    let scale = TimeScale { tsc_timestamp: 0, system_time_ns: u64::MAX, mul: u32::MAX, shift: 31 };
    assert_eq!(scale.ns_at(u64::MAX >> 1), Some(u64::MAX));
    let tiny = TimeScale { shift: -63, system_time_ns: 9, ..scale };
    assert_eq!(tiny.ns_at(u64::MAX >> 1), Some(9));
    for shift in [32, 127, -64, -128] {
        assert_eq!(TimeScale { shift, ..scale }.ns_at(1), None, "{shift}");
    }
    assert_eq!(read(&page(2, TimeScale { shift: 40, ..scale }), || 1), Err(TimeError::BadShift(40)));
}

proptest! {
    /// Against the header's formula, in numbers that have room for it.
    #[test]
    fn scaling_is_the_headers(
        timestamp: u64, system_time_ns in 0u64..1 << 62, mul: u32, shift in -31i8..=8, ticks in 0u64..1 << 48,
    ) {
        // Any moment: a guest's counter starts at 0, at a moment that Xen may have stamped before.
        let scale = TimeScale { tsc_timestamp: timestamp, system_time_ns, mul, shift };
        let shifted = if shift < 0 { ticks as u128 / (1u128 << -shift) } else { ticks as u128 * (1u128 << shift) };
        let expected = shifted * u128::from(mul) / (1u128 << 32) + u128::from(system_time_ns);
        let expected = u64::try_from(expected).unwrap_or(u64::MAX);
        prop_assert_eq!(scale.ns_at(timestamp.wrapping_add(ticks)), Some(expected));
    }

    /// Xen changes the page in the middle of readings: what is read is one version or another, never a mixture.
    #[test]
    fn no_mixture_is_read(versions in prop::collection::vec((0u64..1 << 40, 0u64..1 << 40), 1..20), changes in 0usize..20) {
        let scale = |(tsc_timestamp, system_time_ns)| TimeScale { tsc_timestamp, system_time_ns, ..GIGAHERTZ };
        let info = page(0, scale(versions[0]));
        let at = Cell::new(0usize);
        // Reading the counter is the moment at which the page changes.
        let now = read(&info, || {
            if at.get() < changes {
                at.set(at.get() + 1);
                set(&info, 2 * at.get() as u32, scale(versions[at.get() % versions.len()]));
            }
            1 << 41
        });
        let last = scale(versions[at.get() % versions.len()]);
        prop_assert_eq!(now, Ok(Nanos(last.ns_at(1 << 41).expect("in range"))));
        prop_assert_eq!(at.get(), changes);
    }
}

#[test]
fn a_page_that_is_always_being_changed_is_an_error() {
    let info = page(2, GIGAHERTZ);
    let readings = Cell::new(0u32);
    let torn = read(&info, || {
        readings.set(readings.get() + 1);
        info.version.store(readings.get() * 2 + 2, SeqCst);
        0
    });
    assert_eq!(torn, Err(TimeError::Torn));
    assert!(readings.get() <= 1_000);
    // One that is left in the middle of a change isn't read at all.
    assert_eq!(read(&page(3, GIGAHERTZ), || unreachable!("an odd version")), Err(TimeError::Torn));
}

#[test]
fn the_clock_never_runs_backwards() {
    let info = page(2, GIGAHERTZ);
    let tsc = Cell::new(2_000u64);
    let clock = XenClock::new(&info, || tsc.get()).expect("a time");
    assert_eq!(clock.now(), Nanos(5_001_000));
    tsc.set(1_500);
    assert_eq!(clock.now(), Nanos(5_001_000));
    tsc.set(3_000);
    assert_eq!(clock.now(), Nanos(5_002_000));
    // While it can't be read, it stands.
    info.version.store(3, SeqCst);
    tsc.set(9_000);
    assert_eq!(clock.now(), Nanos(5_002_000));
    info.version.store(4, SeqCst);
    assert_eq!(clock.now(), Nanos(5_008_000));
    info.version.store(5, SeqCst);
    assert!(XenClock::new(&info, || 0).is_err());
}
