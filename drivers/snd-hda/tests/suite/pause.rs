//! Pause and resume, on hardware that goes on where it was and on hardware that starts its list over.

use crate::common::*;
use snd_hda::{Direction, Format, SampleBits};
use snd_hda_model::{Bench, Codec, Model, Profile};

fn open_output(model: &Model, format: Format, size_bytes: u32) -> (TestController, ConfiguredStream) {
    let mut controller = bring_up(model).expect("up");
    let buffer = TestBuffer::new(model, size_bytes, Direction::Output);
    buffer.write(0, &signal(format, 0..u64::from(size_bytes / format.frame_bytes())));
    let route = route(&controller, Direction::Output);
    let stream = open(&mut controller, route, format, buffer);
    (controller, stream)
}

#[test]
fn goes_on_exactly_where_it_was() {
    let format = cd_like();
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).build();
    let (_controller, stream) = open_output(&model, format, 65_536);
    let mut stream = stream.start().expect("started");
    let mut last = 0;
    for n in 1..40_u64 {
        model.advance_ns(3 * MILLISECOND + n * 77_777);
        let mut paused = stream.pause().expect("paused");
        let position = paused.status().position.bytes;
        assert!(position >= last);
        let played = model.played(0, 2).len() as u64;
        assert!(played * 4 >= position && played * 4 <= position + 8, "{played} {position}");
        model.advance_ns(n * MILLISECOND);
        assert_eq!(model.played(0, 2).len() as u64, played, "silent while paused");
        assert_eq!(paused.status().position.bytes, position);
        stream = paused.resume().expect("resumed");
        let now = stream.poll().position.bytes;
        assert!(now >= position && now <= position + 16, "{position} {now}");
        last = now;
    }
    let played = model.played(0, 2);
    for index in 0..played.len() {
        let frame = index as u64 % 16_384;
        assert_eq!(
            played.frame(index),
            [sample(SampleBits::Bits16, frame, 0), sample(SampleBits::Bits16, frame, 1)]
        );
    }
    assert_eq!(stream.poll().anomalies, 0);
    drop(stream);
    model.assert_clean();
}

/// Pauses and resumes on hardware that starts its list over: what is played goes on at the pause, with no more than
/// `repeated_frames` played again each time, and the position goes on and keeps its place in the buffer.
fn goes_on_over_a_restart(profile: Profile, format: Format, size_bytes: u32, repeated_frames: u64) {
    let frame_bytes = u64::from(format.frame_bytes());
    let model = Bench::new(profile).codec(0, Codec::any_format(8)).build();
    let (_controller, stream) = open_output(&model, format, size_bytes);
    let index = usize::from(stream.index());
    let buffer_frames = u64::from(size_bytes) / frame_bytes;
    let mut stream = stream.start().expect("started");
    let mut last = 0;
    for n in 1..30_u64 {
        model.advance_ns(4 * MILLISECOND + n * 177_777);
        let mut paused = stream.pause().expect("paused");
        let position = paused.status().position.bytes;
        assert!(position >= last && position.is_multiple_of(frame_bytes));
        let _ = model.take_played(0, 2);
        model.advance_ns(MILLISECOND);
        let _ = model.take_played(0, 2);
        let at_pause = model.dma_position(index);
        stream = paused.resume().expect("resumed");
        let now = stream.poll().position.bytes;
        assert!(now >= position && now <= position + 16 * frame_bytes, "{position} {now}");
        model.advance_ns(2 * MILLISECOND);
        let played = model.take_played(0, 2);
        let place = position / frame_bytes % buffer_frames;
        let first: Vec<i32> = played.frame(0).to_vec();
        let heard_from = (0..=repeated_frames).find(|back| {
            let frame = (place + buffer_frames - back) % buffer_frames;
            (0..format.channels()).all(|channel| {
                first[usize::from(channel)] == sample(format.sample_bits(), frame, channel.into())
            })
        });
        assert!(heard_from.is_some(), "pause {n} at frame {place}, DMA at {at_pause}: {first:?}");
        last = stream.poll().position.bytes;
        assert!(last >= now);
    }
    // The position still names the place in the buffer that is played: what comes next is what it says.
    assert_eq!(stream.poll().anomalies, 0);
    drop(stream);
    model.assert_clean();
}

fn restarting() -> Profile {
    Profile { run_restarts_list: true, ..Profile::hardware() }
}

#[test]
fn goes_on_within_128_bytes_where_the_list_starts_over() {
    goes_on_over_a_restart(restarting(), cd_like(), 65_536, 128 / 4);
    goes_on_over_a_restart(restarting(), cd_like(), 4096, 128 / 4);
    let three = Format::new(48_000, SampleBits::Bits16, 3).expect("a format");
    goes_on_over_a_restart(restarting(), three, 12_288 + 6 * 100, 384 / 6);
}

#[test]
fn a_list_that_is_full_starts_over_at_a_page() {
    goes_on_over_a_restart(restarting(), cd_like(), 256 * 4096, 4096 / 4);
}

