//! The card on a model of the hardware: what the back end's trait promises.

use std::cell::Cell;
use std::rc::Rc;

use crate::common::*;
use crate::logs;
use audioback::card::{
    Card, CardError, CardSettings, Direction, JackPolicy, LinkedStart, OpenFailure, Port, PortIndex,
    PositionChoice, PositionSource, StillRunning, StreamParams, StreamPosition,
};
use embedded_hal::delay::DelayNs;
use hda_card::HdaCard;
use hyper::{MappedBuffer, Nanos};
use snd_hda::{Controller, Timer};
use snd_hda_model::codec::Widget;
use snd_hda_model::{Bench, Codec, DmaAccess, Model, ModelDelay, Profile};
use sndif::format::{FormatSet, SampleFormat};

fn hardware(codec: Codec) -> Model {
    Bench::new(Profile::hardware()).codec(0, codec).build()
}

fn rates(port: &Port) -> Vec<u32> {
    port.rates_hz.iter().copied().take_while(|rate_hz| *rate_hz != 0).collect()
}

pub fn refusal(card: &mut TestCard, port: u8, params: StreamParams, buffer: Mapped) -> CardError {
    let refused = card.open(PortIndex(port), &params, buffer).expect_err("refused");
    let OpenFailure::Refused { error, buffer } = refused else { panic!("RUN reads 1") };
    assert!(!buffer.is_unmapped.get());
    error
}

fn plugs_changed(card: &mut TestCard, is_interrupted: bool) -> bool {
    Card::<Mapped>::poll(card, Nanos(0), is_interrupted)
}

#[test]
fn ports_are_the_routes_outputs_first() {
    let model = Bench::new(Profile::hardware())
        .codec(0, Codec::input())
        .codec(1, Codec::duplex())
        .codec(2, Codec::output())
        .build();
    let directions: Vec<_> = ports(&card(&model)).iter().map(|port| port.direction).collect();
    assert_eq!(
        directions,
        [Direction::Playback, Direction::Playback, Direction::Capture, Direction::Capture]
    );
}

#[test]
fn ports_have_their_routes_names() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::laptop()).codec(1, Codec::duplex()).build();
    let card = card(&model);
    let names: Vec<_> =
        (0..6).map(|port| Card::<Mapped>::port_name(&card, PortIndex(port))).map_while(|name| name).collect();
    assert_eq!(names, ["Speaker", "Rear Line Out", "Microphone", "Line In", "Line In 2"]);
}

#[test]
fn plugs_are_heard_of_once_and_only_from_jacks_that_tell_them() {
    let codec = Codec::builder(1)
        .widget(2, Widget::dac())
        .widget(3, Widget::line_out(&[2]).unsolicited())
        .widget(4, Widget::adc(5))
        .widget(5, Widget::line_in())
        .build();
    let model = hardware(codec);
    model.plug(0, 3, false);
    let mut card = card(&model);
    let plugged = |card: &TestCard| [0, 1, 2].map(|port| Card::<Mapped>::is_plugged(card, PortIndex(port)));
    assert_eq!(plugged(&card), [Some(false), None, None]);
    model.plug(0, 3, true);
    model.plug(0, 5, false);
    model.advance_ns(MILLISECOND);
    assert!(!plugs_changed(&mut card, false), "nobody has looked at the controller");
    assert!(plugs_changed(&mut card, true));
    assert!(!plugs_changed(&mut card, true));
    assert_eq!(plugged(&card), [Some(true), None, None]);
    // The news comes with the answer to another verb.
    model.plug(0, 3, false);
    model.advance_ns(MILLISECOND);
    let codec = card.controller().codecs()[0].address;
    let verb = snd_hda::Verb::with_u8(0xf00, 0);
    card.controller().command(codec, snd_hda::NodeId::ROOT, verb).expect("an answer");
    assert!(plugs_changed(&mut card, false));
    assert_eq!(plugged(&card), [Some(false), None, None]);
}

#[test]
fn qemu_s_codec_offers_16_bits_only() {
    let model = Bench::new(Profile::qemu()).codec(0, Codec::qemu_duplex()).build();
    for port in ports(&card(&model)) {
        assert_eq!(port.formats, FormatSet::of(&[SampleFormat::S16Le]));
        assert_eq!(rates(&port), [16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000]);
        assert_eq!((port.channels_min, port.channels_max), (2, 2));
        assert_eq!((port.buffer_bytes_min, port.buffer_bytes_max), (256, 1 << 20));
    }
}

