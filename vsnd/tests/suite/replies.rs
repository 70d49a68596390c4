//! Replies from xenstored that come out of order, late, or for a device that has gone.

use crate::support::*;

/// The kind of a write (xs_wire.h).
const WRITE: u32 = 11;

/// The kind of an error.
const ERROR: u32 = 16;

/// Lets xenstored and this domain work for a millisecond. `on_requests` may change requests on
/// their way.
fn turn(rig: &mut Rig, on_requests: impl FnOnce(&Rig)) {
    rig.stored.run();
    rig.poll();
    on_requests(rig);
    rig.model.advance_ns(MS);
}

#[test]
fn replies_out_of_order_reach_the_devices_that_asked() {
    let mut rig = Rig::new();
    rig.advance(500 * MS);
    rig.stored_is_held = true;
    for guest in [3, 4] {
        rig.attach_nodes(guest, 0, &DUPLEX);
    }
    let mut asked = Vec::new();
    for _ in 0..5 {
        turn(&mut rig, |rig| {
            asked.extend(lose_replies(rig.page, |request| request.path().ends_with("/0/state")));
        });
    }
    let paths: Vec<_> = asked.iter().map(Request::path).collect();
    assert_eq!(paths, ["backend/vsnd/3/0/state", "backend/vsnd/4/0/state"]);
    // The second one's directory is gone, says xenstored, and only then that the first one's is
    // there.
    rig.stored.send(ERROR, asked[1].id, 0, b"ENOENT\0");
    rig.stored.send(asked[0].kind, asked[0].id, 0, b"1");
    let mut next = Vec::new();
    for _ in 0..5 {
        turn(&mut rig, |rig| next.extend(requests(rig.page)));
    }
    let paths: Vec<_> = next.iter().map(Request::path).collect();
    assert!(paths.contains(&"backend/vsnd/3/0/online".to_owned()), "{paths:?}");
    assert!(!paths.iter().any(|path| path.starts_with("backend/vsnd/4")), "{paths:?}");
}

#[test]
fn a_xenstored_that_answers_in_any_order_serves_all_devices() {
    let mut rig = Rig::new();
    let guests = 10..30;
    for guest in guests.clone() {
        rig.attach_nodes(guest, 0, &DUPLEX);
    }
    rig.stored_is_held = true;
    let mut most = 0;
    for round in 0..1_000 {
        turn(&mut rig, |rig| {
            let mut requests = requests(rig.page);
            most = most.max(requests.len());
            let third = requests.len() / 3;
            match round % 3 {
                0 => requests.reverse(),
                1 => requests.rotate_left(third),
                _ => {}
            }
            replace_requests(rig.page, &requests);
        });
        if guests.clone().all(|guest| rig.back_state(guest, 0) == Some("2")) {
            break;
        }
    }
    assert!(most >= 8, "at most {most} requests at a time: else nothing was reordered");
    for guest in guests {
        assert_eq!(rig.back_state(guest, 0), Some("2"), "guest {guest}");
    }
    rig.stored_is_held = false;
    rig.wake();
    assert!(logs::take_warnings().is_empty());
    rig.assert_rules_were_kept();
}

