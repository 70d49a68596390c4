//! Bring-up: the waits of the specification, both ways to the codecs, and an error for each thing that can be missing.

use crate::common::*;
use snd_hda::registers::Registers;
use snd_hda::{
    BringUpError, CodecAddress, Controller, ControllerTraits, Direction, NoResponse, NodeId, SyncRegister,
    Verb,
};
use snd_hda_model::codec::Widget;
use snd_hda_model::{Bench, Codec, Faults, Model, Profile};

/// Five seconds of virtual time are the most that anything may take.
const AT_MOST_NS: u64 = 5_000_000_000;

fn failure(model: &Model) -> BringUpError {
    let error = bring_up(model).err().expect("a failure");
    assert!(model.now_ns() < AT_MOST_NS, "{} ns", model.now_ns());
    error
}

fn with_faults(faults: Faults) -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).faults(faults).build()
}

#[test]
fn waits_as_specified_and_finds_the_codecs() {
    // The model is strict: too short a wait, or a wrong width, is a violation.
    let model = Bench::new(Profile::hardware())
        .codec(0, Codec::duplex())
        .codec(3, Codec::output())
        .codec(14, Codec::input())
        .build();
    let controller = bring_up(&model).expect("up");
    let codecs: Vec<_> = controller.codecs().iter().map(|codec| codec.address.get()).collect();
    assert_eq!(codecs, [0, 3, 14]);
    let ways: Vec<_> =
        controller.routes().iter().map(|route| (route.direction(), route.codec().get())).collect();
    let (out, input) = (Direction::Output, Direction::Input);
    assert_eq!(ways, [(out, 0), (out, 3), (input, 0), (input, 14)]);
    assert!(controller.uses_command_rings());
    assert!(model.now_ns() < 20 * MILLISECOND, "{} ns", model.now_ns());
}

#[test]
fn finds_a_controller_that_somebody_left_running() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).build();
    let mut first = bring_up(&model).expect("up");
    let buffer = TestBuffer::new(&model, 8192, Direction::Output);
    let route = route(&first, Direction::Output);
    let stream = open(&mut first, route, cd_like(), buffer).start().expect("started");
    model.advance_ns(5 * MILLISECOND);
    // As after a crash: nobody stops anything.
    std::mem::forget(stream);
    std::mem::forget(first);
    let second = bring_up(&model).expect("up again");
    assert!(!model.dma_running(4));
    assert_eq!(second.routes().len(), 1);
}

/// A controller with a stream of an owner who has gone. Nothing that it reaches may be touched any more.
fn left_running() -> (Model, TestBuffer) {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut owner = bring_up(&model).expect("up");
    let buffer = TestBuffer::new(&model, 8192, Direction::Input);
    let pages = TestBuffer::of_pages(&model, buffer.pages.clone(), 8192, Direction::Input);
    let route = route(&owner, Direction::Input);
    let stream = open(&mut owner, route, cd_like(), pages).start().expect("started");
    model.advance_ns(5 * MILLISECOND);
    std::mem::forget((stream, owner));
    assert!(model.dma_running(0));
    (model, buffer)
}

#[test]
fn a_controller_is_quiet_before_it_may_use_dma() {
    let (model, buffer) = left_running();
    let _quiet = snd_hda::hold_in_reset(&mut model.registers(), &mut model.delay()).expect("in reset");
    assert_eq!(model.registers().read_u32(8) & 1, 0, "CRST");
    assert!(!model.dma_running(0));
    // What the owner had is someone else's now: DMA there would be a violation.
    drop(buffer);
    model.advance_ns(50 * MILLISECOND);
    model.assert_clean();
    bring_up(&model).expect("up again");
    model.advance_ns(50 * MILLISECOND);
    model.assert_clean();
}

