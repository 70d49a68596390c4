//! The control page in xenstore: offered to all front ends, kept for those that grant one.

use audiofront::{ControlPage, FrontEvent, StreamConfig};
use hyper::DomainId;
use hypervisor_model::FrontEnd;
use snd_hda_model::{Bench, Codec, Profile};
use sndif::Direction::{Capture, Playback};
use sndif::control_page::SlotState;
use sndif::format::SampleFormat;
use sndif::op::{Operation, StartedTogether};
use sndif::response::Status;
use sndif::state::XenbusState;

use crate::support::*;
use hypervisor_model::hda_pages::Pages;

type Page = ControlPage<<FrontEnd<'static, Pages> as audiofront::Transport>::Page>;

/// Attaches a card and brings its driver up, whose node of the control page has the value that
/// `value` makes of the page's.
fn guest_with_page(rig: &mut Rig, guest: u16, value: impl Fn(u32) -> String) -> (Vec<Front>, Page) {
    guest_with_page_on(rig, guest, &DUPLEX, value)
}

/// The same, with these streams.
fn guest_with_page_on(
    rig: &mut Rig,
    guest: u16,
    streams: &[StreamAt],
    value: impl Fn(u32) -> String,
) -> (Vec<Front>, Page) {
    rig.attach(guest, 0, streams);
    rig.until("InitWait", |rig| rig.back_state(guest, 0) == Some("2"));
    let mut transport = rig.world.front_end(DomainId(guest), DRIVER, 0);
    let page = ControlPage::connect(&mut transport).expect("a page");
    rig.stored.set(&node(guest), &value(page.grant().0));
    (rig.front_up(guest, 0, streams), page)
}

fn config(period_bytes: u32) -> StreamConfig {
    StreamConfig {
        rate_hz: 48_000,
        format: SampleFormat::S16Le,
        channels: 2,
        buffer_bytes: 65_536,
        period_bytes,
    }
}

fn node(guest: u16) -> String {
    format!("{}/control-page-ref", front_path(guest, 0))
}

#[test]
fn the_extensions_are_offered_before_a_front_end_is_waited_for() {
    let mut rig = Rig::new();
    rig.attach(3, 0, &DUPLEX);
    // The state is written last, in the same transaction.
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    for (offer, value) in [("versions", "2"), ("feature-control-page", "1"), ("feature-linked-start", "1")] {
        assert_eq!(rig.stored.value(&format!("{}/{offer}", back_path(3, 0))), Some(value), "{offer}");
    }
}

#[test]
fn a_front_end_that_grants_a_page_finds_its_streams_there() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/may-record", "1");
    let (fronts, page) = guest_with_page(&mut rig, 3, |grant| grant.to_string());
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    rig.set_front_state(3, 0, "4");
    let header = page.header().expect("a header");
    assert_eq!((header.slot_count, header.state), (2, XenbusState::Connected));
    let first_generation = header.generation;

    let [mut playback, capture] = <[Front; 2]>::try_from(fronts).ok().expect("two streams");
    playback.open(&config(0)).unwrap();
    playback.fill(&noise(16_384, 1));
    playback.hint().unwrap();
    playback.start().unwrap();
    rig.advance(MS);
    let polls = rig.polls;
    rig.advance(100 * MS);
    assert!(rig.polls - polls >= 10, "it is looked at on the grid");
    let slot = page.slot(0).expect("a slot");
    assert_eq!((slot.state, slot.appl_frames), (SlotState::Running, 16_384));
    let echo = slot.echo().expect("an echo");
    assert!(echo.time_ns > 0 && echo.time_ns <= rig.now().0);
    assert_eq!(page.slot(1).expect("a slot").state, SlotState::Closed);

    // The driver leaves: the page is unmapped when the state says so.
    rig.set_front_state(3, 0, "5");
    rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
    assert_eq!(page.header().map(|header| header.state), Ok(XenbusState::Closed));
    assert_eq!(page.slot(0).map(|slot| slot.state), Ok(SlotState::Closed));
    while playback.poll().is_some() {}
    playback.disconnect();
    capture.disconnect();
    let mut transport = rig.world.front_end(DomainId(3), DRIVER, 0);
    assert!(page.disconnect(&mut transport).is_ok(), "not mapped any more");
    rig.assert_nothing_is_left();

    // Another driver, with a page of its own.
    rig.set_front_state(3, 0, "1");
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    let page = ControlPage::connect(&mut transport).expect("a page");
    rig.stored.set(&node(3), &page.grant().0.to_string());
    let _fronts = rig.front_up(3, 0, &DUPLEX);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    assert!(page.header().expect("a header").generation > first_generation);
}

