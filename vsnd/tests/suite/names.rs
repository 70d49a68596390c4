//! Rights of guests by their names and UUIDs, which the toolstack writes.

use vsnd::MAX_DEVICES;

use crate::rights::{capture_on, may, playback_on};
use crate::support::*;

const UUID: &str = "5a1c3f0e-1111-4222-8333-0123456789ab";
const OTHER_UUID: &str = "5a1c3f0e-1111-4222-8333-0123456789ac";

/// `xl` names a guest, and dom0 lets this domain read that.
fn name(rig: &mut Rig, guest: u16, name: &str, uuid: &str) {
    rig.stored.set(&format!("/local/domain/{guest}/vm"), &format!("/vm/{uuid}"));
    rig.stored.set(&format!("/local/domain/{guest}/name"), name);
    rig.wake();
}

fn set(rig: &mut Rig, node: &str, value: &str) {
    rig.stored.set(&format!("snddom/{node}"), value);
    rig.wake();
}

/// Whether a guest of that name may record.
fn named_may_record(rig: &mut Rig, guest: u16, its_name: &str) -> bool {
    name(rig, guest, its_name, OTHER_UUID);
    may(rig, guest, &capture_on("a"))
}

/// The same about playing.
fn named_may_play(rig: &mut Rig, guest: u16, its_name: &str) -> bool {
    name(rig, guest, its_name, OTHER_UUID);
    may(rig, guest, &playback_on("a"))
}

#[test]
fn a_right_by_name_is_the_guest_s_under_each_domain_id() {
    let mut rig = Rig::new();
    set(&mut rig, "guest/work/may-record", "1");
    for guest in [3, 4, 77, 3] {
        assert!(named_may_record(&mut rig, guest, "work"), "{guest}");
        assert!(!named_may_record(&mut rig, guest, "play"), "{guest}");
        assert!(!named_may_record(&mut rig, guest, "Work"), "{guest}");
        assert!(named_may_play(&mut rig, guest, "play"), "{guest}");
    }
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
}

#[test]
fn domain_ids_go_before_uuids_before_names_before_the_default() {
    let mut rig = Rig::new();
    let asked = |rig: &mut Rig| {
        name(rig, 3, "work", UUID);
        may(rig, 3, &capture_on("a"))
    };
    let directories =
        ["".to_owned(), "guest/work/".to_owned(), format!("guest/{UUID}/"), "guest/3/".to_owned()];
    let mut is_allowed = false;
    for directory in &directories {
        is_allowed = !is_allowed;
        set(&mut rig, &format!("{directory}may-record"), if is_allowed { "1" } else { "0" });
        assert_eq!(asked(&mut rig), is_allowed, "{directory}");
    }
    for directory in directories.iter().rev() {
        assert_eq!(asked(&mut rig), is_allowed, "{directory}");
        rig.stored.remove(&format!("snddom/{directory}may-record"));
        rig.wake();
        is_allowed = !is_allowed;
    }
    assert!(!asked(&mut rig));
    // One right says nothing of the others.
    set(&mut rig, "guest/3/may-hear", "1");
    set(&mut rig, &format!("guest/{UUID}/may-play"), "0");
    set(&mut rig, "guest/work/may-record", "1");
    assert!(asked(&mut rig));
    name(&mut rig, 3, "work", UUID);
    assert!(!may(&mut rig, 3, &playback_on("a")));
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
}

