//! What a front end finds in its control page, and what it can't do with it.

use crate::support::raw::RawRig;
use crate::support::{DRIVER, GUEST, Page, Rig, configs, home, only_answer, open_config};
use audioback::card::{Card, LinkPosition, PositionLock, PositionSource, StreamPosition};
use audioback::device::{ConnectError, Device};
use audioback::rights::{Policy, PortSet};
use audiofront::{FrontEvent, GrantAccess, StreamConfig, StreamFront, Transport};
use hyper::{Clock, GrantRef, Hypervisor, MapError, Nanos, PAGE_WORDS, SharedPage};
use proptest::prelude::*;
use sndif::Direction;
use sndif::control_page::{Cadence, ControlReader, Header, HeaderError, Slot, SlotState};
use sndif::op::{LinkedStart, Operation, Trigger};
use sndif::request::{Range, Request, RequestBody};
use sndif::response::{Response, ResponseBody, Status};
use sndif::state::XenbusState;
use std::cell::Cell;

const RECORDING: Policy = Policy { may_play: PortSet::ALL, may_record: PortSet::ALL, ..Policy::NOTHING };

const CADENCE: Option<Cadence> =
    Some(Cadence { ticks: 123, block_frames: 1, period_blocks: 1, period_link_frames: 1 });

fn link(link_frames: u64, time_ns: u64) -> LinkPosition {
    LinkPosition {
        link_frames,
        time: Nanos(time_ns),
        ns_per_frame_q32: (1_000_000_000 << 32) / 48_000,
        error_ns: 700,
        lock: PositionLock::Locked,
        source: PositionSource::Memory,
        dma_lead_frames: 48,
        codec_delay_frames: 5,
        start_time: Nanos(1_000_000),
        start_wall_ticks: 24_000,
        cadence: CADENCE,
        generation: 3,
    }
}

fn set_link(rig: &Rig, link_frames: u64, time_ns: u64) {
    let mut controls = rig.card.controls.borrow_mut();
    controls.position.bytes = link_frames * 4;
    controls.position.link = Some(link(link_frames, time_ns));
}

fn state(reader: &ControlReader<Page>, index: usize) -> SlotState {
    reader.slot(index).expect("a slot").state
}

#[test]
fn a_connected_device_shows_its_streams_closed_and_its_number_grows() {
    let (mut rig, reader) = Rig::with_control_page(Policy::default());
    let header = Header { minor: 1, slot_count: 2, generation: 1, state: XenbusState::Connected };
    assert_eq!(reader.header(), Ok(header));
    assert_eq!((reader.slot(0), reader.slot(1)), (Ok(Slot::default()), Ok(Slot::default())));
    assert_eq!(rig.home.mapped_pages(), 5, "rings, event pages, control page");

    rig.device.close(&mut rig.back, &mut rig.card);
    assert_eq!(reader.header().map(|header| header.state), Ok(XenbusState::Closed));
    assert_eq!(rig.home.mapped_pages(), 0);
    assert!(rig.device.reopen());
    let mut guest = rig.home.front_end(GUEST, DRIVER, 0);
    let page = guest.grant_page(GrantAccess::ReadWrite).unwrap();
    let nodes = [*rig.playback.nodes(), *rig.capture.nodes()];
    rig.device.connect(&mut rig.back, &nodes, Some(page.grant), Nanos(77)).unwrap();
    let reader = ControlReader::new(page.page);
    assert_eq!(reader.header().map(|header| header.generation), Ok(77), "the time, which only grows");
    assert_eq!(rig.home.violation_count(), 0);
}

#[test]
fn the_card_is_told_whether_there_is_a_page_to_tell_of_the_link_in() {
    let (mut rig, _reader) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    assert_eq!(rig.card.controls.borrow().link_wanted, Some(true));
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    assert_eq!(rig.card.controls.borrow().link_wanted, Some(false));
}

