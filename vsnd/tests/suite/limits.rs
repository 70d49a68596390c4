//! What a guest may hold: devices, streams, open streams, channels, pages.

use hypervisor_model::guest::StreamError;
use sndif::Direction::Playback;
use sndif::op::Operation;
use sndif::response::Status;

use crate::support::*;

const NO_ROOM: StreamError = StreamError::Refused(Operation::Open, Status::ENOMEM);

/// A card with a stream on each of these outputs.
fn card_on(outputs: std::ops::Range<u16>) -> Vec<StreamAt> {
    let names = outputs.map(|number| &*format!("output-{number}").leak());
    (0..).zip(names).map(|(number, name)| (number / 8, number % 8, Playback, name)).collect()
}

fn set(rig: &mut Rig, node: &str, value: &str) {
    rig.stored.set(&format!("snddom/guest/{node}"), value);
    rig.wake();
}

fn guest_use(rig: &Rig, guest: u16) -> Option<&str> {
    rig.stored.value(&format!("snddom/state/guest/{guest}"))
}

/// Begins to play on each of these front ends. Returns the errors.
fn play_all(rig: &mut Rig, fronts: Vec<Front>) -> Vec<Option<StreamError>> {
    let players: Vec<u32> = fronts.into_iter().map(|front| rig.play(front, &noise(192_000, 1))).collect();
    rig.advance(50 * MS);
    players.into_iter().map(|player| rig.player(player).error).collect()
}

#[test]
fn eight_hostile_guests_leave_devices_channels_and_pages_to_a_ninth() {
    let mut rig = Rig::with(codecs(1));
    // Each wants more devices than it may have, with as many streams as there can be.
    let streams = card_on(0..1);
    let sixteen: Vec<StreamAt> =
        (0..16).map(|n| (n / 8, n % 8, Playback, &*format!("x{n}").leak())).collect();
    for guest in 10..18 {
        for device in 0..16 {
            rig.attach_nodes(guest, device, if device % 2 == 0 { &sixteen[..12] } else { &sixteen });
        }
    }
    rig.wake();
    rig.advance(1_000 * MS);
    for guest in 10..18 {
        for device in 0..16 {
            if rig.back_state(guest, device) == Some("2") {
                let streams = if device % 2 == 0 { &sixteen[..12] } else { &sixteen };
                rig.front_up(guest, device, streams);
            }
        }
    }
    rig.advance(1_000 * MS);
    for guest in 10..18 {
        let connected = (0..16).filter(|device| rig.back_state(guest, *device) == Some("4")).count();
        assert_eq!(connected, 1, "guest {guest}");
    }
    assert_eq!(rig.world.mapped_pages(), 8 * 24);
    // Nothing of it is in the way of one that just plays.
    let front = rig.guest_with(3, &streams).remove(0);
    rig.play_to_the_end(front, &noise(2_000, 1));
    let all = "devices=1/3 streams=12/12 open_streams=0/6 channels=24/24 pages=24/800";
    rig.until_within("what they hold", 30_000, |rig| guest_use(rig, 17) == Some(all));
    // A line for each guest that has too many devices, and one for each device that waits with its card.
    let warnings = logs::take_warnings();
    assert!(warnings.len() <= 8 * 3, "{} lines: {warnings:?}", warnings.len());
    assert!(warnings.iter().any(|line| line.ends_with("its limit of 3 devices; those beyond it wait")));
    assert!(warnings.iter().any(|line| line.contains("beyond the guest's limit of 12 streams")));
    rig.assert_rules_were_kept();
}

#[test]
fn a_guest_s_devices_share_what_it_may_open() {
    let mut rig = Rig::with(outputs(5));
    set(&mut rig, "3/limits/open-streams", "2");
    let mut fronts = Vec::new();
    for (device, outputs) in (0..).zip([0..2, 2..4]) {
        let its = card_on(outputs);
        rig.attach(3, device, &its);
        rig.until("InitWait", |rig| rig.back_state(3, device) == Some("2"));
        fronts.extend(rig.front_up(3, device, &its));
        rig.until("Connected", |rig| rig.back_state(3, device) == Some("4"));
    }
    assert_eq!(play_all(&mut rig, fronts), [None, None, Some(NO_ROOM), Some(NO_ROOM)]);
    rig.advance(1_500 * MS);
    assert_eq!(
        guest_use(&rig, 3),
        Some("devices=2/3 streams=4/12 open_streams=2/2 channels=8/24 pages=40/800")
    );
    // Another guest isn't concerned.
    let front = rig.guest_with(4, &card_on(4..5)).remove(0);
    assert_eq!(play_all(&mut rig, vec![front]), [None]);
    rig.assert_rules_were_kept();
}

