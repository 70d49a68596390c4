//! The whole house on the host: front end, protocol, back end, driver and a model of the controller, in the loop that
//! the image runs. The front end's own pages go to the model's DMA, which touches nothing but what is mapped.

mod watched;

use hda_card::HdaCard;
use hyper::{Clock, Hypervisor, Nanos};
use hypervisor_model::MemoryHypervisor;
use hypervisor_model::guest::{Done, Observer, StreamError};
use snd_hda::Controller;
use snd_hda_model::{Bench, Codec, Model, ModelDelay, ModelRegion, ModelRegisters, Profile};
use snddom_kernel::bare::command_line::{CommandLine, Play, Record};
use snddom_kernel::bare::loop_back::{DRIVER, LoopBack, LoopBackError, Progress, limits};
use sndif::format::SampleFormat;

use hypervisor_model::hda_pages::Pages;
use watched::Watched;

/// What came to be known of the streams.
#[derive(Default)]
struct Log {
    started_ns: Vec<u64>,
    positions: Vec<(usize, u64, u64)>,
    recorded: Vec<u8>,
    done: Vec<(usize, Done)>,
}

impl Observer for Log {
    fn started(&mut self, _: usize, now: Nanos) {
        self.started_ns.push(now.0);
    }

    fn position(&mut self, stream: usize, _: Nanos, frames: u64, expected: u64) {
        self.positions.push((stream, frames, expected));
    }

    fn recorded(&mut self, _: usize, bytes: &[u8]) {
        self.recorded.extend(bytes);
    }

    fn done(&mut self, stream: usize, done: Done) {
        self.done.push((stream, done));
    }
}

/// The model's time.
struct ModelClock(ModelDelay);

impl Clock for ModelClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.now_ns())
    }
}

type Card = HdaCard<ModelRegisters, ModelDelay, ModelRegion, ModelClock>;

fn card(model: &Model) -> Card {
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    HdaCard::new(controller.expect("a controller"), ModelClock(model.delay()))
}

/// Runs the loop to its end. Sleeps as the image does: until the deadline that it asked for.
fn live(model: &Model, command_line: &CommandLine, module: Vec<u8>) -> Result<Log, LoopBackError> {
    let world = MemoryHypervisor::new(Pages(model.memory()), limits(command_line));
    let module = Box::leak(module.into_boxed_slice());
    let now = Nanos(model.now_ns());
    live_in(LoopBack::new(&world, world.back_end(DRIVER), card(model), command_line, module, now)?, model)
}

/// The same, with this loop.
fn live_in<'a, H>(mut loop_back: LoopBack<'a, Pages, H, Card>, model: &Model) -> Result<Log, LoopBackError>
where
    H: Hypervisor,
{
    let mut log = Log::default();
    while let Progress::Until(deadline) = loop_back.poll(&ModelClock(model.delay()), &mut log)? {
        model.advance_ns(deadline.0.saturating_sub(model.now_ns()).max(1));
        model.refill_access_budget(100_000);
    }
    loop_back.finish()?;
    Ok(log)
}

/// Bytes in which every sample differs from its neighbours and none is 0.
fn noise(bytes: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8 | 1
    };
    (0..bytes).map(|_| byte()).collect()
}

fn play(
    output: u8,
    rate_hz: u32,
    format: SampleFormat,
    channels: u8,
    module: std::ops::Range<usize>,
) -> Play {
    Play { output, rate_hz, format, channels, module_offset: module.start, bytes: module.len() }
}

/// What the link must have carried: samples of 32 bits as the converter takes them, 16-bit ones as they are.
fn samples(bytes: &[u8], format: SampleFormat) -> Vec<i32> {
    match format {
        SampleFormat::S16Le => {
            bytes.chunks(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]]).into()).collect()
        }
        _ => bytes.chunks(4).map(|s| i32::from_le_bytes([s[0], s[1], s[2], s[3]])).collect(),
    }
}