#[test]
fn a_slot_says_what_the_card_says() {
    let (mut rig, reader) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    assert_eq!(state(&reader, 0), SlotState::Open);
    assert_eq!(reader.slot(0).unwrap().lock, None, "no position before the first START");
    rig.card.controls.borrow_mut().link_at_start = Some(link(0, 1_000_000));
    rig.playback.fill(&[1; 8_000]);
    rig.playback.hint().unwrap();
    assert_eq!(rig.status(Operation::Write), Status::OK);
    assert_eq!(reader.slot(0).unwrap().appl_frames, 2_000);
    rig.start_playback();
    assert_eq!(reader.slot(0).unwrap().frames_at(1_000_000), Some(0), "there is a position at once");

    set_link(&rig, 480, 11_000_000);
    rig.poll();
    let slot = reader.slot(0).unwrap();
    let expected = Slot {
        state: SlotState::Running,
        link_frames: 480,
        time_ns: 11_000_000,
        ns_per_frame_q32: (1_000_000_000 << 32) / 48_000,
        error_ns: 700,
        generation: 3,
        dma_lead_frames: 48,
        codec_delay_frames: 5,
        start_time_ns: 1_000_000,
        start_wall_ticks: 24_000,
        cadence: CADENCE,
        xrun_frames: 0,
        appl_frames: 2_000,
        lock: Some(PositionLock::Locked),
        source: Some(PositionSource::Memory),
        echo_id: slot.echo_id,
        echo_time_ns: slot.echo_time_ns,
    };
    assert_eq!(slot, expected);
    assert_eq!(reader.slot(1), Ok(Slot::default()), "the other stream is closed");
}

#[test]
fn each_change_of_state_is_there_when_its_answer_is() {
    let (mut rig, reader) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    rig.start_playback();
    assert_eq!(state(&reader, 0), SlotState::Running);
    set_link(&rig, 100, 5_000);
    rig.playback.pause().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    let paused = reader.slot(0).unwrap();
    assert_eq!(
        (paused.state, paused.frames_at(u64::MAX)),
        (SlotState::Paused, Some(100)),
        "where it came to stand"
    );
    rig.playback.resume().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    assert_eq!(state(&reader, 0), SlotState::Running);
    set_link(&rig, 250, 9_000);
    rig.poll();
    // The card need not know any more what is at the link.
    rig.card.controls.borrow_mut().position.link = None;
    rig.playback.stop().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    let stopped = reader.slot(0).unwrap();
    assert_eq!((stopped.state, stopped.link_frames), (SlotState::Open, 250), "how far the run came");
    rig.start_playback();
    assert_eq!(reader.slot(0).unwrap().lock, None, "nothing of the run before");
    rig.card.controls.borrow_mut().position.descriptor_errors = 1;
    rig.poll();
    assert_eq!(state(&reader, 0), SlotState::Failed);
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::OK);
    assert_eq!(state(&reader, 0), SlotState::Closed);
}

#[test]
fn a_right_withdrawn_and_a_device_closed_show_in_the_page() {
    let (mut rig, reader) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.device.set_policy(&mut rig.back, &mut rig.card, Policy::NOTHING);
    assert_eq!(state(&reader, 0), SlotState::Closed);
    assert_eq!(reader.header().map(|header| header.state), Ok(XenbusState::Connected));
    rig.device.set_policy(&mut rig.back, &mut rig.card, Policy::default());
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::OK);
    rig.open_playback();
    rig.start_playback();
    rig.device.close(&mut rig.back, &mut rig.card);
    assert_eq!(state(&reader, 0), SlotState::Closed);
    assert_eq!(reader.header().map(|header| header.state), Ok(XenbusState::Closed));
}

#[test]
fn frames_that_were_not_written_are_counted_as_played_anyhow() {
    let (mut rig, reader) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    rig.playback.fill(&[1; 4_000]);
    rig.playback.hint().unwrap();
    rig.poll();
    while rig.playback.poll().is_some() {}
    rig.start_playback();
    for (frames, expected) in [(900, 0), (1_000, 0), (1_100, 100), (1_250, 250)] {
        set_link(&rig, frames, 0);
        rig.poll();
        assert_eq!(reader.slot(0).unwrap().xrun_frames, expected, "at {frames}");
    }
    // 2,000 frames more are written: the gap stays what it was.
    rig.playback.fill(&[1; 8_000]);
    rig.playback.hint().unwrap();
    rig.poll();
    set_link(&rig, 2_900, 0);
    rig.poll();
    assert_eq!(reader.slot(0).unwrap().xrun_frames, 250);
}

