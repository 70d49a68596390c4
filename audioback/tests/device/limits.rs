//! What a device holds, and how much of it its guest may hold.

use crate::support::card::FakeCard;
use crate::support::raw::RawRig;
use crate::support::{DRIVER, GUEST, Rig, configs, home, open_config};
use audioback::card::Card;
use audioback::device::{ConnectError, Device};
use audioback::resources::{Resource, Resources};
use audioback::rights::{Policy, PortSet};
use audioback::turn_work::TurnWork;
use audiofront::StreamFront;
use hyper::{GrantRef, Hypervisor, MapError, Nanos};
use sndif::Direction;
use sndif::control_page::SlotState;
use sndif::op::{Operation, Trigger};
use sndif::request::{Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::state::XenbusState;

const fn resources(open_streams: u32, channels: u32, pages: u32) -> Resources {
    Resources { open_streams, channels, pages }
}

#[test]
fn what_a_device_holds_is_what_is_mapped_and_bound() {
    let (mut rig, _page) = Rig::with_control_page(Policy::default());
    let held = |rig: &Rig, expected: Resources| {
        assert_eq!(rig.device.holdings(), expected);
        assert_eq!(rig.home.mapped_pages(), expected.pages as usize);
    };
    held(&rig, resources(0, 4, 5));
    rig.open_playback();
    held(&rig, resources(1, 4, 21));
    rig.start_playback();
    // A stream that doesn't stop holds its buffer.
    rig.card.controls.borrow_mut().run_sticks = true;
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::EIO);
    held(&rig, resources(1, 4, 21));
    rig.device.close(&mut rig.back, &mut rig.card);
    held(&rig, resources(1, 0, 16));
    rig.card.controls.borrow_mut().run_sticks = false;
    rig.poll();
    held(&rig, resources(0, 0, 0));
}

#[test]
fn a_connection_beyond_a_limit_maps_nothing() {
    for (allowed, resource) in [
        (resources(0, 3, 5), Some(Resource::Channels)),
        (resources(0, 4, 4), Some(Resource::Pages)),
        (resources(0, 4, 5), None),
    ] {
        let home = home();
        let (card, mut back) = (FakeCard::new(), home.back_end(DRIVER));
        let ports = Card::<<crate::support::Back<'_> as Hypervisor>::Buffer>::ports(&card);
        let mut device: crate::support::TestDevice<'_> =
            Device::new(GUEST, Policy::default(), ports, &configs()).expect("a device");
        let fronts = [(0, Direction::Playback), (1, Direction::Capture)].map(|(index, direction)| {
            StreamFront::connect(home.front_end(GUEST, DRIVER, index), direction).expect("a front")
        });
        let nodes = fronts.each_ref().map(|front| *front.nodes());
        device.set_allowed(allowed);
        // The control page is one that can't be mapped: it is counted all the same.
        let connected = device.connect(&mut back, &nodes, Some(GrantRef(9_999)), Nanos(0));
        match resource {
            Some(resource) => {
                assert_eq!(connected, Err(ConnectError::OverLimit(resource)));
                assert!(ConnectError::OverLimit(resource).is_shortage());
            }
            None => {
                assert!(
                    matches!(connected, Err(ConnectError::Map(MapError::NotGranted(_)))),
                    "{connected:?}"
                );
                assert!(!connected.is_err_and(|error| error.is_shortage()), "a later try fails as well");
            }
        }
        assert_eq!(home.mapped_pages(), 0);
    }
}

#[test]
fn an_open_beyond_a_limit_is_refused_and_one_in_the_place_of_another_is_not() {
    let mut rig = RawRig::new();
    for (allowed, status) in [
        (resources(0, 2, 100), Status::ENOMEM),
        (resources(1, 2, 17), Status::ENOMEM),
        (resources(1, 2, 18), Status::OK),
    ] {
        rig.device.set_allowed(allowed);
        assert_eq!(rig.open(), status, "{allowed:?}");
    }
    assert_eq!(rig.open(), Status::OK, "as Linux does when parameters change");
    // A limit that has become less: what is open stays, until it is opened anew.
    rig.device.set_allowed(resources(0, 0, 0));
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    assert_eq!(rig.open(), Status::ENOMEM);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    assert_eq!(rig.home.violation_count(), 0);
}

#[test]
fn a_request_that_finds_no_room_in_a_turn_is_answered_in_the_next_one_in_its_place() {
    let mut rig = RawRig::new();
    let bodies =
        [RequestBody::Open(rig.open_params()), RequestBody::Trigger(Trigger::Start), RequestBody::Close];
    for (id, body) in (1..).zip(bodies) {
        rig.ring.push(&Request { id, body }.emit()).expect("room");
    }
    let _ = rig.ring.publish();
    let answers = |rig: &mut RawRig| -> Vec<(u16, Status)> {
        std::iter::from_fn(|| rig.ring.take().unwrap())
            .map(|entry| Response::parse(&entry))
            .map(|answer| (answer.id, answer.status))
            .collect()
    };
    let mut turn = TurnWork::new();
    for id in 1..=3 {
        let due = rig.device.poll_within(&mut rig.back, &mut rig.card, &Nanos(0), &mut turn);
        assert_eq!(due, Some(Nanos(0)), "it wants to go on at once");
        let expected: &[_] = if id == 1 { &[(1, Status::OK)] } else { &[] };
        assert_eq!(answers(&mut rig), expected, "one heavy request a turn");
    }
    assert!(turn.is_used_up());
    rig.poll();
    assert_eq!(answers(&mut rig), [(2, Status::OK)]);
    // The connection ends with a request that waits. The next one doesn't get its answer.
    rig.device.poll_within(&mut rig.back, &mut rig.card, &Nanos(0), &mut turn);
    rig.device.close(&mut rig.back, &mut rig.card);
    assert_eq!(rig.poll(), None);
    assert_eq!(answers(&mut rig), []);
    assert_eq!(rig.home.mapped_pages(), 0);
}

#[test]
fn a_close_that_waits_for_its_turn_keeps_no_stream_open_for_ever() {
    let mut rig = Rig::new(Policy::default());
    rig.playback.open(&open_config()).unwrap();
    let mut used_up = TurnWork::new();
    rig.device.poll_within(&mut rig.back, &mut rig.card, &Nanos(0), &mut used_up);
    rig.playback.close().unwrap();
    assert_eq!(rig.device.poll_within(&mut rig.back, &mut rig.card, &Nanos(0), &mut used_up), Some(Nanos(0)));
    assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Open);
    rig.poll();
    assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Closed);
}

#[test]
fn a_device_that_closes_goes_on_at_once_and_closes_one_stream_a_turn() {
    let mut rig = Rig::new(Policy { may_record: PortSet::ALL, ..Policy::default() });
    rig.open_playback();
    rig.capture.open(&open_config()).unwrap();
    rig.capture_events();
    rig.device.begin_close(&mut rig.back);
    assert_eq!(rig.device.state(), XenbusState::Closing);
    rig.now = Nanos(5_000);
    assert_eq!(rig.poll(), Some(rig.now), "there is another one");
    assert_eq!((rig.device.state(), rig.device.holdings().open_streams), (XenbusState::Closing, 1));
    assert_eq!(rig.poll(), None);
    assert_eq!((rig.device.state(), rig.home.mapped_pages()), (XenbusState::Closed, 0));
}
