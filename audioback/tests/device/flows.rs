//! A device from OPEN to CLOSE, with a well-behaved front end and a card that is told what to do.

use crate::support::{DRIVER, GUEST, Rig, only_answer, open_config};
use audioback::card::{CardError, Direction, Port, PortIndex, StreamPosition};
use audioback::rights::{Policy, PortSet};
use audiofront::{EventPort, FrontEvent, Transport};
use hyper::{DmaAccess, Nanos};
use sndif::control_page::SlotState;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::HwParams;
use sndif::op::Operation;
use sndif::response::Status;
use sndif::state::XenbusState;

const RECORDING: Policy = Policy { may_play: PortSet::ALL, may_record: PortSet::ALL, ..Policy::NOTHING };

#[test]
fn open_hands_the_guests_own_pages_to_the_card_and_close_takes_them_back() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    let pages = rig.card.controls.borrow().pages.clone();
    assert_eq!(pages.len(), 16);
    rig.home.with_memory(|memory| {
        assert!(pages.iter().all(|&page| memory.dma_allowed(page) == Some(DmaAccess::Read)));
        assert_eq!(memory.dma_pages(), 16, "the buffer's pages and no others");
    });
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::OK);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    assert_eq!(rig.home.mapped_pages(), 4, "two rings and two event pages stay");
    assert_eq!(rig.home.violation_count(), 0);
}

#[test]
fn a_stream_is_stopped_and_closed_on_the_card_before_its_grants_end() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::OK);
    assert_eq!(rig.calls(), ["open 0 48000 65536", "start", "stop", "close"]);
}

#[test]
fn while_run_sticks_nothing_is_unmapped() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.card.controls.borrow_mut().run_sticks = true;
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::EIO);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 16));
    // The whole device goes: still nothing is unmapped, and the device isn't Closed.
    rig.device.close(&mut rig.back, &mut rig.card);
    assert_eq!(rig.device.state(), XenbusState::Closing);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 16));
    rig.now = rig.poll().expect("it wants to try again");
    rig.card.controls.borrow_mut().run_sticks = false;
    assert_eq!(rig.poll(), None);
    assert_eq!(rig.device.state(), XenbusState::Closed);
    assert_eq!(rig.home.mapped_pages(), 0);
}

#[test]
fn an_open_that_leaves_run_at_1_keeps_its_pages_until_it_reads_0() {
    let mut rig = Rig::new(Policy::default());
    rig.card.controls.borrow_mut().open_fails = Some(CardError::Hardware);
    rig.card.controls.borrow_mut().run_sticks = true;
    rig.playback.open(&open_config()).unwrap();
    assert_eq!(rig.status(Operation::Open), Status::EIO);
    assert!(rig.device.stream(0).unwrap().is_stuck());
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 16));
    rig.now = rig.poll().expect("it wants to try again");
    rig.card.controls.borrow_mut().run_sticks = false;
    rig.poll();
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    assert!(!rig.device.stream(0).unwrap().is_stuck());
    assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Closed);
    rig.open_playback();
}

#[test]
fn a_stuck_stream_gives_its_pages_back_once_run_reads_0_although_the_guest_asks_for_nothing() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.card.controls.borrow_mut().run_sticks = true;
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::EIO);
    rig.now = Nanos(rig.now.0 + 100_000_000);
    let tries = |rig: &Rig| rig.calls().iter().filter(|call| *call == "close").count();
    let before = tries(&rig);
    let again = rig.poll().expect("it wants to try again");
    assert_eq!(tries(&rig), before + 1);
    // Events come in between: each try keeps everybody waiting, so there is none before its time.
    rig.poll();
    assert_eq!(tries(&rig), before + 1);
    rig.card.controls.borrow_mut().run_sticks = false;
    rig.now = again;
    assert_eq!(rig.poll(), None);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    assert_eq!(rig.device.state(), XenbusState::Connected, "and the device lives on");
    // The front end still has the buffer that CLOSE was refused for.
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::OK);
    rig.open_playback();
}

