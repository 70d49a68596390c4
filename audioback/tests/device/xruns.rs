//! Underruns: the administrator's count of them, and the frames of them in the control page.

use crate::support::raw::RawRig;
use crate::support::{Rig, only_answer, open_config};
use audioback::rights::{Policy, PortSet};
use sndif::control_page::ControlReader;
use sndif::op::{Operation, Trigger};
use sndif::request::{Range, RequestBody};
use sndif::response::Status;

impl RawRig {
    fn write(&mut self, offset_bytes: u32, length_bytes: u32) {
        let range = Range { offset_bytes, length_bytes };
        assert_eq!(self.ask(RequestBody::Write(range)), Status::OK);
    }

    fn run(&mut self) {
        assert_eq!(self.ask(RequestBody::Trigger(Trigger::Start)), Status::OK);
    }

    /// Underruns after a look that finds this position.
    fn xruns_at(&mut self, bytes: u64) -> u32 {
        self.card.controls.borrow_mut().position.bytes = bytes;
        self.poll();
        self.device.stream(0).unwrap().stats().xruns
    }
}

#[test]
fn an_underrun_is_counted_once_until_the_application_is_ahead_again() {
    let mut rig = RawRig::new();
    assert_eq!(rig.open(), Status::OK);
    rig.write(0, 4_000);
    rig.run();
    for (bytes, count) in [(3_996, 0), (4_000, 0), (4_004, 1), (4_400, 1)] {
        assert_eq!(rig.xruns_at(bytes), count, "at {bytes}");
    }
    rig.write(4_000, 200);
    assert_eq!(rig.xruns_at(4_800), 1, "it wrote what had been played already");
    rig.write(4_200, 4_000);
    assert_eq!(rig.xruns_at(8_200), 1);
    assert_eq!(rig.xruns_at(8_204), 2);
}

#[test]
fn a_recording_has_no_underrun() {
    let mut rig = Rig::new(Policy { may_record: PortSet::ALL, ..Policy::default() });
    rig.capture.open(&open_config()).unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Open), Status::OK);
    rig.capture.start().unwrap();
    assert_eq!(only_answer(&rig.capture_events(), Operation::Trigger), Status::OK);
    rig.set_position(100_000);
    rig.poll();
    assert_eq!(rig.device.stream(1).unwrap().stats().xruns, 0);
}

#[test]
fn frames_that_come_too_late_count_from_the_end_of_the_write_before() {
    let mut rig = RawRig::with_control_page();
    assert_eq!(rig.open(), Status::OK);
    rig.write(0, 4_000);
    rig.run();
    let reader = ControlReader::new(rig.control_page.clone().unwrap());
    for (offset, late_bytes, frames) in [(4_000, 1_600, 400), (8_000, 1_200, 700), (12_000, 0, 700)] {
        rig.card.controls.borrow_mut().late_bytes = late_bytes;
        rig.write(offset, 4_000);
        assert_eq!(reader.slot(0).unwrap().xrun_frames, frames, "at {offset}");
    }
}