#[test]
fn a_controller_that_is_cut_off_is_quiet_for_whoever_comes_next() {
    let (model, buffer) = left_running();
    assert!(snd_hda::cut_off(&mut model.registers()));
    assert!(!model.dma_running(0));
    drop(buffer);
    model.advance_ns(50 * MILLISECOND);
    assert_eq!(model.registers().read_u32(8) & 1, 0, "CRST");
    // A stream that runs is against the rules of a reset (4.2.2), but nothing can be waited for.
    let _ = model.take_violations();
    bring_up(&model).expect("up again");
    model.assert_clean();
}

#[test]
fn one_that_stays_out_of_reset_or_away_is_not_quiet() {
    let held = |faults| {
        let model = with_faults(faults);
        model.registers().write_u32(8, 1);
        model.advance_ns(MILLISECOND);
        snd_hda::hold_in_reset(&mut model.registers(), &mut model.delay()).err()
    };
    assert_eq!(held(Faults::default()), None);
    let stuck = held(Faults { reset_never_entered: true, ..Faults::default() });
    assert!(matches!(stuck, Some(BringUpError::Reset(_))), "{stuck:?}");
    let away = held(Faults { off_the_bus: true, ..Faults::default() });
    assert_eq!(away, Some(BringUpError::NoController));
}

#[test]
fn works_as_qemu_does_it() {
    let model =
        Bench::new(Profile::qemu()).codec(0, Codec::qemu_duplex()).codec(1, Codec::qemu_output()).build();
    let controller = bring_up(&model).expect("up");
    assert_eq!(controller.routes().len(), 3);
    assert!(!controller.has_linked_start());
    assert!(controller.uses_command_rings(), "RINTCNT 0, or no acknowledgement, stalls the CORB there");
}

#[test]
fn puts_every_converter_on_tag_0() {
    let model = Bench::new(Profile::qemu()).codec(0, Codec::qemu_duplex()).build();
    let mut controller = bring_up(&model).expect("up");
    let codec = CodecAddress::new(0).expect("an address");
    controller.command(codec, NodeId::new(2).expect("a node"), Verb::with_u8(0x706, 0x70)).expect("told");
    drop(controller);
    // The codec keeps its tag through a reset of the link.
    let _controller = bring_up(&model).expect("up again");
    assert_eq!(model.converter_setting(0, 2).0, 0);
    assert_eq!(model.converter_setting(0, 4).0, 0);
}

#[test]
fn no_controller_is_an_error() {
    #[derive(Clone)]
    struct Nobody;
    impl Registers for Nobody {
        fn read_u8(&mut self, _: u16) -> u8 {
            u8::MAX
        }
        fn read_u16(&mut self, _: u16) -> u16 {
            u16::MAX
        }
        fn read_u32(&mut self, _: u16) -> u32 {
            u32::MAX
        }
        fn write_u8(&mut self, _: u16, _: u8) {}
        fn write_u16(&mut self, _: u16, _: u16) {}
        fn write_u32(&mut self, _: u16, _: u32) {}
    }
    let model = Bench::new(Profile::hardware()).build();
    let error = Controller::bring_up(Nobody, &mut model.memory(), model.delay()).err().expect("a failure");
    assert_eq!(error, BringUpError::NoController);
}

#[test]
fn no_codec_is_an_error() {
    let model = Bench::new(Profile::hardware()).build();
    assert_eq!(failure(&model), BringUpError::NoCodec);
}

#[test]
fn a_reset_that_sticks_names_its_register() {
    for faults in [
        Faults { reset_never_entered: true, ..Faults::default() },
        Faults { reset_never_left: true, ..Faults::default() },
    ] {
        let entered = faults.reset_never_entered;
        let model = with_faults(faults);
        if entered {
            // Out of reset first: it comes up in reset.
            model.edit_faults(|faults| faults.reset_never_entered = false);
            drop(bring_up(&model).expect("up"));
            model.edit_faults(|faults| faults.reset_never_entered = true);
        }
        let BringUpError::Reset(deadline) = failure(&model) else { panic!("another error") };
        assert_eq!((deadline.register, deadline.offset_bytes), ("GCTL", 0x08));
        assert_eq!(deadline.expected, u32::from(!entered));
        let _ = model.take_violations();
    }
}

