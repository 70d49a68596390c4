//! Peaks of what passes a shared port.

use audioback::card::{Card, PortIndex, PortMode, PortPeaks, StreamParams};
use sndif::format::SampleFormat;

use crate::support::guest::{Frames, Guest};
use crate::support::memory::Buffer;
use crate::support::rig::{IN, MILLISECOND, MONITOR, OUT, Rig, params};

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

/// Quiet frames of one level on the left and silence on the right, but for one loud frame.
fn one_loud(at: u64, loud: [i32; 2]) -> Frames {
    Box::new(move |frame| {
        let samples = if frame == at { loud } else { [1 << 24, 0] };
        samples.into_iter().flat_map(i32::to_le_bytes).collect()
    })
}

fn levels(peaks: Option<PortPeaks>) -> Vec<Option<i32>> {
    let peaks = peaks.expect("peaks");
    assert!(peaks.frames > 0);
    assert!(peaks.levels_mdb.iter().skip(peaks.channels.into()).all(Option::is_none));
    peaks.levels_mdb[..usize::from(peaks.channels)].to_vec()
}

/// 2^24 of 2^31.
const QUIET_MDB: i32 = -42_145;

#[test]
fn they_are_those_of_one_second_from_the_request_on() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut guest = Guest::open(&mut rig, OUT, &S32, one_loud(60_000, [0, -(1 << 30)]));
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(100 * MILLISECOND, &mut [&mut guest]);
    assert!(rig.mixer.measure_peaks(OUT));
    rig.pass_with(200 * MILLISECOND, &mut [&mut guest]);
    let quiet = rig.mixer.take_peaks(OUT);
    assert_eq!(levels(quiet), [Some(QUIET_MDB), None]);
    assert_eq!(rig.mixer.take_peaks(OUT), None, "nothing is measured any more");
    // The loud frame is 1.25 s after the start, and within the next second.
    assert!(rig.mixer.measure_peaks(OUT));
    rig.pass_with(1_500 * MILLISECOND, &mut [&mut guest]);
    let loud = rig.mixer.take_peaks(OUT);
    assert_eq!(loud.map(|peaks| peaks.frames), Some(48_000), "one second of the bus");
    assert_eq!(levels(loud), [Some(QUIET_MDB), Some(-6_021)]);
    // And before a second one.
    assert!(rig.mixer.measure_peaks(OUT));
    rig.pass_with(1_100 * MILLISECOND, &mut [&mut guest]);
    assert_eq!(levels(rig.mixer.take_peaks(OUT)), [Some(QUIET_MDB), None]);
}

#[test]
fn the_first_and_the_last_frame_of_the_second_count_and_their_neighbours_do_not() {
    // The time of the request in bus frames is where the bus was at its last turn: found by halves.
    let heard = |at: u64| {
        let mut rig = Rig::new(PortMode::Shared);
        let mut guest = Guest::open(&mut rig, OUT, &S32, one_loud(at, [i32::MIN, i32::MIN]));
        rig.mixer.start(&mut guest.stream).expect("started");
        rig.pass_with(100 * MILLISECOND, &mut [&mut guest]);
        rig.mixer.measure_peaks(OUT);
        rig.pass_with(1_200 * MILLISECOND, &mut [&mut guest]);
        levels(rig.mixer.take_peaks(OUT))[0] == Some(0)
    };
    let (mut before, mut first) = (0, 20_000);
    while first - before > 1 {
        let middle = (before + first) / 2;
        if heard(middle) { first = middle } else { before = middle }
    }
    assert!((4_000..5_000).contains(&first), "100 ms after the start, by a turn: {first}");
    assert!(!heard(first - 1) && heard(first + 47_999) && !heard(first + 48_000), "{first}");
}

#[test]
fn they_are_measured_after_saturation_and_of_all_voices() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut guests = [(); 2].map(|()| {
        let loud = |_| [0x6000_0000, -0x1000_0000].into_iter().flat_map(i32::to_le_bytes).collect();
        Guest::open(&mut rig, OUT, &S32, Box::new(loud))
    });
    let [one, two] = &mut guests;
    rig.mixer.start_together(&mut [&mut one.stream, &mut two.stream]).expect("started");
    assert!(rig.mixer.measure_peaks(OUT));
    rig.pass_with(50 * MILLISECOND, &mut [one, two]);
    // 2^31 - 1 is a step below full scale, and rounded down. The other is a quarter of it.
    assert_eq!(levels(rig.mixer.take_peaks(OUT)), [Some(-1), Some(-12_042)]);
}

#[test]
fn an_input_has_those_of_what_it_records() {
    let mut rig = Rig::new(PortMode::Shared);
    rig.mixer.card().source = |_, frame, channel| if frame == 700 && channel == 1 { 1 << 30 } else { 0 };
    let mut recorder = rig.open(IN, &S32, &Buffer::new(65_536));
    assert!(rig.mixer.measure_peaks(IN));
    rig.mixer.start(&mut recorder).expect("started");
    rig.pass(100 * MILLISECOND);
    assert_eq!(levels(rig.mixer.take_peaks(IN)), [None, Some(-6_021)]);
}

#[test]
fn only_a_bus_has_peaks() {
    let mut rig = Rig::new(PortMode::Auto);
    assert!([OUT, IN, MONITOR, PortIndex(200)].iter().all(|port| !rig.mixer.measure_peaks(*port)));
    let mut direct = Guest::open(&mut rig, OUT, &S32, one_loud(0, [1, 1]));
    rig.mixer.start(&mut direct.stream).expect("started");
    assert!(!rig.mixer.measure_peaks(OUT));
    assert_eq!(rig.mixer.take_peaks(OUT), None);
    // A second one makes it a bus, which goes while it is measured.
    let second = rig.open(OUT, &params(44_100, SampleFormat::S16Le, 2), &Buffer::new(8_192));
    assert!(rig.mixer.measure_peaks(OUT));
    rig.mixer.close(direct.stream).expect("closed");
    rig.mixer.close(second).expect("closed");
    rig.pass(1_200 * MILLISECOND);
    assert_eq!(rig.mixer.take_peaks(OUT), None);
}

#[test]
fn a_bus_that_does_not_run_has_no_frames() {
    let mut rig = Rig::new(PortMode::Shared);
    let guest = Guest::open(&mut rig, OUT, &S32, one_loud(0, [1, 1]));
    assert!(rig.mixer.measure_peaks(OUT));
    rig.pass(100 * MILLISECOND);
    let peaks = rig.mixer.take_peaks(OUT).expect("peaks");
    assert_eq!((peaks.frames, peaks.channels, peaks.levels_mdb), (0, 2, [None; 8]));
    rig.mixer.close(guest.stream).expect("closed");
}
