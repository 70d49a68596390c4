//! Several guests at once.

use hypervisor_model::guest::StreamError;
use sndif::Direction::{Capture, Playback};
use sndif::op::Operation;
use sndif::response::Status;
use vsnd::MAX_DEVICES;

use crate::support::*;

fn playback_on(unique_id: &'static str) -> [StreamAt; 1] {
    [(0, 0, Playback, unique_id)]
}

#[test]
fn two_guests_play_to_two_codecs_each_exact() {
    let mut rig = Rig::with(codecs(2));
    let recordings = [noise(30_000, 1), noise(30_000, 2)];
    let players = [(3, "output-0"), (4, "output-1")].map(|(guest, id)| {
        let front = rig.guest_with(guest, &playback_on(id)).remove(0);
        rig.play(front, &recordings[usize::from(guest) - 3])
    });
    rig.until("both ends", |rig| players.iter().all(|player| rig.player(*player).is_over()));
    for (codec, recording) in recordings.iter().enumerate() {
        assert_heard(&rig.model, codec, 0, recording);
    }
    rig.assert_rules_were_kept();
}

#[test]
fn a_guest_that_finds_the_output_busy_plays_once_it_is_free() {
    let mut rig = Rig::new();
    let first = rig.guest_with(3, &playback_on("output-0")).remove(0);
    let second = rig.guest_with(4, &playback_on("anything")).remove(0);
    let recording = noise(20_000, 1);
    let playing = rig.play(first, &recording);
    rig.advance(50 * MS);
    let refused = rig.play(second, &noise(5_000, 2));
    rig.until("an answer", |rig| rig.player(refused).is_over());
    let (second, player) = rig.end_player(refused);
    assert_eq!(player.error, Some(StreamError::Refused(Operation::Open, Status::EBUSY)));
    rig.until("the first one's end", |rig| rig.player(playing).is_over());
    let end = assert_heard(&rig.model, 0, 0, &recording);
    // The front end that was refused has a buffer still: it begins anew.
    rig.set_front_state(4, 0, "5");
    second.disconnect();
    rig.set_front_state(4, 0, "6");
    rig.set_front_state(4, 0, "1");
    rig.until("InitWait", |rig| rig.back_state(4, 0) == Some("2"));
    let second = rig.front_up(4, 0, &playback_on("anything")).remove(0);
    rig.until("Connected", |rig| rig.back_state(4, 0) == Some("4"));
    let recording = noise(5_000, 3);
    rig.play_to_the_end(second, &recording);
    assert_heard(&rig.model, 0, end, &recording);
}

#[test]
fn a_guest_that_comes_or_goes_or_dies_makes_no_gap_in_another_s_stream() {
    let mut rig = Rig::with(codecs(2));
    let front = rig.guest_with(3, &playback_on("output-0")).remove(0);
    let recording = noise(60_000, 1);
    let player = rig.play(front, &recording);
    for (guest, seed) in (10..).zip(0..6) {
        let fronts = rig.guest_with(guest, &[(0, 0, Playback, "output-1"), (0, 1, Capture, "input-1")]);
        let mut fronts = fronts.into_iter();
        let other = rig.play(fronts.next().expect("a stream"), &noise(50_000, seed));
        rig.advance(60 * MS);
        assert_eq!(rig.player(other).error, None);
        if seed % 2 == 0 {
            rig.destroy(guest);
        } else {
            rig.detach(guest, 0);
        }
        rig.until_removed(guest);
    }
    rig.until("the end", |rig| rig.player(player).is_over());
    assert_eq!(rig.player(player).error, None);
    assert_heard(&rig.model, 0, 0, &recording);
    rig.assert_rules_were_kept();
}

#[test]
fn the_thirty_third_device_waits_until_one_goes() {
    let mut rig = Rig::new();
    let guests = 10..10 + MAX_DEVICES as u16;
    for guest in guests.clone() {
        rig.attach(guest, 0, &DUPLEX);
    }
    rig.until("InitWait", |rig| guests.clone().all(|guest| rig.back_state(guest, 0) == Some("2")));
    for guest in [80, 81] {
        rig.attach(guest, 0, &DUPLEX);
    }
    rig.advance(20 * MS);
    assert_eq!((rig.back_state(80, 0), rig.back_state(81, 0)), (Some("1"), Some("1")));
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 2, "one for each: {warnings:?}");
    assert!(warnings[0].starts_with("backend/vsnd/80/0: 32 devices"), "{warnings:?}");
    rig.detach(12, 0);
    rig.until_removed(12);
    rig.until("the 33rd", |rig| rig.back_state(80, 0) == Some("2"));
    rig.advance(20 * MS);
    assert_eq!(rig.back_state(81, 0), Some("1"));
    let warnings = logs::take_warnings();
    assert!(!warnings.iter().any(|line| line.contains("are served already")), "said once: {warnings:?}");
    // The one that waits gives up. Then there is room that no device takes.
    rig.stored.remove("backend/vsnd/81");
    rig.detach(13, 0);
    rig.until_removed(13);
    rig.advance(MS);
    rig.attach(82, 0, &DUPLEX);
    rig.until("the next", |rig| rig.back_state(82, 0) == Some("2"));
    // One of the first is still served.
    let front = rig.front_up(10, 0, &DUPLEX).remove(0);
    rig.until("Connected", |rig| rig.back_state(10, 0) == Some("4"));
    rig.play_to_the_end(front, &noise(2_000, 1));
}

