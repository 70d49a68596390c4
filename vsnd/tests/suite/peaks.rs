//! Peaks that the administrator asks for.

use audioback::card::{PortPeaks, PortState};

use crate::rights::playback_on;
use crate::support::*;

fn answer<'a>(rig: &'a Rig, port: &str) -> Option<&'a str> {
    rig.stored.value(&format!("snddom/state/port/{port}/peak"))
}

fn ask(rig: &mut Rig, port: &str, number: &str) {
    rig.stored.set(&format!("snddom/port/{port}/peak"), number);
    rig.wake();
}

fn stereo(left: Option<i32>, right: Option<i32>) -> PortPeaks {
    let mut levels_mdb = [None; 8];
    levels_mdb[..2].copy_from_slice(&[left, right]);
    PortPeaks { frames: 48_000, channels: 2, levels_mdb }
}

#[test]
fn a_request_is_answered_once_after_a_second_with_its_number() {
    let mut rig = Rig::new();
    rig.advance(1_000 * MS);
    assert_eq!(rig.card.measurements.get(), 0, "nobody has asked");
    rig.card.peaks.set([Some(stereo(Some(-6_021), None)), None]);
    ask(&mut rig, "output-0", "7");
    rig.advance(900 * MS);
    assert_eq!(answer(&rig, "output-0"), None);
    rig.advance(400 * MS);
    assert_eq!(answer(&rig, "output-0"), Some("number=7 frames=48000 peak_mdb=-6021,-inf"));
    assert_eq!(answer(&rig, "input-0"), None);
    // The same number is no new request, and neither are other settings.
    rig.stored.remove("snddom/state/port/output-0/peak");
    ask(&mut rig, "output-0", "7");
    rig.stored.set("snddom/port/output-0/volume", "-1000");
    rig.wake();
    rig.advance(1_500 * MS);
    assert_eq!((answer(&rig, "output-0"), rig.card.measurements.get()), (None, 1));
    // Another one during the measurement takes its place.
    ask(&mut rig, "output-0", "8");
    rig.advance(500 * MS);
    rig.card.peaks.set([Some(stereo(Some(-1), Some(0))), None]);
    ask(&mut rig, "output-0", "9");
    rig.advance(800 * MS);
    assert_eq!(answer(&rig, "output-0"), None);
    rig.advance(500 * MS);
    assert_eq!(answer(&rig, "output-0"), Some("number=9 frames=48000 peak_mdb=-1,0"));
    rig.stored.requests.clear();
    rig.polls = 0;
    rig.advance(60_000 * MS);
    assert_eq!((rig.stored.requests.len(), rig.polls, rig.due.next), (0, 2, None), "asleep for a minute");
}

#[test]
fn a_port_that_nothing_reads_is_answered_with_its_mode() {
    let mut rig = Rig::new();
    let front = rig.guest_with(3, &playback_on("output-0")).remove(0);
    ask(&mut rig, "output-0", "1");
    rig.advance(200 * MS);
    assert_eq!(answer(&rig, "output-0"), Some("number=1 mode=idle"));
    rig.play(front, &noise(480_000, 1));
    rig.advance(300 * MS);
    ask(&mut rig, "output-0", "2");
    rig.advance(300 * MS);
    assert_eq!(answer(&rig, "output-0"), Some("number=2 mode=direct"));
    // The bus goes during the measurement.
    rig.card.peaks.set([Some(stereo(None, None)), None]);
    ask(&mut rig, "output-0", "3");
    rig.card.peaks.set([None; 2]);
    rig.card.port_states.set([Some(PortState::Idle), None]);
    rig.advance(1_300 * MS);
    assert_eq!(answer(&rig, "output-0"), Some("number=3 mode=idle"));
}

#[test]
fn a_request_that_is_no_number_is_logged_with_its_path_and_ignored() {
    let mut rig = Rig::new();
    rig.advance(1_000 * MS);
    rig.card.peaks.set([Some(stereo(None, None)), None]);
    for bad in ["", "-1", "x", "4294967296", "1 ", "0x1", &"9".repeat(1_000)] {
        ask(&mut rig, "output-0", bad);
        let warnings = logs::take_warnings();
        assert_eq!(warnings.len(), 1, "{bad:?}: {warnings:?}");
        assert!(warnings[0].contains("snddom/port/output-0/peak") && warnings[0].len() < 200, "{warnings:?}");
    }
    ask(&mut rig, "monitor-0", "1");
    assert_eq!(logs::take_warnings().len(), 1, "a monitor has its output's");
    rig.advance(1_500 * MS);
    assert_eq!(rig.card.measurements.get(), 0);
}

#[test]
fn requests_all_the_time_are_answered_at_a_bounded_rate() {
    let mut rig = Rig::new();
    rig.advance(1_000 * MS);
    rig.stored.requests.clear();
    let start = rig.now();
    for number in 0..200 {
        ask(&mut rig, "output-0", &number.to_string());
        ask(&mut rig, "input-0", &number.to_string());
        rig.advance(5 * MS);
    }
    rig.advance(500 * MS);
    assert_eq!(answer(&rig, "output-0"), Some("number=199 mode=idle"));
    assert_eq!(answer(&rig, "input-0"), Some("number=199 mode=idle"));
    let writes = rig.stored.requests.iter().filter(|seen| seen.kind == 11).count() as u64;
    let tenths = (rig.now().0 - start.0).div_ceil(100 * MS);
    assert!(writes > 5 && writes <= tenths + 1, "{writes} in {tenths} tenths of a second");
}
