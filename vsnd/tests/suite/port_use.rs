//! The use of ports that people read below `snddom/state`, and who listens.

use audioback::card::{BusState, PortState};

use crate::rights::{capture_on, playback_on};
use crate::support::*;

fn port_use<'a>(rig: &'a Rig, port: &str) -> Option<&'a str> {
    rig.stored.value(&format!("snddom/state/port/{port}/use"))
}

/// Writes of the use of ports since the list of requests was cleared.
fn writes(rig: &Rig) -> usize {
    let is_one = |payload: &[u8]| payload.starts_with(b"snddom/state/port/");
    rig.stored.requests.iter().filter(|seen| seen.kind == 11 && is_one(&seen.payload)).count()
}

/// A rig in which guest 3 may record, for a long time.
fn recording() -> (Rig, u32) {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/may-record", "input-0");
    let front = rig.guest_with(3, &capture_on("input-0")).remove(0);
    rig.advance(1_000 * MS);
    assert_eq!(port_use(&rig, "input-0"), None, "nobody had it");
    let player = rig.record(front, 480_000);
    rig.advance(300 * MS);
    assert_eq!(port_use(&rig, "input-0"), Some("mode=direct recorded_by=3"));
    assert_eq!(port_use(&rig, "output-0"), None);
    (rig, player)
}

#[test]
fn who_records_is_seen_until_the_stream_stops() {
    let (mut rig, player) = recording();
    let (mut front, _) = rig.end_player(player);
    front.pause().expect("a request on its way");
    rig.advance(300 * MS);
    assert_eq!(port_use(&rig, "input-0"), Some("mode=direct"), "paused");
    front.poll();
    front.resume().expect("a request on its way");
    rig.advance(300 * MS);
    assert_eq!(port_use(&rig, "input-0"), Some("mode=direct recorded_by=3"));
    front.poll();
    front.stop().expect("a request on its way");
    rig.advance(300 * MS);
    assert_eq!(port_use(&rig, "input-0"), Some("mode=direct"), "stopped");
    front.poll();
    front.close().expect("a request on its way");
    rig.advance(300 * MS);
    assert_eq!(port_use(&rig, "input-0"), Some("mode=idle"));
}

#[test]
fn who_records_is_seen_until_the_right_or_the_guest_is_gone() {
    for end in ["right", "device", "guest"] {
        let (mut rig, _) = recording();
        match end {
            "right" => rig.stored.set("snddom/guest/3/may-record", "0"),
            "device" => rig.detach(3, 0),
            _ => rig.destroy(3),
        }
        rig.wake();
        rig.advance(300 * MS);
        assert_eq!(port_use(&rig, "input-0"), Some("mode=idle"), "{end}");
    }
}

#[test]
fn a_stream_that_does_not_stop_still_counts_as_one_that_records() {
    let (mut rig, _) = recording();
    rig.model.edit_faults(|faults| faults.stuck_run = u32::MAX);
    rig.stored.set("snddom/guest/3/may-record", "0");
    rig.wake();
    rig.advance(500 * MS);
    assert_eq!(port_use(&rig, "input-0"), Some("mode=direct recorded_by=3"), "RUN reads 1");
    rig.model.edit_faults(|faults| faults.stuck_run = 0);
    rig.advance(500 * MS);
    assert_eq!(port_use(&rig, "input-0"), Some("mode=idle"));
}

#[test]
fn who_hears_an_output_is_seen_there() {
    let mut rig = Rig::with_monitor(codecs(2));
    rig.stored.set("snddom/may-hear", "1");
    let front = rig.guest_with(7, &capture_on("monitor-0")).remove(0);
    let player = rig.record(front, 480_000);
    rig.advance(1_300 * MS);
    assert_eq!(port_use(&rig, "output-0"), Some("mode=direct heard_by=7"));
    assert!(!rig.stored.exists("snddom/state/port/monitor-0"));
    rig.stored.set("snddom/may-hear", "0");
    rig.wake();
    rig.advance(300 * MS);
    assert_eq!(port_use(&rig, "output-0"), Some("mode=idle"));
    rig.end_player(player);
}

#[test]
fn a_recording_that_is_over_before_it_is_published_is_seen_all_the_same() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/may-record", "input-0");
    let front = rig.guest_with(3, &capture_on("input-0")).remove(0);
    rig.advance(1_000 * MS);
    // xenstored doesn't answer for as long as the recording takes.
    rig.stored_is_held = true;
    let player = rig.record(front, 960);
    rig.advance_held(100 * MS);
    assert!(rig.player(player).is_over());
    rig.stored_is_held = false;
    let mut seen = Vec::new();
    for _ in 0..600 {
        rig.advance(MS);
        let line = port_use(&rig, "input-0").map(str::to_owned);
        if seen.last() != Some(&line) {
            seen.push(line);
        }
    }
    let recorded = seen.iter().flatten().filter(|line| line.contains("recorded_by=3")).count();
    assert_eq!((recorded, seen.last()), (1, Some(&Some("mode=idle".to_owned()))), "{seen:?}");
}

