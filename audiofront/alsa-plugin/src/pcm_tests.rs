//! Tests of the pointers against a stream with a position set by hand.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::Interval;

use super::*;
use crate::card::{DmaFile, Limits};

const SETUP: Setup = Setup {
    format: SampleFormat::S16Le,
    frame_bytes: 4,
    channels: 2,
    rate_hz: 48_000,
    period_frames: 480,
    buffer_frames: 1_920,
};
/// A frame at 48 kHz.
const FRAME_Q32: u64 = (1_000_000_000 << 32) / 48_000;

/// Inputs and observations of the test.
#[derive(Default)]
struct Seen {
    look: Look,
    gone: bool,
    alarm_ns: Option<u64>,
    alarms: usize,
    triggers: Vec<Trigger>,
}

struct ByHand {
    seen: Arc<Mutex<Seen>>,
    file: OwnedFd,
    wake: OwnedFd,
    limits: Limits,
}

impl Stream for ByHand {
    fn limits(&self) -> &Limits {
        &self.limits
    }
    fn open(&mut self, setup: &Setup) -> Result<(), Failure> {
        ftruncate(&self.file, setup.buffer_bytes() as u64)?;
        Ok(())
    }
    fn memory(&self) -> Option<DmaFile<'_>> {
        Some(DmaFile { file: self.file.as_fd(), offset_bytes: 0 })
    }
    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    fn trigger(&mut self, trigger: Trigger) -> Result<(), Failure> {
        self.seen.lock().unwrap().triggers.push(trigger);
        Ok(())
    }
    fn look(&mut self) -> Result<Look, Failure> {
        let seen = self.seen.lock().unwrap();
        if seen.gone { Err(Failure::new(Errno::NODEV, "gone")) } else { Ok(seen.look) }
    }
    fn wake_file(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
    fn wake_after(&mut self, after_ns: Option<u64>) -> Result<(), Failure> {
        let mut seen = self.seen.lock().unwrap();
        seen.alarm_ns = after_ns;
        seen.alarms += 1;
        Ok(())
    }
}

struct Bench {
    pcm: Pcm,
    seen: Arc<Mutex<Seen>>,
}

impl Bench {
    fn new(direction: Direction, setup: Setup) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stream = ByHand {
            seen: seen.clone(),
            file: memfd_create("by hand", MemfdFlags::CLOEXEC).unwrap(),
            wake: eventfd(0, EventfdFlags::CLOEXEC).unwrap(),
            limits: Limits {
                formats: FormatSet::ALL,
                rates_hz: Vec::new(),
                rate_hz: Interval::ANY,
                channels: Interval::ANY,
                buffer_bytes: Interval::ANY,
                period_bytes: Interval::ANY,
            },
        };
        let mut pcm = Pcm::new(Box::new(stream), direction);
        pcm.open(setup).unwrap();
        pcm.prepare().unwrap();
        Self { pcm, seen }
    }

    fn started(direction: Direction, appl_frames: u64) -> Self {
        let mut bench = Self::new(direction, SETUP);
        bench.pcm.start(appl_frames).unwrap();
        bench
    }

    fn at(&self, link_frames: u64) {
        self.seen.lock().unwrap().look = Look {
            link_frames,
            certain_frames: link_frames.saturating_sub(2),
            codec_delay_frames: 7,
            ns_per_frame_q32: FRAME_Q32,
            ..Look::default()
        };
    }

    fn alarm_ns(&self) -> Option<u64> {
        self.seen.lock().unwrap().alarm_ns
    }

    fn bytes(&mut self) -> Vec<u8> {
        let (memory, length) = self.pcm.memory().unwrap();
        let mut bytes = vec![0; length];
        DmaArea::map(memory, length).unwrap().get(0, AppFrames::of(&mut bytes));
        bytes
    }
}

fn running(appl_frames: u64) -> Application {
    Application { state: PcmState::Running, appl_frames }
}

#[test]
fn playback_frees_what_has_certainly_gone_out() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    assert_eq!(bench.pcm.pointer(running(1_920)), Ok(0));
    bench.at(480);
    // Two frames of error.
    assert_eq!(bench.pcm.pointer(running(1_920)), Ok(480 - 2));
    assert_eq!(bench.pcm.avail_frames(1_920), 478);
}

#[test]
fn capture_offers_what_is_certainly_in_memory() {
    let mut bench = Bench::started(Direction::Capture, 0);
    bench.at(1);
    assert_eq!(bench.pcm.pointer(running(0)), Ok(0));
    bench.at(480);
    assert_eq!(bench.pcm.pointer(running(0)), Ok(480 - 2));
    assert_eq!(bench.pcm.avail_frames(100), 378);
}

#[test]
fn delay_reaches_to_the_converter() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    bench.at(480);
    assert_eq!(bench.pcm.delay(running(1_920)), Ok(1_920 - 480 + 7));
    let mut bench = Bench::started(Direction::Capture, 0);
    bench.at(480);
    assert_eq!(bench.pcm.delay(running(100)), Ok(480 - 100 + 7));
}

