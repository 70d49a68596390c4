//! Streams that are open and don't run, and guests that wait for their port.

use audioback::card::{BusState, PortState};
use sndif::Direction::Playback;
use sndif::op::Operation;
use sndif::response::Status;

use crate::support::*;

const ON_OUTPUT: [StreamAt; 1] = [(0, 0, Playback, "output-0")];
const SECOND: u64 = 1_000 * MS;

fn open(rig: &mut Rig, front: &mut Front) -> Status {
    front.open(&OPEN_CONFIG).expect("OPEN on its way");
    answered(rig, front, Operation::Open)
}

fn close(rig: &mut Rig, front: &mut Front) -> Status {
    front.close().expect("CLOSE on its way");
    answered(rig, front, Operation::Close)
}

fn start(rig: &mut Rig, front: &mut Front) -> Status {
    front.start().expect("START on its way");
    answered(rig, front, Operation::Trigger)
}

fn answered(rig: &mut Rig, front: &mut Front, asked: Operation) -> Status {
    let (operation, status) = answer(rig, front);
    assert_eq!(operation, asked);
    status
}

/// Two guests with a stream each on the same output.
fn two_guests(rig: &mut Rig) -> [Front; 2] {
    [3, 4].map(|guest| rig.guest_with(guest, &ON_OUTPUT).remove(0))
}

#[test]
fn an_open_that_never_starts_gives_way_to_a_guest_that_waits_after_two_seconds() {
    let mut rig = Rig::new();
    let [mut idle, mut other] = two_guests(&mut rig);
    assert_eq!(open(&mut rig, &mut idle), Status::OK);
    rig.advance(19 * SECOND / 10);
    assert_eq!(open(&mut rig, &mut other), Status::EBUSY, "not yet");
    rig.advance(SECOND);
    let mapped = rig.world.mapped_pages();
    assert_eq!(open(&mut rig, &mut other), Status::OK);
    assert_eq!(rig.world.mapped_pages(), mapped, "one buffer has gone, another one has come");
    assert_eq!(start(&mut rig, &mut other), Status::OK);
    assert!(rig.is_running());
    // What the first one asks now is answered in a clear way, whatever it is.
    assert_eq!(start(&mut rig, &mut idle), Status::EBUSY);
    idle.fill(&[1; 1_920]);
    idle.hint().expect("WRITE on its way");
    assert_eq!(answered(&mut rig, &mut idle, Operation::Write), Status::EBUSY);
    idle.stop().expect("STOP on its way");
    assert_eq!(answered(&mut rig, &mut idle, Operation::Trigger), Status::OK, "it has stopped");
    assert_eq!(close(&mut rig, &mut idle), Status::OK);
    assert_eq!(open(&mut rig, &mut idle), Status::EBUSY, "the other one plays");
    assert_eq!(close(&mut rig, &mut other), Status::OK);
    rig.play_to_the_end(idle, &noise(2_000, 1));
    rig.assert_rules_were_kept();
}

#[test]
fn an_idle_stream_stays_as_long_as_nobody_waits() {
    let mut rig = Rig::new();
    let [mut idle, _] = two_guests(&mut rig);
    assert_eq!(open(&mut rig, &mut idle), Status::OK);
    rig.advance(60 * SECOND);
    assert_eq!(start(&mut rig, &mut idle), Status::OK);
    assert!(rig.is_running());
}

#[test]
fn a_stream_that_runs_or_is_paused_gives_way_to_nobody_and_one_that_has_stopped_does() {
    let mut rig = Rig::new();
    let [mut first, mut other] = two_guests(&mut rig);
    assert_eq!(open(&mut rig, &mut first), Status::OK);
    rig.advance(19 * SECOND / 10);
    assert_eq!(start(&mut rig, &mut first), Status::OK);
    let keeps = |rig: &mut Rig, other: &mut Front, what: &str| {
        assert_eq!(open(rig, other), Status::EBUSY, "{what}");
    };
    for what in ["running", "paused"] {
        rig.advance(10 * SECOND);
        keeps(&mut rig, &mut other, what);
        while first.poll().is_some() {}
        first.pause().expect("PAUSE on its way");
        rig.settle();
        while first.poll().is_some() {}
    }
    first.stop().expect("STOP on its way");
    assert_eq!(answered(&mut rig, &mut first, Operation::Trigger), Status::OK);
    rig.advance(19 * SECOND / 10);
    keeps(&mut rig, &mut other, "stopped a moment ago");
    rig.advance(SECOND);
    assert_eq!(open(&mut rig, &mut other), Status::OK);
    rig.assert_rules_were_kept();
}

#[test]
fn nobody_gives_way_to_a_guest_without_the_right_or_to_the_same_guest() {
    let mut rig = Rig::new();
    let [mut idle, mut other] = two_guests(&mut rig);
    rig.attach(3, 1, &ON_OUTPUT);
    rig.until("InitWait", |rig| rig.back_state(3, 1) == Some("2"));
    let mut own = rig.front_up(3, 1, &ON_OUTPUT).remove(0);
    rig.until("Connected", |rig| rig.back_state(3, 1) == Some("4"));
    assert_eq!(open(&mut rig, &mut idle), Status::OK);
    rig.advance(5 * SECOND);
    assert_eq!(open(&mut rig, &mut own), Status::EBUSY, "the same guest");
    rig.stored.set("snddom/guest/4/may-play", "0");
    rig.wake();
    assert_eq!(open(&mut rig, &mut other), Status::EACCES);
    rig.stored.set("snddom/guest/4/may-play", "1");
    rig.stored.set("snddom/guest/4/limits/open-streams", "0");
    rig.wake();
    assert_eq!(open(&mut rig, &mut other), Status::ENOMEM);
    assert_eq!(start(&mut rig, &mut idle), Status::OK, "it still has its port");
}

#[test]
fn a_stream_on_a_shared_port_gives_way_to_nobody() {
    let mut rig = Rig::new();
    let [mut idle, mut other] = two_guests(&mut rig);
    assert_eq!(open(&mut rig, &mut idle), Status::OK);
    rig.card.port_states.set([Some(PortState::Shared(BusState::default())), None]);
    rig.advance(5 * SECOND);
    assert_eq!(open(&mut rig, &mut other), Status::EBUSY, "what is lacking is no port");
    assert_eq!(start(&mut rig, &mut idle), Status::OK);
}

#[test]
fn two_guests_that_take_a_port_from_each_other_all_day_fill_no_log() {
    let mut rig = Rig::new();
    let mut fronts = two_guests(&mut rig);
    assert_eq!(open(&mut rig, &mut fronts[0]), Status::OK);
    let before = logs::count_all();
    for _ in 0..60 {
        rig.advance(21 * SECOND / 10);
        fronts.swap(0, 1);
        let [waits, idle] = &mut fronts;
        assert_eq!(open(&mut rig, waits), Status::OK);
        assert_eq!(close(&mut rig, idle), Status::OK);
    }
    assert_eq!(logs::count_all() - before, 2 * 16);
}
