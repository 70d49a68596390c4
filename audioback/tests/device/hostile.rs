//! What a guest can do to the back end: get an error, or lose its own device. Nothing else.

use crate::support::Rig;
use crate::support::raw::RawRig;
use audioback::rights::Policy;
use hyper::{GrantRef, Nanos, SharedPage};
use proptest::prelude::*;
use sndif::op::Trigger;
use sndif::request::{OpenParams, Range, RequestBody};
use sndif::response::Status;
use sndif::state::XenbusState;

/// Nothing of a refused OPEN stays behind.
fn assert_nothing_mapped(rig: &RawRig) {
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    assert_eq!(rig.home.mapped_pages(), 2, "ring and event page");
}

#[test]
fn a_second_open_is_a_close_first() {
    // As Linux does when hardware parameters change: it frees and lists its pages anew without CLOSE.
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    assert_eq!(rig.open(), Status::OK);
    assert_eq!(
        rig.card.controls.borrow().calls,
        ["open 0 48000 65536", "start", "stop", "close", "open 0 48000 65536"]
    );
    assert_eq!(rig.home.violation_count(), 0);
}

#[test]
fn close_without_open_is_fine() {
    let mut rig = RawRig::new();
    assert_eq!(rig.ask(RequestBody::Close), Status::OK);
}

#[test]
fn a_grant_that_is_none_is_refused_and_what_was_mapped_before_it_is_unmapped() {
    let mut rig = RawRig::new();
    rig.write_word(9, 12_345_678);
    assert_eq!(rig.open(), Status::EINVAL);
    assert_nothing_mapped(&rig);
    rig.write_word(9, 0);
    assert_eq!(rig.open(), Status::EINVAL);
    assert_nothing_mapped(&rig);
    // And it works when the directory is right.
    rig.write_word(9, rig.buffer[8].0);
    assert_eq!(rig.open(), Status::OK);
}

#[test]
fn a_directory_that_is_none_is_refused() {
    let mut rig = RawRig::new();
    for directory in [0, 1, u32::MAX] {
        let asked = OpenParams { directory: GrantRef(directory), ..rig.open_params() };
        assert_eq!(rig.ask(RequestBody::Open(asked)), Status::EINVAL);
        assert_nothing_mapped(&rig);
    }
}

#[test]
fn one_page_listed_twice_is_refused() {
    let mut rig = RawRig::new();
    rig.write_word(5, rig.buffer[0].0);
    assert_eq!(rig.open(), Status::EBUSY);
    assert_nothing_mapped(&rig);
}

#[test]
fn the_directory_itself_can_not_be_the_buffer_of_a_running_ring() {
    let mut rig = RawRig::new();
    // The ring's own page as a page of the buffer: it is mapped already.
    let own = rig.directory.grant;
    rig.write_word(1, own.0);
    // The directory is unmapped before the buffer is mapped, so this is a page like any other: the guest's own harm.
    assert_eq!(rig.open(), Status::OK);
    assert_eq!(rig.ask(RequestBody::Close), Status::OK);
    assert_nothing_mapped(&rig);
}

#[test]
fn a_chain_that_bites_its_tail_ends() {
    let mut rig = RawRig::new();
    let own = rig.directory.grant.0;
    rig.write_word(0, own);
    assert_eq!(rig.open(), Status::OK, "16 pages need one directory page; the chain is not followed");
    assert_eq!(rig.ask(RequestBody::Close), Status::OK);
    let asked = OpenParams { buffer_bytes: 1 << 20, ..rig.open_params() };
    assert_eq!(rig.ask(RequestBody::Open(asked)), Status::EINVAL, "240 references are missing");
    assert_nothing_mapped(&rig);
}

#[test]
fn hints_outside_the_buffer_are_refused() {
    let mut rig = RawRig::new();
    let range = |offset_bytes, length_bytes| RequestBody::Write(Range { offset_bytes, length_bytes });
    assert_eq!(rig.ask(range(0, 4)), Status::EINVAL, "nothing is open");
    assert_eq!(rig.open(), Status::OK);
    for (offset, length) in
        [(65_536, 0), (0, 65_537), (65_532, 8), (u32::MAX, 1), (1, u32::MAX), (u32::MAX, u32::MAX)]
    {
        assert_eq!(rig.ask(range(offset, length)), Status::EINVAL, "{offset} + {length}");
    }
    assert_eq!(rig.ask(range(65_532, 4)), Status::OK);
}

