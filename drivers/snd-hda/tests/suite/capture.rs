//! Capture: every frame off the link arrives in memory, in order, before the position says so.

use crate::common::*;
use snd_hda::stream::{PositionChoice, PositionSource};
use snd_hda::{Controller, ControllerTraits, Direction, Format, SampleBits};
use snd_hda_model::{Bench, Codec, Faults, Model, Profile};

/// Records `frames` and reads each as soon as the position has passed it. Returns the source of the position.
fn record(model: &Model, format: Format, size_bytes: u32, frames: u64) -> PositionSource {
    record_by(PositionChoice::Auto, model, format, size_bytes, frames)
}

fn record_by(
    choice: PositionChoice,
    model: &Model,
    format: Format,
    size_bytes: u32,
    frames: u64,
) -> PositionSource {
    let mut controller = bring_up(model).expect("up");
    controller.set_position_choice(choice);
    record_with(controller, model, format, size_bytes, frames)
}

fn record_with(
    mut controller: TestController,
    model: &Model,
    format: Format,
    size_bytes: u32,
    frames: u64,
) -> PositionSource {
    let bits = format.sample_bits();
    model.set_source(0, 4, move |frame, channel| sample(bits, frame.index, channel as u64));
    let buffer = TestBuffer::new(model, size_bytes, Direction::Input);
    let pages = buffer.pages.clone();
    let frame_bytes = u64::from(format.frame_bytes());
    let buffer_frames = u64::from(size_bytes) / frame_bytes;
    let route = route(&controller, Direction::Input);
    let mut stream = open(&mut controller, route, format, buffer).start().expect("started");
    let mut read = 0;
    let mut source = PositionSource::Undecided;
    let give_up = model.now_ns() + 10_000 * MILLISECOND;
    while read < frames {
        assert!(model.now_ns() < give_up, "{format:?}: {read} frames, position from {source:?}");
        model.advance_ns(MILLISECOND / 2);
        let status = stream.poll();
        source = status.source;
        assert_eq!((status.fifo_errors, status.anomalies), (0, 0));
        assert!(status.position.bytes.is_multiple_of(frame_bytes));
        let valid = status.position.bytes / frame_bytes;
        assert!(valid - read <= buffer_frames, "more than the buffer at once: {read} to {valid}");
        let memory = read_pages(&model.memory(), &pages, size_bytes);
        for frame in read..valid {
            let place = (frame % buffer_frames * frame_bytes) as usize;
            let got = &memory[place..place + frame_bytes as usize];
            assert_eq!(got, signal(format, frame..frame + 1), "{format:?}: frame {frame} from {source:?}");
        }
        read = valid;
    }
    let (stream, _) = stream.stop().expect("stopped");
    let (stream, buffer) = stream.release().expect("released");
    controller.disconnect(route).expect("disconnected");
    controller.give_back(stream);
    drop(buffer);
    model.advance_ns(10 * MILLISECOND);
    model.assert_clean();
    source
}

fn wide() -> Profile {
    // Wide streams need more than one input line has.
    Profile { input_payload_words: 80, ..Profile::hardware() }
}

#[test]
fn is_exact_at_every_rate_depth_and_width() {
    for rate_hz in [44_100, 48_000, 88_200, 96_000, 192_000] {
        for bits in [SampleBits::Bits16, SampleBits::Bits20, SampleBits::Bits24, SampleBits::Bits32] {
            for channels in 1..=8 {
                let format = Format::new(rate_hz, bits, channels).expect("a format");
                let size_bytes = 10_000 / format.frame_bytes() * format.frame_bytes();
                let frames = u64::from(size_bytes / format.frame_bytes()) * 2;
                let model = Bench::new(wide()).codec(0, Codec::any_format(8)).build();
                let source = record(&model, format, size_bytes, frames);
                assert_eq!(source, PositionSource::Memory);
            }
        }
    }
}

