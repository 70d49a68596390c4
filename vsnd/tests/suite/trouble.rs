//! A xenstored that is slow, silent, confused, or contended.

use audiofront::Transport;
use hyper::{DomainId, SharedPage};
use sndif::Direction::Playback;

use crate::support::*;

#[test]
fn answers_that_come_late_are_waited_for_while_streams_go_on() {
    let mut rig = Rig::new();
    let playback = rig.guest(3).remove(0);
    let recording = noise(120_000, 1);
    let player = rig.play(playback, &recording);
    rig.advance(50 * MS);
    rig.stored_is_held = true;
    rig.attach_nodes(4, 0, &DUPLEX);
    // One answer every 100 ms.
    for _ in 0..26 {
        rig.stored.run();
        rig.advance_held(100 * MS);
    }
    assert_eq!(rig.back_state(4, 0), Some("2"));
    assert_eq!(rig.player(player).error, None);
    assert_heard(&rig.model, 0, 0, &recording);
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn a_request_without_an_answer_is_logged_and_repeated_less_and_less_often() {
    let mut rig = Rig::new();
    let playback = rig.guest(3).remove(0);
    let recording = noise(48_000 * 3, 1);
    let player = rig.play(playback, &recording);
    rig.stored.silent = true;
    rig.attach(4, 0, &DUPLEX);
    rig.stored.requests.clear();
    logs::take_warnings();
    rig.advance(60_000 * MS);
    assert_eq!(rig.player(player).error, None, "streams go on without it");
    assert_heard(&rig.model, 0, 0, &recording);
    let warnings = logs::take_warnings();
    let about = |path: &str| warnings.iter().filter(|line| line.starts_with(path)).count();
    let times = about("backend/vsnd/4/0/state: xenstored did not answer in time");
    assert!((8..=20).contains(&times), "{times}: {warnings:#?}");
    assert!(warnings.len() <= 45, "{warnings:#?}");
    // It answers again, but not the earlier requests.
    rig.stored.silent = false;
    rig.until_within("InitWait", 12_000, |rig| rig.back_state(4, 0) == Some("2"));
}

#[test]
fn refusals_are_logged_and_tried_again() {
    let mut rig = Rig::new();
    rig.stored.refuses = Some("ENOMEM");
    rig.attach(3, 0, &DUPLEX);
    rig.advance(1_000 * MS);
    let warnings = logs::take_warnings();
    assert!(warnings.iter().all(|line| line.contains("ENOMEM")), "{warnings:#?}");
    assert!((2..=12).contains(&warnings.len()), "{warnings:#?}");
    rig.stored.refuses = None;
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
}

#[test]
fn watches_that_are_refused_at_the_start_are_asked_for_again() {
    for name in ["ENOMEM", "EACCES", "ENOENT", "EQUOTA"] {
        let mut rig = Rig::unstarted(duplex());
        rig.stored.refuses = Some(name);
        rig.attach(3, 0, &DUPLEX);
        rig.start();
        rig.advance(500 * MS);
        assert!(logs::take_warnings().len() <= 20);
        rig.stored.refuses = None;
        rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
        assert_eq!(rig.stored.watches.len(), 4);
    }
}

#[test]
fn invalid_answers_are_logged_and_asked_for_again() {
    let mut rig = Rig::new();
    rig.stored.garbles = true;
    rig.attach(3, 0, &DUPLEX);
    rig.advance(1_000 * MS);
    assert!(logs::take_warnings().iter().all(|line| line.contains("makes no sense")));
    rig.stored.garbles = false;
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
}

#[test]
fn replies_without_a_request_and_unknown_watches_are_dropped() {
    let mut rig = Rig::new();
    let playback = rig.guest(3).remove(0);
    for (kind, id, payload) in [
        (2, 4_000_000, &b"x"[..]),
        (15, 0, b"\xff\xff\0vsnd\0"),
        (15, 0, b""),
        (15, 0, b"backend/vsnd/99999/0/state\0vsnd\0"),
        (15, 0, b"backend/vsnd/x/y\0vsnd\0"),
        (15, 0, b"backend/vsnd/3/00/state\0vsnd\0"),
        (15, 0, b"backend/vsndx/3/0\0vsnd\0"),
        (15, 0, b"somewhere/else\0vsnd\0"),
        (15, 0, b"snddomx\0snddom\0"),
        (15, 0, b"snddom/guest/99999/may-play\0snddom\0"),
        (15, 0, b"x\0front/3/0\0"),
        (15, 0, b"x\0front/9/0\0"),
        (15, 0, b"x\0front/\0"),
        (15, 0, b"x\0\0"),
        (16, 7, b"ENOENT\0"),
    ] {
        rig.stored.send(kind, id, 0, payload);
    }
    rig.wake();
    rig.play_to_the_end(playback, &noise(2_000, 1));
    assert!(logs::take_warnings().is_empty());
    assert_eq!(rig.back_state(3, 0), Some("4"));
}

#[test]
fn a_device_that_is_reported_and_isn_t_there_is_forgotten() {
    let mut rig = Rig::new();
    rig.advance(500 * MS);
    for guest in 10..90 {
        rig.stored.send(15, 0, 0, format!("backend/vsnd/{guest}/0/state\0vsnd\0").as_bytes());
    }
    rig.wake();
    rig.advance(10 * MS);
    logs::take_warnings();
    // There is room for as many as ever.
    for guest in 10..42 {
        rig.attach(guest, 0, &DUPLEX);
    }
    rig.until("InitWait", |rig| (10..42).all(|guest| rig.back_state(guest, 0) == Some("2")));
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn absolute_paths_in_events_are_understood() {
    let mut rig = Rig::new();
    let front = front_path(3, 0);
    rig.stored.watches.clear();
    rig.attach(3, 0, &DUPLEX);
    rig.stored.set(&format!("{front}/state"), "1");
    rig.advance(10 * MS);
    assert_eq!(rig.back_state(3, 0), Some("1"), "without a watch nothing is heard");
    rig.stored.send(15, 0, 0, b"/local/domain/5/backend/vsnd/3/0/state\0vsnd\0");
    rig.wake();
    assert_eq!(rig.back_state(3, 0), Some("2"));
    // Another domain's directory is of no interest.
    rig.stored.send(15, 0, 0, b"/local/domain/6/backend/vsnd/4/0/state\0vsnd\0");
    rig.stored.requests.clear();
    rig.wake();
    assert_eq!(rig.stored.requests, []);
}

#[test]
fn a_state_is_written_although_others_come_between() {
    let mut rig = Rig::new();
    rig.stored.conflicts = 3;
    rig.attach(3, 0, &DUPLEX);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    assert!(logs::take_warnings().is_empty());
    // And where it takes even more: later.
    rig.stored.conflicts = 12;
    rig.attach(4, 0, &DUPLEX);
    rig.until("InitWait", |rig| rig.back_state(4, 0) == Some("2"));
    assert_eq!(logs::take_warnings().len(), 2);
}

#[test]
fn a_connection_that_breaks_ends_the_domain_as_no_right_could_be_withdrawn() {
    let mut rig = Rig::new();
    let playback = rig.guest_with(3, &[(0, 0, Playback, "a")]).remove(0);
    rig.play(playback, &noise(48_000, 1));
    rig.advance(50 * MS);
    assert!(rig.is_running());
    // A message of a length that no xenstored sends.
    rig.stored.send_raw(&[2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    rig.stored.run();
    rig.stored_is_held = true;
    rig.polls = 0;
    rig.advance_held(3_000 * MS);
    assert!(!rig.is_running());
    assert_eq!(rig.vsnd.ended(), Some(vsnd::ShutdownReason::Deaf));
    assert!(rig.polls < 500, "{} polls in three seconds", rig.polls);
    rig.assert_nothing_is_left();
    let warnings = logs::take_warnings();
    let broken = warnings.iter().filter(|line| line.contains("is broken")).count();
    assert!(broken >= 1 && warnings.len() <= 4, "{warnings:#?}");
}

#[test]
fn a_xenstored_that_reads_nothing_fills_the_ring_and_does_no_harm() {
    let mut rig = Rig::new();
    rig.stored_is_held = true;
    for guest in 10..42 {
        rig.attach_nodes(guest, 0, &DUPLEX);
    }
    rig.stored.send(15, 0, 0, b"backend/vsnd\0vsnd\0");
    // Its events are there, and it reads nothing.
    rig.stored.run();
    rig.advance_held(20_000 * MS);
    rig.stored_is_held = false;
    rig.until_within("InitWait", 15_000, |rig| (10..42).all(|guest| rig.back_state(guest, 0) == Some("2")));
}

#[test]
fn watches_that_were_set_after_their_deadline_count() {
    let mut rig = Rig::unstarted(duplex());
    rig.attach_nodes(3, 0, &DUPLEX);
    rig.stored_is_held = true;
    rig.advance_held(2_100 * MS);
    rig.stored_is_held = false;
    rig.stored.run();
    rig.advance(30_000 * MS);
    assert_eq!(rig.back_state(3, 0), Some("2"));
}

#[test]
fn a_watch_on_a_front_end_that_was_set_after_its_deadline_counts() {
    let mut rig = Rig::new();
    rig.stored_is_held = true;
    rig.attach_nodes(3, 0, &DUPLEX);
    // Until the watch on the front end is asked for.
    for _ in 0..50 {
        rig.stored.run();
        if rig.stored.requests.iter().any(|r| String::from_utf8_lossy(&r.payload).contains("/frontend")) {
            break;
        }
        rig.advance_held(MS);
    }
    rig.advance_held(2_100 * MS);
    rig.stored_is_held = false;
    rig.stored.run();
    rig.advance(30_000 * MS);
    assert_eq!(rig.back_state(3, 0), Some("2"));
}

/// A front end that connects, sends 32 OPENs of nonsense, breaks its ring and begins anew. Returns
/// whether it was connected.
fn connect_and_break(rig: &mut Rig) -> bool {
    let ByHand { mut guest, pages, ports } = rig.front_by_hand(3, 0);
    rig.advance(60 * MS);
    let is_connected = rig.back_state(3, 0) == Some("4");
    // OPEN is operation 0.
    for slot in 0..32 {
        let at = 16 + slot * 16;
        (0..16).for_each(|word| pages[0].page.store(at + word, 0));
        for (word, value) in [(0, slot as u32), (2, 48_000), (3, 0x0002_0002), (4, 65_536), (5, 7_777)] {
            pages[0].page.store(at + word, value);
        }
    }
    for producer in [32, 1_000] {
        pages[0].page.store(0, producer);
        guest.notify(ports[0]);
        rig.settle();
    }
    for page in pages {
        let _ = guest.revoke_page(page);
    }
    ports.into_iter().for_each(|port| guest.close_channel(port));
    rig.set_front_state(3, 0, "6");
    is_connected
}

#[test]
fn a_front_end_that_breaks_its_ring_again_and_again_is_left_alone() {
    let mut rig = Rig::new();
    rig.attach(3, 0, &[(0, 0, Playback, "a")]);
    logs::take_warnings();
    for time in 0..8 {
        rig.until_within("InitWait", 6_500, |rig| rig.back_state(3, 0) == Some("2"));
        assert!(connect_and_break(&mut rig), "{time}");
    }
    for _ in 0..3 {
        assert!(!connect_and_break(&mut rig));
        rig.advance(10_000 * MS);
        assert_eq!(rig.back_state(3, 0), Some("6"));
    }
    assert!(logs::count_all() <= 100, "{} lines", logs::count_all());
    assert_eq!(rig.world.mapped_pages(), 0);
    // Until its device is attached anew.
    rig.detach(3, 0);
    rig.until_removed(3);
    rig.guest(3);
}

#[test]
fn a_node_that_was_refused_once_is_read_again() {
    // A setting.
    let mut rig = Rig::new();
    let playback = rig.guest(3).remove(0);
    rig.play(playback, &noise(480_000, 1));
    rig.stored.refuses_paths = vec!["snddom".into(), "control".into(), "backend/vsnd".into()];
    rig.stored.set("snddom/may-play", "0");
    rig.advance(200 * MS);
    assert!(rig.is_running());
    rig.stored.refuses_paths = vec!["control".into(), "backend/vsnd".into()];
    rig.until("the end of a right", |rig| !rig.is_running());
    // The list of all devices, without an event for the new one.
    let watches = std::mem::take(&mut rig.stored.watches);
    rig.attach_nodes(4, 0, &DUPLEX);
    rig.stored.watches = watches;
    rig.stored.send(15, 0, 0, b"backend/vsnd\0vsnd\0");
    rig.advance(200 * MS);
    rig.stored.refuses_paths = vec!["control".into()];
    rig.until("InitWait", |rig| rig.back_state(4, 0) == Some("2"));
    // The end.
    rig.stored.set("control/shutdown", "poweroff");
    rig.advance(200 * MS);
    assert_eq!(rig.vsnd.ended(), None);
    rig.stored.refuses_paths.clear();
    rig.until("the end", |rig| rig.vsnd.ended().is_some());
}

#[test]
fn a_front_end_that_finds_no_resources_left_is_connected_later() {
    let mut rig = Rig::new();
    rig.attach(3, 0, &DUPLEX);
    logs::take_warnings();
    // Another guest's front end has taken the rest.
    let playback = rig.front_up(3, 0, &DUPLEX).remove(0);
    let mut other = rig.world.front_end(DomainId(4), DRIVER, 0);
    let taken: Vec<_> = std::iter::from_fn(|| other.open_channel()).collect();
    rig.advance(40_000 * MS);
    assert_eq!(rig.back_state(3, 0), Some("2"), "it isn't the front end that has failed");
    let warnings = logs::take_warnings();
    assert!(matches!(&warnings[..], [line] if line.contains("NoRoom")), "{warnings:?}");
    taken.into_iter().for_each(|port| other.close_channel(port));
    rig.until_within("Connected", 5_100, |rig| rig.back_state(3, 0) == Some("4"));
    rig.play_to_the_end(playback, &noise(2_000, 1));
    rig.assert_rules_were_kept();
}

#[test]
fn a_front_end_that_comes_again_and_again_waits_longer_and_longer() {
    let mut rig = Rig::new();
    let reload = |rig: &mut Rig| {
        rig.set_front_state(3, 0, "5");
        rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
        rig.set_front_state(3, 0, "6");
        let left = rig.now();
        rig.until_within("InitWait", 6_500, |rig| rig.back_state(3, 0) == Some("2"));
        let waited_ms = (rig.now().0 - left.0) / MS;
        rig.front_up(3, 0, &DUPLEX).into_iter().for_each(drop);
        rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
        waited_ms
    };
    rig.guest(3).into_iter().for_each(drop);
    let waits: Vec<u64> = (0..10).map(|_| reload(&mut rig)).collect();
    assert!(waits[0] <= 60, "a module that is loaded again: {waits:?}");
    assert!(waits[3..].is_sorted() && waits[4] >= 700 && waits[9] >= 4_900, "{waits:?}");
    // Once it stays, that is over.
    rig.advance(10_000 * MS);
    assert!(reload(&mut rig) <= 60);
}
