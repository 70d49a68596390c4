//! A stream's requests, answers and states, against an honest back end and against others.

use crate::common::{Back, DRIVER, Front, GUEST, connect, drain, home, s16_stereo};
use audiofront::{
    ConnectError, Fault, FrontEvent, OpenError, RequestError, StreamConfig, StreamFront, StreamState,
};
use hyper::{DmaAccess, GrantList, Hypervisor, SharedPage};
use hypervisor_model::{HeapMemory, Limits, MemoryHypervisor, Rule};
use proptest::prelude::*;
use sndif::Direction;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::{HwParams, Interval};
use sndif::op::{Operation, Trigger};
use sndif::request::{Range, RequestBody};
use sndif::response::{Response, ResponseBody, Status};

fn answered(id: u16, operation: Operation, status: Status) -> FrontEvent {
    FrontEvent::Answered { id, operation, status, hw_params: None, started: None }
}

fn open<'a>(home: &'a crate::common::Home, direction: Direction, buffer_bytes: u32) -> (Front<'a>, Back<'a>) {
    let (mut front, mut back) = connect(home, direction);
    front.open(&s16_stereo(buffer_bytes)).unwrap();
    back.serve();
    drain(&mut front);
    assert_eq!(front.state(), StreamState::Open);
    (front, back)
}

#[test]
fn a_playback_from_connect_to_disconnect() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);

    let id = front.open(&s16_stereo(16_384)).unwrap();
    assert_eq!((id, front.state()), (0, StreamState::Opening));
    assert_eq!(home.take_pending(DRIVER), Some(back.ring_channel));
    let served = back.serve();
    let RequestBody::Open(asked) = served[0] else { panic!("{served:?}") };
    assert_eq!((asked.rate_hz, asked.format, asked.channels), (48_000, SampleFormat::S16Le, 2));
    assert_eq!((asked.buffer_bytes, asked.period_bytes), (16_384, 1_024));
    assert_eq!(home.with_memory(|memory| memory.dma_pages()), 4);
    assert!(home.has_pending(GUEST));
    assert_eq!(drain(&mut front), [answered(0, Operation::Open, Status::OK)]);
    assert_eq!(front.state(), StreamState::Open);

    assert_eq!(front.fill(&[0x11; 20_000]), 16_384, "as much as the buffer holds");
    assert_eq!(front.hint(), Ok(1));
    front.start().unwrap();
    assert_eq!(
        back.serve(),
        [
            RequestBody::Write(Range { offset_bytes: 0, length_bytes: 16_384 }),
            RequestBody::Trigger(Trigger::Start)
        ]
    );
    assert_eq!(
        drain(&mut front),
        [answered(1, Operation::Write, Status::OK), answered(2, Operation::Trigger, Status::OK)]
    );

    back.post(4_096);
    assert_eq!(drain(&mut front), [FrontEvent::Position { bytes: 4_096 }]);
    assert_eq!(front.fill(&[0x22; 20_000]), 4_096);
    assert_eq!(front.hint(), Ok(1));
    let next = RequestBody::Write(Range { offset_bytes: 0, length_bytes: 4_096 });
    assert_eq!(back.serve(), [next]);

    front.stop().unwrap();
    front.close().unwrap();
    assert_eq!(back.serve(), [RequestBody::Trigger(Trigger::Stop), RequestBody::Close]);
    drain(&mut front);
    assert_eq!((front.state(), front.pending_requests()), (StreamState::Closed, 0));
    assert_eq!(home.granted_pages(), 2, "ring and event page");
    assert_eq!(front.fault_count(), 0);

    back.hypervisor.unmap_page(back.ring.into_page());
    back.hypervisor.unmap_page(back.events.into_page());
    front.disconnect();
    assert_eq!((home.granted_pages(), home.mapped_pages(), home.violation_count()), (0, 0, 0));
}

