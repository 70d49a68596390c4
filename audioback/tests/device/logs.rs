//! What a guest can do to the log: write a few lines.

use crate::support::raw::RawRig;
use audioback::card::PortIndex;
use audioback::device::IDLE_NS;
use hyper::{DomainId, Nanos};
use sndif::control_page::SlotState;
use sndif::request::{OpenParams, RequestBody};
use sndif::response::Status;
use std::cell::Cell;

thread_local! {
    static LINES: Cell<u32> = const { Cell::new(0) };
}

/// Counts lines of level info and above by thread, as each test has one.
struct Counter;

impl log::Log for Counter {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.set(LINES.get() + 1);
        }
    }

    fn flush(&self) {}
}

/// Lines that an act writes.
fn lines(act: impl FnOnce()) -> u32 {
    static COUNTER: Counter = Counter;
    // Another test of this file may have been faster, and may not have set the level yet.
    let _is_first = log::set_logger(&COUNTER).is_ok();
    log::set_max_level(log::LevelFilter::Info);
    let before = LINES.get();
    act();
    LINES.get() - before
}

#[test]
fn opens_that_are_refused_fill_no_log() {
    let mut rig = RawRig::new();
    let bad = RequestBody::Open(OpenParams { rate_hz: 1, ..rig.open_params() });
    let refuse = |rig: &mut RawRig| assert_eq!(rig.ask(bad), Status::EINVAL);
    assert_eq!(lines(|| refuse(&mut rig)), 1);
    assert_eq!(lines(|| (0..100).for_each(|_| refuse(&mut rig))), 15, "16 in all");
}

#[test]
fn streams_that_give_way_fill_no_log() {
    let mut rig = RawRig::new();
    let give_way = |rig: &mut RawRig| {
        assert_eq!(rig.open(), Status::OK);
        rig.device.give_way(&mut rig.back, &mut rig.card, PortIndex(0), DomainId(9), Nanos(IDLE_NS));
        assert_eq!(rig.device.stream(0).unwrap().state(), SlotState::Closed);
    };
    assert_eq!(lines(|| give_way(&mut rig)), 1);
    assert_eq!(lines(|| (0..100).for_each(|_| give_way(&mut rig))), 15, "16 in all");
}

#[test]
fn a_stream_that_does_not_stop_is_in_the_log() {
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    rig.card.controls.borrow_mut().run_sticks = true;
    assert_eq!(lines(|| rig.device.close(&mut rig.back, &mut rig.card)), 1);
    // A guest's requests add nothing.
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    rig.card.controls.borrow_mut().run_sticks = true;
    assert_eq!(rig.ask(RequestBody::Close), Status::EIO);
    rig.poll();
    let close = |rig: &mut RawRig| assert_eq!(rig.ask(RequestBody::Close), Status::EIO);
    assert_eq!(lines(|| (0..100).for_each(|_| close(&mut rig))), 0);
}
