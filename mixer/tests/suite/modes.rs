//! Direct, shared, and from one to the other.

use audioback::card::{
    Card, CardError, CardSettings, Direction, LinkedStart, PortIndex, PortMode, PortSetup, StreamParams,
};
use hyper::MappedBuffer;
use mixer::Cost;
use sndif::format::SampleFormat;

use crate::support::guest::Guest;
use crate::support::memory::Buffer;
use crate::support::rig::{IN, LIMITS, MILLISECOND, MONITOR, OUT, Rig, params, port};

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

fn counted(frame: u64) -> Vec<u8> {
    [frame as i32 + 1, -1].into_iter().flat_map(i32::to_le_bytes).collect()
}

/// The left channel as it was heard, silence left out.
fn heard(rig: &mut Rig) -> Vec<i32> {
    rig.played_words(OUT, 2).chunks_exact(2).map(|frame| frame[0]).filter(|word| *word != 0).collect()
}

#[test]
fn a_direct_port_is_the_card_s_own() {
    let mut rig = Rig::new(PortMode::Direct);
    let below = rig.mixer.card().ports.clone();
    assert_eq!(Card::<Buffer>::ports(&rig.mixer)[..below.len()], below);
    let buffer = Buffer::new(8_192);
    let mut stream = rig.open(OUT, &S32, &buffer);
    assert_eq!(
        rig.mixer.buffer(&stream).map(|one| one.page_addresses().to_vec()),
        Some(buffer.page_addresses().to_vec())
    );
    assert_eq!(rig.mixer.bus_shape(OUT), None);
    assert!(!rig.mixer.is_free(OUT));
    let second = rig.mixer.open(OUT, &S32, Buffer::new(8_192));
    assert_eq!(second.map_err(|failure| failure.error()).err(), Some(CardError::Busy));
    rig.mixer.set_volume(&mut stream, 0, -3_000).expect("a volume");
    assert_eq!(rig.mixer.card().seen[0].borrow().volume[0], -3_000);
    rig.mixer.start(&mut stream).expect("started");
    assert_eq!(rig.mixer.start(&mut stream), Err(CardError::WrongState));
    rig.mixer.pause(&mut stream).expect("paused");
    rig.mixer.resume(&mut stream).expect("resumed");
    rig.mixer.stop(&mut stream).expect("stopped");
    rig.mixer.close(stream).expect("closed");
    assert!(rig.mixer.is_free(OUT));
}

#[test]
fn an_auto_port_is_direct_for_one_that_fits_and_a_bus_for_one_that_does_not() {
    let mut rig = Rig::new(PortMode::Auto);
    let one = rig.open(OUT, &S32, &Buffer::new(8_192));
    assert_eq!(rig.mixer.bus_shape(OUT), None);
    rig.mixer.close(one).expect("closed");
    let one = rig.open(OUT, &params(48_000, SampleFormat::U8, 2), &Buffer::new(8_192));
    assert_eq!(rig.mixer.bus_shape(OUT), Some((48_000, 2)));
    rig.mixer.close(one).expect("closed");
}

#[test]
fn a_second_stream_moves_the_first_to_a_bus_and_no_frame_is_lost() {
    let mut rig = Rig::new(PortMode::Auto);
    let mut first = Guest::open(&mut rig, OUT, &S32, Box::new(counted));
    rig.mixer.set_mute(&mut first.stream, 1, true).expect("muted");
    rig.mixer.start(&mut first.stream).expect("started");
    rig.pass_with(50 * MILLISECOND, &mut [&mut first]);
    let before = rig.mixer.position(&mut first.stream).expect("a position");
    let mut second =
        Guest::open(&mut rig, OUT, &params(44_100, SampleFormat::S16Le, 2), Box::new(|_| vec![0; 4]));
    assert_eq!(rig.mixer.bus_shape(OUT), Some((48_000, 2)));
    let after = rig.mixer.position(&mut first.stream).expect("a position");
    let (link_before, link_after) = (before.link.expect("at the link"), after.link.expect("at the link"));
    assert!(after.bytes >= before.bytes && link_after.link_frames >= link_before.link_frames);
    assert!(link_after.generation > link_before.generation, "the gap is told");
    assert_eq!(link_after.start_time, link_before.start_time);
    assert_eq!(after.fifo_errors, before.fifo_errors + 1);
    rig.mixer.start(&mut second.stream).expect("started");
    rig.pass_with(100 * MILLISECOND, &mut [&mut first, &mut second]);
    let heard = heard(&mut rig);
    assert!(heard.len() > 6_500);
    assert!(heard.iter().zip(1..).all(|(word, expected)| *word == expected), "a frame was lost or repeated");
    let last = rig.mixer.position(&mut first.stream).expect("a position");
    assert!(last.bytes / 8 >= heard.len() as u64 - 48);
    // The right channel is still muted, now by arithmetic: its last words are 0.
    assert_eq!(rig.played_words(OUT, 2).last(), Some(&0));
}

