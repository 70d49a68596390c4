//! A direct stream becomes a voice while it records, on the model of the hardware.

use std::cell::Cell;
use std::rc::Rc;

use audioback::card::{Card, CardError, LinkPosition, PortMode, PortSetup};
use hyper::{MappedBuffer, Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer, MixerStream};
use snd_hda_model::{Bench, Codec, DmaAccess, Profile};
use sndif::format::SampleFormat;

use crate::link::{IN, Rig, hardware};
use crate::support::memory::Buffer;
use crate::support::rig::{MILLISECOND, params};
use crate::support::{noise, seeds};

/// Frames of a guest's buffer.
const BUFFER_FRAMES: u32 = 16_384;

/// The node of the model's input converter.
const CONVERTER: u8 = 4;

/// A guest that records all: for each frame its number since the model's start, and its link frame.
struct Recorder {
    stream: MixerStream,
    buffer: Buffer,
    heard: Vec<[i32; 2]>,
    told: Vec<LinkPosition>,
}

impl Recorder {
    fn open(rig: &mut Rig, rate_hz: u32) -> Self {
        let (stream, buffer) = rig.open(IN, &params(rate_hz, SampleFormat::S32Le, 2), BUFFER_FRAMES);
        for page in buffer.page_addresses() {
            rig.model.memory().allow_dma(*page, DmaAccess::Write);
        }
        Self { stream, buffer, heard: Vec::new(), told: Vec::new() }
    }

    fn drain(&mut self, rig: &mut Rig) {
        let position = rig.mixer.position(&mut self.stream).expect("a position");
        assert_eq!(position.descriptor_errors, 0);
        self.told.extend(position.link);
        while (self.heard.len() as u64) < position.bytes / 8 {
            let mut frame = [0; 8];
            self.buffer.read((self.heard.len() * 8 % (BUFFER_FRAMES as usize * 8)) as u32, &mut frame);
            let (left, right) = frame.split_at(4);
            self.heard.push([left, right].map(|word| i32::from_le_bytes(word.try_into().expect("4 bytes"))));
        }
    }

    fn pass(&mut self, rig: &mut Rig, span_ns: u64) {
        let end = rig.model.now_ns() + span_ns;
        while rig.model.now_ns() < end {
            rig.pass((7 * MILLISECOND).min(end.saturating_sub(rig.model.now_ns())));
            self.drain(rig);
        }
    }
}

/// A rig whose converter numbers its frames.
fn rig(profile: Profile) -> Rig {
    let rig = Rig::on(profile, [None; 2], PortMode::Auto);
    let mut number = 0;
    rig.model.set_source(0, CONVERTER, move |frame, channel| {
        number += i32::from(channel == 0);
        if channel == 0 { number } else { frame.link_frame as i32 }
    });
    rig
}

/// One hand-over at a random moment. Returns the frames that are missing or wrong, and the breaks that the position tells.
fn hand_over(rig: &mut Rig, seed: u64, rate_hz: u32) -> (usize, u32) {
    let random = |number: u64, most: u64| u64::from(noise(seed, number)) % most;
    rig.pass(random(0, 3 * MILLISECOND));
    let mut first = Recorder::open(rig, rate_hz);
    rig.mixer.start(&mut first.stream).expect("started");
    first.pass(rig, 10 * MILLISECOND + random(1, 60 * MILLISECOND));
    let second = params([44_100, 48_000, 96_000][random(2, 3) as usize], SampleFormat::S16Le, 2);
    let (mut second, _) = rig.open(IN, &second, 4_096);
    // From here on DMA to the guest's pages is a violation.
    for page in first.buffer.page_addresses() {
        rig.model.memory().forbid_dma(*page);
    }
    for step in 0..20 {
        first.pass(rig, random(3 + step, 3 * MILLISECOND));
        if step == 3 {
            rig.mixer.start(&mut second).expect("started");
        }
    }
    let (begin, end) = (first.told[0], *first.told.last().expect("told"));
    assert!(first.told.windows(2).all(|pair| pair[0].link_frames <= pair[1].link_frames), "seed {seed}");
    assert!(first.told.iter().all(|link| link.start_wall_ticks == begin.start_wall_ticks), "seed {seed}");
    let breaks = end.generation - begin.generation;
    // A lost frame moves the places of those behind it.
    for link in first.told.iter().filter(|_| breaks == 0) {
        // The link frame that carried it.
        let Some([_, link_frame]) = first.heard.get(link.link_frames as usize) else { continue };
        let true_ns = rig.model.ns_of_link_frame(*link_frame as u64);
        let off_ns = true_ns.abs_diff(link.time.0);
        let allowed_ns = u64::from(link.error_ns) + 1_000_000_000 / 48_000;
        assert!(off_ns <= allowed_ns, "seed {seed}, {rate_hz} Hz: {off_ns} ns off: {link:?}");
    }
    let blocks = if rate_hz.is_multiple_of(48_000) { 1 } else { 2 };
    let follows = |pair: &&[[i32; 2]]| {
        pair[0][0] + 1 == pair[1][0] && (0..=blocks).contains(&(pair[1][1] - pair[0][1]))
    };
    let faults = first.heard.windows(2).filter(|pair| !follows(pair)).count();
    assert!(first.heard.len() as u64 > u64::from(rate_hz) / 50, "seed {seed}");
    let position = rig.mixer.position(&mut first.stream).expect("a position");
    assert_eq!(position.fifo_errors, breaks, "seed {seed}");
    rig.mixer.close(second).expect("closed");
    rig.mixer.close(first.stream).expect("closed");
    rig.pass(1_200 * MILLISECOND);
    assert_eq!(rig.mixer.cost(), mixer::Cost(0));
    rig.model.assert_clean();
    (faults, breaks)
}

