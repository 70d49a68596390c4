//! An OPEN that the card can do without a wait at some moments only.

use crate::support::raw::RawRig;
use audioback::rights::Policy;
use hyper::Nanos;
use sndif::control_page::SlotState;
use sndif::request::{Request, RequestBody};
use sndif::response::{Response, Status};

const MS: u64 = 1_000_000;

/// A rig whose first stream has asked for an OPEN, which finds its moment at `due_ns`.
fn asked(due_ns: u64) -> RawRig {
    let mut rig = RawRig::new();
    rig.card.controls.borrow_mut().open_due = Nanos(due_ns);
    rig.ring.push(&Request { id: 5, body: RequestBody::Open(rig.open_params()) }.emit()).unwrap();
    let _ = rig.ring.publish();
    rig
}

fn answer(rig: &mut RawRig) -> Option<Status> {
    rig.ring.take().unwrap().map(|entry| Response::parse(&entry)).map(|answer| answer.status)
}

#[test]
fn it_waits_on_its_ring_until_then() {
    let mut rig = asked(3 * MS);
    for at_ns in [MS, 2 * MS, 3 * MS - 1] {
        assert_eq!(rig.poll_at(Nanos(at_ns)), Some(Nanos(3 * MS)), "the turn is due then");
        assert_eq!(answer(&mut rig), None);
    }
    rig.poll_at(Nanos(3 * MS));
    assert_eq!(answer(&mut rig), Some(Status::OK));
}

#[test]
fn it_does_not_wait_for_a_moment_that_is_missed_again_and_again() {
    let mut rig = asked(4 * MS + 1);
    for turn in 1..10 {
        rig.poll_at(Nanos(turn * 4 * MS));
        assert_eq!(answer(&mut rig), None, "turn {turn}");
        rig.card.controls.borrow_mut().open_due = Nanos((turn + 1) * 4 * MS + 1);
    }
    rig.poll_at(Nanos(44 * MS));
    assert_eq!(answer(&mut rig), Some(Status::OK), "40 ms after it was taken");
}

#[test]
fn one_whose_moment_has_passed_is_done_at_once() {
    let mut rig = asked(MS);
    rig.poll_at(Nanos(MS));
    assert_eq!(answer(&mut rig), Some(Status::OK));
}

#[test]
fn a_right_that_is_withdrawn_meanwhile_counts() {
    let mut rig = asked(3 * MS);
    rig.poll_at(Nanos(MS));
    assert_eq!(answer(&mut rig), None);
    rig.device.set_policy(&mut rig.back, &mut rig.card, Policy::NOTHING);
    rig.poll_at(Nanos(2 * MS));
    assert_eq!(answer(&mut rig), Some(Status::EACCES), "it doesn't even wait");
}

#[test]
fn it_is_answered_if_the_port_is_taken_by_then() {
    let mut rig = asked(3 * MS);
    rig.poll_at(Nanos(MS));
    rig.card.controls.borrow_mut().others_have_ports = true;
    rig.poll_at(Nanos(3 * MS));
    assert_eq!(answer(&mut rig), None, "idle streams have to give way before");
    rig.poll_at(Nanos(3 * MS + 1));
    assert_eq!(answer(&mut rig), Some(Status::EBUSY));
}

#[test]
fn it_goes_with_its_device() {
    let mut rig = asked(3 * MS);
    rig.poll_at(Nanos(MS));
    rig.device.begin_close(&mut rig.back);
    rig.poll_at(Nanos(3 * MS));
    assert_eq!(rig.device.stream(0).expect("a stream").state(), SlotState::Closed);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
}
