//! The rights to play and to record, which dom0 sets and guests can't.

use hypervisor_model::guest::StreamError;
use sndif::Direction::{Capture, Playback};
use sndif::op::Operation;
use sndif::response::Status;

use crate::support::*;

const DENIED: StreamError = StreamError::Refused(Operation::Open, Status::EACCES);

pub fn playback_on(unique_id: &'static str) -> [StreamAt; 1] {
    [(0, 0, Playback, unique_id)]
}

pub fn capture_on(unique_id: &'static str) -> [StreamAt; 1] {
    [(0, 0, Capture, unique_id)]
}

/// Whether a guest with this one stream may open it.
pub fn may(rig: &mut Rig, guest: u16, stream: &[StreamAt; 1]) -> bool {
    let front = rig.guest_with(guest, stream).remove(0);
    let player = match stream[0].2 {
        Playback => rig.play(front, &noise(500, 1)),
        Capture => rig.record(front, 500),
    };
    rig.until("the end", |rig| rig.player(player).is_over());
    let (_, player) = rig.end_player(player);
    rig.detach(guest, 0);
    rig.until_removed(guest);
    rig.stored.remove(&format!("/local/domain/{guest}"));
    match player.error {
        None => true,
        Some(DENIED) => false,
        Some(error) => panic!("{error}"),
    }
}

