//! The timer is set when it has to be, and never runs out after a deadline.

use hyper::Nanos;
use proptest::prelude::*;
use xen_guest::alarm::{Alarm, EARLY_NS_MAX};

const MS: u64 = 1_000_000;

#[test]
fn the_first_deadline_is_set_and_stands_for_those_shortly_after_it() {
    let mut alarm = Alarm::default();
    assert_eq!(alarm.set(None, Nanos(0)), None);
    assert_eq!(alarm.set(Some(Nanos(10 * MS)), Nanos(0)), Some(Nanos(10 * MS)));
    assert_eq!(alarm.set(Some(Nanos(10 * MS)), Nanos(MS)), None);
    assert_eq!(alarm.set(Some(Nanos(10 * MS + MS / 2)), Nanos(MS)), None);
    assert_eq!(alarm.set(Some(Nanos(11 * MS)), Nanos(MS)), Some(Nanos(11 * MS)));
    assert_eq!(alarm.set(Some(Nanos(11 * MS - 1)), Nanos(MS)), Some(Nanos(11 * MS - 1)));
    // However long the sleep, not earlier than this.
    let far = Nanos(1_000 * MS);
    assert_eq!(alarm.set(Some(far), Nanos(MS)), Some(far));
    assert_eq!(alarm.set(Some(Nanos(far.0 + EARLY_NS_MAX)), Nanos(MS)), None);
    let farther = Nanos(far.0 + EARLY_NS_MAX + 1);
    assert_eq!(alarm.set(Some(farther), Nanos(MS)), Some(farther));
}

#[test]
fn one_that_has_run_out_is_set_again_also_just_before_the_deadline() {
    let mut alarm = Alarm::default();
    assert!(alarm.set(Some(Nanos(10 * MS)), Nanos(0)).is_some());
    assert_eq!(alarm.set(Some(Nanos(10 * MS + 1)), Nanos(10 * MS)), Some(Nanos(10 * MS + 1)));
}

#[test]
fn without_a_deadline_what_was_set_stays() {
    let mut alarm = Alarm::default();
    assert!(alarm.set(Some(Nanos(10 * MS)), Nanos(0)).is_some());
    assert_eq!(alarm.set(None, Nanos(MS)), None);
    assert_eq!(alarm.set(Some(Nanos(10 * MS)), Nanos(2 * MS)), None);
}

#[test]
fn the_ends_of_time_are_times() {
    let mut alarm = Alarm::default();
    assert_eq!(alarm.set(Some(Nanos(0)), Nanos(u64::MAX)), Some(Nanos(0)));
    assert_eq!(alarm.set(Some(Nanos(u64::MAX)), Nanos(0)), Some(Nanos(u64::MAX)));
}

proptest! {
    /// A timer as Xen's, and somebody who sleeps until it or until an event: whenever there is a deadline, something is set
    /// that is still to come, and no later than that.
    #[test]
    fn nobody_sleeps_past_a_deadline(
        steps in prop::collection::vec((1u64..20 * MS, prop::option::of(1u64..3_000 * MS)), 1..60),
    ) {
        let mut alarm = Alarm::default();
        let mut timer = None;
        let mut now = 0;
        for (event_after, sleep) in steps {
            let deadline = sleep.map(|sleep| Nanos(now + sleep));
            timer = alarm.set(deadline, Nanos(now)).or(timer);
            if let Some(deadline) = deadline {
                prop_assert!(timer.is_some_and(|timer: Nanos| timer.0 > now));
                prop_assert!(timer.is_some_and(|timer| timer <= deadline));
            }
            // Woken by whichever comes first.
            now = timer.map_or(now + event_after, |timer: Nanos| timer.0.min(now + event_after));
            timer = timer.filter(|timer| timer.0 > now);
        }
    }
}