#[test]
fn a_reference_that_is_no_number_or_no_grant_is_refused_as_a_rings_is() {
    for (value, complaint) in [
        ("what", "\"what\" is no number"),
        ("-1", "\"-1\" is no number"),
        ("", "\"\" is no number"),
        ("4294967296", "\"4294967296\" is no number"),
        ("4294967295", "can't be connected to: Map(NotGranted(GrantRef(4294967295)))"),
    ] {
        let mut rig = Rig::new();
        let (_fronts, page) = guest_with_page(&mut rig, 3, |_| value.to_owned());
        rig.until("its end", |rig| matches!(rig.back_state(3, 0), Some("5" | "6")));
        let warnings = logs::take_warnings();
        assert!(warnings.iter().any(|line| line.contains(complaint)), "{value:?}: {warnings:?}");
        assert!(page.header().is_err(), "nothing was written");
        assert_eq!(rig.world.mapped_pages(), 0, "nothing stays behind");
    }
}

#[test]
fn the_node_of_an_earlier_driver_does_not_outlive_it() {
    // A driver with a page, then one that knows nothing of pages and has removed the node, as a
    // driver does that cleans up.
    let mut rig = Rig::new();
    let (fronts, page) = guest_with_page(&mut rig, 3, |grant| grant.to_string());
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    rig.set_front_state(3, 0, "5");
    rig.until("Closed", |rig| rig.back_state(3, 0) == Some("6"));
    for front in fronts {
        front.disconnect();
    }
    rig.stored.remove(&node(3));
    rig.set_front_state(3, 0, "1");
    rig.until("InitWait", |rig| rig.back_state(3, 0) == Some("2"));
    let _fronts = rig.front_up(3, 0, &DUPLEX);
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    assert_eq!(page.header().map(|header| header.state), Ok(XenbusState::Closed), "untouched since");
    assert_eq!(rig.world.mapped_pages(), 4, "rings and event pages, and no more");
}

#[test]
fn a_linked_start_sets_both_streams_off_in_the_same_link_frame() {
    let mut rig = Rig::new();
    rig.stored.set("snddom/guest/3/may-record", "1");
    let (fronts, page) = guest_with_page(&mut rig, 3, |grant| grant.to_string());
    rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
    let [mut playback, mut capture] = <[Front; 2]>::try_from(fronts).ok().expect("two streams");
    playback.open(&config(1_920)).unwrap();
    capture.open(&config(1_920)).unwrap();
    rig.advance(MS);
    playback.fill(&noise(16_384, 1));
    capture.linked_start(0b11).unwrap();
    playback.joins_start();
    rig.advance(20 * MS);
    let started = std::iter::from_fn(|| capture.poll()).find_map(|event| match event {
        FrontEvent::Answered { operation: Operation::LinkedStart, status, started, .. } => {
            Some((status, started))
        }
        _ => None,
    });
    assert_eq!(started, Some((Status::OK, Some(StartedTogether::SameFrame))));
    assert!(rig.model.start_link_frame(4).is_some());
    assert_eq!(rig.model.start_link_frame(4), rig.model.start_link_frame(0), "as the hardware has it");
    let slots = [0, 1].map(|index| page.slot(index).expect("a slot"));
    assert!(slots.iter().all(|slot| slot.state == SlotState::Running));
    assert_eq!(slots[0].start_distance_ticks(&slots[1]), 0);
    rig.assert_rules_were_kept();
}