#[test]
fn a_stream_whose_front_end_was_killed_does_not_play_for_ever() {
    let (mut rig, page) = Rig::with_control_page(Policy::default());
    rig.open_playback();
    rig.start_playback();
    let later = |rig: &mut Rig, ns: u64| {
        rig.now = Nanos(rig.now.0 + ns);
        rig.poll();
    };
    for _ in 0..3 {
        later(&mut rig, 1_000_000_000);
        assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Running, "somebody is there");
    }
    // As the guest's kernel does with what a process leaves open.
    let port = EventPort(rig.playback.nodes().event_channel);
    rig.home.front_end(GUEST, DRIVER, 0).close_channel(port);
    rig.card.controls.borrow_mut().run_sticks = true;
    later(&mut rig, 1_000_000_000);
    assert!(rig.device.stream(0).unwrap().is_stuck(), "within a second");
    rig.card.controls.borrow_mut().run_sticks = false;
    later(&mut rig, 100_000_000);
    assert!(!rig.device.stream(0).unwrap().is_stuck());
    assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Closed);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    assert_eq!(page.slot(0).unwrap().state, SlotState::Closed);
    assert_eq!(rig.device.state(), XenbusState::Connected, "whoever comes next closes it as ever");
}

#[test]
fn recording_is_off_unless_allowed() {
    let mut rig = Rig::new(Policy::default());
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::EACCES);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));

    let mut rig = Rig::new(RECORDING);
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::OK);
    let page = rig.card.controls.borrow().pages[0];
    rig.home.with_memory(|memory| assert_eq!(memory.dma_allowed(page), Some(DmaAccess::Write)));
}

#[test]
fn the_card_learns_where_a_stream_may_go_and_each_change_of_that() {
    let mut rig = Rig::new(RECORDING);
    let with = |ports: &[u8]| {
        let mut set = PortSet::NONE;
        ports.iter().for_each(|port| assert!(set.insert(PortIndex(*port))));
        set
    };
    rig.open_playback();
    assert_eq!(rig.card.controls.borrow().reach, Some(PortSet::ALL));
    let narrow = Policy { may_play: with(&[0, 5]), ..RECORDING };
    rig.device.set_policy(&mut rig.back, &mut rig.card, narrow);
    assert_eq!(rig.card.controls.borrow().reach, Some(with(&[0, 5])));
}

#[test]
fn a_right_withdrawn_ends_the_stream_at_once() {
    let mut rig = Rig::new(RECORDING);
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::OK);
    rig.device.set_policy(&mut rig.back, &mut rig.card, Policy::default());
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
}

#[test]
fn no_right_to_inputs_has_a_monitor() {
    let monitors = Policy { may_hear: PortSet::ALL, ..Policy::NOTHING };
    let all_but_monitors = Policy { may_hear: PortSet::NONE, ..RECORDING };
    let open = |mut rig: Rig| {
        rig.capture.open(&open_config()).unwrap();
        only_answer(&rig.capture_events(), Operation::Open)
    };
    assert_eq!(open(Rig::on_monitor(all_but_monitors)), Status::EACCES);
    assert_eq!(open(Rig::on_monitor(monitors)), Status::OK);
    assert_eq!(open(Rig::new(monitors)), Status::EACCES, "an input is no monitor");
    // A stream ends with its right.
    let mut rig = Rig::on_monitor(monitors);
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::OK);
    rig.device.set_policy(&mut rig.back, &mut rig.card, all_but_monitors);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
}

#[test]
fn a_right_is_one_to_a_port() {
    let record_on = |ports: &[u8]| Policy {
        may_record: ports.iter().fold(PortSet::NONE, |mut set, port| {
            set.insert(PortIndex(*port));
            set
        }),
        ..Policy::default()
    };
    // The capture stream is on port 1.
    for (ports, status) in [(&[0, 2, 63][..], Status::EACCES), (&[1], Status::OK)] {
        let mut rig = Rig::new(record_on(ports));
        rig.capture.open(&open_config()).unwrap();
        assert_eq!(only_answer(&rig.capture_events(), Operation::Open), status, "{ports:?}");
    }
    let mut set = PortSet::NONE;
    assert!(!set.insert(PortIndex(64)) && !PortSet::ALL.contains(PortIndex(64)));
    assert_eq!(set, PortSet::NONE);
}

#[test]
fn a_stream_tells_what_it_is_doing() {
    let mut rig = Rig::new(Policy::default());
    let told = |rig: &Rig| {
        let stream = rig.device.stream(0).unwrap();
        (stream.state(), stream.is_stuck(), stream.params().map(|params| params.rate_hz))
    };
    assert_eq!(told(&rig), (SlotState::Closed, false, None));
    rig.open_playback();
    assert_eq!(told(&rig), (SlotState::Open, false, Some(48_000)));
    rig.start_playback();
    assert_eq!(told(&rig), (SlotState::Running, false, Some(48_000)));
    rig.pause();
    rig.status(Operation::Trigger);
    assert_eq!(told(&rig), (SlotState::Paused, false, Some(48_000)));
    rig.card.controls.borrow_mut().run_sticks = true;
    rig.playback.close().unwrap();
    rig.status(Operation::Close);
    assert_eq!(told(&rig), (SlotState::Closed, true, None));
    assert!(rig.device.stream(2).is_none());
}