#[test]
fn playing_is_allowed_and_recording_isn_t_by_default() {
    let mut rig = Rig::new();
    assert!(may(&mut rig, 3, &playback_on("a")));
    assert!(!may(&mut rig, 3, &capture_on("a")));
    // Whatever the guest writes about it.
    rig.stored.set("/local/domain/3/device/vsnd/0/may-record", "1");
    rig.stored.set("/local/domain/3/snddom/may-record", "1");
    assert!(!may(&mut rig, 3, &capture_on("a")));
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn a_guest_s_own_rights_go_before_the_defaults() {
    let mut rig = Rig::new();
    let set = |rig: &mut Rig, node: &str, value: &str| {
        rig.stored.set(node, value);
        rig.wake();
    };
    set(&mut rig, "snddom/may-play", "0");
    set(&mut rig, "snddom/may-record", "1");
    assert!(!may(&mut rig, 3, &playback_on("a")));
    assert!(may(&mut rig, 3, &capture_on("a")));
    set(&mut rig, "snddom/guest/3/may-play", "1");
    set(&mut rig, "snddom/guest/3/may-record", "0");
    assert!(may(&mut rig, 3, &playback_on("a")));
    assert!(!may(&mut rig, 3, &capture_on("a")));
    assert!(!may(&mut rig, 4, &playback_on("a")), "another guest");
    // Without a node its default is back.
    rig.stored.remove("snddom/guest");
    rig.wake();
    assert!(!may(&mut rig, 3, &playback_on("a")));
    rig.stored.remove("snddom");
    rig.wake();
    assert!(may(&mut rig, 3, &playback_on("a")));
    assert!(!may(&mut rig, 3, &capture_on("a")));
}

#[test]
fn a_right_can_be_one_to_some_ports() {
    let mut rig = Rig::with(codecs(3));
    rig.stored.set("snddom/may-play", "output-0, output-2");
    rig.stored.set("snddom/guest/4/may-record", "input-1");
    rig.wake();
    for (id, allowed) in [("output-0", true), ("output-1", false), ("output-2", true), ("x", true)] {
        assert_eq!(may(&mut rig, 3, &playback_on(id)), allowed, "{id}");
    }
    for (id, allowed) in [("input-0", false), ("input-1", true), ("x", false)] {
        assert_eq!(may(&mut rig, 4, &capture_on(id)), allowed, "{id}");
    }
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn a_port_is_also_named_by_its_label() {
    let mut rig = Rig::with(codecs(3));
    let set = |rig: &mut Rig, right: &str| {
        rig.stored.set("snddom/may-play", right);
        rig.wake();
        assert_eq!(logs::take_warnings(), Vec::<String>::new(), "{right:?}");
    };
    // In a `unique-id`: a stream on the second output may play.
    set(&mut rig, "output-1");
    for id in [
        "Rear Line Out 2",
        "rear-line-out-2",
        "REAR_LINE_OUT_2",
        "rearlineout2",
        "output-1",
        "/rear line:out 2/",
    ] {
        assert!(may(&mut rig, 3, &playback_on(id)), "{id}");
    }
    // All other texts mean the first output.
    for id in [
        "Rear Line Out",
        "rear line out 1",
        "rear line out 22",
        "line out 2",
        "2",
        "out",
        "-",
        "- /_.:",
        "é",
        "réar line out 2",
        "rear line out 2é",
        "output1",
        "OUTPUT-1",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ] {
        assert!(!may(&mut rig, 3, &playback_on(id)), "{id}");
    }
    set(&mut rig, "output-0");
    for id in ["Rear Line Out", "-", "é"] {
        assert!(may(&mut rig, 3, &playback_on(id)), "{id}");
    }
    // In a right.
    for right in ["Rear Line Out 2,output-2", "rear-line-out-3, REAR LINE OUT 2"] {
        set(&mut rig, right);
        for (id, allowed) in [("output-0", false), ("output-1", true), ("output-2", true)] {
            assert_eq!(may(&mut rig, 3, &playback_on(id)), allowed, "{right}: {id}");
        }
    }
    rig.stored.set("snddom/may-record", "Line In 2");
    rig.wake();
    assert!(may(&mut rig, 3, &capture_on("line in 2")));
    assert!(!may(&mut rig, 3, &capture_on("line in 3")));
}

#[test]
fn a_right_that_is_withdrawn_ends_the_stream_at_once() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/may-record", "1");
    let mut fronts = rig.guest(3).into_iter();
    let recording = noise(40_000, 4);
    let playing = rig.play(fronts.next().expect("playback"), &recording);
    rig.record(fronts.next().expect("capture"), 48_000);
    rig.advance(100 * MS);
    let mapped = rig.world.mapped_pages();
    rig.stored.set("snddom/guest/3/may-record", "0");
    rig.wake();
    assert_eq!(rig.world.mapped_pages(), mapped - 16, "the recording's buffer, and that alone");
    rig.until("the end of what it may go on with", |rig| rig.player(playing).is_over());
    assert_eq!(rig.player(playing).error, None);
    assert_heard(&rig.model, 0, 0, &recording);
    rig.assert_rules_were_kept();
}

#[test]
fn a_right_for_all_that_is_withdrawn_ends_streams_too() {
    let mut rig = Rig::new();
    let playback = rig.guest(3).remove(0);
    rig.play(playback, &noise(48_000, 4));
    rig.advance(100 * MS);
    assert!(rig.is_running());
    rig.stored.set("snddom/may-play", "0");
    rig.wake();
    assert!(!rig.is_running());
    rig.assert_rules_were_kept();
}

#[test]
fn an_invalid_value_is_none_and_logged_with_its_path() {
    let mut rig = Rig::new();
    let front = rig.guest_with(3, &capture_on("a")).remove(0);
    // The guest's own value counts, and without it the default.
    rig.stored.set("snddom/may-record", "1");
    rig.wake();
    let recorder = rig.record(front, 4_000_000);
    rig.advance(50 * MS);
    assert_eq!(rig.player(recorder).error, None);
    let huge = "Line In".repeat(500);
    let words = [
        "yes",
        "all",
        "off",
        "0\n",
        "",
        "2",
        "input-9",
        "output-0",
        "input-0,output-0",
        "input-",
        "input-0,,x",
        ",",
    ];
    let names = [
        "Line",
        "Line In 2",
        "line in,-",
        "-",
        " / ",
        "é",
        "Line In,Rear Line Out",
        "Line In;input-0",
        &huge,
        "monitor-0",
    ];
    for node in ["snddom/guest/3/may-record", "snddom/may-record"] {
        let rest = if node == "snddom/may-record" { None } else { Some("snddom/may-record") };
        for bad in words.into_iter().chain(names) {
            for good in rest.into_iter().chain([node]) {
                rig.stored.set(good, "1");
            }
            rig.wake();
            assert_eq!(logs::take_warnings(), Vec::<String>::new());
            rig.stored.set(node, bad);
            rig.wake();
            let warnings = logs::take_warnings();
            assert_eq!(warnings.len(), 1, "{node} = {bad:?}: {warnings:?}");
            assert!(warnings[0].starts_with(&format!("{node}: ")), "{warnings:?}");
            assert!(!rig.is_running());
        }
        assert!(!may(&mut rig, 4, &capture_on("a")) || node != "snddom/may-record");
        rig.stored.set_raw(node, b"\xff");
        rig.wake();
        assert_eq!(logs::take_warnings().len(), 1);
        rig.stored.remove("snddom/guest");
        rig.stored.set("snddom/may-record", "1");
        rig.wake();
        assert!(may(&mut rig, 4, &capture_on("a")));
    }
    // An output's right that can't be read plays nothing, though the default is all.
    rig.stored.set("snddom/may-play", "no");
    rig.wake();
    assert!(!may(&mut rig, 4, &playback_on("a")));
    rig.stored.remove("snddom/may-play");
    rig.wake();
    assert!(may(&mut rig, 4, &playback_on("a")));
}

/// Each right, with a stream that needs it.
const RIGHTS: [(&str, StreamAt); 3] = [
    ("may-play", (0, 0, Playback, "output-0")),
    ("may-record", (0, 0, Capture, "input-0")),
    ("may-hear", (0, 0, Capture, "monitor-0")),
];

#[test]
fn a_bad_value_is_none_for_each_right_also_if_it_was_there_before_the_domain_connects() {
    for (right, stream) in RIGHTS {
        for bad in ["off", "0\n", "", "no"] {
            // As the default, and as the guest's own beside a default that allows it.
            for node in [format!("snddom/{right}"), format!("snddom/guest/3/{right}")] {
                for is_there_at_boot in [true, false] {
                    let mut rig = Rig::unstarted_with_monitor(codecs(2));
                    rig.stored.set(&format!("snddom/{right}"), "1");
                    if is_there_at_boot {
                        rig.stored.set(&node, bad);
                    }
                    rig.start();
                    if !is_there_at_boot {
                        assert!(may(&mut rig, 3, &[stream]), "{right}");
                        rig.stored.set(&node, bad);
                        rig.wake();
                    }
                    assert!(!may(&mut rig, 3, &[stream]), "{node} = {bad:?}");
                    let warnings = logs::take_warnings();
                    assert!(!warnings.is_empty(), "{node} = {bad:?}");
                    let is_about = |line: &String| line.starts_with(&format!("{node}: "));
                    assert!(warnings.iter().all(is_about), "{warnings:?}");
                }
            }
        }
    }
}

#[test]
fn no_guest_has_a_right_before_rights_are_known() {
    let mut rig = Rig::unstarted(duplex());
    rig.stored.set("snddom/may-play", "0");
    rig.attach(3, 0, &playback_on("a"));
    // Everything is answered but for the settings.
    rig.stored.refuses_paths = vec!["snddom".into()];
    rig.advance(100 * MS);
    assert_eq!(rig.back_state(3, 0), Some("1"));
    rig.stored.refuses_paths.clear();
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    let front = rig.front_up(3, 0, &playback_on("a")).remove(0);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    let player = rig.play(front, &noise(500, 1));
    rig.until("an answer", |rig| rig.player(player).is_over());
    assert_eq!(rig.player(player).error, Some(DENIED));
}

#[test]
fn a_right_that_may_not_be_read_is_none() {
    let mut rig = Rig::new();
    rig.stored.hidden.push(format!("/local/domain/{}/snddom/guest/3", DRIVER.0));
    // That it exists is seen.
    rig.stored.set("snddom/guest/3/other", "");
    rig.stored.set("snddom/may-record", "1");
    rig.wake();
    assert!(!may(&mut rig, 3, &playback_on("a")));
    assert!(!may(&mut rig, 3, &capture_on("a")));
    assert!(may(&mut rig, 4, &capture_on("a")));
    let warnings = logs::take_warnings();
    // The same directory has the guest's volume, mute and limits. Each was read for two devices.
    for (node, count) in [("may-", 6), ("volume", 2), ("mute", 2), ("limits", 2)] {
        let about = warnings.iter().filter(|line| line.contains(&format!("/guest/3/{node}"))).count();
        assert_eq!(about, count, "{node}: {warnings:?}");
    }
    assert_eq!(warnings.len(), 12, "{warnings:?}");
    // Nor is it seen which guests have one.
    rig.stored.hidden.push(format!("/local/domain/{}/snddom/guest", DRIVER.0));
    rig.stored.remove("snddom/guest");
    rig.wake();
    assert!(!may(&mut rig, 4, &playback_on("a")));
    rig.stored.hidden.pop();
    rig.stored.set("snddom/guest/3/other", "");
    rig.wake();
    assert!(may(&mut rig, 4, &playback_on("a")));
    logs::take_warnings();
    // The same holds for the default.
    rig.stored.hidden.push(format!("/local/domain/{}/snddom/may-play", DRIVER.0));
    rig.stored.set("snddom/may-play", "1");
    rig.stored.remove("snddom/may-play");
    rig.wake();
    assert!(!may(&mut rig, 4, &playback_on("a")));
    assert!(may(&mut rig, 4, &capture_on("a")));
}