#[test]
fn a_codec_that_never_answers_is_named() {
    let model = Bench::new(Profile::hardware()).codec(2, Codec::silent()).build();
    let BringUpError::NoAnswer(error) = failure(&model) else { panic!("another error") };
    assert_eq!(error.codec.get(), 2);
    assert!(error.to_string().contains("codec 2"), "{error}");
    let NoResponse::Late(deadline) = error.cause else { panic!("{error}") };
    assert!(["RIRBWP", "ICIS"].contains(&deadline.register), "{error}");
}

#[test]
fn a_codec_that_never_answers_is_skipped_for_others() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::silent()).codec(1, Codec::output()).build();
    let controller = bring_up(&model).expect("up");
    assert_eq!(controller.codecs().len(), 1);
    assert_eq!(controller.routes()[0].codec().get(), 1);
}

#[test]
fn all_codecs_on_the_link_are_taken() {
    let addresses: Vec<usize> = (0..15).filter(|address| address % 2 == 0).collect();
    let mut bench = Bench::new(Profile::hardware());
    for address in &addresses {
        bench = bench.codec(*address, Codec::output());
    }
    let model = bench.build();
    let mut controller = bring_up(&model).expect("up");
    let found: Vec<usize> = controller.codecs().iter().map(|codec| codec.address.get().into()).collect();
    assert_eq!(found, addresses);
    // The last of them plays.
    let at = controller.routes().len() - 1;
    assert_eq!(controller.routes()[at].codec().get(), 14);
    let buffer = TestBuffer::new(&model, 8192, Direction::Output);
    buffer.write(0, &signal(cd_like(), 0..2048));
    let stream = open(&mut controller, snd_hda::RouteIndex(at as u8), cd_like(), buffer);
    let stream = stream.start().expect("started");
    model.advance_ns(20 * MILLISECOND);
    assert!(frames_exact(&model.played(14, 2), cd_like(), 0) > 500);
    drop(stream);
    model.assert_clean();
}

#[test]
fn a_codec_without_a_route_is_an_error() {
    let codec = Codec::answering(|_| Some(0));
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    assert_eq!(failure(&model), BringUpError::NoRoute);
}

#[test]
fn immediate_commands_serve_where_rings_do_not() {
    for faults in
        [Faults { corb_dead: true, ..Faults::default() }, Faults { rirb_dead: true, ..Faults::default() }]
    {
        let model = with_faults(faults);
        let controller = bring_up(&model).expect("up");
        assert!(!controller.uses_command_rings());
        assert_eq!(controller.routes().len(), 2);
    }
}

#[test]
fn immediate_commands_serve_where_there_are_no_rings() {
    let model =
        Bench::new(Profile { rings: false, strict: false, ..Profile::hardware() }).codec(0, Codec::duplex());
    let model = model.build();
    let controller = bring_up(&model).expect("up");
    assert!(!controller.uses_command_rings());
    assert_eq!(controller.routes().len(), 2);
}

#[test]
fn immediate_commands_serve_where_there_is_no_memory_for_rings() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    // Position buffer and nine lists, and no more.
    model.memory().limit_regions(10);
    let controller = bring_up(&model).expect("up");
    assert!(!controller.uses_command_rings());
}

#[test]
fn rings_of_every_size_work() {
    for ring_size_capability in [1, 2, 3, 4, 7] {
        let profile = Profile { ring_size_capability, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, Codec::laptop()).build();
        let controller = bring_up(&model).expect("up");
        assert!(controller.uses_command_rings(), "{ring_size_capability}");
        assert!(!controller.routes().is_empty());
    }
}

#[test]
fn a_pointer_reset_that_clears_itself_is_no_failure() {
    let model = with_faults(Faults { corb_pointer_reset_reads_zero: true, ..Faults::default() });
    assert!(bring_up(&model).expect("up").uses_command_rings());
}