#[test]
fn a_guest_that_can_t_be_told_from_others_has_no_rights_but_by_its_domain_id() {
    let mut rig = Rig::new();
    assert!(may(&mut rig, 3, &playback_on("a")), "no guest has rights of its own");
    for directory in ["work", UUID] {
        set(&mut rig, &format!("guest/{directory}/may-record"), "1");
        set(&mut rig, "may-record", "1");
        assert!(!may(&mut rig, 3, &playback_on("a")), "{directory}");
        assert!(!may(&mut rig, 3, &capture_on("a")), "{directory}");
        set(&mut rig, "guest/3/may-play", "1");
        assert!(may(&mut rig, 3, &playback_on("a")), "{directory}");
        assert!(!may(&mut rig, 3, &capture_on("a")), "{directory}");
        rig.stored.remove("snddom/guest");
        rig.wake();
        assert!(may(&mut rig, 3, &capture_on("a")), "{directory}");
    }
    // Its UUID says all that its name could.
    set(&mut rig, &format!("guest/{UUID}/may-record"), "1");
    set(&mut rig, "may-record", "0");
    rig.stored.set("/local/domain/3/vm", &format!("/vm/{UUID}"));
    assert!(may(&mut rig, 3, &capture_on("a")));
    rig.stored.set("/local/domain/3/vm", &format!("/vm/{OTHER_UUID}"));
    assert!(may(&mut rig, 3, &playback_on("a")));
}

#[test]
fn the_log_says_once_and_loudly_that_a_name_is_missed() {
    let mut rig = Rig::new();
    set(&mut rig, "guest/work/may-record", "1");
    for guest in [3, 4] {
        rig.attach(guest, 0, &DUPLEX);
    }
    // One is permitted in time.
    rig.advance(2_500 * MS);
    name(&mut rig, 4, "play", OTHER_UUID);
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
    rig.advance(2_000 * MS);
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("/local/domain/3/name: "), "{warnings:?}");
    assert!(warnings[0].contains("snddom names"), "what to do: {warnings:?}");
    rig.advance(20_000 * MS);
    set(&mut rig, "guest/play/may-record", "1");
    rig.advance(20_000 * MS);
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
    // Another time counts anew.
    name(&mut rig, 3, "work", UUID);
    rig.stored.remove("/local/domain/3/name");
    rig.advance(4_000 * MS);
    assert_eq!(logs::take_warnings().len(), 1);
}

#[test]
fn a_name_that_comes_late_or_changes_counts_at_once() {
    let mut rig = Rig::new();
    set(&mut rig, "guest/work/may-record", "1");
    let front = rig.guest_with(3, &capture_on("a")).remove(0);
    name(&mut rig, 3, "work", UUID);
    rig.record(front, 400_000);
    rig.advance(50 * MS);
    assert!(rig.is_running());
    for gone in [true, false] {
        if gone {
            rig.stored.remove("/local/domain/3/name");
        } else {
            rig.stored.set("/local/domain/3/name", "play");
        }
        rig.wake();
        assert!(!rig.is_running(), "{gone}");
        rig.detach(3, 0);
        rig.until_removed(3);
        name(&mut rig, 3, "work", UUID);
        let front = rig.guest_with(3, &capture_on("a")).remove(0);
        rig.record(front, 400_000);
        rig.advance(50 * MS);
        assert!(rig.is_running());
    }
    // From one name with the right to another.
    set(&mut rig, "guest/rest/may-record", "1");
    rig.stored.set("/local/domain/3/name", "rest");
    rig.wake();
    assert!(rig.is_running());
    set(&mut rig, "guest/rest/may-record", "0");
    assert!(!rig.is_running());
    rig.assert_rules_were_kept();
}

#[test]
fn a_change_of_all_directories_is_no_question_about_an_unknown_one() {
    let mut rig = Rig::new();
    set(&mut rig, "guest/work/may-record", "1");
    let front = rig.guest_with(3, &capture_on("a")).remove(0);
    rig.attach(4, 0, &DUPLEX);
    name(&mut rig, 4, "im.possible", OTHER_UUID);
    set(&mut rig, "guest", "");
    rig.stored.set("snddom", "");
    rig.wake();
    rig.advance(500 * MS);
    name(&mut rig, 3, "work", UUID);
    rig.record(front, 400_000);
    rig.advance(50 * MS);
    assert!(rig.is_running());
}