#[test]
fn a_bus_is_published_at_once_and_its_counters_once_a_second() {
    let mut rig = Rig::new();
    let front = rig.guest_with(3, &playback_on("output-0")).remove(0);
    rig.advance(1_000 * MS);
    let mut bus = BusState {
        rate_hz: 48_000,
        channels: 2,
        is_running: true,
        voices: 1,
        running: 1,
        lead: hyper::Nanos(12_345_678),
        ..BusState::default()
    };
    let set = |rig: &Rig, bus| rig.card.port_states.set([Some(PortState::Shared(bus)), None]);
    set(&rig, bus);
    let player = rig.play(front, &noise(48_000 * 6, 1));
    rig.advance(300 * MS);
    let shape = "mode=shared status=running rate_hz=48000 channels=2 voices=1 running=1";
    let line = format!("{shape} lead_us=12345 clipped_frames=0 late_turns=0 fifo_errors=0");
    assert_eq!(port_use(&rig, "output-0"), Some(&*line));
    rig.stored.requests.clear();
    for _ in 0..4_000 {
        bus.clipped_frames += 1;
        set(&rig, bus);
        rig.advance(MS);
    }
    let count = writes(&rig);
    assert!((3..=5).contains(&count), "once a second: {count}");
    rig.until("the end", |rig| rig.player(player).is_over());
    // The bus goes on for a while, and is then closed without anything else happening.
    bus.voices = 0;
    bus.running = 0;
    set(&rig, bus);
    rig.advance(1_500 * MS);
    assert!(port_use(&rig, "output-0").expect("a line").contains(" voices=0 running=0 "));
    rig.card.port_states.set([Some(PortState::Idle), None]);
    rig.advance(1_500 * MS);
    assert_eq!(port_use(&rig, "output-0"), Some("mode=idle"));
    rig.stored.requests.clear();
    rig.polls = 0;
    rig.advance(60_000 * MS);
    assert_eq!((rig.stored.requests.len(), rig.polls, rig.due.next), (0, 2, None), "asleep for a minute");
}

#[test]
fn streams_that_come_and_go_all_the_time_are_published_at_a_bounded_rate() {
    let mut rig = Rig::with(codecs(2));
    let mut front = rig.guest_with(3, &playback_on("output-0")).remove(0);
    rig.advance(1_000 * MS);
    rig.stored.requests.clear();
    let start = rig.now();
    for round in 0..40 {
        front = rig.play_to_the_end(front, &noise(200, round));
    }
    let tenths = (rig.now().0 - start.0).div_ceil(100 * MS);
    let all = rig.stored.requests.iter().filter(|seen| seen.kind == 11).count() as u64;
    assert!(writes(&rig) > 0 && all <= tenths + 1, "{all} in {tenths} tenths of a second");
    // Another guest is seen meanwhile.
    rig.stored.set("snddom/may-record", "1");
    let other = rig.guest_with(4, &capture_on("input-0")).remove(0);
    rig.record(other, 480_000);
    let mut rounds = 0;
    while port_use(&rig, "input-0") != Some("mode=direct recorded_by=4") {
        front = rig.play_to_the_end(front, &noise(200, rounds));
        rounds += 1;
        assert!(rounds < 40, "{:?}", port_use(&rig, "input-0"));
    }
}

#[test]
fn what_may_not_be_published_is_published_once_that_is_allowed() {
    let mut rig = Rig::unstarted(duplex());
    rig.stored.may_write = Some(vec!["backend/vsnd".into()]);
    rig.start();
    let front = rig.guest_with(3, &playback_on("output-0")).remove(0);
    let player = rig.play(front, &noise(48_000, 1));
    rig.until("the end", |rig| rig.player(player).is_over());
    assert_eq!(writes(&rig), 0);
    rig.stored.may_write = Some(vec!["backend/vsnd".into(), "snddom/state".into()]);
    rig.stored.set("snddom/state", "");
    let (front, _) = rig.end_player(player);
    rig.play(front, &noise(48_000, 1));
    rig.wake();
    rig.advance(900 * MS);
    assert_eq!(port_use(&rig, "output-0"), Some("mode=direct"));
}
