//! What is at the link, through the whole driver on the model.

use crate::common::*;
use audioback::card::{
    Card, LinkPosition, LinkedStart, PortIndex, PositionLock, PositionSource, StreamParams,
};
use snd_hda_model::{Bench, Codec, DmaAccess, LinkPositionFault, Model, Profile};
use sndif::control_page::{Slot, SlotState};
use sndif::format::SampleFormat;

/// Thousandths of a frame at a time, by what was published.
fn milliframes(link: &LinkPosition, at_ns: u64) -> i128 {
    let since_q32 = (i128::from(at_ns) - i128::from(link.time.0)) << 32;
    i128::from(link.link_frames) * 1000 + since_q32 * 1000 / i128::from(link.ns_per_frame_q32)
}

/// What was published, followed through the link's cadence by the front end's reader, if that is told.
fn followed_milliframes(link: &LinkPosition, at_ns: u64) -> Option<i128> {
    let slot = Slot {
        state: SlotState::Running,
        lock: Some(PositionLock::Locked),
        link_frames: link.link_frames,
        time_ns: link.time.0,
        ns_per_frame_q32: link.ns_per_frame_q32,
        cadence: Some(link.cadence?),
        ..Slot::default()
    };
    Some((i128::from(slot.carried_q16_at(at_ns)?) * 1000) >> 16)
}

/// Asserts that what was published holds now, and returns by how much it is off, in thousandths of a frame: followed through the link's
/// cadence, if that is told.
fn check(model: &Model, stream: usize, link: &LinkPosition) -> u64 {
    if model.now_ns() < link.time.0 {
        // It has yet to begin.
        return 0;
    }
    let truth = i128::from(model.true_link_milliframes(stream));
    let mut off = milliframes(link, model.now_ns()).abs_diff(truth);
    let bound = (u128::from(link.error_ns) << 32) * 1000 / u128::from(link.ns_per_frame_q32) + 2;
    assert!(off <= bound, "{off} thousandths of a frame off, bound {bound}: {link:?}");
    if let Some(followed) = followed_milliframes(link, model.now_ns()) {
        off = followed.abs_diff(truth);
        assert!(off <= bound, "{off} thousandths of a frame off by the cadence, bound {bound}: {link:?}");
    }
    off as u64
}

fn look(card: &mut TestCard, stream: &mut TestStream) -> LinkPosition {
    card.position(stream).expect("a position").link.expect("at the link")
}

fn bench(profile: Profile, drift_ppm: i32) -> Model {
    Bench::new(profile).codec(0, Codec::any_format(2)).drift_ppm(drift_ppm).without_recording().build()
}

#[test]
fn is_within_its_bound_and_locks_to_a_frame() {
    for rate_hz in RATES {
        for drift_ppm in [-500, 500] {
            // 10 ms before the wall clock wraps.
            let profile = Profile { wall_clock_start: u32::MAX - 240_000, ..Profile::hardware() };
            let model = bench(profile, drift_ppm);
            let mut card = card(&model);
            let params = StreamParams { rate_hz, format: SampleFormat::S16Le, channels: 2 };
            let mut streams: Vec<_> = [0, 1]
                .map(|port| {
                    let buffer = Mapped::new(&model, 65_536, DmaAccess::ReadWrite);
                    card.open(PortIndex(port), &params, buffer)
                        .map_err(|failure| failure.error())
                        .expect("open")
                })
                .into();
            let [playback, capture] = &mut streams[..] else { panic!("two streams") };
            card.start_together(&mut [playback, capture]).expect("started");
            let mut last = [0; 2];
            for round in 0..100_u64 {
                for (index, (stream, last)) in [4, 0].into_iter().zip(streams.iter_mut().zip(&mut last)) {
                    let link = look(&mut card, stream);
                    assert!(link.link_frames >= *last);
                    *last = link.link_frames;
                    check(&model, index, &link);
                    model.advance_ns(1_000_000 + round * 77_777);
                    let off = check(&model, index, &link);
                    if round > 20 {
                        assert_eq!(link.lock, PositionLock::Locked, "{rate_hz} Hz: {link:?}");
                        assert!(off <= 1_000, "{rate_hz} Hz, {drift_ppm} ppm: {off}");
                    }
                    model.refill_access_budget(100_000);
                }
            }
            let [playback, capture] = [0, 1].map(|n| look(&mut card, &mut streams[n]));
            assert_eq!(playback.start_wall_ticks, capture.start_wall_ticks);
            assert_eq!(Some(playback.start_wall_ticks / 500), model.start_link_frame(4));
            assert_eq!(playback.source, PositionSource::Link);
            for stream in streams {
                card.close(stream).expect("closed");
            }
        }
    }
}