fn assert_heard(model: &Model, codec: usize, bytes: &[u8], format: SampleFormat) {
    let heard = model.played(codec, 2);
    let (heard, sent) = (heard.samples(), samples(bytes, format));
    assert!(heard.len() > sent.len(), "codec {codec}: {} of {} samples came out", heard.len(), sent.len());
    let differs = heard.iter().zip(&sent).position(|(heard, sent)| heard != sent);
    assert_eq!(differs, None, "codec {codec}: the first sample that differs");
    assert!(heard[sent.len()..].iter().all(|&sample| sample == 0), "silence after the end");
}

#[test]
fn a_recording_is_heard_to_the_last_sample() {
    for profile in [Profile::hardware(), Profile::qemu()] {
        let model = Bench::new(profile).codec(0, Codec::duplex()).build();
        let module = noise(4 * 30_000, 1);
        let command_line = CommandLine {
            play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..module.len())].into_iter().collect(),
            ..CommandLine::default()
        };
        let log = live(&model, &command_line, module.clone()).expect("a recording played");
        assert_heard(&model, 0, &module, SampleFormat::S16Le);
        assert_eq!(log.done, [(0, Done { frames: 30_000, xrun_frames: 0 })]);
        assert!(log.positions.len() > 50, "positions came: {}", log.positions.len());
        model.assert_clean();
    }
}

#[test]
fn every_rate_width_and_number_of_channels() {
    for rate_hz in [8_000, 44_100, 48_000, 88_200, 96_000, 192_000] {
        for (format, sample_bytes) in [(SampleFormat::S16Le, 2), (SampleFormat::S32Le, 4)] {
            for channels in [2u8, 6, 8] {
                // The link carries 60 words a frame (OUTPAY of this model): 8 channels of 32 bit at 192 kHz are 64.
                if (rate_hz, sample_bytes, channels) == (192_000, 4, 8) {
                    continue;
                }
                let model = Bench::new(Profile::hardware()).codec(0, Codec::any_format(channels)).build();
                let module = noise(2_000 * sample_bytes * usize::from(channels), rate_hz);
                let command_line = CommandLine {
                    play: [play(0, rate_hz, format, channels, 0..module.len())].into_iter().collect(),
                    ..CommandLine::default()
                };
                live(&model, &command_line, module.clone())
                    .unwrap_or_else(|error| panic!("{rate_hz} Hz, {format:?}, {channels} channels: {error}"));
                assert_heard(&model, 0, &module, format);
                model.assert_clean();
            }
        }
    }
}

#[test]
fn four_recordings_on_four_codecs_at_once() {
    let mut bench = Bench::new(Profile::hardware());
    for codec in 0..4 {
        bench = bench.codec(codec, Codec::duplex());
    }
    let model = bench.build();
    let module = noise(4 * 4 * 10_000, 5);
    let part = |n: usize| n * 40_000..(n + 1) * 40_000;
    let command_line = CommandLine {
        play: (0..4).map(|n| play(n as u8, 48_000, SampleFormat::S16Le, 2, part(n))).collect(),
        ..CommandLine::default()
    };
    let log = live(&model, &command_line, module.clone()).expect("four recordings played");
    for n in 0..4 {
        assert_heard(&model, n, &module[part(n)], SampleFormat::S16Le);
    }
    assert_eq!(log.done.len(), 4);
    model.assert_clean();
}

#[test]
fn playing_and_recording_at_once_with_a_drifting_link_clock() {
    for drift_ppm in [-500, 500] {
        let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).drift_ppm(drift_ppm).build();
        model.set_source(0, 4, |frame, channel| {
            i32::from((frame.index as u32 * 2 + channel as u32 + 1) as i16)
        });
        let module = noise(4 * 20_000, 9);
        let command_line = CommandLine {
            play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..module.len())].into_iter().collect(),
            record: [Record {
                input: 0,
                rate_hz: 48_000,
                format: SampleFormat::S16Le,
                channels: 2,
                frames: 20_000,
            }]
            .into_iter()
            .collect(),
            ..CommandLine::default()
        };
        let log = live(&model, &command_line, module.clone()).expect("both at once");
        assert_heard(&model, 0, &module, SampleFormat::S16Le);
        assert_eq!(log.recorded.len(), 4 * 20_000);
        let ramp = samples(&log.recorded, SampleFormat::S16Le);
        for (at, pair) in ramp.windows(2).enumerate() {
            assert_eq!(pair[1] as i16, (pair[0] as i16).wrapping_add(1), "a break after sample {at}");
        }
        assert_eq!(ramp[0], 1, "from the first frame");
        model.assert_clean();
    }
}

