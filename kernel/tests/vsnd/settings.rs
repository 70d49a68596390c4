//! Settings that the image carries out: log level and position source.

use log::LevelFilter;
use snd_hda::stream::PositionChoice;
use snddom_kernel::home::vsnd::Change;

use crate::support::*;

fn changes(rig: &mut Rig) -> Vec<Change> {
    std::iter::from_fn(|| rig.vsnd.take_change()).collect()
}

#[test]
fn each_change_is_told_once() {
    let mut rig = Rig::new();
    assert_eq!(changes(&mut rig), []);
    for (value, level) in [
        ("error", LevelFilter::Error),
        ("warn", LevelFilter::Warn),
        ("debug", LevelFilter::Debug),
        ("trace", LevelFilter::Trace),
        ("info", LevelFilter::Info),
    ] {
        rig.stored.set("snddom/log-level", value);
        rig.wake();
        assert_eq!(changes(&mut rig), [Change::LogLevel(level)]);
        rig.stored.set("snddom/log-level", value);
        rig.wake();
        assert_eq!(changes(&mut rig), []);
    }
    for (value, choice) in
        [("link", PositionChoice::Link), ("memory", PositionChoice::Memory), ("auto", PositionChoice::Auto)]
    {
        rig.stored.set("snddom/position-source", value);
        rig.wake();
        assert_eq!(changes(&mut rig), [Change::PositionSource(choice)]);
    }
    rig.stored.set("snddom/position-source", "link");
    rig.stored.set("snddom/log-level", "debug");
    rig.wake();
    assert_eq!(changes(&mut rig).len(), 2);
    rig.stored.remove("snddom");
    rig.wake();
    assert_eq!(
        changes(&mut rig),
        [Change::LogLevel(LevelFilter::Info), Change::PositionSource(PositionChoice::Auto)]
    );
}

#[test]
fn what_is_set_before_the_start_holds_from_the_start() {
    let mut rig = Rig::unstarted(duplex());
    rig.stored.set("snddom/log-level", "warn");
    rig.start();
    assert_eq!(changes(&mut rig), [Change::LogLevel(LevelFilter::Warn)]);
}

#[test]
fn a_value_that_makes_no_sense_is_named_and_changes_nothing() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/log-level", "debug");
    rig.stored.set("snddom/position-source", "link");
    rig.wake();
    changes(&mut rig);
    for (node, value) in [
        ("snddom/log-level", "loud"),
        ("snddom/log-level", ""),
        ("snddom/log-level", "off"),
        ("snddom/position-source", "3"),
        ("snddom/position-source", "Link"),
    ] {
        // All settings are read again when one of them changes; the good ones say nothing.
        let before = rig.stored.value(node).map(str::to_owned).expect("a value");
        rig.stored.set(node, value);
        rig.wake();
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(&format!("{node}: ")), "{warnings:?}");
        assert_eq!(changes(&mut rig), []);
        rig.stored.set(node, &before);
        rig.wake();
    }
    rig.stored.remove("snddom/log-level");
    rig.wake();
    assert_eq!(changes(&mut rig), [Change::LogLevel(LevelFilter::Info)]);
}

#[test]
fn its_own_state_is_no_setting() {
    let mut rig = Rig::new();
    rig.advance(500 * MS);
    rig.stored.requests.clear();
    rig.stored.set("snddom/state/version", "x");
    rig.stored.set("snddom/other/thing", "x");
    rig.wake();
    assert_eq!(rig.stored.requests, []);
}