const RATES: [u32; 11] =
    [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

#[test]
fn a_place_that_nobody_wanted_is_known_later_only_if_the_start_tells_it() {
    for (profile, is_known) in [(Profile::hardware(), true), (Profile::qemu(), false)] {
        let model = bench(profile, 137);
        let mut card = card(&model);
        let params = StreamParams { rate_hz: 48_000, format: SampleFormat::S16Le, channels: 2 };
        let buffer = Mapped::new(&model, 65_536, DmaAccess::Read);
        let opened = card.open(PortIndex(0), &params, buffer).map_err(|failure| failure.error());
        let mut stream = opened.expect("open");
        card.set_link_wanted(&mut stream, false);
        card.start(&mut stream).expect("started");
        for _ in 0..20 {
            model.advance_ns(7_000_000);
            assert_eq!(card.position(&mut stream).expect("a position").link, None);
        }
        card.set_link_wanted(&mut stream, true);
        let link = card.position(&mut stream).expect("a position").link;
        assert_eq!(link.is_some(), is_known);
        if let Some(link) = link {
            check(&model, 4, &link);
        }
        card.close(stream).expect("closed");
    }
}

#[test]
fn a_pause_before_the_first_look_leaves_the_place_known() {
    for (is_wanted, run_ns) in [(true, 0), (true, 7_000_000), (false, 0), (false, 7_000_000)] {
        let model = bench(Profile::hardware(), 137);
        let mut card = card(&model);
        let params = StreamParams { rate_hz: 48_000, format: SampleFormat::S16Le, channels: 2 };
        let buffer = Mapped::new(&model, 65_536, DmaAccess::Read);
        let opened = card.open(PortIndex(0), &params, buffer).map_err(|failure| failure.error());
        let mut stream = opened.expect("open");
        card.set_link_wanted(&mut stream, is_wanted);
        card.start(&mut stream).expect("started");
        model.advance_ns(run_ns);
        if !is_wanted && run_ns > 0 {
            let position = card.position(&mut stream).expect("a position");
            assert!(position.bytes > 0 && position.link.is_none(), "{position:?}");
        }
        card.pause(&mut stream).expect("paused");
        model.advance_ns(5_000_000);
        card.resume(&mut stream).expect("resumed");
        model.advance_ns(20_000_000);
        card.set_link_wanted(&mut stream, true);
        let link = look(&mut card, &mut stream);
        check(&model, 4, &link);
        assert_eq!(Some(link.start_wall_ticks / 500), model.start_link_frame(4), "{is_wanted}, {run_ns} ns");
        card.close(stream).expect("closed");
    }
}

#[test]
fn slow_reads_don_t_spoil_a_start() {
    let (mut resumes, mut resumes_without_cadence) = (0, 0);
    for rate_hz in RATES {
        for (drift_ppm, step_link_frames) in [(-500, 1), (500, 1), (-123, 48), (321, 480)] {
            let profile = Profile { slow_read_ns: 100_000, ..Profile::hardware() };
            let model = bench(profile, drift_ppm);
            if step_link_frames > 1 {
                let link_frames = step_link_frames;
                model.edit_faults(|faults| faults.link_position = LinkPositionFault::Coarse { link_frames });
            }
            let mut card = card(&model);
            let params = StreamParams { rate_hz, format: SampleFormat::S16Le, channels: 2 };
            let buffer = Mapped::new(&model, 65_536, DmaAccess::Read);
            let opened = card.open(PortIndex(0), &params, buffer).map_err(|failure| failure.error());
            let mut stream = opened.expect("open");
            for start in 0..10_u64 {
                // The clocks are to be compared some time before.
                model.advance_ns(100_000_000 + start * 12_345_678);
                card.start(&mut stream).expect("started");
                for round in 0..30 {
                    // One that goes in steps may be taken for one that starts over.
                    if round == 20 && step_link_frames == 1 {
                        card.pause(&mut stream).expect("paused");
                        model.advance_ns(5_000_000 + start * 77_777);
                        card.resume(&mut stream).expect("resumed");
                        resumes += 1;
                    }
                    let link = look(&mut card, &mut stream);
                    let about = (rate_hz, drift_ppm, step_link_frames, start, round);
                    assert_eq!(Some(link.start_wall_ticks / 500), model.start_link_frame(4), "{about:?}");
                    for _ in 0..4 {
                        let off = check(&model, 4, &link);
                        if round >= 20 && link.cadence.is_none() {
                            // At a low rate a slow reading at the pause may leave it open where in a frame it was.
                            let frame_ns = 1_000_000_000 / u64::from(rate_hz);
                            assert!(u64::from(link.error_ns) <= frame_ns, "{about:?} {link:?}");
                            resumes_without_cadence += u32::from(round == 20);
                            break;
                        }
                        assert!(link.cadence.is_some(), "{about:?} {link:?}");
                        assert!(off <= 1_000, "{about:?}: {off}");
                        model.advance_ns(1_000_000 + round * 50_000);
                    }
                }
                card.stop(&mut stream).expect("stopped");
                model.refill_access_budget(100_000);
            }
            card.close(stream).expect("closed");
        }
    }
    assert!(resumes_without_cadence * 50 <= resumes, "{resumes_without_cadence} of {resumes}");
}

#[test]
fn the_distance_of_a_linked_start_is_zero_frames_over_1000_restarts() {
    let model = bench(Profile::hardware(), 137);
    let mut card = card(&model);
    let (mut playback, mut capture) = (open(&mut card, &model, 0), open(&mut card, &model, 1));
    let mut generation = 0;
    for restart in 0..1_000_u64 {
        let how = card.start_together(&mut [&mut playback, &mut capture]);
        assert_eq!(how, Ok(LinkedStart::SameFrame));
        for _ in 0..4 {
            model.advance_ns(300_000 + restart * 1_111 % 900_000);
            let out = look(&mut card, &mut playback);
            let input = look(&mut card, &mut capture);
            assert_eq!(out.start_wall_ticks, input.start_wall_ticks, "restart {restart}");
            assert_eq!(Some(out.start_wall_ticks), model.start_link_frame(4).map(|frame| frame * 500));
            check(&model, 0, &input);
            assert!(out.generation > generation);
        }
        generation = look(&mut card, &mut playback).generation;
        card.stop(&mut playback).expect("stopped");
        card.stop(&mut capture).expect("stopped");
        model.refill_access_budget(100_000);
    }
    card.close(playback).expect("closed");
    card.close(capture).expect("closed");
}

#[test]
fn goes_on_over_pauses_of_minutes_with_steps_of_10_ms() {
    let model = bench(Profile::hardware(), -300);
    let mut card = card(&model);
    let mut stream = open(&mut card, &model, 0);
    model.edit_faults(|faults| faults.link_position = LinkPositionFault::Coarse { link_frames: 480 });
    card.start(&mut stream).expect("started");
    let start = look(&mut card, &mut stream).start_wall_ticks;
    for round in 0..20 {
        for _ in 0..50 {
            let link = look(&mut card, &mut stream);
            check(&model, 4, &link);
            assert_eq!(link.start_wall_ticks, start);
            model.advance_ns(7_654_321);
            let off = check(&model, 4, &link);
            assert!(link.lock == PositionLock::Coarse || off <= 1_000, "{off}");
        }
        assert_eq!(look(&mut card, &mut stream).lock, PositionLock::Locked, "round {round}");
        card.pause(&mut stream).expect("paused");
        // Longer than the wall clock's wrap.
        model.advance_ns(400_000_000_000);
        card.resume(&mut stream).expect("resumed");
        model.refill_access_budget(100_000);
    }
    card.close(stream).expect("closed");
}

#[test]
fn a_source_that_cannot_be_believed_is_left_and_the_bound_holds() {
    for (fault, source) in [
        (LinkPositionFault::Zero, PositionSource::Memory),
        (LinkPositionFault::Garbage { seed: 7 }, PositionSource::Memory),
    ] {
        let model = bench(Profile::hardware(), 50);
        let mut card = card(&model);
        let mut stream = open(&mut card, &model, 0);
        model.edit_faults(|faults| faults.link_position = fault);
        card.start(&mut stream).expect("started");
        for _ in 0..200 {
            model.advance_ns(3_210_987);
            check(&model, 4, &look(&mut card, &mut stream));
        }
        assert_eq!(look(&mut card, &mut stream).source, source, "{fault:?}");
        // Then it breaks altogether: the wall clock is left.
        model.edit_faults(|faults| faults.position_buffer_dead = true);
        for _ in 0..200 {
            model.advance_ns(3_210_987);
            check(&model, 4, &look(&mut card, &mut stream));
        }
        let link = look(&mut card, &mut stream);
        assert_eq!((link.source, link.lock), (PositionSource::WallClock, PositionLock::Coarse));
        card.close(stream).expect("closed");
    }
}

#[test]
fn a_loss_is_a_break_and_the_bound_holds_after_it() {
    let model = bench(Profile::hardware(), 0);
    let mut card = card(&model);
    let mut stream = open(&mut card, &model, 0);
    card.start(&mut stream).expect("started");
    for _ in 0..50 {
        model.advance_ns(1_234_567);
        look(&mut card, &mut stream);
    }
    let before = look(&mut card, &mut stream);
    model.starve(4, 200);
    model.advance_ns(10_000_000);
    assert!(model.lost_frames(4) > 0);
    for _ in 0..10 {
        let link = look(&mut card, &mut stream);
        assert!(link.generation > before.generation);
        check(&model, 4, &link);
        model.advance_ns(1_234_567);
    }
    assert_eq!(look(&mut card, &mut stream).lock, PositionLock::Locked);
    card.close(stream).expect("closed");
}

#[test]
fn a_pair_s_distance_is_constant_where_the_counters_lead_and_lag() {
    // As in QEMU: no SSYNC, and DMA in steps of 1 ms or, on a busy host, more.
    let model = Bench::new(Profile::qemu()).codec(0, Codec::qemu_duplex()).without_recording().build();
    let mut card = card(&model);
    let (mut playback, mut capture) = (open(&mut card, &model, 0), open(&mut card, &model, 1));
    let mut has_led = false;
    for restart in 0..50_u64 {
        model.advance_ns(123_457 * restart);
        let before = model.wall_clock();
        let how = card.start_together(&mut [&mut playback, &mut capture]);
        assert_eq!(how, Ok(LinkedStart::BackToBack));
        let after = model.wall_clock();
        let mut last: Option<[LinkPosition; 2]> = None;
        for round in 0..100_u64 {
            let links = [look(&mut card, &mut playback), look(&mut card, &mut capture)];
            for (link, stream) in links.iter().zip([4, 0]) {
                check(&model, stream, link);
                assert_eq!((link.lock, link.source), (PositionLock::Coarse, PositionSource::WallClock));
                assert!(link.start_wall_ticks > before && link.start_wall_ticks <= after + 500);
            }
            assert_eq!(links[0].start_wall_ticks, links[1].start_wall_ticks, "restart {restart}");
            let now = model.now_ns();
            let distance = milliframes(&links[0], now) - milliframes(&links[1], now);
            assert!(distance.abs() <= 1_000, "restart {restart}, round {round}: {distance}");
            has_led |= links[0].dma_lead_frames > 0 && links[1].dma_lead_frames > 0;
            if let Some(last) = last.replace(links) {
                for (link, last) in links.iter().zip(last) {
                    assert!(link.link_frames >= last.link_frames);
                    assert_eq!(link.start_wall_ticks, last.start_wall_ticks);
                    assert_eq!(link.generation, last.generation);
                }
            }
            model.advance_ns(1_000_000 + round * 7_919 % 10_000_000);
        }
        model.refill_access_budget(100_000);
        card.stop(&mut playback).expect("stopped");
        card.stop(&mut capture).expect("stopped");
    }
    assert!(has_led);
    card.close(playback).expect("closed");
    card.close(capture).expect("closed");
}

#[test]
fn a_stream_of_which_nobody_wants_to_know_it_counts_bytes_all_the_same() {
    let model = bench(Profile::hardware(), 0);
    let mut card = card(&model);
    let params = StreamParams { rate_hz: 48_000, format: SampleFormat::S16Le, channels: 2 };
    let mut streams = [0, 1].map(|port| {
        let buffer = Mapped::new(&model, 65_536, DmaAccess::ReadWrite);
        card.open(PortIndex(port), &params, buffer).map_err(|failure| failure.error()).expect("open")
    });
    let [wanted, unwanted] = &mut streams;
    card.set_link_wanted(unwanted, false);
    card.start_together(&mut [&mut *wanted, &mut *unwanted]).expect("started");
    for _ in 0..20 {
        model.advance_ns(10_000_000);
        let (here, there) = (card.position(wanted).expect("here"), card.position(unwanted).expect("there"));
        assert!(here.link.is_some());
        assert_eq!(there.link, None);
        assert!(there.bytes > 0 && there.bytes.abs_diff(here.bytes) <= 4 * 256, "{there:?} and {here:?}");
    }
}

#[test]
fn positions_are_within_their_bound_after_a_power_loss() {
    // An access takes 100 us, so a start needs what is known of the wall clock.
    let profile = Profile { slow_read_ns: 100_000, ..Profile::hardware() };
    for (slept_ns, pauses) in [(1_000_000, true), (1_000_000_000, false), (400_000_000_000, true)] {
        let model = bench(profile.clone(), 250);
        let mut card = card(&model);
        let mut streams = [open(&mut card, &model, 0), open(&mut card, &model, 1)];
        for stream in &mut streams {
            card.start(stream).expect("started");
        }
        for _ in 0..50 {
            model.advance_ns(5_000_000);
            for stream in &mut streams {
                look(&mut card, stream);
            }
        }
        let before = [0, 1].map(|n| look(&mut card, &mut streams[n]));
        if pauses {
            for stream in &mut streams {
                card.pause(stream).expect("paused");
            }
        }
        model.refill_access_budget(100_000);
        model.power_cycle();
        model.advance_ns(slept_ns);
        if !pauses {
            for stream in &mut streams {
                assert!(card.position(stream).expect("a position").descriptor_errors > 0);
            }
        }
        Card::<Mapped>::restore(&mut card).expect("restored");

        for (number, before) in before.iter().enumerate() {
            let (stream, engine) = (&mut streams[number], [4, 0][number]);
            if pauses {
                card.resume(stream).expect("resumed");
                let link = look(&mut card, stream);
                assert_ne!(link.generation, before.generation, "slept {slept_ns} ns");
                assert!(link.link_frames >= before.link_frames);
                assert_eq!(link.start_time, before.start_time);
            }
            card.stop(stream).expect("stopped");
            // The clocks are compared some time before, as in a start long after the restore.
            model.advance_ns(100_000_000);
            card.start(stream).expect("started");
            for round in 0..30 {
                let link = look(&mut card, stream);
                assert_ne!(link.generation, before.generation);
                let start = model.start_link_frame(engine);
                assert_eq!(Some(link.start_wall_ticks / 500), start, "slept {slept_ns} ns, round {round}");
                let off = check(&model, engine, &link);
                assert!(off <= 1_000, "slept {slept_ns} ns, round {round}: {off}");
                model.advance_ns(1_000_000 + round * 50_000);
            }
            model.refill_access_budget(100_000);
        }
        for stream in streams {
            card.close(stream).expect("closed");
        }
        model.assert_clean();
    }
}