#[test]
fn whatever_a_port_offers_and_the_link_can_carry_can_be_opened() {
    let model =
        Bench::new(Profile::hardware()).codec(0, Codec::any_format(8)).codec(1, Codec::duplex()).build();
    let mut card = card(&model);
    for (index, port) in ports(&card).into_iter().enumerate() {
        assert!(!port.formats.is_empty() && !rates(&port).is_empty(), "{port:?}");
        for rate_hz in rates(&port) {
            for format in port.formats.iter() {
                for channels in port.channels_min..=port.channels_max {
                    let params = StreamParams { rate_hz, format, channels };
                    let frame_bytes = u32::from(channels) * format.bytes_per_sample().expect("a size");
                    let size_bytes = 8192 / frame_bytes * frame_bytes;
                    let buffer = Mapped::new(&model, size_bytes, DmaAccess::ReadWrite);
                    let index = PortIndex(index as u8);
                    let opened = card.open(index, &params, buffer);
                    if !Card::<Mapped>::supports(&card, index, &params) {
                        // Of this card only what the link has no room for: OUTPAY and INPAY, in words a frame.
                        // 32 kHz is 48 kHz times 2 by 3, and so has two blocks in some frames.
                        let blocks = match rate_hz {
                            32_000 | 88_200 | 96_000 => 2,
                            176_400 | 192_000 => 4,
                            _ => 1,
                        };
                        let room = if port.direction == Direction::Playback { 60 } else { 29 };
                        assert!(blocks * frame_bytes / 2 > room, "{params:?}");
                        assert!(
                            matches!(opened, Err(OpenFailure::Refused { error: CardError::Unsupported, .. })),
                            "{params:?}"
                        );
                        continue;
                    }
                    let mut stream = opened.map_err(|failure| (failure.error(), params)).expect("open");
                    card.start(&mut stream).expect("started");
                    model.advance_ns(2 * MILLISECOND);
                    assert!(card.position(&mut stream).expect("a position").bytes > 0);
                    card.close(stream).expect("closed");
                }
            }
        }
    }
}

#[test]
fn s32_takes_the_widest_sample_that_fits_its_container() {
    for (pcm_bits, code) in [(0b01110_u32, 0x3_u16), (0b11110, 0x4), (0b00110, 0x2)] {
        let pcm = 0x7f | pcm_bits << 16;
        let codec = Codec::builder(0x1234_5678)
            .widget(2, Widget::dac().pcm(pcm))
            .widget(3, Widget::line_out(&[2]))
            .build();
        let model = hardware(codec);
        let mut card = card(&model);
        let params = StreamParams { format: SampleFormat::S32Le, ..CD_LIKE };
        let buffer = Mapped::new(&model, 8192, DmaAccess::Read);
        let stream =
            card.open(PortIndex(0), &params, buffer).map_err(|failure| failure.error()).expect("open");
        assert_eq!(model.converter_setting(0, 2), (1, 0, code << 4 | 1));
        card.close(stream).expect("closed");
        assert_eq!(model.converter_setting(0, 2).0, 0, "off its stream");
    }
}