#[test]
fn a_status_of_a_device_that_has_gone_isn_t_taken_for_its_successor_s() {
    let mut rig = Rig::new();
    rig.advance(500 * MS);
    rig.stored_is_held = true;
    rig.attach_nodes(3, 0, &DUPLEX);
    // The reply to the write of the first device's status stays away.
    let mut late = Vec::new();
    for _ in 0..500 {
        turn(&mut rig, |rig| {
            late.extend(lose_replies(rig.page, |request| {
                request.kind == WRITE && request.payload == b"snddom/state/device/3-0\0waiting"
            }));
        });
        if !late.is_empty() {
            break;
        }
    }
    assert_eq!(late.len(), 1);
    rig.stored_is_held = false;
    rig.detach(3, 0);
    rig.until_removed(3);
    rig.until("the removal of its status", |rig| !rig.stored.exists("snddom/state/device"));
    rig.stored.remove(&front_path(3, 0));
    rig.attach(3, 0, &DUPLEX);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    assert!(!rig.stored.exists("snddom/state/device"), "the publisher still awaits the reply");
    rig.stored.send(WRITE, late[0].id, 0, b"OK\0");
    rig.until_within("the status", 1_000, |rig| {
        rig.stored.value("snddom/state/device/3-0") == Some("waiting")
    });
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn a_late_answer_for_a_device_that_has_gone_changes_nothing_for_its_successor() {
    let mut rig = Rig::new();
    rig.advance(500 * MS);
    rig.stored_is_held = true;
    rig.attach_nodes(3, 0, &DUPLEX);
    // The first device asks whether it is wanted, and has no answer in time.
    let mut late = Vec::new();
    for _ in 0..20 {
        turn(&mut rig, |rig| {
            late.extend(lose_replies(rig.page, |request| request.path() == "backend/vsnd/3/0/online"));
        });
    }
    assert_eq!(late.len(), 1);
    rig.stored.remove(&back_path(3, 0));
    rig.stored_is_held = false;
    rig.advance(3_000 * MS);
    rig.attach(3, 0, &DUPLEX);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    // The answer is that it isn't wanted.
    rig.stored.send(late[0].kind, late[0].id, 0, b"0");
    rig.wake();
    rig.advance(100 * MS);
    assert_eq!(rig.back_state(3, 0), Some("2"));
    rig.front_up(3, 0, &DUPLEX);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
}

/// A front end's rings are being read, and the answer to the last node of its first stream stays away.
fn reading_rings() -> (Rig, Request) {
    let mut rig = Rig::new();
    rig.attach(3, 0, &DUPLEX);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    rig.front_up(3, 0, &DUPLEX);
    rig.stored_is_held = true;
    let mut late = Vec::new();
    for _ in 0..200 {
        turn(&mut rig, |rig| {
            late.extend(lose_replies(rig.page, |request| request.path().ends_with("/0/0/evt-event-channel")));
        });
        if !late.is_empty() {
            break;
        }
    }
    assert_eq!(late.len(), 1);
    (rig, late.remove(0))
}

#[test]
fn a_late_answer_about_rings_that_are_revoked_isn_t_taken_for_another_node_s() {
    let (mut rig, late) = reading_rings();
    // Meanwhile the front end revokes its rings, and says so by its state.
    rig.front_up(3, 0, &DUPLEX);
    turn(&mut rig, |_| {});
    rig.stored.send(late.kind, late.id, 0, b"77");
    let mut asked = Vec::new();
    for _ in 0..200 {
        turn(&mut rig, |rig| asked.extend(requests(rig.page)));
    }
    let of_stream = |request: &&Request| request.path().contains("/0/0/");
    let first = asked.iter().find(of_stream).map(Request::path);
    assert_eq!(first.as_deref(), Some("/local/domain/3/device/vsnd/0/0/0/ring-ref"));
    rig.stored_is_held = false;
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
}

#[test]
fn answers_that_never_come_don_t_make_this_domain_deaf() {
    let mut rig = Rig::with(duplex_unrecorded());
    let mut playing = rig.guest(3).remove(0);
    playing.open(&OPEN_CONFIG).expect("OPEN on its way");
    answer(&mut rig, &mut playing);
    playing.start().expect("START on its way");
    answer(&mut rig, &mut playing);
    for guest in 10..22 {
        rig.attach_nodes(guest, 0, &DUPLEX);
    }
    rig.advance(10 * MS);
    rig.stored.silent = true;
    for second in 0..120 {
        // What has to be read again keeps on changing.
        rig.stored.set("snddom/may-play", if second % 2 == 0 { "all" } else { "none" });
        rig.advance(1_000 * MS);
    }
    assert!(rig.is_running(), "no answer has told of the right's withdrawal");
    rig.stored.silent = false;
    rig.until_within("the end of what may not play any more", 40_000, |rig| !rig.is_running());
    assert!(rig.vsnd.ended().is_none());
    rig.stored.set("control/shutdown", "poweroff");
    rig.advance(40_000 * MS);
    assert_eq!(rig.stored.value("control/shutdown"), Some(""), "acknowledged");
    assert!(rig.vsnd.ended().is_some());
    logs::take_warnings();
}

#[test]
fn a_report_that_comes_while_another_is_written_is_written_too() {
    let mut rig = Rig::new();
    rig.advance(500 * MS);
    rig.stored_is_held = true;
    rig.vsnd.report(format_args!("number=1"));
    turn(&mut rig, |rig| assert!(requests(rig.page).iter().any(|request| request.kind == WRITE)));
    rig.vsnd.report(format_args!("number=2"));
    rig.stored_is_held = false;
    rig.advance(500 * MS);
    assert_eq!(rig.stored.value("snddom/state/report"), Some("number=2"));
}

#[test]
fn an_answer_that_comes_with_the_news_that_makes_it_void_is_no_failure() {
    let (mut rig, late) = reading_rings();
    logs::take_warnings();
    // The front end takes its rings away and publishes others: its state's event and the answer that a node is missing come
    // together.
    rig.stored.set(&format!("{}/state", front_path(3, 0)), "3");
    rig.stored.send(ERROR, late.id, 0, b"ENOENT\0");
    rig.stored_is_held = false;
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    assert!(logs::take_warnings().is_empty());
}