#[test]
fn an_unknown_operation_is_answered() {
    let mut rig = RawRig::new();
    let mut entry = [0xff; 64];
    entry[..3].copy_from_slice(&[0x34, 0x12, 200]);
    let response = rig.send(&entry).expect("an answer");
    assert_eq!((response.id, response.operation, response.status), (0x1234, 200, Status::EOPNOTSUPP));
}

#[test]
fn an_impossible_index_ends_this_device_and_no_other() {
    let mut hostile = RawRig::new();
    let mut other = Rig::new(Policy::default());
    other.open_playback();
    assert_eq!(hostile.open(), Status::OK);
    assert_eq!(hostile.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    hostile.ring_page.store(0, 1_000);
    assert_eq!(hostile.poll(), Some(Nanos(0)), "its stream is closed in a turn of its own");
    hostile.poll();
    assert_eq!(hostile.device.state(), XenbusState::Closed);
    assert_eq!(hostile.card.controls.borrow().calls.last().map(String::as_str), Some("close"));
    assert_eq!(hostile.home.mapped_pages(), 0);
    other.start_playback();
}

#[test]
fn an_absurd_in_cons_only_costs_the_guest_its_events() {
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    for in_cons in [1, 64, 1_000, u32::MAX, 1 << 31] {
        rig.event_page.store(0, in_cons);
        rig.card.controls.borrow_mut().position.bytes += 10_000;
        rig.poll();
    }
    rig.event_page.store(0, 0);
    rig.poll();
    assert_eq!(rig.event_page.load(1), 1, "one event, the newest, once the index is sane");
}

fn answers(rig: &mut RawRig) -> Vec<sndif::response::Response> {
    std::iter::from_fn(|| rig.ring.take().unwrap())
        .map(|entry| sndif::response::Response::parse(&entry))
        .collect()
}

#[test]
fn a_flood_is_answered_a_ring_at_a_time() {
    let mut rig = RawRig::new();
    for id in 0..32u16 {
        let range = Range { offset_bytes: 0, length_bytes: 0 };
        let request = sndif::request::Request { id, body: RequestBody::Write(range) };
        rig.ring.push(&request.emit()).unwrap();
    }
    let _ = rig.ring.publish();
    rig.poll();
    let answers = answers(&mut rig);
    assert!(answers.iter().map(|answer| answer.id).eq(0..32));
    assert!(answers.iter().all(|answer| answer.status == Status::EINVAL), "nothing is open");
}

#[test]
fn a_flood_of_writes_and_of_events_is_one_look_each_half_millisecond() {
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    let begun = rig.card.controls.borrow().looks;
    // A hundred rings full within a millisecond, and a look after each of them, as by an event.
    for round in 0..100u64 {
        let now = Nanos(1_000_000 + round * 10_000);
        for id in 0..32 {
            let range = Range { offset_bytes: 0, length_bytes: 4 };
            let request = sndif::request::Request { id, body: RequestBody::Write(range) };
            rig.ring.push(&request.emit()).unwrap();
        }
        let _ = rig.ring.publish();
        rig.poll_at(now);
        assert!(answers(&mut rig).iter().all(|answer| answer.status == Status::OK));
        rig.poll_at(now);
    }
    let looks = rig.card.controls.borrow().looks - begun;
    assert_eq!(looks, 2, "the first, and the one after half a millisecond");
    // It is due when it would be without all that.
    let due = rig.poll_at(Nanos(1_999_000)).expect("due");
    assert!(due.0 > 1_999_000 && due.0 <= 1_500_000 + 11_500_000, "{due:?}");
}

#[test]
fn a_look_that_is_due_after_the_shortest_interval_takes_place() {
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    rig.poll_at(Nanos(1_000_000));
    let before = rig.card.controls.borrow().looks;
    for (at_ns, looks) in [(1_499_999, 0), (1_500_000, 1)] {
        rig.poll_at(Nanos(at_ns));
        assert_eq!(rig.card.controls.borrow().looks - before, looks, "at {at_ns}");
    }
}

#[test]
fn a_control_page_makes_no_write_cost_a_look() {
    let mut rig = RawRig::with_control_page();
    assert_eq!(rig.open(), Status::OK);
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    rig.poll_at(Nanos(1_000_000));
    let before = rig.card.controls.borrow().looks;
    for id in 0..32 {
        let range = Range { offset_bytes: 0, length_bytes: 4 };
        let request = sndif::request::Request { id, body: RequestBody::Write(range) };
        let answer = rig.send_at(&request.emit(), Nanos(1_400_000)).expect("an answer");
        assert_eq!(answer.status, Status::OK);
    }
    assert_eq!(rig.card.controls.borrow().looks, before, "less than half a millisecond has passed");
}

#[test]
fn a_flood_of_what_keeps_the_hardware_busy_is_answered_one_at_a_time() {
    let mut rig = RawRig::new();
    for id in 0..32u16 {
        let request = sndif::request::Request { id, body: RequestBody::Close };
        rig.ring.push(&request.emit()).unwrap();
    }
    let _ = rig.ring.publish();
    for id in 0..32 {
        assert_eq!(rig.poll(), Some(Nanos(0)), "it wants to go on at once, after the others");
        let answers = answers(&mut rig);
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].id, answers[0].status), (id, Status::OK));
    }
    assert_eq!(rig.poll(), None);
}