#[test]
fn no_frame_is_lost_repeated_or_altered_whenever_it_happens() {
    let mut one = rig(Profile::hardware());
    for seed in seeds(30) {
        if seed % 100 == 99 {
            // The model's memory isn't used again.
            one = rig(Profile::hardware());
        }
        let rate_hz = [48_000, 44_100, 96_000, 88_200, 192_000, 176_400][seed as usize % 6];
        assert_eq!(hand_over(&mut one, seed, rate_hz), (0, 0), "seed {seed}, {rate_hz} Hz");
    }
}

#[test]
fn it_needs_no_synchronized_start() {
    let without = || rig(Profile { stream_sync_offset: None, ..Profile::hardware() });
    let mut one = without();
    for seed in seeds(12) {
        if seed % 100 == 99 {
            one = without();
        }
        let rate_hz = [48_000, 44_100, 96_000, 88_200, 192_000, 176_400][seed as usize % 6];
        assert_eq!(hand_over(&mut one, seed, rate_hz), (0, 0), "seed {seed}, {rate_hz} Hz");
    }
}

#[test]
fn what_the_hardware_keeps_to_itself_is_a_break_that_is_told() {
    let mut rig = rig(Profile::hardware());
    // By LPIB nobody knows what of the last frames is in memory.
    rig.model.edit_faults(|faults| faults.position_buffer_dead = true);
    let (_, breaks) = hand_over(&mut rig, 1, 48_000);
    assert_eq!(breaks, 1);
}

#[test]
fn a_converter_that_does_not_answer_leaves_no_bus_that_hears_nothing() {
    let is_silent = Rc::new(Cell::new(false));
    let silent = is_silent.clone();
    // The converter's stream and channel (7.3.3.11).
    let codec = Codec::any_format(2)
        .tampered(move |verb, answer| answer.filter(|_| !(silent.get() && verb & 0xf_ff00 == 0x7_0600)));
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    model.set_source(0, CONVERTER, |frame, _| frame.link_frame as i32);
    let (card, rings) = hardware(&model);
    let setups = [PortSetup { mode: PortMode::Auto, ..PortSetup::default() }; 2];
    let limits =
        Limits { streams: 16, converters: 16, cost: Cost(400_000_000), lateness: Nanos(MILLISECOND) };
    let mut rig = Rig { mixer: Mixer::new(card, rings, &setups, limits), model };
    let mut first = Recorder::open(&mut rig, 48_000);
    rig.mixer.start(&mut first.stream).expect("started");
    first.pass(&mut rig, 30 * MILLISECOND);
    is_silent.set(true);
    let frame_bytes = 4;
    let buffer = Buffer::from_pages(4_096 * frame_bytes, || rig.model.memory().allocate_page());
    for page in buffer.page_addresses() {
        rig.model.memory().allow_dma(*page, DmaAccess::Write);
    }
    let asked = params(48_000, SampleFormat::S16Le, 2);
    // It is refused, or it records.
    let refused = rig.mixer.open(IN, &asked, buffer.clone()).err().map(|failure| failure.error());
    is_silent.set(false);
    assert_eq!(refused, Some(CardError::Hardware));
    let position = rig.mixer.position(&mut first.stream).expect("a position");
    assert_eq!(position.descriptor_errors, 1, "its run has ended");
    // The codec is left alone for as long.
    rig.pass(100 * MILLISECOND);
    let mut second = rig.mixer.open(IN, &asked, buffer).map_err(|failure| failure.error()).expect("open");
    rig.mixer.start(&mut second).expect("started");
    rig.pass(50 * MILLISECOND);
    assert!(rig.mixer.position(&mut second).expect("a position").bytes > 0);
    rig.mixer.close(second).expect("closed");
    rig.mixer.close(first.stream).expect("closed");
}
