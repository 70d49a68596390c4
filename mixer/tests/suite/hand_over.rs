//! A direct stream becomes a voice while it plays, on the model of the hardware.

use audioback::card::{
    Card, CardError, CardSettings, LinkPosition, PortMode, PortSetup, PositionChoice, StreamParams,
};
use hyper::{MappedBuffer, Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer, MixerStream};
use snd_hda_model::{Bench, Codec, DmaAccess, Profile};
use sndif::format::SampleFormat;

use crate::link::{OUT, Rig, hardware};
use crate::support::memory::Buffer;
use crate::support::rig::{MILLISECOND, params};
use crate::support::{noise, seeds};

/// Frames of the guest's buffer.
const BUFFER_FRAMES: u32 = 16_384;

/// A guest whose frames count from 1 on, and that keeps its buffer filled.
struct First {
    stream: MixerStream,
    buffer: Buffer,
    params: StreamParams,
    written: u64,
}

impl First {
    fn open(rig: &mut Rig, rate_hz: u32, format: SampleFormat) -> Self {
        let params = params(rate_hz, format, 2);
        let (stream, buffer) = rig.open(OUT, &params, BUFFER_FRAMES);
        for page in buffer.page_addresses() {
            rig.model.memory().allow_dma(*page, DmaAccess::Read);
        }
        let mut first = Self { stream, buffer, params, written: 0 };
        first.refill(rig);
        rig.mixer.start(&mut first.stream).expect("started");
        first
    }

    fn refill(&mut self, rig: &mut Rig) {
        let bytes = u64::from(self.params.format.bytes_per_sample().expect("linear")) * 2;
        let at = rig.mixer.position(&mut self.stream).expect("a position").bytes / bytes;
        while self.written < at + u64::from(BUFFER_FRAMES) {
            let word = word(self.written);
            let frame: Vec<u8> = match self.params.format {
                SampleFormat::S16Le => [word as i16, -7].into_iter().flat_map(i16::to_le_bytes).collect(),
                _ => [word, -7].into_iter().flat_map(i32::to_le_bytes).collect(),
            };
            let offset = (self.written % u64::from(BUFFER_FRAMES)) * bytes;
            self.buffer.write(offset as u32, &frame);
            self.written += 1;
        }
        rig.mixer.note_written(&mut self.stream, self.written * bytes);
    }

    fn link(&mut self, rig: &mut Rig) -> LinkPosition {
        rig.mixer.position(&mut self.stream).expect("a position").link.expect("at the link")
    }

    fn pass(&mut self, rig: &mut Rig, span_ns: u64) {
        let end = rig.model.now_ns() + span_ns;
        while rig.model.now_ns() < end {
            self.refill(rig);
            rig.pass((7 * MILLISECOND).min(end.saturating_sub(rig.model.now_ns())));
        }
    }
}

/// The left sample of a frame. None is 0.
fn word(frame: u64) -> i32 {
    (frame % 30_011) as i32 + 1
}

/// What is wrong with what was heard from the first frame on.
#[derive(Debug, PartialEq, Eq)]
struct Faults {
    /// Frames that don't follow the one before, silence left out.
    wrong: u64,
    /// Frames that these leave out, less those that they repeat.
    lost: i64,
    /// Frames of silence.
    silent: u64,
    /// Link frames that should have had a frame.
    missing: u64,
    /// Breaks that the position tells.
    told: u32,
}

const NONE: Faults = Faults { wrong: 0, lost: 0, silent: 0, missing: 0, told: 0 };

fn faults(rig: &Rig, rate_hz: u32, told: u32) -> Faults {
    let played = rig.model.played(0, 2);
    let heard: Vec<(i32, u64)> = (0..played.len())
        .map(|index| (played.frame(index)[0], played.link_frame(index)))
        .skip_while(|(word, _)| *word == 0)
        .collect();
    assert!(heard.len() as u64 > u64::from(rate_hz) / 50, "{}", heard.len());
    let words: Vec<i32> = heard.iter().map(|(word, _)| *word).filter(|word| *word != 0).collect();
    let lost_between = |pair: &[i32]| {
        let lost = i64::from(pair[1] - pair[0] - 1).rem_euclid(30_011);
        if lost > 15_000 { lost - 30_011 } else { lost }
    };
    let wrong = words.windows(2).filter(|pair| lost_between(pair) != 0).count();
    let lost = words.windows(2).map(lost_between).sum();
    // The cadence of 44.1 kHz and its multiples leaves link frames out.
    let step = if rate_hz.is_multiple_of(48_000) { 1 } else { 2 };
    let missing = heard.windows(2).map(|pair| (pair[1].1 - pair[0].1).saturating_sub(step)).sum();
    let silent = heard.len() - words.len();
    Faults { wrong: wrong as u64, lost, silent: silent as u64, missing, told }
}