#[test]
fn delay_before_the_start_is_what_was_written() {
    let mut bench = Bench::new(Direction::Playback, SETUP);
    let prepared = Application { state: PcmState::Prepared, appl_frames: 960 };
    assert_eq!(bench.pcm.delay(prepared), Ok(960));
    assert_eq!(bench.pcm.avail_frames(960), 960);
}

#[test]
fn a_position_that_goes_back_moves_nothing() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    bench.at(480);
    assert_eq!(bench.pcm.pointer(running(1_920)), Ok(478));
    bench.at(300);
    assert_eq!(bench.pcm.pointer(running(1_920)), Ok(478));
}

#[test]
fn whom_the_link_has_passed_is_told_and_stopped() {
    let mut bench = Bench::started(Direction::Playback, 960);
    bench.at(960 + 1);
    assert_eq!(bench.pcm.pointer(running(960)), Ok(959));
    bench.at(960 + 2);
    assert_eq!(bench.pcm.pointer(running(960)), Err(Ended::Xrun));
    assert_eq!(bench.seen.lock().unwrap().triggers, [Trigger::Start, Trigger::Stop]);
    let mut bench = Bench::started(Direction::Capture, 0);
    bench.at(1_920 + 2 - 1);
    assert_eq!(bench.pcm.pointer(running(0)), Ok(1_919));
    bench.at(1_920 + 2);
    assert_eq!(bench.pcm.readiness(running(0)), Ok(Readiness::Xrun));
}

#[test]
fn who_wants_no_stop_gets_none() {
    let mut bench = Bench::new(Direction::Playback, SETUP);
    bench.pcm.thresholds(480, u64::MAX);
    bench.pcm.start(960).unwrap();
    bench.at(1 << 40);
    assert_eq!(bench.pcm.pointer(running(960)), Ok((1 << 40) - 2));
    assert_eq!(bench.pcm.readiness(running(960)), Ok(Readiness::Ready));
}

#[test]
fn the_alarm_is_set_for_the_frame_that_makes_a_period_free() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    // 480 frames, and one for rounding.
    assert_eq!(bench.alarm_ns(), Some(481 * 1_000_000_000 / 48_000));
    bench.at(82);
    assert_eq!(bench.pcm.readiness(running(1_920)), Ok(Readiness::NotYet));
    assert_eq!(bench.alarm_ns(), Some(401 * 1_000_000_000 / 48_000));
    bench.at(482);
    assert_eq!(bench.pcm.readiness(running(1_920)), Ok(Readiness::Ready));
}

#[test]
fn the_alarm_waits_for_news() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    let at = |bench: &Bench, link_frames, news_after_ns| {
        bench.at(link_frames);
        bench.seen.lock().unwrap().look.news_after_ns = news_after_ns;
    };
    const HOUR_NS: u64 = 3_600_000_000_000;
    at(&bench, 402, HOUR_NS);
    assert_eq!(bench.pcm.readiness(running(1_920)), Ok(Readiness::NotYet));
    let first_ns = bench.alarm_ns().unwrap();
    assert!((HOUR_NS / 2..=HOUR_NS).contains(&first_ns), "{first_ns}");
    // The time since the look counts.
    bench.pcm.rearm(1_930).unwrap();
    let second_ns = bench.alarm_ns().unwrap();
    assert!((HOUR_NS / 2..first_ns).contains(&second_ns), "{second_ns}");
    // After a pause nothing is known of it.
    bench.pcm.pause(true, 1_930).unwrap();
    bench.pcm.pause(false, 1_930).unwrap();
    assert!(bench.alarm_ns().unwrap() < 10_000_000);
    // The frame that is waited for comes later than that.
    let mut bench = Bench::started(Direction::Playback, 1_920);
    at(&bench, 82, 1_000_000);
    assert_eq!(bench.pcm.readiness(running(1_920)), Ok(Readiness::NotYet));
    assert_eq!(bench.alarm_ns(), Some(401 * 1_000_000_000 / 48_000));
}

#[test]
fn a_program_that_has_asked_while_it_was_paused_is_woken_after_the_resume() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    bench.pcm.pause(true, 1_920).unwrap();
    let paused = Application { state: PcmState::Paused, appl_frames: 1_920 };
    assert_eq!(bench.pcm.readiness(paused), Ok(Readiness::NotYet));
    assert_eq!(bench.alarm_ns(), None);
    bench.pcm.pause(false, 1_920).unwrap();
    assert_eq!(bench.alarm_ns(), Some(481 * 1_000_000_000 / 48_000));
}