/// A guest whose devices come and go while they wait doesn't use up the names that the log has for others.
#[test]
fn each_device_that_waits_is_named_however_many_have_gone() {
    let mut rig = Rig::new();
    let mut served: Vec<u16> = (10..10 + MAX_DEVICES as u16).collect();
    for guest in &served {
        rig.attach(*guest, 0, &DUPLEX);
    }
    rig.until("InitWait", |rig| served.iter().all(|guest| rig.back_state(*guest, 0) == Some("2")));
    for round in 0..MAX_DEVICES as u16 + 4 {
        let waiting = 200 + round;
        rig.attach(waiting, 0, &DUPLEX);
        rig.advance(20 * MS);
        let warnings = logs::take_warnings();
        let name = format!("backend/vsnd/{waiting}/0: 32 devices");
        assert!(warnings.iter().any(|line| line.starts_with(&name)), "{warnings:?}");
        rig.stored.remove(&format!("backend/vsnd/{waiting}"));
        // A place gets free, and nobody is there to take it.
        let gone = served.remove(0);
        rig.detach(gone, 0);
        rig.until_removed(gone);
        rig.advance(20 * MS);
        served.push(100 + round);
        rig.attach(100 + round, 0, &DUPLEX);
        rig.until("InitWait", |rig| rig.back_state(100 + round, 0) == Some("2"));
    }
}

#[test]
fn many_devices_at_once_stay_within_what_xenstored_allows_a_domain() {
    let mut rig = Rig::new();
    rig.advance(500 * MS);
    let start = rig.now();
    for guest in 10..42 {
        rig.attach_nodes(guest, 0, &DUPLEX);
    }
    rig.wake();
    rig.until("InitWait", |rig| (10..42).all(|guest| rig.back_state(guest, 0) == Some("2")));
    assert!(rig.now().0 - start.0 <= 20 * MS, "{} ns", rig.now().0 - start.0);
    assert!(logs::take_warnings().is_empty());
    for guest in 10..42 {
        rig.detach_nodes(guest, 0);
    }
    rig.wake();
    rig.until("the end of all", |rig| !rig.stored.exists("backend/vsnd"));
    assert!(logs::take_warnings().is_empty());
    rig.assert_nothing_is_left();
}

#[test]
fn a_front_end_that_writes_its_state_all_the_time_delays_no_other() {
    let mut rig = Rig::with(codecs(2));
    let front = rig.guest_with(3, &playback_on("output-0")).remove(0);
    rig.guest_with(4, &playback_on("output-1"));
    let recording = noise(10_000, 1);
    let player = rig.play(front, &recording);
    for round in 0..2_000 {
        let state = ["4", "4", "9", "x", "4"][round % 5];
        for _ in 0..20 {
            rig.stored.set(&format!("{}/state", front_path(4, 0)), state);
        }
        rig.stored.run();
        rig.poll();
        rig.model.advance_ns(MS / 10);
    }
    rig.wake();
    rig.until("the other's end", |rig| rig.player(player).is_over());
    assert_eq!(rig.player(player).error, None);
    assert_heard(&rig.model, 0, 0, &recording);
    rig.detach_nodes(4, 0);
    for _ in 0..200 {
        for _ in 0..20 {
            rig.stored.set(&format!("{}/state", front_path(4, 0)), "4");
        }
        rig.stored.run();
        rig.poll();
    }
    assert!(!rig.stored.exists(&back_path(4, 0)), "it is removed all the same");
}

#[test]
fn a_guest_with_more_devices_than_can_be_served_gets_them_as_others_go() {
    let mut rig = Rig::unstarted(duplex());
    let devices = 0..MAX_DEVICES as u16 + 8;
    rig.stored.set("snddom/guest/3/limits/devices", "100");
    rig.stored.set("snddom/guest/3/limits/streams", "100");
    devices.clone().for_each(|device| rig.attach_nodes(3, device, &DUPLEX[..1]));
    rig.start();
    let waiting = |rig: &Rig| -> Vec<u16> {
        devices.clone().filter(|device| rig.back_state(3, *device) == Some("2")).collect()
    };
    rig.until("InitWait", |rig| waiting(rig).len() == MAX_DEVICES);
    for gone in 1..=8 {
        rig.detach(3, waiting(&rig)[0]);
        rig.until("room for another", |rig| {
            let there = devices.clone().filter(|device| rig.stored.exists(&back_path(3, *device)));
            there.count() == MAX_DEVICES + 8 - gone && waiting(rig).len() == MAX_DEVICES
        });
    }
}