/// One hand-over at a random moment.
fn hand_over(rig: &mut Rig, seed: u64, rate_hz: u32, format: SampleFormat) -> Faults {
    let random = |number: u64, most: u64| u64::from(noise(seed, number)) % most;
    rig.pass(random(0, 3 * MILLISECOND));
    let mut first = First::open(rig, rate_hz, format);
    first.pass(rig, MILLISECOND + random(1, 60 * MILLISECOND));
    let before = first.link(rig);
    let second = params([44_100, 48_000, 96_000][random(2, 3) as usize], SampleFormat::S16Le, 2);
    let (mut second, _) = rig.open(OUT, &second, 4_096);
    let mut told = vec![before];
    for step in 0..20 {
        let span_ns = random(3 + step, 3 * MILLISECOND);
        first.pass(rig, span_ns);
        told.push(first.link(rig));
        if step == 3 {
            rig.mixer.start(&mut second).expect("started");
        }
    }
    assert!(told.windows(2).all(|pair| pair[0].link_frames <= pair[1].link_frames), "seed {seed}: {told:?}");
    assert!(told.iter().all(|link| link.start_wall_ticks == before.start_wall_ticks), "seed {seed}");
    // It isn't the hardware's any more, even if the phase was looked for as long as that takes.
    first.pass(rig, 60 * MILLISECOND);
    for page in first.buffer.page_addresses() {
        rig.model.memory().forbid_dma(*page);
    }
    first.pass(rig, 20 * MILLISECOND);
    let position = rig.mixer.position(&mut first.stream).expect("a position");
    assert_eq!(position.descriptor_errors, 0);
    let moved = position.link.expect("at the link").generation - before.generation;
    assert_eq!(position.fifo_errors, moved, "seed {seed}");
    let faults = faults(rig, rate_hz, moved);
    let played = rig.model.played(0, 2);
    for link in &told {
        let begin = (0..played.len()).find(|index| played.frame(*index)[0] != 0).expect("heard");
        // A lost or repeated frame moves the places of those behind it.
        if moved > 0 || begin + link.link_frames as usize >= played.len() {
            continue;
        }
        let true_ns = rig.model.ns_of_link_frame(played.link_frame(begin + link.link_frames as usize));
        let off_ns = true_ns.abs_diff(link.time.0);
        assert!(
            off_ns <= u64::from(link.error_ns) + 1_000_000_000 / 48_000,
            "seed {seed}: {off_ns}: {link:?}"
        );
    }
    rig.mixer.close(second).expect("closed");
    rig.mixer.close(first.stream).expect("closed");
    rig.pass(1_200 * MILLISECOND);
    rig.model.take_played(0, 2);
    rig.model.assert_clean();
    faults
}

/// The rate and the format of a case.
fn drawn(seed: u64) -> (u32, SampleFormat) {
    let rate_hz = [48_000, 44_100, 96_000, 88_200, 192_000, 176_400][seed as usize % 6];
    (rate_hz, [SampleFormat::S32Le, SampleFormat::S16Le][seed as usize / 6 % 2])
}

#[test]
fn no_frame_is_lost_repeated_or_altered_whenever_it_happens() {
    let mut rig = Rig::new([None; 2], PortMode::Auto);
    for seed in seeds(30) {
        if seed % 100 == 99 {
            // The model's memory isn't used again.
            rig = Rig::new([None; 2], PortMode::Auto);
        }
        let (rate_hz, format) = drawn(seed);
        assert_eq!(hand_over(&mut rig, seed, rate_hz, format), NONE, "{seed}, {rate_hz} Hz {format:?}");
    }
}

/// Linux's own front end has no control page, so nobody looks where its stream is at the link.
#[test]
fn a_stream_whose_place_at_the_link_nobody_wants_loses_no_frame_either() {
    for seed in seeds(12) {
        let mut rig = Rig::new([None; 2], PortMode::Auto);
        let rate_hz = [48_000, 44_100, 96_000, 176_400][seed as usize % 4];
        assert_eq!(unfollowed(&mut rig, seed, rate_hz), NONE, "seed {seed}, {rate_hz} Hz");
    }
}

