//! Linked start: in the same link frame by SSYNC; else back to back, and the result says so.

use crate::common::*;
use snd_hda::stream::{StartMethod, start_together};
use snd_hda::{Direction, RouteIndex};
use snd_hda_model::{Bench, Codec, Faults, Model, Profile};

fn four_codecs(profile: Profile) -> Model {
    (0..4).fold(Bench::new(profile), |bench, at| bench.codec(at, Codec::duplex())).build()
}

/// Four outputs and two inputs.
fn streams(model: &Model, controller: &mut TestController) -> [ConfiguredStream; 6] {
    let format = cd_like();
    std::array::from_fn(|n| {
        let direction = controller.routes()[n].direction();
        assert_eq!(direction == Direction::Output, n < 4);
        let buffer = TestBuffer::new(model, 16_384, direction);
        if direction == Direction::Output {
            buffer.write(0, &signal(format, 0..4096));
        }
        open(controller, RouteIndex(n as u8), format, buffer)
    })
}

#[test]
fn all_start_in_the_same_link_frame_wherever_ssync_is() {
    for offset in [0x38, 0x34] {
        let model = four_codecs(Profile { stream_sync_offset: Some(offset), ..Profile::hardware() });
        let mut controller = bring_up(&model).expect("up");
        assert!(controller.has_linked_start());
        let configured = streams(&model, &mut controller);
        let indices: Vec<u8> = configured.iter().map(|stream| stream.index()).collect();
        let (running, started) = start_together(configured).expect("started");
        model.advance_ns(20 * MILLISECOND);
        assert_eq!(started.method, StartMethod::Synchronized { ssync_offset_bytes: offset });
        assert!(started.fifos_ready);
        let frames: Vec<_> = indices.iter().map(|n| model.start_link_frame(usize::from(*n))).collect();
        assert!(frames.iter().all(|frame| frame.is_some() && *frame == frames[0]), "{frames:?}");
        let first = frames[0].expect("started") * 500;
        assert!(started.wall_clock.before <= first);
        assert!(first <= started.wall_clock.after + 500);
        for codec in 0..4 {
            assert!(frames_exact(&model.played(codec, 2), cd_like(), 0) > 900);
        }
        drop(running);
        model.assert_clean();
    }
}

#[test]
fn without_ssync_they_start_back_to_back() {
    let model = four_codecs(Profile { stream_sync_offset: None, ..Profile::hardware() });
    let mut controller = bring_up(&model).expect("up");
    assert!(!controller.has_linked_start());
    let configured = streams(&model, &mut controller);
    let indices: Vec<u8> = configured.iter().map(|stream| stream.index()).collect();
    let (_running, started) = start_together(configured).expect("started");
    assert_eq!(started.method, StartMethod::BackToBack);
    model.advance_ns(20 * MILLISECOND);
    for index in indices {
        let start = model.start_link_frame(usize::from(index)).expect("started") * 500;
        assert!(started.wall_clock.before <= start);
        // Hardware fills an output's FIFO first.
        assert!(start <= started.wall_clock.after + 20 * 500, "{start} {started:?}");
    }
}

#[test]
fn a_fifo_that_is_never_ready_is_told_and_does_not_hang() {
    let model = four_codecs(Profile::hardware());
    let mut controller = bring_up(&model).expect("up");
    let configured = streams(&model, &mut controller);
    let index = configured[1].index();
    model.edit_faults(|faults: &mut Faults| faults.fifo_never_ready = 1 << index);
    let (_running, started) = start_together(configured).expect("started");
    assert!(!started.fifos_ready);
}

#[test]
fn streams_start_together_again_after_a_stop() {
    let model = four_codecs(Profile::hardware());
    let mut controller = bring_up(&model).expect("up");
    let [a, b, ..] = streams(&model, &mut controller);
    let indices = [usize::from(a.index()), usize::from(b.index())];
    let ([a, b], _) = start_together([a, b]).expect("started");
    model.advance_ns(7 * MILLISECOND);
    let a = a.stop().expect("stopped").0;
    let b = b.stop().expect("stopped").0;
    for codec in 0..2 {
        let _ = model.take_played(codec, 2);
    }
    let (running, _) = start_together([a, b]).expect("started again");
    model.advance_ns(7 * MILLISECOND);
    assert_eq!(model.start_link_frame(indices[0]), model.start_link_frame(indices[1]));
    assert!(frames_exact(&model.played(0, 2), cd_like(), 0) > 300);
    assert!(frames_exact(&model.played(1, 2), cd_like(), 0) > 300);
    drop(running);
}