#[test]
fn playback_pages_are_granted_to_be_read_only_unless_the_volume_is_to_be_told() {
    for (direction, volume_is_told, writable) in [
        (Direction::Playback, false, false),
        (Direction::Playback, true, true),
        (Direction::Capture, false, true),
    ] {
        let home = home();
        let (mut front, mut back) = connect(&home, direction);
        if volume_is_told {
            front.let_volume_be_told();
        }
        front.open(&s16_stereo(4_096)).unwrap();
        let RequestBody::Open(open) = back.take().unwrap().body else { panic!() };
        let directory = back.hypervisor.map_page(GUEST, open.directory).unwrap();
        let grants = GrantList::from_slice(&[hyper::GrantRef(directory.load(1))]).unwrap();
        let mapped = back.hypervisor.map_buffer(GUEST, &grants, 4_096, DmaAccess::Write);
        assert_eq!(mapped.is_ok(), writable);
    }
}

#[test]
fn requests_may_follow_open_without_waiting() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    front.open(&s16_stereo(8_192)).unwrap();
    assert_eq!(front.fill(&[1; 8_192]), 8_192);
    front.hint().unwrap();
    front.start().unwrap();
    assert_eq!(back.serve().len(), 3);
    assert_eq!(drain(&mut front).len(), 3);
    assert_eq!(front.state(), StreamState::Open);
    assert_eq!(back.dma_read(0), 1);
}

#[test]
fn a_refused_open_gives_the_pages_back() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    let id = front.open(&s16_stereo(65_536)).unwrap();
    assert_eq!(home.granted_pages(), 2 + 1 + 16);
    assert_eq!(
        front.open(&s16_stereo(65_536)),
        Err(OpenError::Request(RequestError::WrongState(StreamState::Opening)))
    );
    back.refuse(Operation::Open, Status::EBUSY);
    assert_eq!(drain(&mut front), [answered(id, Operation::Open, Status::EBUSY)]);
    assert_eq!((front.state(), home.granted_pages()), (StreamState::Closed, 2));
    assert_eq!(front.fill(&[0; 4]), 0);
    assert_eq!(front.start(), Err(RequestError::WrongState(StreamState::Closed)));
    assert!(front.open(&s16_stereo(65_536)).is_ok(), "and it can be tried again");
}

#[test]
fn close_after_an_open_that_will_fail_decides() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    front.open(&s16_stereo(4_096)).unwrap();
    front.close().unwrap();
    back.refuse(Operation::Open, Status::EINVAL);
    drain(&mut front);
    assert_eq!(front.state(), StreamState::Closing);
    back.serve();
    drain(&mut front);
    assert_eq!((front.state(), home.granted_pages()), (StreamState::Closed, 2));
}

#[test]
fn a_failed_close_leaves_the_buffer_with_the_back_end() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    front.close().unwrap();
    back.refuse(Operation::Close, Status::EIO);
    drain(&mut front);
    assert_eq!((front.state(), home.granted_pages()), (StreamState::Open, 4));
    front.close().unwrap();
    back.serve();
    drain(&mut front);
    assert_eq!((front.state(), home.granted_pages()), (StreamState::Closed, 2));
}

#[test]
fn pages_still_mapped_after_close_are_lost_and_counted() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 8_192);
    front.close().unwrap();
    back.refuse(Operation::Close, Status::OK);
    drain(&mut front);
    assert_eq!((front.state(), front.still_mapped_pages()), (StreamState::Closed, 2));
    assert_eq!(home.violations()[0].rule, Rule::RevokedWhileMapped);
    assert_eq!(home.granted_pages(), 2 + 2, "they stay granted, never to be used for anything else");
}

#[test]
fn a_query_is_answered_with_what_is_left() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    let asked = HwParams { rates: Interval { min: 8_000, max: 192_000 }, ..HwParams::ANY };
    let id = front.query(&asked).unwrap();
    let request = back.take().unwrap();
    assert_eq!(request.body, RequestBody::HwParamQuery(asked));
    let left = HwParams {
        formats: FormatSet::of(&[SampleFormat::S16Le]),
        rates: Interval::exactly(48_000),
        channels: Interval { min: 1, max: 2 },
        buffer_frames: Interval { min: 64, max: 65_536 },
        period_frames: Interval { min: 16, max: 32_768 },
    };
    back.answer(&request.answer_hw_params(left));
    let event = FrontEvent::Answered {
        id,
        operation: Operation::HwParamQuery,
        status: Status::OK,
        hw_params: Some(left),
        started: None,
    };
    assert_eq!(drain(&mut front), [event]);
    assert_eq!(front.fault_count(), 0);

    front.query(&left).unwrap();
    back.refuse(Operation::HwParamQuery, Status::EINVAL);
    assert_eq!(drain(&mut front), [answered(1, Operation::HwParamQuery, Status::EINVAL)]);
}