/// Without SSYNC there is a gap, as where somebody has followed it.
#[test]
fn a_stream_that_nobody_has_followed_has_a_short_gap_without_ssync_and_is_told() {
    for seed in seeds(12) {
        let profile = Profile { stream_sync_offset: None, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, Codec::any_format(2)).drift_ppm(137).build();
        let lateness = Nanos([1, 30][seed as usize / 6 % 2] * MILLISECOND);
        let mut rig = Rig::of(model, [None; 2], PortMode::Auto, lateness);
        let rate_hz = [48_000, 44_100, 96_000, 176_400][seed as usize % 4];
        let faults = unfollowed(&mut rig, seed, rate_hz);
        let silent_us = faults.silent * 1_000_000 / u64::from(rate_hz);
        let most_lost = u64::from(rate_hz.div_ceil(48_000) * 3);
        let is_short = silent_us < 2_500 && faults.lost.unsigned_abs() <= most_lost;
        // The bus is started anew with its voice.
        assert!(is_short && faults.missing <= 4, "seed {seed}, {rate_hz} Hz: {silent_us} us, {faults:?}");
        assert_eq!(faults.told, 1, "seed {seed}, {rate_hz} Hz");
    }
}

/// A hand-over of a stream whose place at the link nobody has asked for.
fn unfollowed(rig: &mut Rig, seed: u64, rate_hz: u32) -> Faults {
    let mut first = First::open(rig, rate_hz, SampleFormat::S16Le);
    rig.mixer.set_link_wanted(&mut first.stream, false);
    first.pass(rig, MILLISECOND + u64::from(noise(seed, 1)) % (400 * MILLISECOND));
    let (_second, _) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
    first.pass(rig, 150 * MILLISECOND);
    assert_eq!(rig.mixer.bus_shape(OUT), Some((rate_hz, 2)), "it has moved");
    let position = rig.mixer.position(&mut first.stream).expect("a position");
    faults(rig, rate_hz, position.fifo_errors)
}

#[test]
fn it_needs_no_lock_of_a_card_whose_clock_is_hardly_known() {
    for (seed, format) in [(599, SampleFormat::S16Le), (1_199, SampleFormat::S16Le)] {
        let mut rig = Rig::new([None; 2], PortMode::Auto);
        assert_eq!(hand_over(&mut rig, seed, 176_400, format), NONE, "{seed}");
    }
}

/// As in the image, the bus that begins may be mixed far ahead. The gap is no longer then.
#[test]
fn without_a_known_phase_the_gap_is_short_and_told() {
    let rig = |seed: u64| {
        let profile = Profile { stream_sync_offset: None, ..Profile::hardware() };
        let model = Bench::new(profile).codec(0, Codec::any_format(2)).drift_ppm(137).build();
        Rig::of(model, [None; 2], PortMode::Auto, Nanos([1, 30][seed as usize % 2] * MILLISECOND))
    };
    let mut longest_us = 0;
    for seed in seeds(24) {
        let (rate_hz, format) = drawn(seed);
        let faults = hand_over(&mut rig(seed / 12), seed, rate_hz, format);
        let silent_us = faults.silent * 1_000_000 / u64::from(rate_hz);
        longest_us = longest_us.max(silent_us);
        assert!((1_000..2_500).contains(&silent_us), "seed {seed}: {silent_us} us, {faults:?}");
        // What passed while the converter moved.
        let most_lost = i64::from(rate_hz.div_ceil(48_000) * 3);
        assert!(faults.wrong <= 1 && (0..=most_lost).contains(&faults.lost), "seed {seed}: {faults:?}");
        assert_eq!((faults.missing, faults.told), (0, 1), "seed {seed}: {faults:?}");
    }
    println!("the longest gap: {longest_us} us");
}