#[test]
fn a_hand_over_of_a_paused_or_idle_stream_keeps_its_state() {
    let mut rig = Rig::new(PortMode::Auto);
    let mut first = Guest::open(&mut rig, OUT, &S32, Box::new(counted));
    rig.mixer.start(&mut first.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut first]);
    rig.mixer.pause(&mut first.stream).expect("paused");
    let monitor = rig.open(MONITOR, &S32, &Buffer::new(8_192));
    assert!(rig.mixer.bus_shape(OUT).is_some(), "a monitor needs a bus");
    rig.mixer.resume(&mut first.stream).expect("resumed");
    rig.pass_with(50 * MILLISECOND, &mut [&mut first]);
    let heard = heard(&mut rig);
    assert!(heard.len() > 3_000 && heard.iter().zip(1..).all(|(word, expected)| *word == expected));
    rig.mixer.close(monitor).expect("closed");

    let mut idle = rig.open(IN, &S32, &Buffer::new(8_192));
    let mut other = rig.open(IN, &S32, &Buffer::new(8_192));
    rig.mixer.start_together(&mut [&mut idle, &mut other]).expect("both are voices that can start");
}

#[test]
fn a_stream_that_cannot_be_moved_keeps_its_place() {
    // The budget has room for one voice.
    let limits = mixer::Limits { cost: mixer::Cost(96_000), ..crate::support::rig::LIMITS };
    let mut rig = Rig::with(PortMode::Auto, limits);
    let mut first = Guest::open(&mut rig, OUT, &S32, Box::new(counted));
    rig.mixer.start(&mut first.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut first]);
    let refuse = |rig: &mut Rig, params: &StreamParams| {
        let buffer = Buffer::new(8_192);
        rig.mixer.open(OUT, params, buffer).map_err(|failure| failure.error()).err()
    };
    assert_eq!(refuse(&mut rig, &params(48_000, SampleFormat::Gsm, 2)), Some(CardError::Unsupported));
    assert_eq!(rig.mixer.bus_shape(OUT), None, "nobody is moved for what is refused anyway");
    assert_eq!(refuse(&mut rig, &S32), Some(CardError::Busy));
    rig.pass_with(50 * MILLISECOND, &mut [&mut first]);
    assert_eq!(rig.mixer.position(&mut first.stream).expect("a position").descriptor_errors, 0);
    let heard = heard(&mut rig);
    assert!(heard.len() > 3_000 && heard.iter().zip(1..).all(|(word, expected)| *word == expected));
}

#[test]
fn a_direct_stream_that_does_not_stop_stays_and_reports_its_end() {
    let mut rig = Rig::new(PortMode::Auto);
    let mut first = Guest::open(&mut rig, OUT, &S32, Box::new(counted));
    rig.mixer.start(&mut first.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut first]);
    rig.mixer.card().seen[0].borrow_mut().sticks = true;
    let refused = rig.mixer.open(OUT, &S32, Buffer::new(8_192)).map_err(|failure| failure.error());
    assert_eq!(refused.err(), Some(CardError::Hardware));
    assert_eq!(rig.mixer.position(&mut first.stream).expect("a position").descriptor_errors, 1);
    let stuck = rig.mixer.close(first.stream).expect_err("RUN reads 1").0;
    rig.mixer.card().seen[0].borrow_mut().sticks = false;
    rig.mixer.close(stuck).expect("closed");
    assert_eq!(rig.mixer.cost(), mixer::Cost(0));
}