#[test]
fn an_answer_that_widens_a_query_is_cut_and_counted() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    let asked = HwParams { rates: Interval::exactly(44_100), ..HwParams::ANY };
    front.query(&asked).unwrap();
    let request = back.take().unwrap();
    back.answer(&request.answer_hw_params(HwParams::ANY));
    let Some(FrontEvent::Answered { hw_params: Some(left), .. }) = front.poll() else { panic!() };
    assert_eq!(left, asked);
    assert_eq!(front.fault_count(), 1);
}

#[test]
fn an_answer_must_echo_the_id_and_the_operation() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    let id = front.start().unwrap();
    for _ in 0..2 {
        front.pause().unwrap();
    }
    let request = back.take().unwrap();
    let answer = request.answer(Status::OK);
    back.answer(&Response { id: 999, ..answer });
    assert_eq!(drain(&mut front), [FrontEvent::Fault(Fault::UnknownAnswer { id: 999 })]);
    back.take().unwrap();
    back.answer(&Response { operation: Operation::Close.code(), ..answer });
    let asked = Operation::Trigger;
    assert_eq!(drain(&mut front), [FrontEvent::Fault(Fault::WrongOperation { id, asked, answered: 1 })]);
    assert_eq!((front.pending_requests(), front.fault_count()), (3, 2));
    back.take().unwrap();
    back.answer(&answer);
    assert_eq!(drain(&mut front), [answered(id, Operation::Trigger, Status::OK)]);
    assert_eq!(front.state(), StreamState::Open, "an answer to CLOSE that nobody sent closes nothing");
}

#[test]
fn answers_may_come_out_of_order() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    let ids = [front.start().unwrap(), front.pause().unwrap(), front.resume().unwrap()];
    let mut requests = [(); 3].map(|()| back.take().unwrap());
    requests.reverse();
    requests.iter().for_each(|request| back.answer(&request.answer(Status::OK)));
    let events = drain(&mut front);
    let expected: Vec<_> = ids.iter().rev().map(|id| answered(*id, Operation::Trigger, Status::OK)).collect();
    assert_eq!(events, expected);
}

#[test]
fn thirty_two_requests_fit() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    for _ in 0..32 {
        front.query(&HwParams::ANY).unwrap();
    }
    assert_eq!(front.query(&HwParams::ANY), Err(RequestError::RingFull));
    back.refuse(Operation::HwParamQuery, Status::EINVAL);
    assert_eq!(front.query(&HwParams::ANY), Err(RequestError::RingFull), "not yet taken");
    front.poll().unwrap();
    assert_eq!(front.query(&HwParams::ANY), Ok(32));
}

#[test]
fn ids_go_round_and_leave_out_those_under_way() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    // Request 0 is never answered as it should be.
    front.query(&HwParams::ANY).unwrap();
    let unanswered = back.take().unwrap();
    back.answer(&Response { id: 40_000, ..unanswered.answer(Status::OK) });
    front.poll().unwrap();
    for expected in 1..=u16::MAX {
        assert_eq!(front.query(&HwParams::ANY), Ok(expected));
        back.refuse(Operation::HwParamQuery, Status::EINVAL);
        front.poll().unwrap();
    }
    assert_eq!(front.query(&HwParams::ANY), Ok(1), "0 is taken");
}

#[test]
fn positions_posted_before_an_answer_are_told_before_it() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    front.start().unwrap();
    front.hint().unwrap();
    let start = back.take().unwrap();
    back.post(64);
    back.answer(&start.answer(Status::OK));
    let events = drain(&mut front);
    assert_eq!(events[0], FrontEvent::Position { bytes: 64 });
    assert!(matches!(events[1], FrontEvent::Answered { .. }));
}

