//! The status that people read below `snddom/state`.

use hda_card::card_info;
use snd_hda_model::codec::Widget;
use snd_hda_model::{Bench, Codec, Profile};

use crate::support::*;

fn published<'a>(rig: &'a Rig, node: &str) -> Option<&'a str> {
    rig.stored.value(&format!("snddom/state/{node}"))
}

/// Write requests below `snddom/state` since the list of requests was cleared.
fn writes(rig: &Rig) -> usize {
    rig.stored
        .requests
        .iter()
        .filter(|seen| seen.kind == 11 && seen.payload.starts_with(b"snddom/state"))
        .count()
}

#[test]
fn card_info_devices_and_streams_are_published() {
    let mut rig = Rig::new();
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "version"), Some("1.2.3"));
    assert_eq!(published(&rig, "codec/0"), Some("a duplex codec"));
    let playback = rig.guest(3).remove(0);
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "device/3-0"), Some("connected"));
    let volume = "volume_mdb=-74000..0 step_mdb=1000 can_mute";
    let closed = &*format!("port=output-0 status=closed {volume} frames=0 ran_dry=0 fifo_errors=0");
    assert_eq!(published(&rig, "device/3-0/0-0"), Some(closed));
    assert!(published(&rig, "device/3-0/0-1").expect("a line").starts_with("port=input-0 status=closed"));
    let player = rig.play(playback, &noise(96_000, 1));
    rig.advance(1_500 * MS);
    let line = published(&rig, "device/3-0/0-0").expect("a line").to_owned();
    let start =
        format!("port=output-0 status=running rate_hz=48000 format=s16_le channels=2 {volume} frames=");
    let frames: u64 =
        line.strip_prefix(&start).expect(&line).split(' ').next().expect("a number").parse().expect(&line);
    assert!((48_000 / 5..=72_100).contains(&frames), "{line}");
    rig.until("the end", |rig| rig.player(player).is_over());
    rig.advance(1_200 * MS);
    let line = published(&rig, "device/3-0/0-0").expect("a line").to_owned();
    assert!(line.starts_with(&format!("port=output-0 status=closed {volume} frames=1")), "{line}");
    // From here, the end of a recording looks like an application that is late.
    assert!(line.ends_with("ran_dry=1 fifo_errors=0"), "{line}");
    rig.set_front_state(3, 0, "5");
    rig.advance(200 * MS);
    assert_eq!(published(&rig, "device/3-0"), Some("waiting"));
    rig.detach(3, 0);
    rig.advance(200 * MS);
    assert!(!rig.stored.exists("snddom/state/device/3-0"));
}

#[test]
fn publishing_costs_one_write_a_second_for_a_running_stream() {
    let mut rig = Rig::with(codecs(2));
    let streams = |id| [(0, 0, sndif::Direction::Playback, id)];
    for (guest, id) in [(3, "output-0"), (4, "output-1")] {
        let front = rig.guest_with(guest, &streams(id)).remove(0);
        rig.play(front, &noise(48_000 * 12, guest.into()));
    }
    rig.advance(2_000 * MS);
    rig.stored.requests.clear();
    rig.polls = 0;
    rig.advance(8_000 * MS);
    let writes = writes(&rig);
    assert!((14..=18).contains(&writes), "two streams, once a second each: {writes}");
    assert_eq!(rig.stored.requests.len(), writes, "and nothing else is asked: {:?}", rig.stored.requests);
    // Without changes, nothing is published.
    rig.destroy(3);
    rig.destroy(4);
    rig.until_removed(4);
    rig.advance(500 * MS);
    rig.stored.requests.clear();
    rig.polls = 0;
    rig.advance(60_000 * MS);
    assert_eq!((rig.stored.requests.len(), rig.polls), (0, 2), "asleep for a minute");
    assert_eq!(rig.due.next, None);
}