#[test]
fn frames_that_came_too_late_for_the_mixer_are_counted_once() {
    let (mut rig, reader) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    rig.start_playback();
    set_link(&rig, 100, 0);
    rig.poll();
    assert_eq!(reader.slot(0).unwrap().xrun_frames, 100);
    // 400 frames are mixed already, of which 100 have been heard as silence.
    rig.card.controls.borrow_mut().late_bytes = 400 * 4;
    rig.playback.fill(&[1; 8_000]);
    rig.playback.hint().unwrap();
    rig.poll();
    assert_eq!(reader.slot(0).unwrap().xrun_frames, 400);
    for (frames, expected) in [(400, 400), (2_000, 400), (2_010, 410)] {
        set_link(&rig, frames, 0);
        rig.poll();
        assert_eq!(reader.slot(0).unwrap().xrun_frames, expected, "at {frames}");
    }
}

#[test]
fn frames_that_were_overwritten_unread_are_counted_if_the_front_end_says_what_it_reads() {
    let (mut rig, reader) = Rig::with_control_page(RECORDING);
    // 16,384 frames of buffer.
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::OK);
    rig.capture.start().unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Trigger), Status::OK);
    set_link(&rig, 40_000, 0);
    rig.poll();
    assert_eq!(reader.slot(1).unwrap().xrun_frames, 0, "it has said nothing yet");
    rig.capture_events();
    let mut bytes = [0; 4_000];
    assert_eq!(rig.capture.take(&mut bytes), 4_000);
    rig.capture.hint().unwrap();
    rig.poll();
    let read = reader.slot(1).unwrap().appl_frames;
    assert!((40_000 - 16_384..=40_000).contains(&read), "{read}");
    set_link(&rig, read + 16_384 + 300, 0);
    rig.poll();
    assert_eq!(reader.slot(1).unwrap().xrun_frames, 300);
}

/// A clock that goes on by a microsecond each time that it is read.
struct Ticking(Cell<u64>);

impl Clock for Ticking {
    fn now(&self) -> Nanos {
        self.0.set(self.0.get() + 1_000);
        Nanos(self.0.get())
    }
}

#[test]
fn each_request_is_echoed_with_the_time_at_which_it_was_taken() {
    let (mut rig, reader) = Rig::with_control_page(Policy::default());
    assert_eq!(reader.slot(0).unwrap().echo(), None);
    rig.open_playback();
    let clock = Ticking(Cell::new(5_000_000_000));
    let mut last = 0;
    for _ in 0..50 {
        let sent = clock.0.get();
        rig.playback.fill(&[1; 400]);
        rig.playback.hint().unwrap();
        rig.device.poll(&mut rig.back, &mut rig.card, &clock);
        let heard = clock.0.get();
        let echo = reader.slot(0).unwrap().echo().expect("an echo");
        // Read once when the call began, which could have been before the request was sent, and once more when it was taken.
        assert!(echo.time_ns > sent + 1_000 && echo.time_ns <= heard, "{sent} {} {heard}", echo.time_ns);
        assert!(echo.time_ns > last);
        last = echo.time_ns;
        while rig.playback.poll().is_some() {}
    }
    assert_eq!(reader.slot(1).unwrap().echo(), None, "each ring its own");
}

#[test]
fn a_request_that_is_none_is_echoed_too() {
    let mut rig = RawRig::with_control_page();
    let mut entry = [0xff; 64];
    entry[..3].copy_from_slice(&[0x34, 0x12, 200]);
    rig.send_at(&entry, Nanos(9_000)).expect("an answer");
    let reader = ControlReader::new(rig.control_page.clone().unwrap());
    let echo = reader.slot(0).unwrap().echo().expect("an echo");
    assert_eq!((echo.id, echo.time_ns), (0x1234, 9_000));
}