#[test]
fn stop_starts_the_next_run_at_the_start_of_the_buffer() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    front.fill(&[1; 4_096]);
    front.start().unwrap();
    back.serve();
    back.post(5_000);
    drain(&mut front);
    front.fill(&[2; 1_000]);
    front.stop().unwrap();
    assert_eq!(front.fill(&[3; 1_000]), 0, "STOP is under way");
    // As the back end does: the position goes up to a whole buffer, then the answer.
    back.post(8_192);
    back.serve();
    assert_eq!(drain(&mut front), [answered(2, Operation::Trigger, Status::OK)]);
    assert_eq!(front.position_bytes(), 8_192);
    assert!((0..4_096).all(|position| back.dma_read(position) == 0), "nothing of the old run is left");

    assert_eq!(front.fill(&[4; 1_000]), 1_000);
    assert_eq!(back.dma_read(0), 4, "at the start of the buffer");
    assert_eq!(front.hint(), Ok(1));
    front.start().unwrap();
    assert_eq!(back.serve()[0], RequestBody::Write(Range { offset_bytes: 0, length_bytes: 1_000 }));
    back.post(8_192 + 500);
    drain(&mut front);
    assert_eq!(front.playback().unwrap().queued_bytes(), 500);
    assert_eq!(front.fault_count(), 0);
}

#[test]
fn stop_rounds_up_even_when_the_back_end_posts_nothing() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    front.fill(&[1; 4_096]);
    back.post(100);
    drain(&mut front);
    front.stop().unwrap();
    back.serve();
    drain(&mut front);
    assert_eq!(front.position_bytes(), 4_096);
    front.fill(&[2; 4]);
    assert_eq!((back.dma_read(0), back.dma_read(4), back.dma_read(100)), (2, 0, 0));
}

#[test]
fn between_two_runs_no_position_counts() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    front.stop().unwrap();
    back.serve();
    drain(&mut front);
    front.fill(&[2; 4_000]);
    back.post(1_000);
    assert_eq!(drain(&mut front), []);
    let playback = front.playback().unwrap();
    assert_eq!((playback.queued_bytes(), playback.underrun_bytes()), (4_000, 0));
    assert_eq!(front.position_bytes(), 0);
}

#[test]
fn a_stop_that_fails_changes_nothing() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    front.fill(&[1; 4_000]);
    front.stop().unwrap();
    back.refuse(Operation::Trigger, Status::EINVAL);
    drain(&mut front);
    assert_eq!(front.playback().unwrap().queued_bytes(), 4_000);
    assert_eq!(front.fill(&[1; 400]), 96);
}

#[test]
fn what_was_captured_before_stop_can_be_taken_after_it() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Capture, 4_096);
    front.start().unwrap();
    (0..1_000).for_each(|position| back.dma_write(position, 7));
    back.post(1_000);
    back.serve();
    drain(&mut front);
    front.stop().unwrap();
    back.post(4_096);
    back.serve();
    drain(&mut front);
    let mut bytes = [0; 4_096];
    assert_eq!(front.take(&mut bytes), 1_000, "and not the back end's rounding");
    assert_eq!(bytes[..1_000], [7; 1_000]);

    (0..16).for_each(|position| back.dma_write(position, 9));
    front.start().unwrap();
    back.serve();
    back.post(4_096 + 16);
    drain(&mut front);
    assert_eq!((front.take(&mut bytes), bytes[0]), (16, 9));
    assert_eq!(front.capture().unwrap().overrun_bytes(), 0);
}

#[test]
fn a_position_that_goes_back_is_reported_and_left_out() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    front.fill(&[1; 4_096]);
    back.post(1_000);
    back.post(999);
    back.post(1_000);
    assert_eq!(
        drain(&mut front),
        [
            FrontEvent::Position { bytes: 1_000 },
            FrontEvent::Fault(Fault::PositionWentBack { from_bytes: 1_000, to_bytes: 999 }),
            FrontEvent::Position { bytes: 1_000 },
        ]
    );
    assert_eq!(front.playback().unwrap().queued_bytes(), 3_096);
}

