//! Settings: log level, report, and those of the card.

use audioback::card::{CardSettings, JackPolicy, PositionChoice};
use log::LevelFilter;
use vsnd::Change;

use crate::support::*;

fn changes(rig: &mut Rig) -> Vec<Change> {
    std::iter::from_fn(|| rig.vsnd.take_change()).collect()
}

#[test]
fn each_change_is_reported_or_applied_once() {
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
        assert_eq!(rig.applied(), [CardSettings { position_source: choice, ..CardSettings::default() }]);
    }
    for (value, policy) in
        [("both", JackPolicy::Both), ("stay", JackPolicy::Stay), ("move", JackPolicy::Move)]
    {
        rig.stored.set("snddom/jacks", value);
        rig.wake();
        assert_eq!(rig.applied(), [CardSettings { jack_policy: policy, ..CardSettings::default() }]);
    }
    rig.stored.set("snddom/position-source", "link");
    rig.stored.set("snddom/log-level", "debug");
    rig.stored.set("snddom/jacks", "stay");
    rig.wake();
    assert_eq!(changes(&mut rig), [Change::LogLevel(LevelFilter::Debug)]);
    let set = CardSettings {
        position_source: PositionChoice::Link,
        jack_policy: JackPolicy::Stay,
        ..CardSettings::default()
    };
    assert_eq!(rig.applied().last(), Some(&set));
    rig.stored.remove("snddom");
    rig.wake();
    assert_eq!(changes(&mut rig), [Change::LogLevel(LevelFilter::Info)]);
    assert_eq!(rig.applied().last(), Some(&CardSettings::default()));
    rig.stored.set("snddom/jacks", "move");
    rig.stored.set("snddom/position-source", "auto");
    rig.wake();
    assert_eq!((changes(&mut rig), rig.applied()), (vec![], vec![]), "these are the defaults");
}

#[test]
fn settings_from_before_the_start_hold_from_the_start() {
    let mut rig = Rig::unstarted(duplex());
    rig.stored.set("snddom/log-level", "warn");
    rig.stored.set("snddom/jacks", "both");
    rig.start();
    assert_eq!(changes(&mut rig), [Change::LogLevel(LevelFilter::Warn)]);
    let set = CardSettings { jack_policy: JackPolicy::Both, ..CardSettings::default() };
    assert_eq!(rig.applied(), [set]);
}

#[test]
fn an_invalid_value_is_logged_and_changes_nothing() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/log-level", "debug");
    rig.stored.set("snddom/position-source", "link");
    rig.stored.set("snddom/jacks", "both");
    rig.wake();
    changes(&mut rig);
    rig.applied();
    for (node, value) in [
        ("snddom/log-level", "loud"),
        ("snddom/log-level", ""),
        ("snddom/log-level", "off"),
        ("snddom/position-source", "3"),
        ("snddom/position-source", "Link"),
        ("snddom/jacks", "Move"),
        ("snddom/jacks", "move,both"),
        ("snddom/jacks", ""),
    ] {
        // All settings are read again when one of them changes; the good ones say nothing.
        let before = rig.stored.value(node).map(str::to_owned).expect("a value");
        rig.stored.set(node, value);
        rig.wake();
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(&format!("{node}: ")), "{warnings:?}");
        assert_eq!((changes(&mut rig), rig.applied()), (vec![], vec![]));
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

#[test]
fn a_report_is_asked_for_by_number_and_published_once() {
    let mut rig = Rig::new();
    rig.advance(1_000 * MS);
    assert_eq!(rig.stored.value("snddom/state/report"), None);
    rig.stored.set("snddom/report", "7");
    rig.wake();
    assert_eq!(changes(&mut rig), [Change::Report(7)]);
    // The same number is the same question, also when all settings are read again.
    rig.stored.set("snddom/report", "7");
    rig.wake();
    assert_eq!(changes(&mut rig), []);

    rig.vsnd.report(format_args!("number={} turns={}", 7, u64::MAX));
    rig.advance(300 * MS);
    let published = |rig: &Rig| rig.stored.value("snddom/state/report").map(str::to_owned);
    assert_eq!(published(&rig).as_deref(), Some("number=7 turns=18446744073709551615"));
    rig.stored.requests.clear();
    rig.advance(3_000 * MS);
    assert!(rig.stored.requests.is_empty(), "nothing is published without a request");

    rig.stored.set("snddom/report", "seven");
    rig.wake();
    assert_eq!((changes(&mut rig), logs::take_warnings().len()), (vec![], 1));
    rig.stored.set("snddom/report", "8");
    rig.wake();
    assert_eq!(changes(&mut rig), [Change::Report(8)]);
}

#[test]
fn a_report_that_may_not_be_published_waits_for_the_right() {
    let mut rig = Rig::new();
    rig.advance(1_000 * MS);
    rig.stored.may_write = Some(vec!["backend/vsnd".into()]);
    rig.vsnd.report(format_args!("number=1"));
    rig.advance(1_000 * MS);
    assert_eq!(rig.stored.value("snddom/state/report"), None);
    rig.stored.may_write = None;
    rig.stored.set("snddom/state", "");
    rig.wake();
    rig.advance(1_000 * MS);
    assert_eq!(rig.stored.value("snddom/state/report"), Some("number=1"));
}