#[test]
fn qemu_s_position_goes_on_and_stays_in_place() {
    let format = cd_like();
    let model = Bench::new(Profile::qemu()).codec(0, Codec::qemu_output()).build();
    let (_controller, stream) = open_output(&model, format, 65_536);
    let index = usize::from(stream.index());
    let mut stream = stream.start().expect("started");
    let mut last = 0;
    let mut origin = 0;
    for n in 1..60_u64 {
        model.advance_ns(50 * MILLISECOND + n * 333_333);
        // A poll takes time, in which a step may fall.
        let dma = |origin| (origin + u64::from(model.dma_position(index))) % 65_536;
        let before = dma(origin);
        let status = stream.poll();
        assert!(status.position.bytes >= last, "{n}: {} after {last}", status.position.bytes);
        assert_eq!(status.anomalies, 0, "{n}");
        assert!([before, dma(origin)].contains(&(status.position.bytes % 65_536)), "{n}");
        let mut paused = stream.pause().expect("paused");
        let position = paused.status().position.bytes;
        model.advance_ns(10 * MILLISECOND);
        stream = paused.resume().expect("resumed");
        // The list now starts at the multiple of 128 before the pause.
        origin = position % 65_536 / 128 * 128;
        last = position;
    }
    assert!(last > 8 * 65_536, "{last}");
}

#[test]
fn a_capture_goes_on_too() {
    for profile in [Profile::hardware(), restarting(), Profile::qemu()] {
        let model = Bench::new(profile).codec(0, Codec::qemu_duplex()).build();
        let mut controller = bring_up(&model).expect("up");
        let buffer = TestBuffer::new(&model, 65_536, Direction::Input);
        let route = route(&controller, Direction::Input);
        let mut stream = open(&mut controller, route, cd_like(), buffer).start().expect("started");
        let mut last = 0;
        for n in 1..30_u64 {
            model.advance_ns(60 * MILLISECOND + n * 333_333);
            let status = stream.poll();
            assert!(status.position.bytes > last, "{n}: {} after {last}", status.position.bytes);
            last = status.position.bytes;
            let mut paused = stream.pause().expect("paused");
            assert!(paused.status().position.bytes >= last);
            last = paused.status().position.bytes;
            stream = paused.resume().expect("resumed");
        }
        assert!(last > 65_536);
    }
}

#[test]
fn stop_after_a_pause_forgets_the_position_and_start_begins_anew() {
    for profile in [Profile::hardware(), Profile::qemu()] {
        let model = Bench::new(profile).codec(0, Codec::output()).build();
        let (_controller, stream) = open_output(&model, cd_like(), 65_536);
        let stream = stream.start().expect("started");
        model.advance_ns(100 * MILLISECOND);
        let paused = stream.pause().expect("paused");
        let (configured, status) = paused.stop().expect("stopped");
        assert!(status.position.bytes > 4 * 4_000);
        let _ = model.take_played(0, 2);
        model.advance_ns(50 * MILLISECOND);
        let _ = model.take_played(0, 2);
        let mut stream = configured.start().expect("started");
        assert!(stream.poll().position.bytes < 4 * 100);
        model.advance_ns(100 * MILLISECOND);
        assert!(frames_exact(&model.played(0, 2), cd_like(), 0) > 3_000);
    }
}

#[test]
fn that_the_list_starts_over_is_learned_once() {
    let model = Bench::new(restarting()).codec(0, Codec::output()).build();
    let (mut controller, mut stream) = open_output(&model, cd_like(), 65_536);
    let mut accesses = Vec::new();
    for _ in 0..2 {
        let running = stream.start().expect("started");
        model.advance_ns(5 * MILLISECOND);
        let paused = running.pause().expect("paused");
        let before = model.accesses_left();
        let running = paused.resume().expect("resumed");
        accesses.push(before - model.accesses_left());
        let (configured, _) = running.stop().expect("stopped");
        let (reset, buffer) = configured.release().expect("released");
        controller.give_back(reset);
        let reset = controller.take_stream(Direction::Output).expect("a descriptor");
        stream = reset.configure(cd_like(), buffer).expect("configured");
    }
    // The second one doesn't try, look and stop first.
    assert!(accesses[1] < accesses[0], "{accesses:?}");
}

#[test]
fn a_resume_that_cannot_rewrite_the_list_keeps_the_stream() {
    let model = Bench::new(restarting()).codec(0, Codec::output()).build();
    let (_controller, stream) = open_output(&model, cd_like(), 65_536);
    let index = stream.index();
    let running = stream.start().expect("started");
    model.advance_ns(5 * MILLISECOND);
    let paused = running.pause().expect("paused");
    model.edit_faults(|faults| faults.stream_reset_never_left = 1 << index);
    let refused = paused.resume().expect_err("SRST sticks");
    assert_eq!((refused.deadline.register, refused.deadline.mask), ("SDnCTL", 1));
    let (configured, _) = refused.stream.stop().expect("stopped");
    let refused = configured.start().expect_err("SRST sticks");
    model.edit_faults(|faults| faults.stream_reset_never_left = 0);
    let running = refused.stream.start().expect("started");
    model.advance_ns(5 * MILLISECOND);
    let (configured, status) = running.stop().expect("stopped");
    assert!(status.position.bytes > 4 * 200);
    let (_, buffer) = configured.release().expect("released");
    drop(buffer);
    model.advance_ns(5 * MILLISECOND);
    model.assert_clean();
}