/// What the page says, at every instant and not only at looks, beside what the model's link has
/// truly carried.
#[test]
fn a_front_end_reads_from_the_page_what_is_at_the_link_to_the_frame() {
    for drift_ppm in [-500, 0, 500] {
        let mut rig =
            Rig::with(Bench::new(Profile::hardware()).codec(0, Codec::duplex()).drift_ppm(drift_ppm).build());
        rig.stored.set("snddom/guest/3/may-record", "1");
        let (fronts, page) = guest_with_page(&mut rig, 3, |grant| grant.to_string());
        rig.until("Connected", |rig| rig.back_state(3, 0) == Some("4"));
        // So long that both clocks have been compared a few times.
        rig.advance(1_000 * MS);
        let [mut playback, mut capture] = <[Front; 2]>::try_from(fronts).ok().expect("two streams");
        playback.open(&config(0)).unwrap();
        capture.open(&config(0)).unwrap();
        rig.advance(MS);
        playback.linked_start(0b11).unwrap();
        capture.joins_start();
        rig.advance(200 * MS);
        let first = [0, 1].map(|index| page.slot(index).expect("a slot"));
        assert_eq!(first[0].start_distance_frames(&first[1], 48_000), 0, "from the same link frame");
        for turn in 0..1_000u64 {
            // No multiple of anything, and mostly between two looks.
            rig.advance(733_331 + turn * 977);
            for (slot, stream) in [(0, 4), (1, 0)] {
                let slot = page.slot(slot).expect("a slot");
                assert_eq!(slot.generation, first[0].generation, "no break in the count");
                let said = slot.frames_at(rig.now().0).expect("a position");
                let truth = rig.model.true_link_frames(stream);
                assert!(
                    said.abs_diff(truth) <= 1,
                    "{drift_ppm} ppm, turn {turn}, stream {stream}: {said}, truly {truth}; {slot:?}"
                );
            }
        }
        let last = [0, 1].map(|index| page.slot(index).expect("a slot"));
        assert_eq!(
            last[0].start_distance_ticks(&last[1]),
            first[0].start_distance_ticks(&first[1]),
            "for life"
        );
        rig.assert_rules_were_kept();
    }
}

/// How often the image is woken in `seconds`, as its loop sleeps; by its own doing, for the guests
/// do nothing.
fn wakes(rig: &mut Rig, seconds: u64) -> u64 {
    let end = rig.now().0 + seconds * 1_000 * MS;
    let mut wakes = 0;
    while rig.now().0 < end {
        rig.poll();
        let next = rig.due.next.expect("streams run");
        if next <= rig.now() {
            continue;
        }
        wakes += 1;
        // An answer of xenstored's wakes at once, unless it may wait.
        if !rig.stored.has_sent() || rig.due.store_may_wait {
            rig.model.advance_ns(next.0 - rig.now().0);
        }
    }
    wakes
}

#[test]
fn any_number_of_streams_without_periods_wakes_the_image_a_hundred_times_a_second() {
    const PORTS: [[&str; 2]; 4] =
        [["output-0", "input-0"], ["output-1", "input-1"], ["output-2", "input-2"], ["output-3", "input-3"]];
    for guests in [1, 2, 4] {
        let mut rig = Rig::with(codecs(guests));
        let mut pages = Vec::new();
        let mut players = Vec::new();
        for (guest, [output, input]) in (3..).zip(PORTS).take(guests) {
            rig.stored.set(&format!("snddom/guest/{guest}/may-record"), "1");
            let streams = [(0, 0, Playback, output), (0, 1, Capture, input)];
            let (fronts, page) = guest_with_page_on(&mut rig, guest, &streams, |grant| grant.to_string());
            rig.until("Connected", |rig| rig.back_state(guest, 0) == Some("4"));
            for mut front in fronts {
                front.open(&config(0)).unwrap();
                front.start().unwrap();
                players.push(front);
            }
            pages.push(page);
        }
        rig.advance(3_000 * MS);
        let published = |rig: &Rig| {
            let line = rig.stored.value("snddom/state/device/3-0/0-0").expect("a line").to_owned();
            assert!(line.contains("status=running"), "{line}");
            line
        };
        let before = published(&rig);
        let woken = wakes(&mut rig, 10);
        assert_ne!(published(&rig), before, "the status is published all the same");
        for page in &pages {
            assert_eq!(page.slot(0).expect("a slot").state, SlotState::Running);
        }
        assert!((990..=1_001).contains(&woken), "{guests} guests: {woken} times in ten seconds");
        rig.assert_rules_were_kept();
    }
}