#[test]
fn a_page_of_which_the_front_end_says_nonsense_is_refused_like_a_ring() {
    let home = home();
    let mut back = home.back_end(DRIVER);
    let card = crate::support::card::FakeCard::new();
    let ports = Card::<<crate::support::Back<'_> as Hypervisor>::Buffer>::ports(&card);
    let mut device: crate::support::TestDevice<'_> =
        Device::new(GUEST, Policy::default(), ports, &configs()[..1]).unwrap();
    let mut guest = home.front_end(GUEST, DRIVER, 0);
    let front = StreamFront::connect(home.front_end(GUEST, DRIVER, 0), Direction::Playback).expect("a front");
    let nodes = [*front.nodes()];
    let read_only = guest.grant_page(GrantAccess::ReadOnly).unwrap();
    let gone = guest.grant_page(GrantAccess::ReadWrite).unwrap();
    let gone_grant = gone.grant;
    guest.revoke_page(gone).unwrap();
    for grant in [GrantRef(0), GrantRef(u32::MAX), read_only.grant, gone_grant] {
        let refused = device.connect(&mut back, &nodes, Some(grant), Nanos(0));
        assert_eq!(refused, Err(ConnectError::Map(MapError::NotGranted(grant))));
        assert_eq!((home.mapped_pages(), device.state()), (0, XenbusState::InitWait), "nothing stays behind");
    }
    // The ring itself, for a second time.
    let refused = device.connect(&mut back, &nodes, Some(nodes[0].ring_ref), Nanos(0));
    assert_eq!(refused, Err(ConnectError::Map(MapError::AlreadyMapped(nodes[0].ring_ref))));
    assert_eq!(home.mapped_pages(), 0);
    // And it works when it is right.
    let page = guest.grant_page(GrantAccess::ReadWrite).unwrap();
    assert_eq!(ControlReader::new(page.page.clone()).header(), Err(HeaderError::NotAttached));
    device.connect(&mut back, &nodes, Some(page.grant), Nanos(0)).unwrap();
    assert!(ControlReader::new(page.page.clone()).header().is_ok());
    // A page that is mapped can't be taken back.
    assert!(guest.revoke_page(page).is_err());
    assert!(ControlReader::new(read_only.page).header().is_err(), "nothing was written to it");
}