#[test]
fn an_alarm_that_is_right_is_left_alone() {
    let mut bench = Bench::started(Direction::Capture, 0);
    let alarms = bench.seen.lock().unwrap().alarms;
    bench.pcm.rearm(0).unwrap();
    assert_eq!(bench.seen.lock().unwrap().alarms, alarms);
    bench.pcm.rearm(480).unwrap();
    assert_eq!(bench.seen.lock().unwrap().alarms, alarms + 1);
}

#[test]
fn draining_ends_when_the_last_frame_has_left_the_converter() {
    let mut bench = Bench::new(Direction::Playback, SETUP);
    bench.pcm.transfer(0, AppFrames::of(&mut [1; 4 * 1_920]));
    bench.pcm.start(1_000).unwrap();
    bench.at(900);
    assert_eq!(bench.pcm.pointer(running(1_000)), Ok(898));
    let draining = Application { state: PcmState::Draining, appl_frames: 1_000 };
    assert_eq!(bench.pcm.pointer(draining), Ok(898));
    // From the last frame to the frames still to be fetched lies silence: 1,000 to 898 of the next
    // round.
    let bytes = bench.bytes();
    assert!(bytes[898 * 4..4_000].iter().all(|byte| *byte == 1));
    assert!(bytes[4_000..].iter().chain(&bytes[..898 * 4]).all(|byte| *byte == 0));
    bench.at(1_000);
    assert_eq!(bench.pcm.readiness(draining), Ok(Readiness::NotYet));
    assert_eq!(bench.alarm_ns(), Some(10 * 1_000_000_000 / 48_000));
    bench.at(1_009);
    assert_eq!(bench.pcm.readiness(draining), Ok(Readiness::Ready));
    assert_eq!(bench.pcm.pointer(draining), Ok(1_000));
}

#[test]
fn a_new_run_begins_with_silence_at_the_start() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    bench.pcm.transfer(0, AppFrames::of(&mut [1; 4 * 1_920]));
    bench.at(960);
    assert!(bench.pcm.pointer(running(1_920)).is_ok());
    bench.pcm.prepare().unwrap();
    assert_eq!(bench.seen.lock().unwrap().triggers, [Trigger::Start, Trigger::Stop]);
    assert!(bench.bytes().iter().all(|byte| *byte == 0));
    let prepared = Application { state: PcmState::Prepared, appl_frames: 0 };
    assert_eq!(bench.pcm.pointer(prepared), Ok(0));
}

#[test]
fn a_card_that_is_gone_is_no_xrun() {
    let mut bench = Bench::started(Direction::Playback, 1_920);
    bench.seen.lock().unwrap().gone = true;
    assert!(matches!(bench.pcm.pointer(running(1_920)), Err(Ended::Gone(_))));
    assert_eq!(bench.pcm.readiness(running(1_920)), Ok(Readiness::Gone));
    let gone = Application { state: PcmState::Gone, appl_frames: 1_920 };
    assert_eq!(bench.pcm.pointer(gone), Ok(0));
}

#[test]
fn a_pcm_that_is_not_open_can_be_asked() {
    let mut bench = Bench::new(Direction::Playback, SETUP);
    bench.pcm.close().unwrap();
    for state in [PcmState::Idle, PcmState::Prepared, PcmState::Running, PcmState::Draining, PcmState::Gone] {
        let application = Application { state, appl_frames: 5 };
        assert!(bench.pcm.pointer(application).is_ok());
        assert!(bench.pcm.delay(application).is_ok());
        assert!(bench.pcm.readiness(application).is_ok());
    }
    bench.pcm.rearm(5).unwrap();
    bench.pcm.transfer(5, AppFrames::of(&mut [0; 4]));
}

proptest! {
    /// For any content of the page nothing panics, the pointer never goes back, and due alarms
    /// come.
    #[test]
    fn nothing_that_a_page_can_say_does_harm(
        playback: bool,
        looks in prop::collection::vec(any::<(u64, u64, u32, u64, u64)>(), 1..20),
        state in 0..4_usize,
        appl_frames in 0..1_u64 << 62,
    ) {
        let direction = if playback { Direction::Playback } else { Direction::Capture };
        let mut bench = Bench::new(direction, SETUP);
        bench.pcm.thresholds(1, u64::MAX);
        bench.pcm.start(0).unwrap();
        let state = [PcmState::Running, PcmState::Draining, PcmState::Paused, PcmState::Prepared][state];
        let application = Application { state, appl_frames };
        let mut last = 0;
        for (link_frames, certain_frames, codec_delay_frames, ns_per_frame_q32, news_after_ns) in looks {
            bench.seen.lock().unwrap().look =
                Look { link_frames, certain_frames, codec_delay_frames, ns_per_frame_q32, news_after_ns };
            let hw = bench.pcm.pointer(application).unwrap();
            prop_assert!(hw >= last);
            last = hw;
            let _ = bench.pcm.delay(application);
            let _ = bench.pcm.readiness(application);
            bench.pcm.rearm(appl_frames).unwrap();
        }
    }
}