#[test]
fn without_a_position_buffer_lpib_serves_and_the_fifo_is_allowed_for() {
    for format in [cd_like(), Format::new(192_000, SampleBits::Bits24, 6).expect("a format")] {
        let faults = Faults { position_buffer_dead: true, ..Faults::default() };
        let model = Bench::new(wide()).codec(0, Codec::any_format(8)).faults(faults).build();
        let size_bytes = 60_000 / format.frame_bytes() * format.frame_bytes();
        assert_eq!(record(&model, format, size_bytes, 10_000), PositionSource::Link);
    }
}

#[test]
fn whoever_is_told_to_reads_lpib_or_the_position_buffer() {
    for (choice, source) in
        [(PositionChoice::Link, PositionSource::Link), (PositionChoice::Memory, PositionSource::Memory)]
    {
        let model = Bench::new(wide()).codec(0, Codec::any_format(8)).build();
        assert_eq!(record_by(choice, &model, cd_like(), 60_000, 10_000), source);
    }
}

#[test]
fn a_position_buffer_that_is_known_to_lie_is_not_read() {
    let faults = Faults { position_buffer_ahead_bytes: 600, ..Faults::default() };
    let model = || Bench::new(wide()).codec(0, Codec::any_format(8)).faults(faults.clone()).build();
    let with = |model: &Model, positions| {
        let traits = ControllerTraits { positions, ..ControllerTraits::default() };
        Controller::bring_up_with(traits, model.registers(), &mut model.memory(), model.delay()).expect("up")
    };
    // Whoever doesn't know believes it, and would read what hasn't been recorded yet.
    let unknown = model();
    let mut controller = with(&unknown, PositionChoice::Auto);
    let input = route(&controller, Direction::Input);
    let buffer = TestBuffer::new(&unknown, 60_000, Direction::Input);
    let mut stream = open(&mut controller, input, cd_like(), buffer).start().expect("started");
    unknown.advance_ns(MILLISECOND);
    let status = stream.poll();
    assert_eq!(status.source, PositionSource::Memory);
    assert!(status.position.bytes > 600);

    let known = model();
    let controller = with(&known, PositionChoice::Link);
    assert_eq!(record_with(controller, &known, cd_like(), 60_000, 40_000), PositionSource::Link);

    // Somebody who says otherwise is heard all the same.
    let told = model();
    let mut controller = with(&told, PositionChoice::Link);
    controller.set_position_choice(PositionChoice::Memory);
    let buffer = TestBuffer::new(&told, 60_000, Direction::Input);
    let mut stream = open(&mut controller, input, cd_like(), buffer).start().expect("started");
    told.advance_ns(MILLISECOND);
    assert_eq!(stream.poll().source, PositionSource::Memory);
}

#[test]
fn is_exact_as_qemu_does_it() {
    let model = Bench::new(Profile::qemu()).codec(0, Codec::qemu_duplex()).build();
    record(&model, cd_like(), 65_536, 30_000);
}

#[test]
fn playback_and_capture_run_at_once() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let mut controller = bring_up(&model).expect("up");
    model.loop_back((0, 2), (0, 4), 48);
    let format = cd_like();
    let out = TestBuffer::new(&model, 65_536, Direction::Output);
    out.write(0, &signal(format, 0..16_384));
    let input = TestBuffer::new(&model, 65_536, Direction::Input);
    let (out_route, in_route) = (route(&controller, Direction::Output), route(&controller, Direction::Input));
    let out = open(&mut controller, out_route, format, out);
    let input = open(&mut controller, in_route, format, input);
    let ([_out, input], _) = snd_hda::stream::start_together([out, input]).expect("started");
    model.advance_ns(300 * MILLISECOND);
    let (input, status) = input.stop().expect("stopped");
    let heard = (status.position.bytes / 4) as usize;
    let (_, buffer) = input.release().expect("released");
    // What was played comes back 48 link frames later.
    assert!((14_300..14_500).contains(&heard), "{heard}");
    assert!(buffer.read()[..48 * 4].iter().all(|byte| *byte == 0));
    assert_eq!(buffer.read()[48 * 4..heard * 4], signal(format, 0..heard as u64 - 48));
}