#[test]
fn the_back_end_looks_at_no_sample() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let module = noise(4 * 20_000, 3);
    let command_line = CommandLine {
        play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..module.len())].into_iter().collect(),
        record: [Record {
            input: 0,
            rate_hz: 48_000,
            format: SampleFormat::S16Le,
            channels: 2,
            frames: 20_000,
        }]
        .into_iter()
        .collect(),
        ..CommandLine::default()
    };
    watched::take();
    let world = MemoryHypervisor::new(Pages(model.memory()), limits(&command_line));
    let module = Box::leak(module.into_boxed_slice());
    let now = Nanos(model.now_ns());
    let loop_back =
        LoopBack::new(&world, Watched::new(world.back_end(DRIVER)), card(&model), &command_line, module, now);
    live_in(loop_back.expect("a house"), &model).expect("both at once");
    let touched = watched::take();
    assert_eq!(touched.samples(), 0);
    // It can be seen when it looks: rings, events and lists of pages.
    assert!(touched.others() > 1_000, "{touched:?}");
}

#[test]
fn published_positions_follow_the_link() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let module = noise(4 * 48_000, 3);
    let command_line = CommandLine {
        play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..module.len())].into_iter().collect(),
        ..CommandLine::default()
    };
    let log = live(&model, &command_line, module).expect("a recording played");
    for &(_, frames, expected) in &log.positions {
        assert!(frames.abs_diff(expected) <= 4, "{frames} frames published, {expected} by the clock");
    }
    model.assert_clean();
}

#[test]
fn one_page_is_buffer_enough_and_an_odd_buffer_too() {
    for buffer_bytes in [4_096, 4_100, 12_004, 65_532, 1 << 20] {
        let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
        let module = noise(4 * 9_000, 11);
        let command_line = CommandLine {
            play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..module.len())].into_iter().collect(),
            buffer_bytes,
            period_frames: 240,
            ..CommandLine::default()
        };
        live(&model, &command_line, module.clone()).unwrap_or_else(|error| panic!("{buffer_bytes}: {error}"));
        assert_heard(&model, 0, &module, SampleFormat::S16Le);
        model.assert_clean();
    }
}

#[test]
fn a_stream_on_a_taken_output_is_refused_as_busy() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
    let module = noise(4_000, 1);
    let command_line = CommandLine {
        play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..4_000); 2].into_iter().collect(),
        ..CommandLine::default()
    };
    let error = live(&model, &command_line, module).err();
    assert!(
        matches!(
            error,
            Some(LoopBackError::Stream(1, StreamError::Refused(_, sndif::response::Status::EBUSY)))
        ),
        "{error:?}"
    );
}

#[test]
fn what_can_not_be_had_is_said() {
    let model = Bench::new(Profile::hardware()).codec(0, Codec::output()).build();
    let lines = [
        (CommandLine::default(), "nothing to do"),
        (
            CommandLine {
                play: [play(3, 48_000, SampleFormat::S16Le, 2, 0..4)].into_iter().collect(),
                ..CommandLine::default()
            },
            "output 3 is asked for, but the card has 1 outputs",
        ),
        (
            CommandLine {
                play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..9_999)].into_iter().collect(),
                ..CommandLine::default()
            },
            "past the end of the boot module (400 bytes)",
        ),
        (
            CommandLine {
                play: [play(0, 48_000, SampleFormat::S16Le, 2, 0..399)].into_iter().collect(),
                ..CommandLine::default()
            },
            "end inside a frame of 4 bytes",
        ),
        (
            CommandLine {
                play: [play(0, 11_111, SampleFormat::S16Le, 2, 0..400)].into_iter().collect(),
                ..CommandLine::default()
            },
            "stream 0: the card can't do this rate",
        ),
    ];
    for (command_line, said) in lines {
        let error = live(&model, &command_line, vec![1; 400]).err().expect("an error").to_string();
        assert!(error.contains(said), "{error}");
    }
    model.assert_clean();
}
