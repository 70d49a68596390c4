//! Streams that are open and don't run, and another guest that waits for their port.

use crate::support::raw::RawRig;
use crate::support::{GUEST, Rig};
use audioback::card::PortIndex;
use audioback::device::IDLE_NS;
use audioback::rights::{Policy, PortSet};
use hyper::{DomainId, Nanos};
use sndif::control_page::SlotState;
use sndif::op::{Operation, Trigger};
use sndif::request::{Request, RequestBody};
use sndif::response::{Response, Status};

const OTHER: DomainId = DomainId(9);

impl RawRig {
    fn ask_at(&mut self, body: RequestBody, at_ns: u64) -> Status {
        let response: Option<Response> = self.send_at(&Request { id: 1, body }.emit(), Nanos(at_ns));
        response.expect("an answer").status
    }

    fn open_at(&mut self, at_ns: u64) -> Status {
        self.ask_at(RequestBody::Open(self.open_params()), at_ns)
    }

    fn has_port_at(&mut self, at_ns: u64) -> bool {
        self.device.give_way(&mut self.back, &mut self.card, PortIndex(0), OTHER, Nanos(at_ns));
        self.device.stream(0).unwrap().state() != SlotState::Closed
    }
}

#[test]
fn opening_again_and_again_doesn_t_make_a_stream_less_idle() {
    let mut rig = RawRig::new();
    for at in [0, IDLE_NS / 2, IDLE_NS - 1] {
        assert_eq!(rig.open_at(at), Status::OK);
    }
    assert!(rig.has_port_at(IDLE_NS - 1));
    assert!(!rig.has_port_at(IDLE_NS));
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    // Only what has run begins anew, and what was closed.
    assert_eq!(rig.open_at(IDLE_NS), Status::OK);
    assert_eq!(rig.ask_at(RequestBody::Trigger(Trigger::Start), IDLE_NS + 1), Status::OK);
    assert_eq!(rig.ask_at(RequestBody::Trigger(Trigger::Stop), 5 * IDLE_NS), Status::OK);
    assert!(rig.has_port_at(6 * IDLE_NS - 1));
    assert!(!rig.has_port_at(6 * IDLE_NS));
}

#[test]
fn an_open_of_a_taken_port_waits_for_one_turn_and_says_for_which_port() {
    for is_freed in [false, true] {
        let mut rig = RawRig::new();
        rig.card.controls.borrow_mut().others_have_ports = true;
        rig.ring.push(&Request { id: 5, body: RequestBody::Open(rig.open_params()) }.emit()).unwrap();
        let _ = rig.ring.publish();
        assert_eq!(rig.poll_at(Nanos(700)), Some(Nanos(700)), "it goes on at once");
        assert_eq!(rig.ring.take(), Ok(None), "idle streams have to give way before");
        assert_eq!(rig.device.take_awaited_port(), Some(PortIndex(0)));
        assert_eq!(rig.device.take_awaited_port(), None, "asking takes it");
        rig.card.controls.borrow_mut().others_have_ports = !is_freed;
        rig.poll();
        let answer = rig.ring.take().unwrap().map(|entry| Response::parse(&entry)).expect("an answer");
        assert_eq!((answer.id, answer.status), (5, if is_freed { Status::OK } else { Status::EBUSY }));
        assert_eq!(rig.device.take_awaited_port(), None, "nobody waits any more");
    }
}

#[test]
fn a_stream_stays_on_another_port_and_for_its_own_guest() {
    let mut rig = RawRig::new();
    assert_eq!(rig.open_at(0), Status::OK);
    rig.device.give_way(&mut rig.back, &mut rig.card, PortIndex(1), OTHER, Nanos(IDLE_NS));
    rig.device.give_way(&mut rig.back, &mut rig.card, PortIndex(0), GUEST, Nanos(IDLE_NS));
    assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Open);
}

#[test]
fn a_run_that_has_failed_holds_no_port() {
    let mut rig = RawRig::new();
    assert_eq!(rig.open_at(0), Status::OK);
    assert_eq!(rig.ask_at(RequestBody::Trigger(Trigger::Start), 0), Status::OK);
    rig.card.controls.borrow_mut().position.descriptor_errors = 1;
    rig.poll_at(Nanos(IDLE_NS));
    assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Failed);
    assert!(rig.has_port_at(2 * IDLE_NS - 1));
    assert!(!rig.has_port_at(2 * IDLE_NS));
}

#[test]
fn a_linked_start_ends_the_idle_time_of_all_its_streams() {
    let recording = Policy { may_record: PortSet::ALL, ..Policy::default() };
    let mut rig = Rig::new(recording);
    rig.open_playback();
    rig.capture.open(&crate::support::open_config()).unwrap();
    rig.capture_events();
    rig.now = Nanos(IDLE_NS);
    // The ring of the second stream starts both, after the first one's turn. The first one stops at once.
    rig.capture.linked_start(0b11).unwrap();
    rig.poll();
    rig.playback.stop().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    for port in [0, 1] {
        rig.device.give_way(&mut rig.back, &mut rig.card, PortIndex(port), OTHER, Nanos(IDLE_NS + 1));
    }
    assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Open);
    assert_eq!(rig.device.stream(1).unwrap().state(), SlotState::Running);
}

#[test]
fn a_stream_that_has_given_way_says_so_until_it_is_closed_or_opened() {
    let (mut rig, page) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    let give_way = |rig: &mut Rig| {
        rig.now = Nanos(rig.now.0 + IDLE_NS);
        rig.device.give_way(&mut rig.back, &mut rig.card, PortIndex(0), OTHER, rig.now);
    };
    give_way(&mut rig);
    assert_eq!(page.slot(0).unwrap().state, SlotState::Closed);
    rig.playback.start().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::EBUSY);
    rig.playback.linked_start(1).unwrap();
    assert_eq!(rig.status(Operation::LinkedStart), Status::EBUSY);
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::OK);
    rig.open_playback();
    rig.start_playback();
    // A close that fails on the hardware keeps the pages, as ever.
    rig.playback.stop().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    rig.card.controls.borrow_mut().run_sticks = true;
    give_way(&mut rig);
    assert!(rig.device.stream(0).unwrap().is_stuck());
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 16));
    assert_eq!(rig.home.violation_count(), 0);
}