#[test]
fn a_flood_of_changes_is_published_at_a_bounded_rate() {
    let mut rig = Rig::new();
    let mut front = rig.guest(3).remove(0);
    rig.advance(1_000 * MS);
    rig.stored.requests.clear();
    let start = rig.now();
    for round in 0..40 {
        front = rig.play_to_the_end(front, &noise(200, round));
    }
    let seconds = (rig.now().0 - start.0).div_ceil(1_000 * MS);
    let writes = writes(&rig) as u64;
    assert!(writes > 10 && writes <= seconds * 10 + 1, "{writes} in {seconds} s");
}

#[test]
fn publishing_that_is_forbidden_is_tried_once_and_again_when_the_directory_changes() {
    let mut rig = Rig::unstarted(duplex());
    rig.stored.may_write = Some(vec!["backend/vsnd".into()]);
    rig.start();
    rig.guest(3);
    rig.advance(1_000 * MS);
    assert_eq!(writes(&rig), 1, "tried once");
    assert!(logs::take_warnings().is_empty(), "that is no reason for a warning");
    // dom0 makes the directory and lets this domain write it.
    rig.stored.may_write = Some(vec!["backend/vsnd".into(), "snddom/state".into()]);
    rig.stored.set("snddom/state", "");
    rig.wake();
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "version"), Some("1.2.3"));
    assert_eq!(published(&rig, "device/3-0"), Some("connected"));
}

#[test]
fn a_device_that_goes_while_its_status_is_written_leaves_nothing_behind() {
    // At every moment of its life.
    for wait in 0..40 {
        let mut rig = Rig::new();
        rig.advance(300 * MS);
        rig.attach(3, 0, &DUPLEX);
        rig.stored_is_held = true;
        for _ in 0..wait {
            rig.poll();
            rig.stored.run();
        }
        rig.stored_is_held = false;
        rig.detach(3, 0);
        rig.advance(500 * MS);
        assert!(!rig.stored.exists("snddom/state/device"), "{wait}");
        assert!(!rig.stored.exists(&back_path(3, 0)), "{wait}");
        assert_eq!(rig.stored.watches.len(), 3, "{wait}: {:?}", rig.stored.watches);
    }
}

#[test]
fn info_that_can_t_be_written_is_left_out() {
    let model = duplex();
    let mut rig = Rig::with_info(model, &[("a bad name", "x"), ("nul", "\0"), ("", ""), ("good", "value")]);
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "good"), Some("value"));
    rig.guest(3);
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "device/3-0"), Some("connected"));
}

#[test]
fn plugs_are_published_and_published_again_when_they_change() {
    let mut rig = Rig::with(reporting_jacks());
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "port/output-0/jack"), Some("unplugged"));
    assert_eq!(published(&rig, "port/input-0/jack"), Some("unplugged"));
    rig.plug(5, true);
    rig.advance(200 * MS);
    assert_eq!(published(&rig, "port/output-0/jack"), Some("unplugged"));
    assert_eq!(published(&rig, "port/input-0/jack"), Some("plugged"));
    // A change that is undone before it is published stays unpublished.
    rig.stored.requests.clear();
    rig.plug(3, true);
    rig.plug(5, false);
    rig.plug(5, true);
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "port/output-0/jack"), Some("plugged"));
    assert_eq!(published(&rig, "port/input-0/jack"), Some("plugged"));
    assert!(writes(&rig) <= 3, "{:?}", rig.stored.requests);
    rig.stored.requests.clear();
    rig.advance(10_000 * MS);
    assert_eq!(writes(&rig), 0, "nothing moves");
}

#[test]
fn a_plug_during_the_write_of_the_last_one_is_published_too() {
    for wait in 0..6 {
        let mut rig = Rig::with(reporting_jacks());
        rig.advance(1_000 * MS);
        rig.stored_is_held = true;
        rig.plug(3, true);
        for _ in 0..wait {
            rig.poll();
        }
        rig.plug(3, false);
        rig.stored_is_held = false;
        rig.advance(500 * MS);
        assert_eq!(published(&rig, "port/output-0/jack"), Some("unplugged"), "{wait}");
    }
}