/// Whether the verb has taken effect or not, and however late the codec says so: two streams play the same until then.
#[test]
fn no_frame_is_lost_when_the_codec_misses_the_verb_or_its_answer_is_lost() {
    for (silent_ms, does_second_start) in
        [0, 3, 40, 250, 1_000].into_iter().flat_map(|ms| [(ms, true), (ms, false)])
    {
        let mut rig = Rig::new([None; 2], PortMode::Auto);
        let mut first = First::open(&mut rig, 48_000, SampleFormat::S32Le);
        first.pass(&mut rig, 30 * MILLISECOND);
        let (mut second, _) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
        rig.model.edit_faults(|faults| match silent_ms {
            0 => faults.rirb_overrun_once = true,
            _ => faults.silent_codecs = 1,
        });
        if does_second_start {
            rig.mixer.start(&mut second).expect("started");
        }
        first.pass(&mut rig, silent_ms * MILLISECOND);
        if silent_ms >= 40 {
            // A volume can be refused, and isn't worth the stream.
            let set = rig.mixer.set_volume(&mut first.stream, 0, -6_000);
            assert_eq!(set, Err(CardError::Hardware), "{silent_ms} ms");
        }
        rig.model.edit_faults(|faults| faults.silent_codecs = 0);
        // The codec is left alone for some time that doubles.
        first.pass(&mut rig, 2_000 * MILLISECOND);
        for page in first.buffer.page_addresses() {
            rig.model.memory().forbid_dma(*page);
        }
        first.pass(&mut rig, 20 * MILLISECOND);
        let position = rig.mixer.position(&mut first.stream).expect("a position");
        assert_eq!((position.fifo_errors, position.descriptor_errors), (0, 0), "{silent_ms} ms");
        assert_eq!(faults(&rig, 48_000, 0), NONE, "{silent_ms} ms");
        let played = rig.model.played(0, 2);
        let off_ns = {
            let link = position.link.expect("at the link");
            let begin = (0..played.len()).find(|index| played.frame(*index)[0] != 0).expect("heard");
            let heard = played.link_frame(begin + link.link_frames as usize - 1);
            rig.model.ns_of_link_frame(heard + 1).abs_diff(link.time.0)
        };
        assert!(off_ns < 1_000_000_000 / 48_000, "{silent_ms} ms: {off_ns}");
        rig.mixer.close(second).expect("closed");
        rig.mixer.close(first.stream).expect("closed");
        rig.pass(1_200 * MILLISECOND);
        rig.model.assert_clean();
    }
}

#[test]
fn the_gap_is_no_longer_on_a_bus_that_is_mixed_far_ahead() {
    let mut profile = Profile::hardware();
    profile.stream_sync_offset = None;
    let model = Bench::new(profile).codec(0, Codec::any_format(2)).drift_ppm(137).build();
    let (card, rings) = hardware(&model);
    let setups = [PortSetup::default(); 2];
    // As in the image.
    let lateness = Nanos(30 * MILLISECOND);
    let limits = Limits { streams: 8, converters: 8, cost: Cost(400_000_000), lateness };
    let mut rig = Rig { mixer: Mixer::new(card, rings, &setups, limits), model };
    let mut first = First::open(&mut rig, 48_000, SampleFormat::S32Le);
    first.pass(&mut rig, 30 * MILLISECOND);
    // It doesn't start, so the bus begins anew with the first stream's voice.
    let _second = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
    first.pass(&mut rig, 200 * MILLISECOND);
    let faults = faults(&rig, 48_000, 1);
    assert!((1..48 * 10).contains(&faults.silent), "{faults:?}");
}

#[test]
fn a_voice_that_is_alone_is_direct_from_its_next_start_on() {
    let mut rig = Rig::new([None; 2], PortMode::Auto);
    let mut first = First::open(&mut rig, 48_000, SampleFormat::S32Le);
    first.pass(&mut rig, 30 * MILLISECOND);
    let (second, _) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
    first.pass(&mut rig, 30 * MILLISECOND);
    let restart = |rig: &mut Rig, first: &mut First| {
        rig.mixer.stop(&mut first.stream).expect("stopped");
        rig.pass(60 * MILLISECOND);
        rig.model.take_played(0, 2);
        first.written = 0;
        first.refill(rig);
        rig.mixer.start(&mut first.stream).expect("started");
        first.pass(rig, 100 * MILLISECOND);
        assert_eq!(faults(rig, 48_000, 0), NONE);
        assert_eq!(rig.model.played(0, 2).samples().iter().find(|word| **word > 0), Some(&1));
        rig.mixer.bus_shape(OUT).is_some()
    };
    assert!(restart(&mut rig, &mut first), "there is another");
    rig.mixer.close(second).expect("closed");
    assert!(!restart(&mut rig, &mut first), "alone");
    let position = rig.mixer.position(&mut first.stream).expect("a position");
    assert_eq!((position.fifo_errors, position.descriptor_errors), (0, 0));
    // And to a bus again.
    let (second, _) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
    first.pass(&mut rig, 30 * MILLISECOND);
    assert_eq!(faults(&rig, 48_000, 0), NONE);
    rig.mixer.close(second).expect("closed");
    // A volume of its own may be more than the amplifiers can do.
    rig.mixer.set_volume(&mut first.stream, 0, -1).expect("set");
    rig.mixer.stop(&mut first.stream).expect("stopped");
    rig.mixer.start(&mut first.stream).expect("started");
    assert!(rig.mixer.bus_shape(OUT).is_some());
    rig.mixer.close(first.stream).expect("closed");
    rig.pass(1_500 * MILLISECOND);
    assert_eq!(rig.mixer.cost(), mixer::Cost(0));
    rig.model.assert_clean();
}