#[test]
fn a_stream_s_life() {
    for (port, direction) in [(0, DmaAccess::Read), (1, DmaAccess::Write)] {
        let model = hardware(Codec::duplex());
        let mut card = card(&model);
        let buffer = Mapped::new(&model, 16_384, direction);
        let unmapped = buffer.is_unmapped.clone();
        let mut stream =
            card.open(PortIndex(port), &CD_LIKE, buffer).map_err(|failure| failure.error()).expect("open");
        assert_eq!(card.pause(&mut stream), Err(CardError::WrongState));
        assert_eq!(card.resume(&mut stream), Err(CardError::WrongState));
        assert_eq!(card.position(&mut stream), Ok(StreamPosition::default()));
        assert_eq!(card.stop(&mut stream), Ok(StreamPosition::default()));

        card.start(&mut stream).expect("started");
        assert_eq!(card.start(&mut stream), Err(CardError::WrongState));
        assert_eq!(card.resume(&mut stream), Err(CardError::WrongState));
        model.advance_ns(50 * MILLISECOND);
        let at = card.position(&mut stream).expect("a position").bytes;
        assert!((4 * 2_300..4 * 2_500).contains(&at), "{at}");

        card.pause(&mut stream).expect("paused");
        let paused = card.position(&mut stream).expect("a position").bytes;
        model.advance_ns(50 * MILLISECOND);
        assert_eq!(card.position(&mut stream).expect("a position").bytes, paused);
        card.resume(&mut stream).expect("resumed");
        model.advance_ns(50 * MILLISECOND);
        let at = card.position(&mut stream).expect("a position").bytes;
        assert!((paused + 4 * 2_300..paused + 4 * 2_500).contains(&at), "{at}");

        let last = card.stop(&mut stream).expect("stopped");
        assert!(last.bytes >= at && last.fifo_errors == 0);
        card.start(&mut stream).expect("started again");
        model.advance_ns(MILLISECOND);
        assert!(card.position(&mut stream).expect("a position").bytes < 4 * 100);

        // Close in the middle of it all.
        let buffer = card.close(stream).expect("closed");
        assert!(!unmapped.get());
        drop(buffer);
        model.advance_ns(50 * MILLISECOND);
        model.assert_clean();
    }
}

#[test]
fn a_refusal_says_why_and_gives_the_buffer_back() {
    let model = hardware(Codec::duplex());
    let mut card = card(&model);
    let buffer = |size_bytes| Mapped::new(&model, size_bytes, DmaAccess::Read);
    assert_eq!(refusal(&mut card, 2, CD_LIKE, buffer(8192)), CardError::NoSuchPort);
    assert_eq!(refusal(&mut card, 255, CD_LIKE, buffer(8192)), CardError::NoSuchPort);
    for params in [
        StreamParams { rate_hz: 47_000, ..CD_LIKE },
        StreamParams { rate_hz: 0, ..CD_LIKE },
        StreamParams { channels: 0, ..CD_LIKE },
        StreamParams { channels: 3, ..CD_LIKE },
        StreamParams { channels: 255, ..CD_LIKE },
        StreamParams { format: SampleFormat::S16Be, ..CD_LIKE },
        StreamParams { format: SampleFormat::S24Le, ..CD_LIKE },
        StreamParams { format: SampleFormat::Mpeg, ..CD_LIKE },
    ] {
        assert_eq!(refusal(&mut card, 0, params, buffer(8192)), CardError::Unsupported, "{params:?}");
    }
    assert_eq!(refusal(&mut card, 0, CD_LIKE, buffer(128)), CardError::BadBuffer);
    assert_eq!(refusal(&mut card, 0, CD_LIKE, buffer(257 * 4096)), CardError::BadBuffer);
    assert_eq!(refusal(&mut card, 0, CD_LIKE, buffer(8190)), CardError::BadBuffer);
    // None of these left anything taken.
    let stream = open(&mut card, &model, 0);
    assert_eq!(refusal(&mut card, 0, CD_LIKE, buffer(8192)), CardError::Busy);
    card.close(stream).expect("closed");
    let stream = open(&mut card, &model, 0);
    card.close(stream).expect("closed");
}

#[test]
fn a_stream_that_sticks_keeps_its_buffer_and_what_it_holds() {
    let model = hardware(Codec::duplex());
    let mut card = card(&model);
    let buffer = Mapped::new(&model, 16_384, DmaAccess::Write);
    let unmapped = buffer.is_unmapped.clone();
    let mut stream =
        card.open(PortIndex(1), &CD_LIKE, buffer).map_err(|failure| failure.error()).expect("open");
    card.start(&mut stream).expect("started");
    model.advance_ns(5 * MILLISECOND);
    model.edit_faults(|faults| faults.stuck_run = 1);
    assert_eq!(card.stop(&mut stream), Err(CardError::Hardware));
    assert_eq!(card.pause(&mut stream), Err(CardError::Hardware));
    let Err(StillRunning(stream)) = card.close(stream) else { panic!("closed") };
    assert!(!unmapped.get() && model.dma_running(0));
    let other = Mapped::new(&model, 8192, DmaAccess::Write);
    assert_eq!(refusal(&mut card, 1, CD_LIKE, other), CardError::Busy);
    // Quarantine ends when RUN reads 0.
    model.edit_faults(|faults| faults.stuck_run = 0);
    model.advance_ns(MILLISECOND);
    let buffer = card.close(stream).expect("closed at last");
    drop(buffer);
    model.advance_ns(10 * MILLISECOND);
    let stream = open(&mut card, &model, 1);
    card.close(stream).expect("closed");
    model.assert_clean();
}

