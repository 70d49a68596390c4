//! Buffers: what a descriptor list can say is played, what it can't is refused before a register is touched.

use crate::common::*;
use snd_hda::stream::{BufferError, ConfigureError};
use snd_hda::{Controller, ControllerTraits, Direction, Format, SampleBits};
use snd_hda_model::{Bench, Codec, DmaAccess, Model, Profile};

fn model() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::output()).build()
}

/// Plays the buffer once and a bit, and holds it against what arrived.
fn play_once(model: &Model, buffer: TestBuffer) {
    let mut controller = bring_up(model).expect("up");
    let format = cd_like();
    let frames = u64::from(buffer.size_bytes / 4);
    buffer.write(0, &signal(format, 0..frames));
    let route = route(&controller, Direction::Output);
    let mut stream = open(&mut controller, route, format, buffer).start().expect("started");
    while stream.poll().position.bytes < frames * 4 {
        model.advance_ns((frames * 1_000_000_000 / 48_000 / 4).max(100_000));
    }
    let played = model.played(0, 2);
    for (index, frame) in (0..played.len()).map(|index| (index, index as u64 % frames)) {
        let expected = [sample(SampleBits::Bits16, frame, 0), sample(SampleBits::Bits16, frame, 1)];
        assert_eq!(played.frame(index), expected, "frame {index}");
    }
    assert!(played.len() as u64 >= frames);
    drop(stream);
    model.assert_clean();
}

fn refused(model: &Model, pages: Vec<u64>, size_bytes: u32, format: Format) -> BufferError {
    let mut controller = bring_up(model).expect("up");
    let stream = controller.take_stream(Direction::Output).expect("a descriptor");
    let buffer = TestBuffer::of_pages(model, pages, size_bytes, Direction::Output);
    let before = model.accesses_left();
    let rejected = stream.configure(format, buffer).expect_err("refused");
    assert_eq!(model.accesses_left(), before, "a register was touched");
    assert!(!rejected.buffer.is_dropped.get());
    controller.give_back(rejected.stream);
    match rejected.error {
        ConfigureError::Buffer(error) => error,
        other => panic!("{other}"),
    }
}

fn pages(model: &Model, count: usize) -> Vec<u64> {
    (0..count).map(|_| model.memory().allocate_page().0).collect()
}

#[test]
fn pages_in_any_order_and_anywhere_are_played_in_the_guest_s_order() {
    let model = model();
    let addresses = [0x7_0000_0000, 0x1_2345_6000, 0x0fff_f000, 0x2_0000_0000, 0x0400_0000];
    for address in addresses {
        model.memory().allocate_page_at(address);
    }
    let buffer = TestBuffer::of_pages(&model, addresses.to_vec(), 5 * 4096, Direction::Output);
    play_once(&model, buffer);
}

#[test]
fn a_buffer_that_ends_inside_a_page_is_played_to_its_end() {
    for size_bytes in [4 * 4096 + 4, 3 * 4096 - 4, 4096 + 2048, 8192] {
        let model = model();
        let buffer = TestBuffer::new(&model, size_bytes, Direction::Output);
        play_once(&model, buffer);
    }
}

#[test]
fn a_single_page_makes_two_descriptors() {
    for size_bytes in [4096, 256, 260, 1000] {
        let model = model();
        let buffer = TestBuffer::new(&model, size_bytes, Direction::Output);
        play_once(&model, buffer);
    }
}

#[test]
fn two_hundred_and_fifty_six_pages_are_played() {
    let model = model();
    let buffer = TestBuffer::new(&model, 256 * 4096, Direction::Output);
    play_once(&model, buffer);
}

#[test]
fn one_page_more_is_refused() {
    let model = model();
    let error = refused(&model, pages(&model, 257), 257 * 4096, cd_like());
    assert_eq!(error, BufferError::TooManyPages { pages: 257 });
}

#[test]
fn a_length_that_does_not_end_in_the_last_page_is_refused() {
    let model = model();
    for (count, size_bytes) in [(2, 4096), (2, 8196), (0, 256), (1, 0), (3, 8192)] {
        let error = refused(&model, pages(&model, count), size_bytes, cd_like());
        assert_eq!(error, BufferError::LengthMismatch { size_bytes, pages: count });
    }
}

#[test]
fn a_buffer_too_short_for_two_descriptors_is_refused() {
    let model = model();
    let error = refused(&model, pages(&model, 1), 252, cd_like());
    assert_eq!(error, BufferError::TooShort { size_bytes: 252 });
}

#[test]
fn an_odd_length_is_refused() {
    let model = model();
    let bytes = Format::new(48_000, SampleBits::Bits8, 1).expect("a format");
    let error = refused(&model, pages(&model, 1), 1001, bytes);
    assert_eq!(error, BufferError::OddLength { size_bytes: 1001 });
}

#[test]
fn a_part_of_a_frame_is_refused() {
    let model = model();
    let three = Format::new(48_000, SampleBits::Bits16, 3).expect("a format");
    let error = refused(&model, pages(&model, 2), 8192, three);
    assert_eq!(error, BufferError::NotWholeFrames { size_bytes: 8192, frame_bytes: 6 });
}

#[test]
fn an_address_that_is_not_a_multiple_of_128_is_refused() {
    let model = model();
    model.memory().allocate_page_at(0x5000_0000);
    model.memory().allow_dma(0x5000_0000, DmaAccess::Read);
    let error = refused(&model, vec![0x5000_0040], 4096, cd_like());
    assert_eq!(error, BufferError::Misaligned { address: 0x5000_0040 });
}

#[test]
fn an_address_beyond_4_gib_is_refused_without_64ok() {
    let profile = Profile { addresses_64bit: false, ..Profile::hardware() };
    let model = Bench::new(profile).codec(0, Codec::output()).build();
    model.memory().allocate_page_at(0x1_0000_0000);
    model.memory().allocate_page_at(0xffff_f000);
    let error = refused(&model, vec![0xffff_f000, 0x1_0000_0000], 8192, cd_like());
    assert_eq!(error, BufferError::AddressTooHigh { address: 0x1_0000_0000 });
    // The last page below is no trouble.
    play_once(&model, TestBuffer::of_pages(&model, vec![0xffff_f000], 4096, Direction::Output));
}

#[test]
fn an_address_beyond_what_the_kind_of_controller_reaches_is_refused() {
    let model = model();
    let (last, beyond) = (0xff_ffff_f000, 0x100_0000_0000);
    let traits = ControllerTraits { address_bits: 40, ..ControllerTraits::default() };
    let mut controller =
        Controller::bring_up_with(traits, model.registers(), &mut model.memory(), model.delay()).expect("up");
    for page in [last, beyond] {
        model.memory().allocate_page_at(page);
        let buffer = TestBuffer::of_pages(&model, vec![page], 4096, Direction::Output);
        let stream = controller.take_stream(Direction::Output).expect("a stream");
        match stream.configure(cd_like(), buffer) {
            Ok(_) => assert_eq!(page, last),
            Err(rejected) => {
                assert_eq!(page, beyond);
                let expected = BufferError::AddressTooHigh { address: beyond };
                assert_eq!(rejected.error, ConfigureError::Buffer(expected));
            }
        }
    }
}