#[test]
fn no_memory_is_an_error_that_says_for_what() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    model.memory().limit_regions(0);
    assert_eq!(failure(&model), BringUpError::NoMemory("DMA position buffer"));
    model.memory().limit_regions(3);
    assert_eq!(failure(&model), BringUpError::NoMemory("descriptor lists"));
}

#[test]
fn memory_beyond_4_gib_needs_64ok() {
    let profile = Profile { addresses_64bit: false, ..Profile::hardware() };
    let model = Bench::new(profile).codec(0, Codec::duplex()).build();
    model.memory().place_regions_at(0x1_0000_0000);
    assert_eq!(failure(&model), BringUpError::MemoryTooHigh { address: 0x1_0000_0000 });

    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    model.memory().place_regions_at(0x12_0000_0000);
    assert_eq!(bring_up(&model).expect("up").address_bits(), 64);
}

#[test]
fn memory_beyond_what_the_kind_of_controller_reaches_is_refused() {
    let traits = |address_bits| ControllerTraits { address_bits, ..ControllerTraits::default() };
    let up = |profile, traits, at| {
        let model = Bench::new(profile).codec(0, Codec::duplex()).build();
        model.memory().place_regions_at(at);
        let controller =
            Controller::bring_up_with(traits, model.registers(), &mut model.memory(), model.delay());
        controller.map(|controller| controller.address_bits())
    };
    let (plain, without_64ok) =
        (Profile::hardware(), Profile { addresses_64bit: false, ..Profile::hardware() });
    let beyond = |address| Err(BringUpError::MemoryTooHigh { address });
    assert_eq!(up(plain.clone(), traits(40), 0xff_0000_0000), Ok(40));
    assert_eq!(up(plain.clone(), traits(40), 0x100_0000_0000), beyond(0x100_0000_0000));
    // GCAP.64OK isn't believed.
    assert_eq!(up(plain.clone(), traits(32), 0x1_0000_0000), beyond(0x1_0000_0000));
    assert_eq!(up(plain.clone(), traits(0), 0x8000_0000), Ok(32));
    // It is believed when it isn't there.
    assert_eq!(up(without_64ok.clone(), traits(40), 0x1_0000_0000), beyond(0x1_0000_0000));
    assert_eq!(up(without_64ok, traits(40), 0x8000_0000), Ok(32));
}

#[test]
fn ssync_is_looked_for_where_the_kind_of_controller_has_it() {
    let has = |stream_sync_offset, sync_register| {
        let profile = Profile { stream_sync_offset, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, Codec::duplex()).build();
        let traits = ControllerTraits { sync_register, ..ControllerTraits::default() };
        Controller::bring_up_with(traits, model.registers(), &mut model.memory(), model.delay())
            .expect("up")
            .has_linked_start()
    };
    use SyncRegister::{Anywhere, Old, Specified};
    for (offset, places) in [(0x38, [Anywhere, Specified]), (0x34, [Anywhere, Old])] {
        for place in [Anywhere, Specified, Old] {
            assert_eq!(has(Some(offset), place), places.contains(&place), "{offset:#x} {place:?}");
            assert!(!has(None, place));
        }
    }
}

#[test]
fn unsolicited_responses_are_kept_and_interrupts_end_clean() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut controller = bring_up(&model).expect("up");
    assert!(controller.handle_interrupt().is_clean);
    assert!(!model.interrupt_pending());
    for n in 0..20 {
        model.unsolicited_response(0, 0x0400_0000 | n);
        model.advance_ns(MILLISECOND);
        assert!(model.interrupt_pending());
        assert!(controller.handle_interrupt().is_clean);
        assert!(!model.interrupt_pending());
    }
    let kept: Vec<_> = std::iter::from_fn(|| controller.take_unsolicited()).collect();
    assert_eq!(kept.len(), 16);
    assert!(kept.iter().enumerate().all(|(n, it)| it.response == 0x0400_0000 | n as u32));
    assert_eq!(controller.unsolicited_lost(), 4);
}