/// Takes the controller off its bus once the driver has waited longer than a stream descriptor's set-up takes.
#[derive(Clone)]
struct UnpluggingDelay {
    delay: ModelDelay,
    model: Rc<Model>,
    /// Time to wait until then, in nanoseconds; 0: disarmed.
    left_ns: Rc<Cell<u32>>,
}

impl Timer for UnpluggingDelay {
    fn now_ns(&self) -> u64 {
        self.delay.now_ns()
    }
}

impl DelayNs for UnpluggingDelay {
    fn delay_ns(&mut self, ns: u32) {
        let left_ns = self.left_ns.get();
        self.left_ns.set(left_ns.saturating_sub(ns));
        if (1..=ns).contains(&left_ns) {
            self.model.edit_faults(|faults| faults.off_the_bus = true);
        }
        self.delay.delay_ns(ns);
    }
}

#[test]
fn an_open_that_leaves_run_at_1_keeps_the_buffer_until_a_close_succeeds() {
    let model = Rc::new(hardware(Codec::duplex()));
    let left_ns = Rc::new(Cell::new(0));
    let delay = UnpluggingDelay { delay: model.delay(), model: model.clone(), left_ns: left_ns.clone() };
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), delay).expect("up");
    let mut card = HdaCard::new(controller, ModelClock(model.delay()));
    let buffer = Mapped::new(&model, 8192, DmaAccess::Read);
    let is_unmapped = buffer.is_unmapped.clone();
    // The codec does not answer, so the driver waits; meanwhile all registers begin to read as ones.
    model.edit_faults(|faults| faults.rirb_dead = true);
    left_ns.set(1_500_000);
    let failure = card.open(PortIndex(0), &CD_LIKE, buffer).expect_err("no answer");
    let OpenFailure::Stuck { error: CardError::Hardware, stream } = failure else {
        panic!("{:?}", failure.error())
    };
    let Err(StillRunning(stream)) = card.close(stream) else { panic!("closed") };
    assert!(!is_unmapped.get());
    model.edit_faults(|faults| (faults.off_the_bus, faults.rirb_dead) = (false, false));
    drop(card.close(stream).expect("closed at last"));
    assert!(is_unmapped.get());
    assert!(Card::<Mapped>::is_free(&card, PortIndex(0)));
    model.assert_clean();
}

#[test]
fn settings_reach_the_controller() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut card = card(&model);
    assert_eq!(card.settings(), CardSettings::default());
    for (position_source, expected) in [
        (PositionChoice::Memory, PositionSource::Memory),
        (PositionChoice::Link, PositionSource::Link),
        (PositionChoice::Auto, PositionSource::Link),
    ] {
        let settings =
            CardSettings { position_source, jack_policy: JackPolicy::Stay, ..CardSettings::default() };
        Card::<Mapped>::configure(&mut card, &settings);
        assert_eq!(card.settings(), settings);
        let mut stream = open(&mut card, &model, 0);
        card.start(&mut stream).expect("started");
        model.advance_ns(20 * MILLISECOND);
        let link = card.position(&mut stream).expect("a position").link.expect("at the link");
        assert_eq!(link.source, expected, "{position_source:?}");
        card.close(stream).expect("closed");
    }
}

#[test]
fn a_codec_that_falls_silent_is_a_hardware_error() {
    let model = hardware(Codec::duplex());
    let mut card = card(&model);
    model.edit_faults(|faults| faults.rirb_dead = true);
    let before = model.now_ns();
    let buffer = Mapped::new(&model, 8192, DmaAccess::Read);
    logs::take();
    assert_eq!(refusal(&mut card, 0, CD_LIKE, buffer), CardError::Hardware);
    let logged = logs::take();
    let names_command = |line: &String| {
        line.starts_with("WARN port 0: codec 0 node ") && line.contains("did not answer verb 0x")
    };
    assert!(logged.iter().any(names_command), "{logged:?}");
    assert!(model.now_ns() - before < 5 * MILLISECOND, "{} ns", model.now_ns() - before);
    model.edit_faults(|faults| faults.rirb_dead = false);
    // It is left alone for 100 ms, and a request for it waits for nothing.
    let before = model.now_ns();
    let buffer = Mapped::new(&model, 8192, DmaAccess::Read);
    assert_eq!(refusal(&mut card, 0, CD_LIKE, buffer), CardError::Hardware);
    assert!(model.now_ns() - before < MILLISECOND, "{} ns", model.now_ns() - before);
    model.advance_ns(100 * MILLISECOND);
    let stream = open(&mut card, &model, 0);
    card.close(stream).expect("closed");
}