#[test]
fn a_right_by_name_that_is_withdrawn_ends_the_stream_at_once() {
    for way in ["0", "no list", "removed", "all removed"] {
        let mut rig = Rig::new();
        set(&mut rig, "guest/work/may-record", "1");
        name(&mut rig, 3, "work", UUID);
        let front = rig.guest_with(3, &capture_on("a")).remove(0);
        rig.record(front, 400_000);
        rig.advance(50 * MS);
        assert!(rig.is_running());
        match way {
            "removed" => rig.stored.remove("snddom/guest/work"),
            "all removed" => rig.stored.remove("snddom/guest"),
            value => rig.stored.set("snddom/guest/work/may-record", value),
        }
        rig.wake();
        assert!(!rig.is_running(), "{way}");
        assert_eq!(logs::take_warnings().len(), usize::from(way == "no list"));
        rig.assert_rules_were_kept();
    }
}

#[test]
fn a_domain_id_that_another_guest_has_now_is_no_right() {
    let mut rig = Rig::new();
    set(&mut rig, "guest/work/may-record", "1");
    name(&mut rig, 3, "work", UUID);
    let front = rig.guest_with(3, &capture_on("a")).remove(0);
    rig.record(front, 400_000);
    rig.advance(50 * MS);
    // The next guest has the id before anything of the last one is looked at.
    rig.stored.remove("/local/domain/3");
    rig.stored.remove("backend/vsnd/3");
    rig.attach_nodes(3, 0, &capture_on("a"));
    rig.stored.set("/local/domain/3/name", "play");
    rig.stored.set("/local/domain/3/vm", &format!("/vm/{OTHER_UUID}"));
    // While its name isn't known, the last one's is none.
    rig.stored.refuses_paths = vec!["/local/domain/3/name".into()];
    rig.wake();
    rig.advance(500 * MS);
    assert!(rig.back_state(3, 0) != Some("2") && !rig.is_running());
    rig.stored.refuses_paths.clear();
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    let front = rig.front_up(3, 0, &capture_on("a")).remove(0);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    let player = rig.record(front, 400_000);
    rig.advance(50 * MS);
    assert!(rig.player(player).error.is_some());
    assert!(!rig.is_running());
}

#[test]
fn a_name_that_can_t_be_a_directory_s_has_none() {
    let mut rig = Rig::new();
    for directory in ["work", "4", "007", OTHER_UUID, "a"] {
        set(&mut rig, &format!("guest/{directory}/may-record"), "1");
    }
    let long = "w".repeat(80);
    set(&mut rig, &format!("guest/{long}/may-record"), "1");
    assert!(named_may_record(&mut rig, 3, &long));
    // The UUID in the name is another guest's.
    for other in
        ["4", "007", "12345678901", "work.", "wo rk", "a/b", "a/../work", "../work", "é", UUID, OTHER_UUID]
    {
        name(&mut rig, 3, other, UUID);
        assert!(!may(&mut rig, 3, &capture_on("a")), "{other}");
        name(&mut rig, 3, other, UUID);
        assert!(may(&mut rig, 3, &playback_on("a")), "{other}");
    }
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
    // A directory of such a name could be meant.
    for unknown in [&b"\xffwork"[..], b"", "w".repeat(81).as_bytes(), "w".repeat(4_000).as_bytes()] {
        for stream in [capture_on("a"), playback_on("a")] {
            name(&mut rig, 3, "", UUID);
            rig.stored.set_raw("/local/domain/3/name", unknown);
            assert!(!may(&mut rig, 3, &stream), "{unknown:?}");
        }
    }
    for vm in ["", "/vm/", "/vm/x", UUID, "/vm/5A1C3F0E-1111-4222-8333-0123456789ab/x", "/vm//x"] {
        rig.stored.set("/local/domain/3/name", "play");
        rig.stored.set("/local/domain/3/vm", vm);
        assert!(!may(&mut rig, 3, &playback_on("a")), "{vm:?}");
    }
}