#[test]
fn an_unsolicited_response_is_not_taken_for_an_answer() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut controller = bring_up(&model).expect("up");
    let codec = CodecAddress::new(0).expect("an address");
    for n in 0..300 {
        model.unsolicited_response(0, n);
        let vendor = controller.command(codec, NodeId::ROOT, Verb::with_u8(0xf00, 0)).expect("an answer");
        assert_eq!(vendor, 0x1234_0003);
        controller.take_unsolicited();
    }
}

#[test]
fn fifteen_silent_codecs_take_no_longer_than_the_bound() {
    let bench = Bench::new(Profile::hardware());
    let model = (0..15).fold(bench, |bench, at| bench.codec(at, Codec::silent())).build();
    assert!(matches!(failure(&model), BringUpError::NoAnswer(_)));
    assert!(model.now_ns() < 5_000_000_000, "{} ns", model.now_ns());
}

#[test]
fn codecs_that_answer_just_in_time_take_no_longer_than_the_bound() {
    // Each answer comes 45 ms after its verb: before the wait for it ends, and thousands of verbs would take minutes.
    let bench = Bench::new(Profile::hardware())
        .faults(Faults { answer_late_frames: 45 * 48, ..Faults::default() })
        .access_budget(20_000_000);
    let model = (0..15).fold(bench, |bench, at| bench.codec(at, Codec::laptop())).build();
    let controller = bring_up(&model).expect("what had time to answer is used");
    assert!((1..15).contains(&controller.codecs().len()), "{} codecs", controller.codecs().len());
    assert!(model.now_ns() < 5_000_000_000, "{} ns", model.now_ns());
}

#[test]
fn a_codec_whose_commands_use_up_the_time_is_told_from_a_silent_one() {
    // Each answer comes in time, but all of them together take too long.
    let codec = Codec::builder(0x1234_5678).widget(2, Widget::dac());
    let codec = (3..80).fold(codec, |codec, node| codec.widget(node, Widget::line_out(&[2]))).build();
    let bench = Bench::new(Profile::hardware())
        .faults(Faults { answer_late_frames: 45 * 48, ..Faults::default() })
        .access_budget(20_000_000);
    let BringUpError::NoAnswer(error) = failure(&bench.codec(0, codec).build()) else { panic!("no time") };
    let text = error.to_string();
    assert!(text.starts_with("codec 0 node 0x") && text.contains(" did not get verb 0xf"), "{text}");
    assert!(text.contains(": earlier commands took 30") && text.ends_with(" us"), "{text}");
    assert!(!text.contains("mask"), "{text}");
}

#[test]
fn a_codec_that_falls_silent_is_an_error_and_heard_again_later() {
    let model = with_faults(Faults::default());
    let mut controller = bring_up(&model).expect("up");
    let codec = CodecAddress::new(0).expect("an address");
    let vendor = Verb::with_u8(0xf00, 0);
    model.edit_faults(|faults| faults.silent_codecs = 1);
    for _ in 0..3 {
        let error = controller.command(codec, NodeId::ROOT, vendor).expect_err("silent");
        assert_eq!((error.codec, error.verb), (codec, vendor));
    }
    model.edit_faults(|faults| faults.silent_codecs = 0);
    let error = controller.command(codec, NodeId::ROOT, vendor).expect_err("left alone");
    assert!(error.to_string().contains("it gave no answer, and is asked again in 100000 us"), "{error}");
    model.advance_ns(100 * MILLISECOND);
    assert_eq!(controller.command(codec, NodeId::ROOT, vendor), Ok(0x1234_0003));
    model.edit_faults(|faults| faults.rirb_overrun_once = true);
    controller.command(codec, NodeId::ROOT, vendor).expect_err("lost");
    model.advance_ns(200 * MILLISECOND);
    assert_eq!(controller.command(codec, NodeId::ROOT, vendor), Ok(0x1234_0003));
}

#[test]
fn a_controller_fits_on_a_small_stack() {
    // It is returned by value, and an image's stack has 64 KiB.
    let size = size_of::<TestController>();
    assert!(size <= 8 * 1024 + 256, "{size} bytes");
}