#[test]
fn a_stream_offers_what_both_its_port_and_its_configuration_have() {
    let port = Port {
        direction: Direction::Playback,
        formats: FormatSet::of(&[SampleFormat::S16Le, SampleFormat::S32Le]),
        rates_hz: [44_100, 48_000, 96_000, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        is_monitor: false,
        channels_min: 2,
        channels_max: 8,
        buffer_bytes_min: 256,
        buffer_bytes_max: 1 << 20,
        volume: None,
    };
    let wanted = Port {
        direction: Direction::Capture,
        formats: FormatSet::of(&[SampleFormat::S16Le, SampleFormat::U8]),
        rates_hz: [8_000, 48_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        is_monitor: true,
        channels_min: 1,
        channels_max: 2,
        buffer_bytes_min: 0,
        buffer_bytes_max: 65_536,
        volume: None,
    };
    let both = Port {
        direction: Direction::Playback,
        formats: FormatSet::of(&[SampleFormat::S16Le]),
        rates_hz: [48_000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        is_monitor: false,
        channels_min: 2,
        channels_max: 2,
        buffer_bytes_min: 256,
        buffer_bytes_max: 65_536,
        volume: None,
    };
    assert_eq!(port.narrowed_to(&wanted), both);
}

#[test]
fn positions_are_posted_past_each_period_edge_and_notified() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    let notified = |rig: &Rig| -> Vec<u32> {
        std::iter::from_fn(|| rig.home.take_pending(GUEST)).map(|channel| channel.0).collect()
    };
    notified(&rig);
    let channel = rig.playback.nodes().evt_event_channel;
    let position = FrontEvent::Position { bytes: 1_924 };
    for (bytes, events, channels) in
        [(1_920, &[][..], &[][..]), (1_924, &[position], &[channel]), (1_924, &[], &[])]
    {
        rig.set_position(bytes);
        assert_eq!(rig.events(), events, "at {bytes}");
        assert_eq!(notified(&rig), channels, "at {bytes}");
    }
}

#[test]
fn the_next_look_is_one_frame_past_the_next_edge() {
    let mut rig = Rig::new(Policy::default());
    assert_eq!(rig.poll(), None, "nothing runs, nothing is due");
    rig.open_playback();
    rig.start_playback();
    rig.now = Nanos(5_000_000);
    // 481 frames at 48 kHz, rounded up.
    assert_eq!(rig.poll(), Some(Nanos(5_000_000 + 10_020_834)));
}

#[test]
fn write_is_answered_after_a_fresh_position() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    assert_eq!(rig.playback.fill(&[1; 8_000]), 8_000);
    rig.set_position(800);
    assert_eq!(rig.playback.hint(), Ok(1));
    let events = rig.events();
    assert_eq!(events[0], FrontEvent::Position { bytes: 800 });
    assert_eq!(only_answer(&events, Operation::Write), Status::OK);
}

#[test]
fn the_card_learns_the_period_at_open_and_the_written_bytes_of_each_run() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    assert_eq!(rig.card.controls.borrow().period_frames, Some(480));
    for (bytes, told) in [(400, 400), (800, 1_200)] {
        assert_eq!(rig.playback.fill(&vec![1; bytes]), bytes);
        rig.playback.hint().unwrap();
        assert_eq!(rig.status(Operation::Write), Status::OK);
        assert_eq!(rig.card.controls.borrow().written_bytes, Some(told));
    }
    rig.start_playback();
    assert_eq!(
        rig.card.controls.borrow().written_bytes,
        Some(1_200),
        "a START keeps what was written before"
    );
}

#[test]
fn a_full_event_page_loses_no_id_and_the_newest_position_follows() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    for period in 1..=200u64 {
        rig.set_position(period * 1_920 + 4);
        rig.poll();
    }
    let told: Vec<_> = rig.events();
    // 63 slots, and after they were freed by reading, nothing new until the next look.
    assert_eq!(told.len(), 63);
    assert_eq!(rig.events(), [FrontEvent::Position { bytes: 200 * 1_920 + 4 }]);
    assert_eq!(rig.playback.event_faults().id_gaps, 0);
}

#[test]
fn sixty_five_thousand_ids_wrap_without_a_gap() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    for period in 1..=70_000u64 {
        rig.set_position(period * 1_920 + 4);
        assert_eq!(rig.events(), [FrontEvent::Position { bytes: period * 1_920 + 4 }]);
    }
    assert_eq!(rig.playback.event_faults().id_gaps, 0);
}

