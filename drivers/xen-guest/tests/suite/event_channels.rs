//! Pending bits: each event once, none lost.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;

use audioback::hypervisor::EventChannel;
use proptest::prelude::*;
use xen_guest::event_channels::EventChannels;
use xen_sys::shared_info::SharedInfo;

/// What Xen does for a masked channel.
fn raise(info: &SharedInfo, port: u32) {
    info.evtchn_pending[port as usize / 64].fetch_or(1 << (port % 64), SeqCst);
}

fn take_all(channels: &EventChannels<'_>) -> Vec<u32> {
    let mut taken = Vec::new();
    channels.take_all(|channel| taken.push(channel.0));
    taken
}

#[test]
fn all_channels_are_masked() {
    let info = SharedInfo::default();
    let _ = EventChannels::new(&info);
    assert!(info.evtchn_mask.iter().all(|word| word.load(SeqCst) == u64::MAX));
}

#[test]
fn one_channel_is_taken_alone() {
    let info = SharedInfo::default();
    let channels = EventChannels::new(&info);
    raise(&info, 63);
    raise(&info, 64);
    assert!(channels.any_pending());
    assert!(channels.is_pending(EventChannel(64)));
    assert!(channels.take(EventChannel(64)));
    assert!(!channels.take(EventChannel(64)));
    assert!(channels.is_pending(EventChannel(63)));
    assert_eq!(take_all(&channels), [63]);
    assert!(!channels.any_pending());
}

#[test]
fn ports_that_are_none_are_never_pending() {
    let info = SharedInfo::default();
    let channels = EventChannels::new(&info);
    for port in [4096, u32::MAX] {
        assert!(!channels.is_pending(EventChannel(port)));
        assert!(!channels.take(EventChannel(port)));
    }
}

#[test]
fn an_event_that_comes_while_events_are_taken_is_taken_next_time_at_the_latest() {
    let info = SharedInfo::default();
    let channels = EventChannels::new(&info);
    raise(&info, 5);
    let mut taken = Vec::new();
    channels.take_all(|channel| {
        taken.push(channel.0);
        // Its own word, and one further on; the same again, so that it never would end.
        raise(&info, 5);
        raise(&info, 4095);
        assert!(taken.len() < 10, "it never ends");
    });
    let again = take_all(&channels);
    assert_eq!(taken, [5, 4095]);
    assert_eq!(again, [5, 4095]);
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
}