#[test]
fn a_position_of_any_size_is_lived_with() {
    for direction in [Direction::Playback, Direction::Capture] {
        for bytes in [4_097, 1 << 40, u64::MAX - 1, u64::MAX] {
            let home = home();
            let (mut front, mut back) = open(&home, direction, 4_096);
            back.post(bytes);
            assert_eq!(drain(&mut front), [FrontEvent::Position { bytes }]);
            assert!(front.fill(&[0; 64]) <= 64);
            assert!(front.take(&mut [0; 64]) <= 64);
            let _ = front.hint();
            front.stop().unwrap();
            front.start().unwrap();
            back.serve();
            drain(&mut front);
            if let Some(playback) = front.playback() {
                assert!(playback.underrun_bytes() >= bytes - 4_096);
            }
            if let Some(capture) = front.capture() {
                assert!(capture.overrun_bytes() >= bytes - 4_096);
            }
        }
    }
}

#[test]
fn a_broken_ring_is_told_once_and_is_the_end() {
    let home = home();
    let (mut front, back) = open(&home, Direction::Playback, 4_096);
    back.ring_page.store(2, 1_000);
    assert_eq!(drain(&mut front), [FrontEvent::Fault(Fault::RingBroken)]);
    assert_eq!(front.state(), StreamState::Broken);
    assert_eq!(front.close(), Err(RequestError::WrongState(StreamState::Broken)));
    assert_eq!(front.query(&HwParams::ANY), Err(RequestError::WrongState(StreamState::Broken)));
    assert_eq!(home.granted_pages(), 4, "the back end may still be at the buffer");
}

#[test]
fn positions_of_a_stream_that_isnt_open_are_ignored() {
    let home = home();
    let (mut front, mut back) = connect(&home, Direction::Playback);
    back.post(123);
    assert_eq!(drain(&mut front), []);
    assert_eq!((front.position_bytes(), front.fault_count()), (0, 0));
}

#[test]
fn what_cant_be_opened_is_refused_here() {
    let home = home();
    let (mut front, _back) = connect(&home, Direction::Playback);
    let good = s16_stereo(4_096);
    for bad in [0, 4_094, (1 << 20) + 4, u32::MAX] {
        let config = StreamConfig { buffer_bytes: bad, ..good };
        assert_eq!(front.open(&config), Err(OpenError::BadBufferSize), "{bad}");
    }
    assert_eq!(front.open(&StreamConfig { channels: 0, ..good }), Err(OpenError::BadFrame));
    let mpeg = StreamConfig { format: SampleFormat::Mpeg, ..good };
    assert_eq!(front.open(&mpeg), Err(OpenError::BadFrame));
    assert_eq!((home.granted_pages(), front.state()), (2, StreamState::Closed));
}

#[test]
fn an_open_that_runs_out_of_pages_leaves_none_behind() {
    for pages in [2, 3, 5, 6] {
        let home = MemoryHypervisor::new(HeapMemory::new(pages), Limits { grants: 64, ports: 4, streams: 1 });
        let mut front = StreamFront::connect(home.front_end(GUEST, DRIVER, 0), Direction::Playback).unwrap();
        assert_eq!(front.open(&s16_stereo(16_384)), Err(OpenError::NoPages), "{pages}");
        assert_eq!((home.granted_pages(), home.violation_count()), (2, 0));
    }
}

#[test]
fn a_connect_that_fails_leaves_nothing_behind() {
    let cases = [
        (1, 2, 1, ConnectError::NoPage),
        (2, 1, 1, ConnectError::NoChannel),
        (2, 2, 0, ConnectError::NotPublished),
    ];
    for (pages, ports, streams, error) in cases {
        let home = MemoryHypervisor::new(HeapMemory::new(pages), Limits { grants: 8, ports, streams });
        let result = StreamFront::connect(home.front_end(GUEST, DRIVER, 0), Direction::Playback);
        assert_eq!(result.err(), Some(error));
        assert_eq!((home.granted_pages(), home.violation_count()), (0, 0));
        // The ports are free again.
        use audiofront::Transport;
        let mut transport = home.front_end(GUEST, DRIVER, 0);
        assert_eq!(std::iter::from_fn(|| transport.open_channel()).count(), ports);
    }
}

