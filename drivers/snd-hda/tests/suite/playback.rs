//! Playback: every byte of the buffer goes over the link once, in order, from START on.

use crate::common::*;
use snd_hda::{Direction, Format, SampleBits};
use snd_hda_model::{Bench, Codec, Profile};

/// Plays `rounds` times round the buffer, refilling behind the position, and holds everything against what arrived
/// at the converter.
fn play(profile: Profile, codec: Codec, format: Format, size_bytes: u32, rounds: u64) {
    let mut profile = profile;
    // Wide streams need more than one output line has.
    profile.output_payload_words = profile.output_payload_words.max(80);
    let model_is_qemu = profile.run_restarts_list;
    let model = Bench::new(profile).codec(0, codec).build();
    let mut controller = bring_up(&model).expect("up");
    let frame_bytes = u64::from(format.frame_bytes());
    let buffer_frames = u64::from(size_bytes) / frame_bytes;
    let buffer = TestBuffer::new(&model, size_bytes, Direction::Output);
    buffer.write(0, &signal(format, 0..buffer_frames));
    let pages = buffer.pages.clone();
    let route = route(&controller, Direction::Output);
    let mut stream = open(&mut controller, route, format, buffer).start().expect("started");
    let mut written = buffer_frames;
    while written < rounds * buffer_frames {
        model.advance_ns(MILLISECOND / 2);
        let played = stream.poll().position.bytes / frame_bytes;
        // DMA is ahead of the link by what the FIFO holds; what the position has passed is free for sure.
        let free_to = played + buffer_frames;
        for frame in written..free_to {
            let place = frame % buffer_frames * frame_bytes;
            write_pages(&model.memory(), &pages, place as u32, &signal(format, frame..frame + 1));
        }
        written = written.max(free_to);
    }
    let status = stream.poll();
    assert_eq!((status.fifo_errors, status.descriptor_errors, status.anomalies), (0, 0, 0));
    let (stream, last) = stream.stop().expect("stopped");
    let exact = frames_exact(&model.played(0, 2), format, 0);
    // QEMU counts ahead of what it has played, and at a stop drops what its codec's buffer holds.
    let dropped = if model_is_qemu { 2048 } else { 0 };
    assert!(exact + dropped >= (rounds - 1) * buffer_frames, "{exact} frames of {format:?}");
    assert!(last.position.bytes.is_multiple_of(frame_bytes));
    assert!(exact + dropped >= last.position.bytes / frame_bytes);
    let (stream, buffer) = stream.release().expect("released");
    controller.disconnect(route).expect("disconnected");
    controller.give_back(stream);
    drop(buffer);
    model.advance_ns(10 * MILLISECOND);
    model.assert_clean();
}

#[test]
fn is_exact_at_every_rate_depth_and_width() {
    for rate_hz in [44_100, 48_000, 88_200, 96_000, 192_000] {
        for bits in [SampleBits::Bits16, SampleBits::Bits20, SampleBits::Bits24, SampleBits::Bits32] {
            for channels in 1..=8 {
                let format = Format::new(rate_hz, bits, channels).expect("a format");
                // Three pages, the last in part: frames of 6, 12, 20... bytes straddle pages.
                let size_bytes = 10_000 / format.frame_bytes() * format.frame_bytes();
                play(Profile::hardware(), Codec::any_format(8), format, size_bytes, 3);
            }
        }
    }
}

#[test]
fn is_exact_at_the_slow_rates() {
    for rate_hz in [8_000, 11_025, 16_000, 22_050, 32_000, 176_400] {
        for bits in [SampleBits::Bits8, SampleBits::Bits16] {
            let format = Format::new(rate_hz, bits, 2).expect("a format");
            play(Profile::hardware(), Codec::any_format(8), format, 8192, 2);
        }
    }
}

#[test]
fn is_exact_as_qemu_does_it() {
    play(Profile::qemu(), Codec::qemu_output(), cd_like(), 65_536, 3);
}