/// What the back end did for a front end, and what it told it.
fn doings(scribble: &mut dyn FnMut(&Page)) -> (Vec<String>, Vec<Status>, Vec<Option<Nanos>>, Vec<u32>) {
    let mut rig = RawRig::with_control_page();
    let page = rig.control_page.clone().unwrap();
    let mut statuses = Vec::new();
    let mut dues = Vec::new();
    let mut now = Nanos(0);
    statuses.push(rig.open());
    scribble(&page);
    statuses.push(rig.ask(RequestBody::Trigger(Trigger::Start)));
    for turn in 1..20u64 {
        scribble(&page);
        rig.card.controls.borrow_mut().position = StreamPosition {
            bytes: turn * 1_000,
            link: Some(link(turn * 250, turn)),
            ..StreamPosition::default()
        };
        now.0 += 5_208_333;
        dues.push(rig.poll_at(now));
        scribble(&page);
        let offset_bytes = (turn * 2_000) as u32 % 60_000;
        statuses.push(rig.ask(RequestBody::Write(Range { offset_bytes, length_bytes: 2_000 })));
    }
    scribble(&page);
    statuses.push(rig.ask(RequestBody::Trigger(Trigger::Stop)));
    statuses.push(rig.ask(RequestBody::Close));
    let events = (0..PAGE_WORDS).map(|word| rig.event_page.load(word)).collect();
    let calls = rig.card.controls.borrow().calls.clone();
    assert_eq!((rig.home.violation_count(), rig.device.state()), (0, XenbusState::Connected));
    (calls, statuses, dues, events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_front_end_writes_into_its_page_the_back_end_does_the_same(
        words in prop::collection::vec((0usize..PAGE_WORDS, any::<u32>()), 1..400),
    ) {
        let quiet = doings(&mut |_| {});
        let mut rest = words.iter().cycle();
        let scribbled = doings(&mut |page| {
            for _ in 0..words.len() {
                let (word, value) = rest.next().unwrap();
                page.store(*word, *value);
            }
        });
        prop_assert_eq!(quiet, scribbled);
    }
}

/// Devices with a playback and a capture stream each, all running; `period_bytes` for all.
fn running(count: usize, period_bytes: u32, buffer_bytes: u32) -> Vec<(Rig, ControlReader<Page>)> {
    (0..count)
        .map(|device| {
            let (mut rig, reader) = Rig::with_control_page(RECORDING);
            // Not started at the same time.
            rig.now = Nanos(device as u64 * 1_234_567);
            rig.card.controls.borrow_mut().link_at_start = Some(link(0, rig.now.0));
            let config = StreamConfig { period_bytes, buffer_bytes, ..open_config() };
            rig.playback.open(&config).unwrap();
            rig.capture.open(&config).unwrap();
            for _ in 0..3 {
                rig.poll();
            }
            rig.playback.start().unwrap();
            rig.capture.start().unwrap();
            for _ in 0..3 {
                rig.poll();
            }
            assert_eq!((state(&reader, 0), state(&reader, 1)), (SlotState::Running, SlotState::Running));
            rig.card.controls.borrow_mut().looks = 0;
            (rig, reader)
        })
        .collect()
}

/// Sleeps and wakes as the image does, which polls all devices each time. Returns the times of its wake-ups.
fn live(rigs: &mut [(Rig, ControlReader<Page>)], from: u64, until: u64) -> Vec<u64> {
    let mut now = from;
    let mut wakes = Vec::new();
    loop {
        wakes.push(now);
        let mut next = u64::MAX;
        for (rig, _) in rigs.iter_mut() {
            rig.now = Nanos(now);
            set_link(rig, now * 48 / 1_000_000, now);
            next = next.min(rig.poll().expect("a stream runs").0);
        }
        assert!(next > now, "it would spin");
        if next >= until {
            return wakes;
        }
        now = next;
    }
}

#[test]
fn streams_that_only_read_the_page_wake_the_domain_a_hundred_times_a_second_however_many_they_are() {
    // Down to the smallest buffer: 64 frames, 1.3 ms.
    for (devices, buffer_bytes) in [(1, 65_536), (1, 256), (7, 65_536), (7, 1_024)] {
        let mut rigs = running(devices, 0, buffer_bytes);
        let from = 1_003_000_000;
        let wakes = live(&mut rigs, from, from + 3_000_000_000);
        assert_eq!(wakes.len(), 1 + 300, "{devices} devices of 2 streams in 3 s, buffers of {buffer_bytes}");
        assert!(wakes.windows(2).all(|pair| pair[1] - pair[0] <= 10_000_000), "and no slot is older");
        for (rig, reader) in &rigs {
            assert_eq!(rig.card.controls.borrow().looks, 2 * 301, "each stream is looked at once each time");
            let last = *wakes.last().unwrap();
            assert_eq!(reader.slot(0).unwrap().time_ns, last);
            assert_eq!(reader.slot(1).unwrap().time_ns, last);
        }
    }
}

#[test]
fn a_stream_with_events_keeps_its_edges_and_is_refreshed_between_them() {
    // A period of 85 ms.
    let mut rigs = running(1, 16_384, 65_536);
    let wakes = live(&mut rigs, 1_003_000_000, 2_003_000_000);
    assert!(
        (100..=114).contains(&wakes.len()),
        "{} wake-ups a second for the grid and 11.7 edges",
        wakes.len()
    );
}

#[test]
fn without_a_page_and_without_a_position_at_the_link_the_pace_is_as_it_was() {
    // Without periods: a quarter of the buffer.
    let config = StreamConfig { period_bytes: 0, ..open_config() };
    let due_with = |mut rig: Rig| {
        rig.playback.open(&config).unwrap();
        rig.poll();
        rig.poll();
        rig.playback.start().unwrap();
        rig.poll();
        rig.now = Nanos(1_003_000_000);
        rig.poll()
    };
    let plain = due_with(Rig::new(Policy::default()));
    assert_eq!(plain, Some(Nanos(1_003_000_000 + 85_333_334)));
    let (rig, _reader) = Rig::with_control_page(Policy::default());
    let due = due_with(rig);
    assert_eq!(due, Some(Nanos(1_010_000_000)), "with a page: the grid, at the latest");
    let config = StreamConfig { period_bytes: 0, buffer_bytes: 1_024, ..open_config() };
    let (mut rig, _reader) = Rig::with_control_page(Policy::default());
    rig.playback.open(&config).unwrap();
    rig.poll();
    rig.poll();
    rig.playback.start().unwrap();
    rig.poll();
    rig.now = Nanos(1_003_000_000);
    // The card says nothing of the link, so it has to be looked at as often as its buffer wants it.
    assert_eq!(rig.poll(), Some(Nanos(1_003_000_000 + 1_333_334)));
}

#[test]
fn a_stream_that_stands_still_asks_for_no_refresh() {
    let (mut rig, _reader) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    assert_eq!(rig.poll(), None);
    rig.start_playback();
    assert_eq!(rig.poll(), Some(Nanos(10_000_000)));
    rig.playback.pause().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    assert_eq!(rig.poll(), None);
}

/// Both streams are open.
fn both_open(rig: &mut Rig) {
    rig.playback.open(&open_config()).unwrap();
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(rig.status(Operation::Open), Status::OK);
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::OK);
}