#[test]
fn monitors_follow_the_card_s_ports() {
    let rig = Rig::new(PortMode::Auto);
    let names: Vec<_> = (0..4).map(|port| rig.mixer.port_name(PortIndex(port))).collect();
    let names: Vec<_> = names.iter().map(|name| name.as_deref()).collect();
    assert_eq!(names, [Some("Line Out"), Some("Line In"), Some("Monitor of Line Out"), None]);
    assert_eq!(rig.mixer.is_plugged(MONITOR), None);
    let ports = Card::<Buffer>::ports(&rig.mixer);
    assert_eq!(ports.iter().map(|port| port.is_monitor).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_monitor_hears_its_output_once_that_is_shared() {
    let mut rig = Rig::new(PortMode::Direct);
    let open = |rig: &mut Rig| {
        assert_eq!(rig.mixer.is_free(MONITOR), rig.mixer.supports(MONITOR, &S32));
        rig.mixer.open(MONITOR, &S32, Buffer::new(8_192)).map_err(|failure| failure.error())
    };
    let ports = Card::<Buffer>::ports(&rig.mixer).to_vec();
    assert_eq!(open(&mut rig).err(), Some(CardError::Unsupported));
    for mode in [PortMode::Shared, PortMode::Auto] {
        rig.mixer.configure(&settings(mode, None));
        let monitor = open(&mut rig).expect("a monitor");
        assert!(rig.mixer.bus_shape(OUT).is_some());
        rig.mixer.close(monitor).expect("closed");
        rig.mixer.configure(&settings(PortMode::Direct, None));
        assert_eq!(open(&mut rig).err(), Some(CardError::Unsupported));
    }
    assert_eq!(Card::<Buffer>::ports(&rig.mixer)[2..], ports[2..], "what it offers never changes");
}

#[test]
fn each_output_has_a_monitor_in_the_order_of_the_outputs() {
    let [input, output] = [Direction::Capture, Direction::Playback].map(port);
    let rig = Rig::on(PortMode::Direct, LIMITS, vec![output, input, output]);
    let ports = Card::<Buffer>::ports(&rig.mixer);
    let kinds: Vec<_> = ports.iter().map(|port| (port.direction, port.is_monitor)).collect();
    let (play, record) = (Direction::Playback, Direction::Capture);
    assert_eq!(kinds, [(play, false), (record, false), (play, false), (record, true), (record, true)]);
}

#[test]
fn a_linked_start_says_how_near_its_streams_are() {
    let mut rig = Rig::new(PortMode::Shared);
    let open = |rig: &mut Rig, port| rig.open(port, &S32, &Buffer::new(8_192));
    let mut group = [OUT, IN, OUT, MONITOR].map(|port| open(&mut rig, port));
    let [play, record, second, monitor] = &mut group;
    // The card starts both buses at once.
    assert_eq!(rig.mixer.start_together(&mut [play, record]), Ok(LinkedStart::SameFrame));
    rig.pass(20 * MILLISECOND);
    // All on one bus, which runs.
    assert_eq!(rig.mixer.start_together(&mut [second, monitor]), Ok(LinkedStart::SameFrame));
    for stream in &mut group {
        rig.mixer.stop(stream).expect("stopped");
    }
    // Both buses run, and this card doesn't tell its cadence.
    let [play, record, ..] = &mut group;
    assert_eq!(rig.mixer.start_together(&mut [play, record]), Ok(LinkedStart::BackToBack));
    rig.mixer.stop(record).expect("stopped");
    let mut again = Vec::from(group);
    rig.mixer.close(again.remove(1)).expect("closed");
    for stream in &mut again {
        rig.mixer.stop(stream).expect("stopped");
    }
    // The output runs, and the input stands: it stopped a second after its last voice.
    let mut keeper = open(&mut rig, OUT);
    rig.mixer.start(&mut keeper).expect("started");
    rig.pass(1_500 * MILLISECOND);
    let mut record = open(&mut rig, IN);
    assert_eq!(rig.mixer.start_together(&mut [&mut again[0], &mut record]), Ok(LinkedStart::BackToBack));
}

#[test]
fn after_a_start_that_fails_none_runs_and_all_can_start_again() {
    let mut rig = Rig::new(PortMode::Shared);
    let [mut play, mut record] = [OUT, IN].map(|port| rig.open(port, &S32, &Buffer::new(8_192)));
    rig.mixer.card().seen[1].borrow_mut().start_fails = true;
    assert_eq!(rig.mixer.start_together(&mut [&mut play, &mut record]), Err(CardError::Hardware));
    for stream in [&mut play, &mut record] {
        assert_eq!(rig.mixer.position(stream).expect("a position"), Default::default());
        assert_eq!(rig.mixer.pause(stream), Err(CardError::WrongState));
    }
    rig.pass(20 * MILLISECOND);
    assert_eq!(rig.mixer.start_together(&mut [&mut play, &mut record]), Ok(LinkedStart::SameFrame));
    rig.pass(20 * MILLISECOND);
    for stream in [&mut play, &mut record] {
        assert!(rig.mixer.position(stream).expect("a position").bytes > 0);
    }
    // One of several that is in the wrong state keeps all from starting.
    rig.mixer.stop(&mut play).expect("stopped");
    assert_eq!(rig.mixer.start_together(&mut [&mut play, &mut record]), Err(CardError::WrongState));
    assert_eq!(rig.mixer.position(&mut play).expect("a position").bytes, 0);
}

fn settings(mode: PortMode, rate_hz: Option<u32>) -> CardSettings {
    let mut settings = CardSettings::default();
    settings.ports[usize::from(OUT.0)] = PortSetup { mode, rate_hz, ..PortSetup::default() };
    settings
}

#[test]
fn a_port_that_becomes_shared_takes_the_next_stream_and_moves_the_first() {
    let mut rig = Rig::new(PortMode::Direct);
    let mut first = Guest::open(&mut rig, OUT, &S32, Box::new(counted));
    rig.mixer.start(&mut first.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut first]);
    let narrow = Card::<Buffer>::ports(&rig.mixer)[0];
    rig.mixer.configure(&settings(PortMode::Shared, None));
    assert_eq!(rig.mixer.bus_shape(OUT), None, "a stream that runs stays where it is");
    let wide = Card::<Buffer>::ports(&rig.mixer)[0];
    assert!(wide.formats.contains(SampleFormat::U8) && !narrow.formats.contains(SampleFormat::U8));
    let mut second =
        Guest::open(&mut rig, OUT, &params(96_000, SampleFormat::U8, 1), Box::new(|_| vec![0x80]));
    rig.mixer.start(&mut second.stream).expect("started");
    rig.pass_with(50 * MILLISECOND, &mut [&mut first, &mut second]);
    let heard = heard(&mut rig);
    assert!(heard.len() > 3_000 && heard.iter().zip(1..).all(|(word, expected)| *word == expected));
}

#[test]
fn a_port_that_becomes_direct_keeps_its_voices_and_takes_no_more() {
    let mut rig = Rig::new(PortMode::Shared);
    let mut first = Guest::open(&mut rig, OUT, &S32, Box::new(counted));
    rig.mixer.start(&mut first.stream).expect("started");
    rig.mixer.configure(&settings(PortMode::Direct, None));
    let open =
        |rig: &mut Rig| rig.mixer.open(OUT, &S32, Buffer::new(8_192)).map_err(|failure| failure.error());
    assert_eq!(open(&mut rig).err(), Some(CardError::Busy));
    let monitor = rig.mixer.open(MONITOR, &S32, Buffer::new(8_192)).map_err(|failure| failure.error());
    assert!(monitor.is_err() && !rig.mixer.supports(MONITOR, &S32), "a direct output has no monitor");
    rig.pass_with(50 * MILLISECOND, &mut [&mut first]);
    let heard = heard(&mut rig);
    assert!(heard.len() > 1_500 && heard.iter().zip(1..).all(|(word, expected)| *word == expected));
    rig.mixer.close(first.stream).expect("closed");
    // The bus plays silence for a second, then it gives the port back.
    rig.pass(1_100 * MILLISECOND);
    let direct = open(&mut rig).expect("the port is free");
    assert_eq!((rig.mixer.bus_shape(OUT), rig.mixer.is_free(OUT)), (None, false));
    rig.mixer.close(direct).expect("closed");
}

#[test]
fn a_rate_is_that_of_the_next_bus() {
    let mut rig = Rig::new(PortMode::Direct);
    rig.mixer.configure(&settings(PortMode::Shared, Some(96_000)));
    let one = rig.open(OUT, &S32, &Buffer::new(8_192));
    assert_eq!(rig.mixer.bus_shape(OUT), Some((96_000, 2)));
    rig.mixer.configure(&settings(PortMode::Shared, None));
    assert_eq!(rig.mixer.bus_shape(OUT), Some((96_000, 2)), "a bus keeps its rate");
    rig.mixer.close(one).expect("closed");
    rig.pass(1_100 * MILLISECOND);
    let one = rig.open(OUT, &S32, &Buffer::new(8_192));
    assert_eq!(rig.mixer.bus_shape(OUT), Some((48_000, 2)));
    rig.mixer.close(one).expect("closed");
}

#[test]
fn what_a_stream_was_told_goes_with_it_to_a_bus_and_back() {
    for is_wanted in [false, true] {
        let mut rig = Rig::new(PortMode::Auto);
        let mut first = rig.open(OUT, &S32, &Buffer::new(8_192));
        rig.mixer.set_period(&mut first, 240);
        rig.mixer.set_link_wanted(&mut first, is_wanted);
        let second = rig.open(OUT, &S32, &Buffer::new(8_192));
        rig.mixer.start(&mut first).expect("started");
        rig.pass(20 * MILLISECOND);
        assert_eq!(rig.mixer.bus_shape(OUT), Some((48_000, 2)));
        let position = rig.mixer.position(&mut first).expect("a position");
        assert_eq!(position.link.is_some(), is_wanted);
        rig.mixer.stop(&mut first).expect("stopped");
        rig.mixer.close(second).expect("closed");
        rig.mixer.card().seen[0].borrow_mut().period_frames = None;
        rig.mixer.note_written(&mut first, 800);
        rig.mixer.start(&mut first).expect("started");
        assert_eq!(rig.mixer.bus_shape(OUT), None, "it is alone");
        let seen = rig.mixer.card().seen[0].borrow();
        assert_eq!((seen.period_frames, seen.is_link_wanted), (Some(240), Some(is_wanted)));
        assert_eq!(seen.written_bytes, Some(800));
    }
}

#[test]
fn a_stream_whose_bus_can_t_be_opened_amid_its_hand_over_says_so_and_keeps_its_buffer() {
    let mut rig = Rig::new(PortMode::Auto);
    let mut first = Guest::open(&mut rig, OUT, &S32, Box::new(counted));
    rig.mixer.start(&mut first.stream).expect("started");
    rig.pass_with(20 * MILLISECOND, &mut [&mut first]);
    rig.mixer.card().seen[0].borrow_mut().open_fails = true;
    let second = rig.mixer.open(OUT, &S32, Buffer::new(8_192));
    assert_eq!(second.map_err(|failure| failure.error()).err(), Some(CardError::Busy));
    let position = rig.mixer.position(&mut first.stream).expect("a position");
    assert_eq!(position.descriptor_errors, 1, "its front end must not wait for a position");
    let buffer = rig.mixer.close(first.stream).expect("closed");
    assert_eq!(buffer.page_addresses(), first.buffer.page_addresses());
    assert_eq!(rig.mixer.cost(), Cost(0));
    assert!(rig.mixer.is_free(OUT));
}