#[test]
fn stop_is_answered_after_a_whole_buffer_and_nothing_follows() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.set_position(10_000);
    rig.poll();
    while rig.playback.poll().is_some() {}
    rig.playback.stop().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    assert_eq!(rig.playback.position_bytes(), 65_536);
    rig.set_position(20_000);
    assert_eq!(rig.events(), []);
    // And the next run begins at the buffer's start.
    rig.start_playback();
    rig.set_position(1_924);
    assert_eq!(rig.events(), [FrontEvent::Position { bytes: 65_536 + 1_924 }]);
}

#[test]
fn a_stop_that_found_no_room_is_told_before_the_next_run() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    for period in 1..=70u64 {
        rig.set_position(period * 1_920 + 4);
        rig.poll();
    }
    // The page is full when STOP comes; then the front end reads it, and starts again.
    rig.playback.stop().unwrap();
    rig.poll();
    while rig.playback.poll().is_some() {}
    // The first look at the run finds that it has moved. Alone, that position would be a jump.
    rig.card.controls.borrow_mut().bytes_at_start = 400;
    rig.start_playback();
    assert_eq!(rig.playback.position_bytes(), 3 * 65_536, "70 periods, rounded up to a whole buffer");
}

#[test]
fn pause_keeps_the_position_and_resume_goes_on() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.set_position(1_000);
    rig.playback.pause().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    assert_eq!(rig.poll(), None, "a paused stream is not looked at");
    rig.playback.resume().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    assert_eq!(rig.calls(), ["open 0 48000 65536", "start", "pause", "resume"]);
}

#[test]
fn triggers_out_of_order_are_refused() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    for (trigger, expected) in [
        (Rig::pause as fn(&mut Rig), Status::EINVAL),
        (Rig::resume, Status::EINVAL),
        (Rig::stop, Status::OK),
        (Rig::start, Status::OK),
        (Rig::start, Status::EINVAL),
    ] {
        trigger(&mut rig);
        assert_eq!(rig.status(Operation::Trigger), expected);
    }
}

impl Rig {
    fn pause(&mut self) {
        self.playback.pause().unwrap();
    }
    fn resume(&mut self) {
        self.playback.resume().unwrap();
    }
    fn stop(&mut self) {
        self.playback.stop().unwrap();
    }
    fn start(&mut self) {
        self.playback.start().unwrap();
    }
}

#[test]
fn what_the_card_says_reaches_the_guest_as_an_errno() {
    for (error, status) in [
        (CardError::Busy, Status::EBUSY),
        (CardError::Unsupported, Status::EINVAL),
        (CardError::BadBuffer, Status::EINVAL),
        (CardError::Hardware, Status::EIO),
    ] {
        let mut rig = Rig::new(Policy::default());
        rig.card.controls.borrow_mut().open_fails = Some(error);
        rig.playback.open(&open_config()).unwrap();
        assert_eq!(rig.status(Operation::Open), status);
        rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
    }
}

#[test]
fn a_query_is_answered_with_what_the_card_can_do() {
    let mut rig = Rig::new(Policy::default());
    rig.playback.query(&HwParams::ANY).unwrap();
    let events = rig.events();
    let [FrontEvent::Answered { hw_params: Some(left), status: Status::OK, .. }] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((left.rates.min, left.rates.max), (48_000, 48_000));
    rig.playback
        .query(&HwParams { rates: sndif::hw_params::Interval::exactly(8_000), ..HwParams::ANY })
        .unwrap();
    assert_eq!(rig.status(Operation::HwParamQuery), Status::EINVAL);
}

#[test]
fn a_descriptor_error_ends_the_run_and_a_close_still_works() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.card.controls.borrow_mut().position =
        StreamPosition { bytes: 4_000, fifo_errors: 0, descriptor_errors: 1, link: None };
    assert_eq!(rig.events(), []);
    assert_eq!(rig.poll(), None, "a run that failed is not looked at again");
    // Whoever writes hears of it, and need not wait for a position that never moves.
    rig.playback.fill(&[1; 1_920]);
    rig.playback.hint().unwrap();
    assert_eq!(rig.status(Operation::Write), Status::EIO);
    rig.playback.stop().unwrap();
    assert_eq!(rig.status(Operation::Trigger), Status::OK);
    rig.playback.fill(&[1; 1_920]);
    rig.playback.hint().unwrap();
    assert_eq!(rig.status(Operation::Write), Status::OK, "a STOP clears it");
    rig.playback.close().unwrap();
    assert_eq!(rig.status(Operation::Close), Status::OK);
    rig.home.with_memory(|memory| assert_eq!(memory.dma_pages(), 0));
}