/// One thing that a guest may do.
#[derive(Clone, Debug)]
enum Act {
    Entry(Vec<u8>),
    Scribble { page: u8, word: usize, value: u32 },
    Open,
    Trigger(u8),
    Volume { operation: u8, word: u32, length: u32 },
    Position(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let entry =
        (any::<u16>(), prop_oneof![12 => 0u8..12, 2 => Just(0x80)], prop::collection::vec(any::<u8>(), 61))
            .prop_map(|(id, operation, rest)| {
                let mut entry = id.to_le_bytes().to_vec();
                entry.push(operation);
                entry.extend(rest);
                Act::Entry(entry)
            });
    prop_oneof![
        4 => entry,
        1 => (0u8..4, 0usize..80, any::<u32>()).prop_map(|(page, word, value)| Act::Scribble { page, word, value }),
        3 => Just(Act::Open),
        4 => (0u8..4).prop_map(Act::Trigger),
        2 => (4u8..8, 0u32..17_000, prop_oneof![Just(2u32), Just(8)])
            .prop_map(|(operation, word, length)| Act::Volume { operation, word, length }),
        2 => (0u64..1 << 40).prop_map(Act::Position),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever a guest does, in whatever order: no panic, and once its device is closed nothing is mapped and no
    /// rule of the hypervisor was broken by the back end.
    #[test]
    fn no_guest_gets_further_than_its_own_device(acts in prop::collection::vec(act(), 1..80)) {
        let mut rig = RawRig::with_control_page();
        for act in acts {
            match act {
                Act::Entry(bytes) => {
                    let entry: [u8; 64] = bytes.try_into().expect("64 bytes");
                    if rig.ring.push(&entry).is_ok() {
                        let _ = rig.ring.publish();
                    }
                }
                Act::Scribble { page, word, value } => match page {
                    0 => rig.ring_page.store(word, value),
                    1 => rig.event_page.store(word, value),
                    2 => rig.control_page.as_ref().expect("a page").store(word, value),
                    _ => rig.directory.page.store(word, value),
                },
                Act::Open => {
                    let request = sndif::request::Request { id: 0, body: RequestBody::Open(rig.open_params()) };
                    if rig.ring.push(&request.emit()).is_ok() {
                        let _ = rig.ring.publish();
                    }
                }
                Act::Trigger(code) => {
                    let trigger = [Trigger::Start, Trigger::Pause, Trigger::Stop, Trigger::Resume][usize::from(code)];
                    let request = sndif::request::Request { id: 0, body: RequestBody::Trigger(trigger) };
                    if rig.ring.push(&request.emit()).is_ok() {
                        let _ = rig.ring.publish();
                    }
                }
                Act::Volume { operation, word, length } => {
                    let mut entry = [0; 64];
                    entry[2] = operation;
                    entry[8..12].copy_from_slice(&(word * 4).to_le_bytes());
                    entry[12..16].copy_from_slice(&length.to_le_bytes());
                    if rig.ring.push(&entry).is_ok() {
                        let _ = rig.ring.publish();
                    }
                }
                Act::Position(bytes) => {
                    let mut controls = rig.card.controls.borrow_mut();
                    controls.position.bytes = controls.position.bytes.saturating_add(bytes);
                }
            }
            rig.poll();
            while let Ok(Some(_)) = rig.ring.take() {}
        }
        rig.device.close(&mut rig.back, &mut rig.card);
        prop_assert_eq!(rig.device.state(), XenbusState::Closed);
        prop_assert_eq!(rig.home.mapped_pages(), 0);
        rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    }
}
