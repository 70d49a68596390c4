//! dom0's volume and mute, for ports and for guests.

use audioback::card::Trim;

use crate::support::*;

fn set(rig: &mut Rig, node: &str, value: &str) {
    rig.stored.set(&format!("snddom/{node}"), value);
    rig.wake();
}

/// The trims of the streams that the card has had so far, in the order of their calls.
fn trims(rig: &Rig) -> Vec<Trim> {
    rig.card.trims.take()
}

const fn trim(mdb: i32, is_muted: bool) -> Trim {
    Trim { mdb, is_muted }
}

#[test]
fn a_guest_s_volume_reaches_its_streams_when_they_open_and_at_once() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/volume", "-12500");
    rig.stored.set("snddom/guest/4/mute", "1");
    let front = rig.guest(3).remove(0);
    let player = rig.play(front, &noise(48_000, 1));
    rig.advance(50 * MS);
    assert_eq!(trims(&rig), [trim(-12_500, false)]);
    for (node, value, expected) in [
        ("mute", "1", trim(-12_500, true)),
        ("volume", "0", trim(0, true)),
        ("volume", "-100000", trim(-100_000, true)),
        ("mute", "0", trim(-100_000, false)),
    ] {
        set(&mut rig, &format!("guest/3/{node}"), value);
        assert_eq!(trims(&rig), [expected], "{node} {value}");
    }
    set(&mut rig, "guest/4/volume", "-1000");
    set(&mut rig, "guest/3/mute", "0");
    assert_eq!(trims(&rig), [], "another guest's, and the same again");
    rig.stored.remove("snddom/guest/3/volume");
    rig.wake();
    assert_eq!(trims(&rig), [Trim::default()], "without its node");
    rig.until("the end", |rig| rig.player(player).is_over());
    assert_eq!(rig.player(player).error, None);
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
    rig.assert_rules_were_kept();
}

#[test]
fn a_port_s_volume_is_a_setting_of_the_card() {
    let mut rig = Rig::new();
    rig.applied();
    set(&mut rig, "port/output-0/volume", "-6020");
    set(&mut rig, "port/output-0/mute", "1");
    let applied: Vec<_> = rig.applied().iter().map(|settings| settings.ports[0].trim).collect();
    assert_eq!(applied, [trim(-6_020, false), trim(-6_020, true)]);
    rig.stored.remove("snddom/port/output-0/mute");
    rig.wake();
    rig.stored.remove("snddom/port");
    rig.wake();
    let applied: Vec<_> = rig.applied().iter().map(|settings| settings.ports[0].trim).collect();
    assert_eq!(applied, [trim(-6_020, false), Trim::default()]);
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
}

#[test]
fn a_value_that_makes_no_sense_changes_nothing_and_is_logged_with_what_may_be_there() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/volume", "-3000");
    rig.stored.set("snddom/guest/3/mute", "maybe");
    let front = rig.guest(3).remove(0);
    let player = rig.play(front, &noise(24_000, 1));
    rig.advance(50 * MS);
    assert_eq!(trims(&rig), [trim(-3_000, false)], "the default, if there was no valid value");
    assert_eq!(logs::take_warnings().len(), 1);
    set(&mut rig, "port/output-0/volume", "-3000");
    rig.applied();
    let long = "9".repeat(300);
    for directory in ["guest/3", "port/output-0"] {
        for value in ["", "1", "+0", "-", "--1", "-100001", "-12.5", "-3000 ", "-4294967296", "x", &long] {
            set(&mut rig, &format!("{directory}/volume"), value);
            let warnings = logs::take_warnings();
            let [line] = &*warnings else { panic!("{value}: {warnings:?}") };
            assert!(line.starts_with(&format!("snddom/{directory}/volume: ")), "{line}");
            assert!(line.ends_with("it may be 0 to -100000, in 0.001 dB") && line.len() < 250, "{line}");
        }
        for value in ["", "2", "yes", "01"] {
            set(&mut rig, &format!("{directory}/mute"), value);
            let warnings = logs::take_warnings();
            assert_eq!(warnings.len(), 1, "{value}: {warnings:?}");
            assert!(warnings[0].ends_with("it may be 0 or 1"), "{warnings:?}");
        }
    }
    assert_eq!(trims(&rig), []);
    assert_eq!(rig.applied(), []);
    rig.until("the end", |rig| rig.player(player).is_over());
}

#[test]
fn a_volume_by_name_is_the_guest_s_and_one_by_domain_id_goes_before() {
    let mut rig = Rig::new();
    rig.stored.set("/local/domain/3/name", "work");
    rig.stored.set("snddom/guest/work/volume", "-3000");
    rig.stored.set("snddom/guest/work/mute", "1");
    rig.stored.set("snddom/guest/play/volume", "-9000");
    rig.stored.set("snddom/guest/3/mute", "0");
    let front = rig.guest(3).remove(0);
    rig.play(front, &noise(48_000, 1));
    rig.advance(50 * MS);
    assert_eq!(trims(&rig).last(), Some(&trim(-3_000, false)));
    set(&mut rig, "guest/3/volume", "-1000");
    assert_eq!(trims(&rig), [trim(-1_000, false)]);
    rig.stored.remove("snddom/guest/3");
    rig.wake();
    assert_eq!(trims(&rig).last(), Some(&trim(-3_000, true)));
    // It has another name.
    rig.stored.set("/local/domain/3/name", "play");
    rig.wake();
    assert_eq!(trims(&rig).last(), Some(&trim(-9_000, false)));
}