#[test]
fn after_poll_says_none_an_answer_brings_an_event() {
    let home = home();
    let (mut front, mut back) = open(&home, Direction::Playback, 4_096);
    while home.take_pending(GUEST).is_some() {}
    for _ in 0..100 {
        front.query(&HwParams::ANY).unwrap();
        front.query(&HwParams::ANY).unwrap();
        assert_eq!(front.poll(), None);
        back.serve();
        assert!(home.take_pending(GUEST).is_some(), "or the front end would sleep on");
        assert_eq!(drain(&mut front).len(), 2);
        while home.take_pending(GUEST).is_some() {}
    }
}

#[derive(Clone, Debug)]
enum Step {
    Query,
    Open(u32),
    Start,
    Pause,
    Stop,
    Close,
    Fill(usize),
    Hint,
    Poll(usize),
    Serve,
    Answer(u16, u8, i32),
    Post(u64),
    Scribble(usize, u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Query),
        (1u32..6).prop_map(|quarters| Step::Open(quarters * 4_096)),
        Just(Step::Start),
        Just(Step::Pause),
        Just(Step::Stop),
        Just(Step::Close),
        (0usize..9_000).prop_map(Step::Fill),
        Just(Step::Hint),
        (1usize..8).prop_map(Step::Poll),
        Just(Step::Serve),
        (0u16..8, 0u8..11, -30i32..2).prop_map(|(id, operation, status)| Step::Answer(id, operation, status)),
        prop_oneof![0u64..100_000, any::<u64>()].prop_map(Step::Post),
        (0usize..24, any::<u32>()).prop_map(|(word, value)| Step::Scribble(word, value)),
    ]
}

proptest! {
    /// A back end that serves, lies and scribbles in any order: no panic, no endless poll, nothing revoked that is
    /// mapped unless the back end said that it was closed.
    #[test]
    fn hostile_back_end(capture: bool, steps in prop::collection::vec(step(), 1..60)) {
        let home = home();
        let direction = if capture { Direction::Capture } else { Direction::Playback };
        let (mut front, mut back) = connect(&home, direction);
        for step in steps {
            match step {
                Step::Query => drop(front.query(&HwParams::ANY)),
                Step::Open(bytes) => drop(front.open(&s16_stereo(bytes))),
                Step::Start => drop(front.start()),
                Step::Pause => drop(front.pause()),
                Step::Stop => drop(front.stop()),
                Step::Close => drop(front.close()),
                Step::Fill(bytes) => prop_assert!(front.fill(&vec![1; bytes]) <= bytes),
                Step::Hint => drop(front.hint()),
                Step::Poll(times) => (0..times).for_each(|_| {
                    let _ = front.poll();
                }),
                Step::Serve => {
                    // A scribbled ring may hold anything, so this back end only answers.
                    while let Ok(Some(entry)) = back.ring.take() {
                        let (id, operation) = (u16::from_le_bytes([entry[0], entry[1]]), entry[2]);
                        let status = Status::OK;
                        back.answer(&Response { id, operation, status, body: ResponseBody::None });
                    }
                }
                Step::Answer(id, operation, status) => {
                    if let Ok(Some(_)) = back.ring.take() {
                        let status = Status(status.min(0));
                        back.answer(&Response { id, operation, status, body: ResponseBody::HwParams(HwParams::ANY) });
                    }
                }
                Step::Post(bytes) => drop(back.events.post(bytes)),
                Step::Scribble(word, value) => back.ring_page.store(word, value),
            }
        }
        let told = drain(&mut front).len();
        prop_assert!(told <= 32 + 63 + 2, "{told} events at once");
        let held = if front.state() == StreamState::Closed { 2 } else { 2 + 1 + 5 };
        prop_assert!(home.granted_pages() <= held);
        prop_assert_eq!(home.violation_count(), 0);
    }
}