#[test]
fn a_linked_start_starts_all_of_its_streams_and_is_answered_once() {
    let (mut rig, reader) = Rig::with_control_page(RECORDING);
    both_open(&mut rig);
    rig.card.controls.borrow_mut().link_at_start = Some(link(0, 4_000));
    rig.capture.linked_start(0b11).unwrap();
    rig.playback.joins_start();
    let events = rig.capture_events();
    // The card of this test has nothing better than one start after the other.
    let answers = |events: &[FrontEvent]| {
        events.iter().filter(|event| matches!(event, FrontEvent::Answered { .. })).count()
    };
    assert!(
        matches!(
            events[..],
            [FrontEvent::Answered {
                operation: Operation::LinkedStart,
                status: Status::OK,
                started: Some(LinkedStart::BackToBack),
                ..
            }]
        ),
        "{events:?}"
    );
    assert_eq!(answers(&rig.events()), 0, "nothing on the other ring");
    let (playback, capture) = (reader.slot(0).unwrap(), reader.slot(1).unwrap());
    assert_eq!((playback.state, capture.state), (SlotState::Running, SlotState::Running));
    assert_eq!(playback.start_distance_frames(&capture, 48_000), 0);
}

#[test]
fn on_an_error_none_runs() {
    let (mut rig, reader) = Rig::with_control_page(RECORDING);
    both_open(&mut rig);
    rig.card.controls.borrow_mut().start_fails_on = Some(1);
    rig.playback.linked_start(0b11).unwrap();
    assert_eq!(rig.status(Operation::LinkedStart), Status::EIO);
    assert_eq!((state(&reader, 0), state(&reader, 1)), (SlotState::Open, SlotState::Open));
    assert_eq!(rig.calls()[2..], ["start", "start", "stop"], "the one that had been started was stopped");
    assert_eq!(rig.poll(), None, "nothing runs");
    // And it works once the card does.
    rig.card.controls.borrow_mut().start_fails_on = None;
    rig.playback.linked_start(0b11).unwrap();
    assert_eq!(rig.status(Operation::LinkedStart), Status::OK);
}

#[test]
fn a_linked_start_gives_no_right_that_the_guest_has_not() {
    let (mut rig, _reader) = Rig::with_control_page(RECORDING);
    both_open(&mut rig);
    rig.device.set_policy(&mut rig.back, &mut rig.card, Policy::default());
    rig.playback.linked_start(0b11).unwrap();
    assert_eq!(rig.status(Operation::LinkedStart), Status::EACCES);
    assert!(!rig.calls().contains(&"start".to_owned()));
    rig.playback.linked_start(0b01).unwrap();
    assert_eq!(rig.status(Operation::LinkedStart), Status::OK, "its own stream it may start");
}

#[test]
fn a_linked_start_works_without_a_control_page() {
    let mut rig = Rig::new(RECORDING);
    both_open(&mut rig);
    rig.playback.linked_start(0b11).unwrap();
    assert_eq!(rig.status(Operation::LinkedStart), Status::OK);
    assert_eq!(rig.calls()[2..], ["start", "start"]);
}

/// Sends a linked start on a ring, and returns the answer.
fn linked_start(rig: &mut RawRig, streams: u32) -> Response {
    let request = Request { id: 7, body: RequestBody::LinkedStart(streams) };
    let answer = rig.send(&request.emit()).expect("an answer");
    assert_eq!((answer.id, answer.operation), (7, 0x80));
    answer
}

#[test]
fn a_linked_start_wants_streams_that_are_there_open_and_stopped() {
    let mut rig = RawRig::with_control_page();
    assert_eq!(linked_start(&mut rig, 1).status, Status::EINVAL, "not open");
    assert_eq!(rig.open(), Status::OK);
    for streams in [0, 2, 3, 1 << 31, u32::MAX] {
        assert_eq!(linked_start(&mut rig, streams).status, Status::EINVAL, "{streams:#x} of one stream");
    }
    assert!(!rig.card.controls.borrow().calls.contains(&"start".to_owned()));
    let answer = linked_start(&mut rig, 1);
    assert_eq!(answer.status, Status::OK);
    assert!(matches!(answer.body, ResponseBody::Started(_)));
    assert_eq!(linked_start(&mut rig, 1).status, Status::EINVAL, "it runs");
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Pause)), Status::OK);
    assert_eq!(linked_start(&mut rig, 1).status, Status::EINVAL, "it is paused, not stopped");
    assert_eq!(rig.ask(RequestBody::Trigger(Trigger::Stop)), Status::OK);
    assert_eq!(linked_start(&mut rig, 1).status, Status::OK);
}
