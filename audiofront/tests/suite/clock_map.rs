//! Two clocks, mapped by echoes: what is true lies within the bound, however the delays are spread.

use audiofront::{BadEcho, Bounded, ClockMap, DRIFT_MAX_PPB};
use proptest::prelude::*;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Xen's clock as it truly is: another origin, another speed.
#[derive(Clone, Copy, Debug)]
struct Truth {
    origin_ns: u64,
    drift_ppb: i64,
}

impl Truth {
    fn system(self, guest_ns: u64) -> u64 {
        let extra = i128::from(guest_ns) * i128::from(self.drift_ppb) / 1_000_000_000;
        (i128::from(guest_ns) + i128::from(self.origin_ns) + extra).try_into().unwrap()
    }

    fn echo(self, map: &mut ClockMap, sent: u64, there: u64, back: u64) -> Result<(), BadEcho> {
        map.add(sent, sent + there + back, self.system(sent + there))
    }

    /// The map's error at a time of the guest's, and its bound.
    fn error(self, map: &ClockMap, guest_ns: u64) -> (u64, u64) {
        let Bounded { time_ns, error_ns } = map.to_system(guest_ns).unwrap();
        (time_ns.abs_diff(self.system(guest_ns)), error_ns)
    }
}

#[test]
fn nothing_is_known_before_the_first_echo() {
    let map = ClockMap::new();
    assert_eq!((map.to_system(5), map.to_guest(5)), (None, None));
    assert_eq!(map.drift_ppb(), (-500_000, 500_000), "what is assumed until it is measured");
}

#[test]
fn one_echo_is_as_good_as_its_round_trip() {
    let truth = Truth { origin_ns: 77 * SECOND, drift_ppb: 0 };
    let mut map = ClockMap::new();
    truth.echo(&mut map, SECOND, 10 * US, 30 * US).unwrap();
    let heard = SECOND + 40 * US;
    let Bounded { time_ns, error_ns } = map.to_system(heard).unwrap();
    assert!((20 * US..20 * US + 50).contains(&error_ns), "half of 40 us, and the drift of those: {error_ns}");
    assert_eq!(time_ns.abs_diff(truth.system(heard)), 10 * US - 10, "half of the delays' asymmetry");
    // A second later the clocks may have drifted by 500 us.
    let (error, bound) = truth.error(&map, heard + SECOND);
    assert!(error <= bound && (519 * US..=521 * US).contains(&bound), "{bound}");
    let (error, bound) = truth.error(&map, heard - SECOND);
    assert!(error <= bound && (519 * US..=521 * US).contains(&bound), "and backwards: {bound}");
}

#[test]
fn delays_of_one_way_only_leave_the_truth_within_the_bound() {
    for (there, back) in [(0, 400 * US), (400 * US, 0), (3 * US, 20 * MS)] {
        let truth = Truth { origin_ns: 5, drift_ppb: 120_000 };
        let mut map = ClockMap::new();
        for turn in 1..1_000 {
            let sent = turn * 10 * MS;
            truth.echo(&mut map, sent, there, back).unwrap();
            let (error, bound) = truth.error(&map, sent + there + back);
            assert!(error <= bound, "{there} there, {back} back, turn {turn}: {error} > {bound}");
        }
    }
}

#[test]
fn a_few_quick_echoes_among_slow_ones_make_a_narrow_map() {
    let truth = Truth { origin_ns: 123_456_789_012, drift_ppb: -20_000 };
    let mut map = ClockMap::new();
    for turn in 0..6_000u64 {
        let sent = turn * 10 * MS;
        // Slow to and fro by turns, and quick once in a hundred.
        let (there, back) = match turn % 100 {
            50 => (4 * US, 6 * US),
            odd if odd % 2 == 1 => (300 * US, 10 * US),
            _ => (10 * US, 2 * MS),
        };
        truth.echo(&mut map, sent, there, back).unwrap();
    }
    let now = 60 * SECOND;
    let (error, bound) = truth.error(&map, now);
    assert!(error <= bound && bound <= 15 * US, "{error}, {bound}");
    let (low, high) = map.drift_ppb();
    assert!(low <= -20_000 && -20_000 <= high && high - low <= 12_000, "measured: {low} to {high}");
    // A second without an echo costs no more than the drift's remaining doubt.
    let (error, bound) = truth.error(&map, now + SECOND);
    assert!(error <= bound && bound <= 27 * US, "{error}, {bound}");
}

