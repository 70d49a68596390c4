//! Monitors: ports that hear what an output plays, by a right of their own.

use sndif::Direction::{Capture, Playback};

use crate::rights::{capture_on, may, playback_on};
use crate::support::*;

/// The second codec's input is `monitor-0`.
fn rig() -> Rig {
    Rig::with_monitor(codecs(2))
}

#[test]
fn no_right_to_record_is_one_to_hear_others() {
    let mut rig = rig();
    let set = |rig: &mut Rig, node: &str, value: &str| {
        rig.stored.set(node, value);
        rig.wake();
    };
    assert!(!may(&mut rig, 3, &capture_on("monitor-0")));
    for right in ["1", "input-0", "Line In"] {
        set(&mut rig, "snddom/may-record", right);
        set(&mut rig, "snddom/guest/3/may-record", right);
        assert!(may(&mut rig, 3, &capture_on("input-0")), "{right}");
        assert!(!may(&mut rig, 3, &capture_on("monitor-0")), "{right}");
    }
    set(&mut rig, "snddom/may-record", "0");
    rig.stored.remove("snddom/guest");
    // The last is the model's label of that port.
    for right in ["1", "monitor-0", "Line In 2"] {
        set(&mut rig, "snddom/guest/3/may-hear", right);
        assert!(may(&mut rig, 3, &capture_on("monitor-0")), "{right}");
        assert!(may(&mut rig, 3, &capture_on("line in 2")), "{right}");
        assert!(!may(&mut rig, 3, &capture_on("input-0")), "{right}");
        assert!(!may(&mut rig, 4, &capture_on("monitor-0")), "{right}: another guest");
    }
    set(&mut rig, "snddom/may-hear", "1");
    assert!(may(&mut rig, 4, &capture_on("monitor-0")));
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
}

#[test]
fn a_right_names_ports_of_its_own_kind_only() {
    let mut rig = rig();
    for (node, bad) in [
        ("may-hear", "input-0"),
        ("may-hear", "output-0"),
        ("may-hear", "monitor-1"),
        ("may-hear", "monitor-0,input-0"),
        ("may-record", "monitor-0"),
        ("may-record", "input-0,monitor-0"),
        ("may-record", "Line In 2"),
        ("may-play", "monitor-0"),
    ] {
        rig.stored.set(&format!("snddom/{node}"), bad);
        rig.wake();
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{node} = {bad}: {warnings:?}");
        assert!(!may(&mut rig, 3, &capture_on("monitor-0")), "{node} = {bad}");
        rig.stored.remove(&format!("snddom/{node}"));
        rig.wake();
    }
}

#[test]
fn a_monitor_is_named_and_never_picked() {
    let mut rig = rig();
    rig.stored.set("snddom/may-hear", "1");
    rig.wake();
    for other in ["x", "monitor", "monitor-", "monitor-00", "monitors-0"] {
        assert!(!may(&mut rig, 3, &capture_on(other)), "{other:?} is the first input");
    }
    // It's an input that exists once.
    for (stream, direction) in [("monitor-1", Capture), ("monitor-0", Playback)] {
        rig.attach(3, 0, &[(0, 0, direction, stream)]);
        rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
        assert_eq!(logs::take_warnings().len(), 1);
        rig.detach(3, 0);
        rig.until_removed(3);
    }
    assert!(may(&mut rig, 3, &playback_on("x")));
}

#[test]
fn its_stream_ends_with_the_right_and_says_its_port() {
    let mut rig = rig();
    rig.stored.set("snddom/guest/3/may-hear", "monitor-0");
    let front = rig.guest_with(3, &capture_on("monitor-0")).remove(0);
    rig.record(front, 400_000);
    rig.advance(1_500 * MS);
    assert!(rig.is_running());
    let status = rig.stored.value("snddom/state/device/3-0/0-0").expect("a status");
    assert!(status.starts_with("port=monitor-0 status=running"), "{status}");
    rig.stored.set("snddom/guest/3/may-hear", "0");
    rig.wake();
    assert!(!rig.is_running());
    rig.assert_rules_were_kept();
}

#[test]
fn it_has_no_settings() {
    let mut rig = rig();
    rig.stored.set("snddom/port/monitor-0/mode", "shared");
    rig.wake();
    assert_eq!(rig.applied(), []);
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("monitor-0"), "{warnings:?}");
}