#[test]
fn pages_are_counted_with_rings_and_buffers() {
    let mut rig = Rig::with(outputs(4));
    // Two streams' rings and event pages, and two buffers of 16 pages.
    set(&mut rig, "3/limits/pages", "36");
    let fronts = rig.guest_with(3, &card_on(0..2));
    assert_eq!(play_all(&mut rig, fronts), [None, None]);
    rig.advance(1_500 * MS);
    assert_eq!(
        guest_use(&rig, 3),
        Some("devices=1/3 streams=2/12 open_streams=2/6 channels=4/24 pages=36/36")
    );
    // One page less is one buffer less.
    set(&mut rig, "4/limits/pages", "35");
    let fronts = rig.guest_with(4, &[(0, 0, Playback, "output-2"), (0, 1, Playback, "output-3")]);
    assert_eq!(play_all(&mut rig, fronts), [None, Some(NO_ROOM)]);
    rig.assert_rules_were_kept();
}

#[test]
fn a_limit_that_changes_counts_at_once_for_what_is_asked_then() {
    let mut rig = Rig::with(outputs(4));
    let mut fronts = rig.guest_with(3, &card_on(0..3)).into_iter();
    let mut next = || vec![fronts.next().expect("a front end")];
    set(&mut rig, "3/limits/open-streams", "1");
    assert_eq!(play_all(&mut rig, next()), [None]);
    // What is open stays so.
    set(&mut rig, "3/limits/open-streams", "0");
    assert!(rig.is_running());
    assert_eq!(play_all(&mut rig, next()), [Some(NO_ROOM)]);
    rig.stored.remove("snddom/guest/3/limits");
    rig.wake();
    assert_eq!(play_all(&mut rig, next()), [None]);
    assert_eq!(logs::take_warnings(), Vec::<String>::new());
    rig.assert_rules_were_kept();
}

#[test]
fn a_card_beyond_the_limits_waits_until_they_grow_and_says_so_once() {
    let mut rig = Rig::new();
    let streams = card_on(0..1);
    let wide: Vec<StreamAt> = (0..13).map(|n| (n / 8, n % 8, Playback, &*format!("x{n}").leak())).collect();
    rig.attach(3, 0, &wide);
    rig.advance(500 * MS);
    assert_eq!(rig.back_state(3, 0), Some("1"));
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("backend/vsnd/3/0: a card with 13 streams is beyond"), "{warnings:?}");
    set(&mut rig, "3/limits/streams", "13");
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    // The channels are too few for it.
    rig.front_up(3, 0, &wide);
    rig.advance(500 * MS);
    assert_eq!((rig.back_state(3, 0), rig.world.mapped_pages()), (Some("2"), 0));
    let warnings = logs::take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the guest's limit of event channels"), "{warnings:?}");
    set(&mut rig, "3/limits/channels", "26");
    rig.until_within("Connected, without the wait after failures", 100, |rig| {
        rig.back_state(3, 0) == Some("4")
    });
    // Devices: the default, then none at all, then more.
    for device in 0..5 {
        rig.attach(4, device, &streams);
    }
    rig.advance(500 * MS);
    let waiting = |rig: &Rig| (0..5).filter(|device| rig.back_state(4, *device) == Some("2")).count();
    assert_eq!(waiting(&rig), 3);
    assert_eq!(logs::take_warnings().len(), 1);
    set(&mut rig, "4/limits/devices", "4");
    rig.until("one more", |rig| waiting(rig) == 4);
    rig.advance(500 * MS);
    assert_eq!(waiting(&rig), 4);
    rig.stored.remove("backend/vsnd/4/0");
    rig.wake();
    rig.until("the last one", |rig| rig.back_state(4, 4) == Some("2"));
    rig.assert_rules_were_kept();
}