#[test]
fn a_time_of_xens_has_its_place_on_the_guests_clock() {
    for drift_ppb in [-500_000, 0, 499_999] {
        let truth = Truth { origin_ns: 9 * SECOND, drift_ppb };
        let mut map = ClockMap::new();
        for turn in 0..50 {
            truth.echo(&mut map, turn * 10 * MS, 5 * US, 9 * US).unwrap();
        }
        for guest in [0, 100 * MS, 490 * MS, SECOND, 30 * SECOND] {
            let Bounded { time_ns, error_ns } = map.to_guest(truth.system(guest)).unwrap();
            assert!(time_ns.abs_diff(guest) <= error_ns, "{drift_ppb}: {guest} as {time_ns} +- {error_ns}");
        }
    }
}

#[test]
fn echoes_that_cannot_be_are_refused() {
    let mut map = ClockMap::new();
    assert_eq!(map.add(10, 9, 5), Err(BadEcho::Backwards));
    assert_eq!(map.to_system(9), None, "and leave nothing behind");
    map.add(SECOND, SECOND + 10, 5 * SECOND).unwrap();
    assert_eq!(map.add(SECOND, SECOND + 9, 5 * SECOND), Err(BadEcho::OutOfOrder));
    // The guest's clock was set, or the back end lies: the map begins anew, with what it was told last.
    assert_eq!(map.add(2 * SECOND, 2 * SECOND + 10, SECOND), Err(BadEcho::Contradiction));
    let Bounded { time_ns, error_ns } = map.to_system(2 * SECOND + 10).unwrap();
    assert!(time_ns.abs_diff(SECOND + 5) <= 5 && error_ns <= 6, "{time_ns} +- {error_ns}");
    map.add(3 * SECOND, 3 * SECOND + 10, 2 * SECOND).unwrap();
}

proptest! {
    /// Any delays, any drift within what is assumed, any rhythm: the truth is within the bound, after each echo, between echoes
    /// and beyond them; in both directions.
    #[test]
    fn the_truth_is_within_the_bound(
        origin_ns in 0u64..1 << 50,
        drift_ppb in -i64::from(DRIFT_MAX_PPB)..=i64::from(DRIFT_MAX_PPB),
        echoes in prop::collection::vec((0u64..200 * MS, 0u64..3 * MS, 0u64..3 * MS), 1..100),
        looks in prop::collection::vec(0u64..20 * SECOND, 1..4),
    ) {
        let truth = Truth { origin_ns, drift_ppb };
        let mut map = ClockMap::new();
        // So that nothing lies before the system's clock began.
        let mut guest = 100 * SECOND;
        for (pause, there, back) in echoes {
            guest += pause;
            prop_assert_eq!(truth.echo(&mut map, guest, there, back), Ok(()));
            guest += there + back;
            for look in &looks {
                for at in [guest + look, guest - look] {
                    let (error, bound) = truth.error(&map, at);
                    prop_assert!(error <= bound + 1, "{} after {}: {} > {}", look, guest, error, bound);
                    let mapped = map.to_guest(truth.system(at)).unwrap();
                    prop_assert!(mapped.time_ns.abs_diff(at) <= mapped.error_ns + 1, "{} of {}: {:?}", at, guest, mapped);
                }
            }
        }
        let (low, high) = map.drift_ppb();
        prop_assert!(i64::from(low) <= drift_ppb && drift_ppb <= i64::from(high));
    }

    /// Any words of a back end's: nothing panics.
    #[test]
    fn any_echoes_do_no_harm(echoes in prop::collection::vec(any::<[u64; 3]>(), 1..50), looks: [u64; 2]) {
        let mut map = ClockMap::new();
        for [sent, heard, taken] in echoes {
            let _ = map.add(sent, heard, taken);
            let _ = (map.to_system(looks[0]), map.to_guest(looks[1]), map.drift_ppb());
        }
    }
}