#[test]
fn more_directories_than_can_be_listed_count_as_any() {
    let mut rig = Rig::new();
    for number in 0..400 {
        rig.stored.set(&format!("snddom/guest/some-other-guest-{number}/may-record"), "1");
    }
    rig.stored.set("snddom/guest/work/may-record", "1");
    rig.wake();
    assert_eq!(logs::take_warnings().len(), 1);
    assert!(named_may_record(&mut rig, 3, "work"));
    assert!(!named_may_record(&mut rig, 3, "play"));
    assert!(!may(&mut rig, 3, &playback_on("a")), "its name isn't known");
    assert!(named_may_play(&mut rig, 3, "play"));
    set(&mut rig, "guest/one-more/may-record", "1");
    assert_eq!(logs::take_warnings(), Vec::<String>::new(), "the log has said it");
}

#[test]
fn names_cost_nothing_unless_there_are_directories_by_name() {
    let mut rig = Rig::new();
    set(&mut rig, "guest/3/may-record", "1");
    rig.stored.requests.clear();
    assert!(named_may_record(&mut rig, 3, "work"));
    let asks = |seen: &xenstored_model::Seen| {
        let payload = String::from_utf8_lossy(&seen.payload).into_owned();
        payload.contains("3/name") || payload.contains("3/vm")
    };
    assert!(!rig.stored.requests.iter().any(asks));
    assert_eq!(rig.stored.watches.len(), 3);
}

#[test]
fn all_guests_have_names_and_leave_no_watch() {
    let mut rig = Rig::new();
    let guests = 10..10 + MAX_DEVICES as u16;
    set(&mut rig, "guest/guest-41/may-record", "1");
    for guest in guests.clone() {
        name(&mut rig, guest, &format!("guest-{guest}"), OTHER_UUID);
        rig.attach(guest, 0, &DUPLEX);
    }
    rig.until("InitWait", |rig| guests.clone().all(|guest| rig.back_state(guest, 0) == Some("2")));
    // One on each front end's state, one on each name.
    assert_eq!(rig.stored.watches.len(), 3 + MAX_DEVICES * 2);
    rig.stored.requests.clear();
    rig.advance(3_000 * MS);
    let asks = |seen: &&xenstored_model::Seen| String::from_utf8_lossy(&seen.payload).contains("/name");
    assert_eq!(rig.stored.requests.iter().filter(asks).count(), 0, "names are watched");
    for guest in guests.clone() {
        rig.destroy(guest);
    }
    rig.until("the end", |rig| rig.stored.watches.len() == 3);
    // There is room for as many as before, also while the last ones go.
    for guest in guests.clone() {
        name(&mut rig, guest + 40, "work", OTHER_UUID);
        rig.attach(guest + 40, 0, &DUPLEX);
    }
    for guest in guests.clone() {
        rig.destroy(guest + 40);
        name(&mut rig, guest, "guest-41", OTHER_UUID);
        rig.attach(guest, 0, &DUPLEX);
    }
    rig.until("InitWait", |rig| guests.clone().all(|guest| rig.back_state(guest, 0) == Some("2")));
    assert_eq!(rig.stored.watches.len(), 3 + MAX_DEVICES * 2);
}

#[test]
fn a_name_that_xenstored_fails_to_read_delays_no_other_guest() {
    let mut rig = Rig::new();
    set(&mut rig, "guest/work/may-record", "1");
    name(&mut rig, 3, "work", UUID);
    name(&mut rig, 4, "work", OTHER_UUID);
    rig.stored.refuses_paths = vec!["/local/domain/3/name".into()];
    rig.attach(3, 0, &capture_on("a"));
    assert!(may(&mut rig, 4, &capture_on("a")));
    assert_eq!(rig.back_state(3, 0), Some("1"), "it has no rights before they are known");
    rig.stored.refuses_paths.clear();
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
}
