//! Pending bits: each event once, none lost.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;

use hyper::EventChannel;
use proptest::prelude::*;
use xen_guest::event_channels::EventChannels;
use xen_sys::shared_info::SharedInfo;

use crate::support::raise::raise;

fn take_all(channels: &EventChannels<'_>) -> Vec<u32> {
    let mut taken = Vec::new();
    channels.take_all(|channel| taken.push(channel.0));
    taken
}

#[test]
fn what_came_while_channels_were_masked_is_taken_first() {
    let info = SharedInfo::default();
    info.evtchn_mask.iter().for_each(|word| word.store(u64::MAX, SeqCst));
    raise(&info, 63);
    raise(&info, 64);
    let channels = EventChannels::new(&info);
    assert!(info.evtchn_mask.iter().all(|word| word.load(SeqCst) == 0));
    assert!(channels.any_pending());
    assert_eq!(take_all(&channels), [63, 64]);
    assert!(!channels.any_pending());
    assert_eq!(take_all(&channels), []);
}

#[test]
fn an_upcall_without_an_event_is_over_once_it_was_looked_at() {
    let info = SharedInfo::default();
    let channels = EventChannels::new(&info);
    take_all(&channels);
    info.vcpu_info[0].evtchn_upcall_pending.store(1, SeqCst);
    assert!(channels.any_pending());
    assert_eq!(take_all(&channels), []);
    assert!(!channels.any_pending());
}

#[test]
fn an_event_that_comes_while_events_are_taken_is_taken_next_time_at_the_latest() {
    let info = SharedInfo::default();
    let channels = EventChannels::new(&info);
    take_all(&channels);
    raise(&info, 5);
    let mut taken = Vec::new();
    channels.take_all(|channel| {
        taken.push(channel.0);
        // Its own word, and one further on; the same again, so that it never would end.
        raise(&info, 5);
        raise(&info, 4095);
        assert!(taken.len() < 10, "it never ends");
    });
    assert_eq!(taken, [5]);
    // No time to sleep.
    assert!(channels.any_pending());
    assert_eq!(take_all(&channels), [5, 4095]);
    assert!(!channels.any_pending());
}

#[test]
fn a_channel_that_is_masked_wakes_nobody_and_loses_nothing() {
    let info = SharedInfo::default();
    let channels = EventChannels::new(&info);
    take_all(&channels);
    for port in [0, 63, 64, 4095] {
        let channel = EventChannel(port);
        channels.mask(channel);
        raise(&info, port);
        assert!(!channels.any_pending(), "{port}");
        assert_eq!(take_all(&channels), []);
        // Another one of the same word does wake.
        raise(&info, port ^ 1);
        assert!(channels.any_pending());
        assert_eq!(
            take_all(&channels),
            if port & 1 == 0 { vec![port, port ^ 1] } else { vec![port ^ 1, port] }
        );
        raise(&info, port);
        assert!(!channels.any_pending(), "{port}");
        channels.unmask(channel);
        assert!(channels.any_pending());
        assert_eq!(take_all(&channels), [port]);
        channels.mask(channel);
        channels.unmask(channel);
        assert!(!channels.any_pending(), "nothing came");
        raise(&info, port);
        assert_eq!(take_all(&channels), [port], "as before");
    }
    // One that doesn't exist.
    channels.mask(EventChannel(u32::MAX));
    channels.unmask(EventChannel(u32::MAX));
}

proptest! {
    #[test]
    fn each_pending_channel_is_told_once(ports in prop::collection::btree_set(0u32..4096, 0..300)) {
        let info = SharedInfo::default();
        let channels = EventChannels::new(&info);
        ports.iter().for_each(|port| raise(&info, *port));
        let taken = take_all(&channels);
        prop_assert!(taken.is_sorted());
        prop_assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), ports);
        prop_assert!(!channels.any_pending());
    }

    /// Whatever comes before, while or after events are taken: as long as one is pending, it is no time to sleep.
    #[test]
    fn no_event_is_slept_on(steps in prop::collection::vec((0u32..4096, prop::option::of(0u32..4096)), 0..50)) {
        let info = SharedInfo::default();
        let channels = EventChannels::new(&info);
        for (before, during) in steps {
            raise(&info, before);
            let mut during = during;
            channels.take_all(|_| {
                if let Some(port) = during.take() {
                    raise(&info, port);
                }
            });
            let is_pending = info.evtchn_pending.iter().any(|word| word.load(SeqCst) != 0);
            prop_assert!(channels.any_pending() || !is_pending);
        }
    }
}