#[test]
fn a_guest_that_may_have_no_device_gets_none() {
    let mut rig = Rig::new();
    set(&mut rig, "3/limits/devices", "0");
    rig.attach(3, 0, &DUPLEX);
    rig.advance(500 * MS);
    assert_eq!(rig.back_state(3, 0), Some("1"));
    let warnings = logs::take_warnings();
    assert!(warnings[0].contains("limit of 0 devices"), "{warnings:?}");
    rig.detach(3, 0);
    rig.until_removed(3);
}

#[test]
fn an_invalid_limit_is_the_default_and_logged_with_its_path() {
    let mut rig = Rig::new();
    rig.guest(3);
    set(&mut rig, "3/limits/open-streams", "8");
    rig.advance(1_500 * MS);
    let line = |limit| format!("devices=1/3 streams=2/12 open_streams=0/{limit} channels=4/24 pages=4/800");
    assert_eq!(guest_use(&rig, 3), Some(&*line(8)));
    let long = "9".repeat(300);
    for bad in ["", "-1", "x", "1x", " 7", "0x7", "unlimited", "4294967296", &long] {
        set(&mut rig, "3/limits/open-streams", bad);
        let warnings = logs::take_warnings();
        let [line] = &*warnings else { panic!("{bad:?}: {warnings:?}") };
        assert!(line.starts_with("snddom/guest/3/limits/open-streams: "), "{line}");
        assert!(line.ends_with("is no number; until then the limit is 6") && line.len() < 250, "{line}");
    }
    rig.advance(300 * MS);
    assert_eq!(guest_use(&rig, 3), Some(&*line(6)));
    // Also one that can't be read, in the place of one that allows more.
    rig.stored.set("/local/domain/4/name", "work");
    rig.stored.set("snddom/guest/work/limits/devices", "9");
    rig.stored.hidden.push(format!("/local/domain/{}/snddom/guest/4", DRIVER.0));
    set(&mut rig, "4/other", "");
    for device in 0..5 {
        rig.attach(4, device, &DUPLEX);
    }
    rig.advance(500 * MS);
    assert_eq!((0..5).filter(|device| rig.back_state(4, *device) == Some("2")).count(), 3);
    assert!(
        logs::take_warnings().iter().any(|line| line.contains("guest/4/limits: this domain may not read it"))
    );
}

#[test]
fn a_limit_by_domain_id_goes_before_one_by_name_and_each_counts_for_itself() {
    let mut rig = Rig::with(outputs(4));
    rig.stored.set("/local/domain/3/name", "work");
    rig.stored.set("snddom/guest/work/limits/open-streams", "1");
    rig.stored.set("snddom/guest/work/limits/pages", "500");
    rig.stored.set("snddom/guest/3/limits/open-streams", "2");
    let fronts = rig.guest_with(3, &card_on(0..3));
    assert_eq!(play_all(&mut rig, fronts), [None, None, Some(NO_ROOM)]);
    rig.advance(1_500 * MS);
    assert_eq!(
        guest_use(&rig, 3),
        Some("devices=1/3 streams=3/12 open_streams=2/2 channels=6/24 pages=38/500")
    );
    rig.destroy(3);
    rig.until_removed(3);
    rig.advance(500 * MS);
    assert_eq!(guest_use(&rig, 3), None);
}

#[test]
fn opens_beyond_a_limit_in_a_loop_are_answered_and_logged_a_few_times() {
    let mut rig = Rig::new();
    set(&mut rig, "3/limits/open-streams", "0");
    let mut front = rig.guest(3).remove(0);
    let before = logs::count_all();
    for _ in 0..200 {
        front.open(&OPEN_CONFIG).expect("a request on its way");
        assert_eq!(answer(&mut rig, &mut front), (Operation::Open, Status::ENOMEM));
    }
    assert!((1..=16).contains(&(logs::count_all() - before)), "{} lines", logs::count_all() - before);
}