#[test]
fn counts_are_kept_over_runs() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    for _ in 0..2 {
        rig.start_playback();
        rig.card.controls.borrow_mut().position =
            StreamPosition { bytes: 4_000, fifo_errors: 3, descriptor_errors: 0, link: None };
        rig.poll();
        rig.playback.stop().unwrap();
        assert_eq!(rig.status(Operation::Trigger), Status::OK);
    }
    let stats = rig.device.stream(0).unwrap().stats();
    assert_eq!((stats.opens, stats.frames, stats.fifo_errors), (1, 2_000, 6));
    assert_eq!(stats.xruns, 2, "nothing was ever written, and each run went past that once");
}

#[test]
fn a_front_end_that_goes_and_comes_again() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.device.close(&mut rig.back, &mut rig.card);
    assert_eq!(rig.device.state(), XenbusState::Closed);
    assert_eq!(rig.home.mapped_pages(), 0);
    assert!(rig.device.reopen());
    let nodes = [*rig.playback.nodes(), *rig.capture.nodes()];
    rig.device.connect(&mut rig.back, &nodes, None, rig.now).unwrap();
    assert_eq!(rig.device.state(), XenbusState::Connected);
    assert_eq!(rig.home.violation_count(), 0);
}

#[test]
fn what_keeps_the_hardware_busy_is_done_once_a_turn_whichever_stream_asks() {
    let mut rig = Rig::new(RECORDING);
    // Answers that the playback stream and the capture stream have got.
    let heard = |rig: &mut Rig| {
        let answered = |event: &FrontEvent| matches!(event, FrontEvent::Answered { .. });
        let played = std::iter::from_fn(|| rig.playback.poll()).filter(answered).count();
        (played, std::iter::from_fn(|| rig.capture.poll()).filter(answered).count())
    };
    for _ in 0..3 {
        rig.playback.open(&open_config()).expect("OPEN is sent");
        rig.capture.open(&open_config()).expect("OPEN is sent");
        assert_eq!(rig.poll(), Some(rig.now), "it wants to go on at once, after the others");
        assert_eq!(heard(&mut rig), (1, 0));
        assert_eq!(rig.poll(), Some(rig.now));
        assert_eq!(heard(&mut rig), (0, 1));
        // The first stream has its turn first, but only if it asks for something.
        rig.capture.close().expect("CLOSE is sent");
        rig.poll();
        assert_eq!(heard(&mut rig), (0, 1));
        rig.playback.close().expect("CLOSE is sent");
        rig.poll();
        assert_eq!(heard(&mut rig), (1, 0));
        // Now it is the other one's.
        rig.playback.open(&open_config()).expect("OPEN is sent");
        rig.capture.open(&open_config()).expect("OPEN is sent");
        rig.poll();
        assert_eq!(heard(&mut rig), (0, 1));
        rig.poll();
        assert_eq!(heard(&mut rig), (1, 0));
        rig.capture.close().expect("CLOSE is sent");
        rig.poll();
        rig.playback.close().expect("CLOSE is sent");
        rig.poll();
        heard(&mut rig);
        rig.capture.open(&open_config()).expect("OPEN is sent");
        rig.poll();
        rig.capture.close().expect("CLOSE is sent");
        rig.poll();
        heard(&mut rig);
    }
}

#[test]
fn a_front_end_can_t_have_a_stuck_stream_tried_again() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.card.controls.borrow_mut().run_sticks = true;
    rig.playback.close().expect("CLOSE is sent");
    assert_eq!(rig.status(Operation::Close), Status::EIO);
    let tries = |rig: &Rig| rig.calls().iter().filter(|call| *call == "close").count();
    rig.poll();
    let before = tries(&rig);
    for _ in 0..10 {
        rig.playback.close().expect("CLOSE is sent");
        assert_eq!(rig.status(Operation::Close), Status::EIO);
    }
    assert_eq!(tries(&rig), before);
}

#[test]
fn a_right_withdrawn_while_run_sticks_leaves_no_device_that_closes_for_ever() {
    let mut rig = Rig::new(Policy::default());
    rig.open_playback();
    rig.start_playback();
    rig.card.controls.borrow_mut().run_sticks = true;
    rig.device.close(&mut rig.back, &mut rig.card);
    assert_eq!(rig.device.state(), XenbusState::Closing);
    rig.card.controls.borrow_mut().run_sticks = false;
    rig.device.set_policy(&mut rig.back, &mut rig.card, Policy::NOTHING);
    rig.poll();
    assert_eq!(rig.device.state(), XenbusState::Closed);
    assert_eq!(rig.home.mapped_pages(), 0);
}