#[test]
fn a_jack_that_doesn_t_report_plugs_isn_t_published() {
    let mut rig = Rig::new();
    rig.advance(1_000 * MS);
    assert!(!rig.stored.exists("snddom/state/port"));
}

#[test]
fn a_loose_contact_neither_keeps_xenstored_busy_nor_delays_devices() {
    let mut rig = Rig::with(reporting_jacks());
    rig.advance(1_000 * MS);
    rig.stored.requests.clear();
    let start = rig.now();
    rig.attach(3, 0, &DUPLEX);
    for round in 0..200 {
        rig.plug(3, round % 2 == 0);
        rig.advance(10 * MS);
    }
    assert_eq!(published(&rig, "device/3-0"), Some("waiting"));
    let tenths = (rig.now().0 - start.0).div_ceil(100 * MS);
    let writes = writes(&rig) as u64;
    assert!(writes > 5 && writes <= tenths + 1, "{writes} in {tenths} tenths of a second");
}

#[test]
fn plugs_that_may_not_be_published_are_published_once_that_is_allowed() {
    let mut rig = Rig::unstarted(reporting_jacks());
    rig.stored.may_write = Some(vec!["backend/vsnd".into()]);
    rig.start();
    rig.advance(500 * MS);
    rig.plug(3, true);
    rig.advance(500 * MS);
    assert!(!rig.stored.exists("snddom/state/port"));
    rig.stored.may_write = Some(vec!["backend/vsnd".into(), "snddom/state".into()]);
    rig.stored.set("snddom/state", "");
    rig.wake();
    rig.advance(1_000 * MS);
    assert_eq!(published(&rig, "port/output-0/jack"), Some("plugged"));
    assert_eq!(published(&rig, "port/input-0/jack"), Some("unplugged"));
    // And again, with the first write refused.
    rig.stored.may_write = Some(vec!["backend/vsnd".into()]);
    rig.plug(5, true);
    rig.advance(500 * MS);
    assert_eq!(published(&rig, "port/input-0/jack"), Some("unplugged"));
    rig.stored.may_write = Some(vec!["backend/vsnd".into(), "snddom/state".into()]);
    rig.stored.set("snddom/state", "");
    rig.wake();
    rig.advance(500 * MS);
    assert_eq!(published(&rig, "port/input-0/jack"), Some("plugged"));
}

#[test]
fn the_card_is_described_in_words() {
    let codec = Codec::builder(0x1234_5678)
        .widget(2, Widget::dac())
        .widget(3, Widget::dac())
        .widget(4, Widget::mixer(&[2, 3]))
        .widget(0x14, Widget::line_out(&[2]))
        .widget(0x15, Widget::headphone(&[4]))
        .widget(0x16, Widget::speaker(&[4]))
        .widget(0x17, Widget::headphone(&[]))
        .widget(0x18, Widget::microphone())
        .widget(0x1a, Widget::adc(0x18))
        .build();
    let model = Bench::new(Profile::hardware()).codec(1, codec).build();
    let info = card_info::of_card(card(&model).controller());
    let info: Vec<_> = info.iter().map(|(node, value)| (node.as_str(), value.as_str())).collect();
    assert_eq!(
        info,
        [
            ("codec/1", "12345678"),
            ("port/output-0", "Rear Line Out: codec 1, pin 0x14, path 0x2 0x14, 2 channels"),
            ("port/output-1", "Speaker: codec 1, pin 0x16, path 0x3 0x4 0x16, 2 channels"),
            ("port/output-2", "Headphone: codec 1, pin 0x15, path 0x2 0x4 0x15, 2 channels, takes turns"),
            ("port/input-0", "Microphone: codec 1, pin 0x18, path 0x18 0x1a, 2 channels"),
            ("outputs-at-once", "2"),
            ("unserved/1-0x17", "Headphone: its connection list is empty"),
        ]
    );
    // And all of it can be published.
    let mut rig = Rig::with_info(duplex(), &info);
    rig.advance(2_000 * MS);
    for (node, value) in info {
        assert_eq!(published(&rig, node), Some(value));
    }
}