#[test]
fn a_request_amid_a_hand_over_is_carried_out() {
    for (late_us, seed) in (0..60).map(|step| step * 250).zip(0..) {
        let mut rig = Rig::new([None; 2], PortMode::Auto);
        let mut first = First::open(&mut rig, 48_000, SampleFormat::S32Le);
        first.pass(&mut rig, 30 * MILLISECOND);
        let (second, _) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
        rig.pass(late_us * 1_000);
        match seed % 5 {
            0 => rig.mixer.pause(&mut first.stream).expect("paused"),
            1 => drop(rig.mixer.stop(&mut first.stream).expect("stopped")),
            2 => {
                // The hardware and the mixer have different steps.
                rig.mixer.set_mute(&mut first.stream, 0, true).or(Err(CardError::Unsupported)).unwrap_or(());
            }
            3 => rig.mixer.restore().expect("restored"),
            _ => {
                rig.mixer.close(second).expect("closed");
                rig.mixer.close(first.stream).expect("closed");
                rig.pass(1_500 * MILLISECOND);
                rig.model.assert_clean();
                continue;
            }
        }
        rig.pass(20 * MILLISECOND);
        if seed % 5 == 0 {
            rig.mixer.resume(&mut first.stream).expect("resumed");
        }
        if seed % 5 == 3 {
            rig.mixer.pause(&mut first.stream).expect("halted");
            rig.mixer.resume(&mut first.stream).expect("resumed");
        }
        if seed % 5 == 1 {
            rig.mixer.start(&mut first.stream).expect("started");
        }
        // What was mixed ahead is heard first.
        rig.pass(60 * MILLISECOND);
        let position = rig.mixer.position(&mut first.stream).expect("a position");
        assert!(position.bytes > 0 && position.descriptor_errors == 0, "{late_us} us, {seed}: {position:?}");
        rig.mixer.close(first.stream).expect("closed");
        rig.mixer.close(second).expect("closed");
        rig.pass(1_500 * MILLISECOND);
        assert_eq!(rig.mixer.cost(), mixer::Cost(0));
        rig.model.assert_clean();
    }
}

/// The move goes on behind what the guest was told of, for that may be overwritten. It leaves out what was fetched and not
/// played, and plays nothing old or new in its place. The place at the link is known within its bound.
#[test]
fn a_stream_that_has_paused_goes_on_behind_what_was_fetched() {
    for seed in seeds(32) {
        let mut rig = Rig::new([None; 2], PortMode::Auto);
        let position_source = [PositionChoice::Link, PositionChoice::Memory][seed as usize % 2];
        let mut settings = CardSettings { position_source, ..CardSettings::default() };
        settings.ports[0].mode = PortMode::Auto;
        rig.mixer.configure(&settings);
        let rate_hz = [48_000, 44_100, 96_000, 176_400][seed as usize / 2 % 4];
        let mut first = First::open(&mut rig, rate_hz, SampleFormat::S32Le);
        let longest_run_ns = [2, 40][seed as usize / 8 % 2] * MILLISECOND;
        rig.pass(u64::from(noise(seed, 1)) % longest_run_ns);
        rig.mixer.pause(&mut first.stream).expect("paused");
        rig.pass(u64::from(noise(seed, 2)) % (90 * MILLISECOND));
        rig.mixer.resume(&mut first.stream).expect("resumed");
        first.pass(&mut rig, MILLISECOND + u64::from(noise(seed, 3)) % (300 * MILLISECOND));
        // What it was told of is overwritten.
        first.refill(&mut rig);
        let before = first.link(&mut rig);
        let (_second, _) = rig.open(OUT, &params(48_000, SampleFormat::S16Le, 2), 4_096);
        first.pass(&mut rig, 150 * MILLISECOND);
        let position = rig.mixer.position(&mut first.stream).expect("a position");
        let faults = faults(&rig, rate_hz, position.fifo_errors);
        let about = format!("seed {seed}, {rate_hz} Hz: {faults:?}, {before:?}");
        let unsure = i64::from(before.error_ns) * i64::from(rate_hz) / 1_000_000_000 + 1;
        // The counter of the link tells of nothing that was fetched only.
        let fetched = if seed % 2 == 0 { 0 } else { i64::from(before.dma_lead_frames) };
        let most_lost = fetched + unsure;
        assert!((-unsure..=most_lost).contains(&faults.lost), "{about}");
        assert!(faults.wrong <= 1 && faults.told == 1, "{about}");
    }
}
