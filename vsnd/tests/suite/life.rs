//! Devices come, play, go, and come again.

use audiofront::Transport;
use hyper::SharedPage;
use sndif::state::XenbusState;

use crate::support::*;

fn two(fronts: Vec<Front>) -> [Front; 2] {
    fronts.try_into().ok().expect("two streams")
}

/// A guest that plays for two seconds, a tenth of a second after its start.
fn playing() -> Rig {
    let mut rig = Rig::new();
    let [playback, _capture] = two(rig.guest(3));
    rig.play(playback, &noise(96_000, 3));
    rig.advance(100 * MS);
    rig
}

#[test]
fn a_device_is_attached_plays_and_is_detached() {
    let mut rig = Rig::new();
    let [playback, _capture] = two(rig.guest(3));
    let recording = noise(20_000, 7);
    rig.play_to_the_end(playback, &recording);
    assert_heard(&rig.model, 0, 0, &recording);
    rig.detach(3, 0);
    rig.until_removed(3);
    rig.assert_nothing_is_left();
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn a_guest_that_may_records() {
    let mut rig = Rig::new();
    rig.model
        .set_source(0, 4, |frame, channel| i32::from((frame.index as u32 * 2 + channel as u32 + 1) as i16));
    rig.stored.set("snddom/guest/3/may-record", "1");
    let [_playback, capture] = two(rig.guest(3));
    let player = rig.record(capture, 9_000);
    rig.until("the end of a recording", |rig| rig.player(player).is_over());
    let (_, player) = rig.end_player(player);
    assert_eq!(player.error, None);
    let ramp: Vec<i16> =
        player.heard.recorded.chunks(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect();
    assert_eq!(ramp.len(), 18_000);
    assert!(ramp.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "no break");
    rig.assert_rules_were_kept();
}

#[test]
fn a_new_device_waits_for_its_front_end_after_a_few_requests() {
    let mut rig = Rig::new();
    rig.stored.requests.clear();
    let start = rig.now();
    rig.attach(3, 0, &DUPLEX);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    // The published status is none of it.
    let asked = rig.stored.requests.iter().filter(|seen| !seen.payload.starts_with(b"snddom/state"));
    let asked: Vec<_> =
        asked.map(|seen| format!("{} {}", seen.kind, String::from_utf8_lossy(&seen.payload))).collect();
    let commit = asked.iter().position(|request| request == "7 T\0").expect("a commit");
    assert!(commit < 24, "{asked:#?}");
    assert!(asked.len() <= 26, "afterwards its own event, and the front end's state: {asked:#?}");
    assert!(rig.now().0 - start.0 <= MS, "none of them waits for anything but the answer before");
    // With state 2 the versions are there.
    assert_eq!(rig.stored.value(&format!("{}/versions", back_path(3, 0))), Some("2"));
}

#[test]
fn a_front_end_that_leaves_and_comes_again_plays_again() {
    let mut rig = Rig::new();
    let mut fronts = rig.guest(3);
    let mut heard_frames = 0;
    for life in 1..=3 {
        let [playback, capture] = two(fronts);
        let recording = noise(5_000, life);
        let playback = rig.play_to_the_end(playback, &recording);
        heard_frames = assert_heard(&rig.model, 0, heard_frames, &recording);
        // Its module is unloaded: it says so, waits for Closed, and then frees its pages.
        rig.stored.requests.clear();
        rig.set_front_state(3, 0, "5");
        rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
        let written: Vec<_> = rig.stored.requests.iter().filter(|seen| seen.kind == 11).collect();
        assert!(written.iter().any(|seen| seen.payload == b"backend/vsnd/3/0/state\x006"), "{written:?}");
        rig.assert_nothing_is_left();
        for front in [playback, capture] {
            front.disconnect();
        }
        rig.set_front_state(3, 0, "6");
        rig.set_front_state(3, 0, "1");
        assert_eq!(rig.back_state(3, 0), Some("2"));
        fronts = rig.front_up(3, 0, &DUPLEX);
        rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
        rig.set_front_state(3, 0, "4");
    }
    rig.assert_rules_were_kept();
}

#[test]
fn a_device_that_is_detached_in_mid_stream_is_stopped_first() {
    let mut rig = Rig::new();
    let [playback, capture] = two(rig.guest(3));
    let player = rig.play(playback, &noise(48_000, 3));
    rig.advance(100 * MS);
    assert!(rig.is_running());
    rig.detach(3, 0);
    rig.until_removed(3);
    assert!(!rig.is_running());
    rig.assert_nothing_is_left();
    rig.end_player(player).0.disconnect();
    capture.disconnect();
    assert_eq!(rig.world.granted_pages(), 0);
    rig.assert_nothing_is_left();
}

#[test]
fn a_guest_that_is_destroyed_in_mid_stream_leaves_nothing_behind() {
    let mut rig = Rig::new();
    let [playback, _capture] = two(rig.guest(3));
    rig.play(playback, &noise(48_000, 3));
    rig.advance(100 * MS);
    assert!(rig.is_running());
    rig.destroy(3);
    rig.until_removed(3);
    assert!(!rig.is_running());
    rig.assert_nothing_is_left();
    // Its watch is gone with it.
    rig.advance(MS);
    assert_eq!(rig.stored.watches.len(), 3, "{:?}", rig.stored.watches);
}

#[test]
fn a_front_end_that_vanishes_is_seen_by_its_nodes() {
    let mut rig = Rig::new();
    let [playback, _capture] = two(rig.guest(3));
    rig.play(playback, &noise(48_000, 3));
    rig.advance(100 * MS);
    // Without an event, the nodes are gone and their directory is unreadable.
    rig.stored.remove("/local/domain/3");
    rig.wake();
    assert_eq!(rig.back_state(3, 0), Some("6"));
    assert!(!rig.is_running());
    rig.assert_nothing_is_left();
}

#[test]
fn a_directory_that_is_taken_away_by_force() {
    let mut rig = Rig::new();
    let [playback, _capture] = two(rig.guest(3));
    rig.play(playback, &noise(48_000, 3));
    rig.advance(100 * MS);
    rig.stored.remove("backend/vsnd/3");
    rig.wake();
    assert!(!rig.is_running());
    rig.advance(MS);
    rig.assert_nothing_is_left();
    assert!(!rig.stored.exists(&back_path(3, 0)), "and nothing brings it back");
}

#[test]
fn a_directory_that_was_removed_and_made_again_is_another_device() {
    let mut rig = Rig::new();
    rig.guest(3);
    rig.stored.remove(&back_path(3, 0));
    rig.stored.remove(&front_path(3, 0));
    // All of it before this side looks.
    rig.attach(3, 0, &DUPLEX[..1]);
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    rig.assert_nothing_is_left();
    let playback = rig.front_up(3, 0, &DUPLEX[..1]).remove(0);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    rig.play_to_the_end(playback, &noise(3_000, 1));
    assert!(logs::take_warnings().is_empty());
}

#[test]
fn a_device_that_comes_back_while_its_last_traces_are_removed() {
    for turns in 0..12 {
        let mut rig = Rig::new();
        rig.advance(500 * MS);
        rig.attach(3, 0, &DUPLEX);
        rig.advance(500 * MS);
        rig.detach_nodes(3, 0);
        rig.stored_is_held = true;
        while rig.stored.exists(&back_path(3, 0)) {
            rig.stored.run();
            rig.poll();
        }
        for _ in 0..turns {
            rig.stored.run();
            rig.poll();
        }
        rig.attach_nodes(3, 0, &DUPLEX);
        rig.stored_is_held = false;
        rig.wake();
        rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
        rig.front_up(3, 0, &DUPLEX);
        rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
        rig.until("its status", |rig| rig.stored.value("snddom/state/device/3-0") == Some("connected"));
        assert_eq!(rig.stored.watches.len(), 4, "{turns}: {:?}", rig.stored.watches);
    }
}

#[test]
fn a_broken_ring_closes_the_device_until_the_front_end_begins_anew() {
    let mut rig = Rig::new();
    rig.attach(3, 0, &DUPLEX[..1]);
    for life in 0..3 {
        // By hand: no front end would do that.
        let ByHand { mut guest, pages, ports } = rig.front_by_hand(3, 0);
        rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
        rig.set_front_state(3, 0, "4");
        // A thousand requests on a ring of 32.
        pages[0].page.store(0, 1_000);
        guest.notify(ports[0]);
        rig.settle();
        assert_eq!(rig.back_state(3, 0), Some("6"), "{life}");
        assert_eq!(rig.world.mapped_pages(), 0);
        rig.advance(10 * MS);
        assert_eq!(rig.back_state(3, 0), Some("6"), "until the front end has seen it");
        for page in pages {
            assert!(guest.revoke_page(page).is_ok());
        }
        rig.set_front_state(3, 0, "6");
        assert_eq!(rig.back_state(3, 0), Some("6"), "{life}: the front end may not have settled");
        rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    }
    rig.assert_rules_were_kept();
}

#[test]
fn a_device_is_attached_again_with_other_settings() {
    let mut rig = Rig::new();
    for life in 0..5 {
        let streams = if life % 2 == 0 { &DUPLEX[..] } else { &DUPLEX[..1] };
        let fronts = rig.guest_with(3, streams);
        assert_eq!(fronts.len(), streams.len());
        rig.detach(3, 0);
        rig.until_removed(3);
        rig.stored.remove(&front_path(3, 0));
        fronts.into_iter().for_each(|front| {
            front.disconnect();
        });
        rig.wake();
    }
    rig.assert_nothing_is_left();
}

#[test]
fn devices_that_were_there_before_are_found() {
    let model = duplex();
    let mut rig = Rig::unstarted(model);
    for guest in [3, 4, 17] {
        for device in [0, 1] {
            rig.attach(guest, device, &DUPLEX);
        }
    }
    assert_eq!(rig.polls, 0);
    for guest in [3, 4, 17] {
        for device in [0, 1] {
            rig.until("InitWait", |rig| rig.back_state(guest, device) == Some("2"));
        }
    }
}

#[test]
fn a_device_of_an_earlier_driver_domain_begins_anew() {
    let mut rig = Rig::unstarted(duplex());
    rig.attach(3, 0, &DUPLEX);
    rig.stored.set(&format!("{}/state", back_path(3, 0)), "4");
    rig.set_front_state(3, 0, "4");
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
}

#[test]
fn while_run_sticks_the_device_is_closing() {
    let mut rig = playing();
    rig.model.edit_faults(|faults| faults.stuck_run = u32::MAX);
    rig.detach(3, 0);
    rig.advance(300 * MS);
    assert_eq!(rig.back_state(3, 0), Some(XenbusState::Closing.node()));
    assert!(rig.world.mapped_pages() > 0, "the controller may still write there");
    rig.model.edit_faults(|faults| faults.stuck_run = 0);
    rig.until_removed(3);
    rig.assert_nothing_is_left();
}

#[test]
fn a_controller_that_is_gone_leaves_nothing_of_a_guest_mapped() {
    let mut rig = playing();
    rig.model.edit_faults(|faults| (faults.off_the_bus, faults.cut_off) = (true, true));
    rig.detach(3, 0);
    rig.until_removed(3);
    rig.assert_nothing_is_left();
    logs::take_warnings();
}

#[test]
fn a_stream_that_never_stops_is_tried_less_and_less_often() {
    let mut rig = playing();
    rig.model.edit_faults(|faults| faults.stuck_run = u32::MAX);
    rig.detach(3, 0);
    rig.advance(1_000 * MS);
    let before = rig.polls;
    rig.advance(60_000 * MS);
    // The wait doubles up to ten seconds.
    assert!(rig.polls - before < 40, "{} turns in a minute", rig.polls - before);
    rig.model.edit_faults(|faults| faults.stuck_run = 0);
    rig.until_within("the end", 11_000, |rig| rig.world.mapped_pages() == 0);
    logs::take_warnings();
}

#[test]
fn a_front_end_whose_grants_are_none_can_try_again() {
    let mut rig = Rig::new();
    rig.attach(3, 0, &DUPLEX[..1]);
    let stream = format!("{}/0/0", front_path(3, 0));
    let write = |rig: &mut Rig, values: [&str; 4]| {
        for (node, value) in
            ["ring-ref", "event-channel", "evt-ring-ref", "evt-event-channel"].into_iter().zip(values)
        {
            rig.stored.set(&format!("{stream}/{node}"), value);
        }
        rig.set_front_state(3, 0, "3");
    };
    for values in [
        ["9999", "1", "9998", "2"],
        ["0", "0", "0", "0"],
        ["4294967295", "4294967295", "4294967295", "4294967295"],
        ["4294967296", "1", "2", "3"],
        ["-1", "1", "2", "3"],
        ["", "1", "2", "3"],
        ["nonsense", "\n\n", "2", "3"],
    ] {
        logs::take_warnings();
        write(&mut rig, values);
        rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
        assert_eq!(logs::take_warnings().len(), 1, "{values:?}");
        rig.set_front_state(3, 0, "6");
        rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    }
    assert_eq!(rig.world.mapped_pages(), 0);
    let playback = rig.front_up(3, 0, &DUPLEX[..1]).remove(0);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    rig.play_to_the_end(playback, &noise(3_000, 1));
}

#[test]
fn a_front_end_that_publishes_nothing_is_not_connected_to() {
    let mut rig = Rig::new();
    rig.attach(3, 0, &DUPLEX);
    rig.set_front_state(3, 0, "3");
    rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
    let warnings = logs::take_warnings();
    assert_eq!(warnings, ["/local/domain/3/device/vsnd/0/0/0/ring-ref: missing"]);
}

#[test]
fn a_right_that_is_withdrawn_while_run_sticks_keeps_no_device_closing() {
    let mut rig = Rig::new();
    let mut fronts = rig.guest(3);
    rig.play(fronts.remove(0), &noise(480_000, 1));
    rig.advance(100 * MS);
    rig.model.edit_faults(|faults| faults.stuck_run = u32::MAX);
    rig.detach(3, 0);
    rig.advance(10 * MS);
    assert_eq!(rig.back_state(3, 0), Some("5"));
    // RUN comes to itself between two tries, and then the right goes.
    rig.model.edit_faults(|faults| faults.stuck_run = 0);
    rig.stored.set("snddom/may-play", "0");
    rig.wake();
    rig.until_removed(3);
}

/// Linux's front end looks at this side's state once for each event of its watch, and may see
/// InitWait twice: then it takes back what it has published and publishes anew.
#[test]
fn a_front_end_that_begins_twice_is_connected_to_once() {
    let mut rig = Rig::new();
    rig.attach(3, 0, &DUPLEX);
    assert_eq!(rig.back_state(3, 0), Some("2"));
    let first = rig.front_up(3, 0, &DUPLEX);
    rig.advance(20 * MS);
    assert_eq!(rig.back_state(3, 0), Some("2"), "it may not have settled");
    // Nothing of it is mapped, so that it can take everything back.
    assert_eq!(rig.world.mapped_pages(), 0);
    for front in first {
        front.disconnect();
    }
    rig.set_front_state(3, 0, "1");
    let front = rig.front_up(3, 0, &DUPLEX).remove(0);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    rig.play_to_the_end(front, &noise(5_000, 1));
    rig.assert_rules_were_kept();
}