#[test]
fn a_fifo_error_is_reported_with_the_position() {
    let model = hardware(Codec::duplex());
    let mut card = card(&model);
    let mut stream = open(&mut card, &model, 0);
    card.start(&mut stream).expect("started");
    model.advance_ns(5 * MILLISECOND);
    model.raise_fifo_error(4);
    assert_eq!(card.controller().handle_interrupt().streams, 1 << 4);
    assert_eq!(card.position(&mut stream).expect("a position").fifo_errors, 1);
    card.close(stream).expect("closed");
}

#[test]
fn streams_start_together_in_the_same_link_frame() {
    for (offset, how) in [(Some(0x38), LinkedStart::SameFrame), (None, LinkedStart::BackToBack)] {
        let profile = Profile { stream_sync_offset: offset, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, Codec::duplex()).build();
        let mut card = card(&model);
        let (mut playback, mut capture) = (open(&mut card, &model, 0), open(&mut card, &model, 1));
        for _ in 0..10 {
            let started = card.start_together(&mut [&mut playback, &mut capture]);
            assert_eq!(started, Ok(how));
            assert_eq!(card.start(&mut capture), Err(CardError::WrongState));
            model.advance_ns(5 * MILLISECOND);
            if how == LinkedStart::SameFrame {
                assert!(model.start_link_frame(4).is_some());
                assert_eq!(model.start_link_frame(4), model.start_link_frame(0));
            }
            card.stop(&mut playback).expect("stopped");
            // One runs already: none of them starts.
            let together = card.start_together(&mut [&mut playback, &mut capture]);
            assert_eq!(together, Err(CardError::WrongState));
            assert!(!model.dma_running(4) && model.dma_running(0));
            card.stop(&mut capture).expect("stopped");
        }
        card.close(playback).expect("closed");
        card.close(capture).expect("closed");
    }
}

#[test]
fn a_stream_s_buffer_can_be_told_and_its_volume_set_whatever_it_is_doing() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut card = card(&model);
    let can = ports(&card)[0].volume.expect("amplifiers");
    assert_eq!((can.min_mdb, can.max_mdb, can.step_mdb, can.can_mute), (-74_000, 0, 1_000, true));
    let mut stream = open(&mut card, &model, 0);
    let pages = |card: &TestCard, stream: &TestStream| {
        card.buffer(stream).map(|buffer: &Mapped| MappedBuffer::page_addresses(buffer).to_vec())
    };
    let before = pages(&card, &stream).expect("a buffer");
    assert_eq!(before.len(), 4);
    for (step, mdb) in
        ["open", "start", "pause", "resume"].into_iter().zip([-1_000, -2_400, -2_600, i32::MIN])
    {
        let done = match step {
            "start" => card.start(&mut stream),
            "pause" => card.pause(&mut stream),
            "resume" => card.resume(&mut stream),
            _ => Ok(()),
        };
        done.expect(step);
        assert_eq!(pages(&card, &stream), Some(before.clone()));
        card.set_volume(&mut stream, 1, mdb).expect("set");
        let nearest = if mdb < -74_000 { -74_000 } else { (f64::from(mdb) / 1_000.0).round() as i32 * 1_000 };
        assert_eq!((card.volume(&stream, 0), card.volume(&stream, 1)), (Ok(0), Ok(nearest)));
        card.set_mute(&mut stream, 0, true).expect("muted");
        let heard = &model.audible(0)[0];
        assert_eq!((heard.left_quarter_db, heard.right_quarter_db), (None, Some(nearest / 250)));
        card.set_mute(&mut stream, 0, false).expect("not muted");
    }
    assert_eq!(card.set_volume(&mut stream, 2, 0), Err(CardError::Unsupported), "there is no third channel");
    assert_eq!(card.volume(&stream, 2), Err(CardError::Unsupported));
    card.close(stream).expect("closed");
    model.assert_clean();
}
