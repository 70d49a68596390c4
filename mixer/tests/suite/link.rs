//! From a guest's page to the converter, on the model of the hardware.

use audioback::card::{Card, LinkedStart, PortIndex, StreamParams};
use audioback::card::{PortMode, PortSetup};
use hda_card::HdaCard;
use hyper::{Clock, Nanos, SampleMemory};
use mixer::{Cost, Limits, Mixer, MixerStream};
use snd_hda::Controller;
use snd_hda_model::{Bench, Codec, DmaAccess, Model, ModelDelay, ModelRegion, ModelRegisters, Profile};
use sndif::format::SampleFormat;

use crate::support::memory::Buffer;
use crate::support::rig::{MILLISECOND, params};
use crate::support::{cases, noise};

pub const OUT: PortIndex = PortIndex(0);
pub const IN: PortIndex = PortIndex(1);

/// The largest allowance.
pub const LATENESS: Nanos = Nanos(MILLISECOND);

pub struct ModelClock(pub ModelDelay);

impl Clock for ModelClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.now_ns())
    }
}

pub type Hardware = HdaCard<ModelRegisters, ModelDelay, ModelRegion, ModelClock>;

/// The card on a model, and rings that its DMA may touch.
pub fn hardware(model: &Model) -> (Hardware, [Buffer; 2]) {
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    let card = HdaCard::new(controller.expect("up"), ModelClock(model.delay()));
    let rings = [(); 2].map(|()| {
        Buffer::from_pages(1 << 17, || {
            let page = model.memory().allocate_page();
            model.memory().allow_dma(page.0, DmaAccess::ReadWrite);
            page
        })
    });
    (card, rings)
}

pub struct Rig {
    pub model: Model,
    pub mixer: Mixer<Hardware, Buffer, Buffer>,
}

impl Rig {
    pub fn new(rates: [Option<u32>; 2], mode: PortMode) -> Self {
        Self::on(Profile::hardware(), rates, mode)
    }

    pub fn on(profile: Profile, rates: [Option<u32>; 2], mode: PortMode) -> Self {
        Self::of(
            Bench::new(profile).codec(0, Codec::any_format(2)).drift_ppm(137).build(),
            rates,
            mode,
            LATENESS,
        )
    }

    pub fn of(model: Model, rates: [Option<u32>; 2], mode: PortMode, lateness: Nanos) -> Self {
        let (card, rings) = hardware(&model);
        let setups = rates.map(|rate_hz| PortSetup { mode, rate_hz, ..PortSetup::default() });
        let limits = Limits { streams: 16, converters: 16, cost: Cost(400_000_000), lateness };
        Self { mixer: Mixer::new(card, rings, &setups, limits), model }
    }

    /// A guest's buffer: DMA to it would be a violation.
    pub fn open(&mut self, port: PortIndex, params: &StreamParams, frames: u32) -> (MixerStream, Buffer) {
        let frame_bytes = params.format.bytes_per_sample().expect("linear") * u32::from(params.channels);
        let buffer = Buffer::from_pages(frames * frame_bytes, || self.model.memory().allocate_page());
        self.pass_until_due(port);
        let stream = self.mixer.open(port, params, buffer.clone()).map_err(|failure| failure.error());
        (stream.expect("open"), buffer)
    }

    /// Lets time pass until an OPEN of a port finds its moment.
    pub fn pass_until_due(&mut self, port: PortIndex) {
        loop {
            let wait_ns = self.mixer.open_due(port).0.saturating_sub(self.model.now_ns());
            if wait_ns == 0 {
                break;
            }
            self.pass(wait_ns);
        }
    }

    pub fn pass(&mut self, span_ns: u64) {
        let end = self.model.now_ns() + span_ns;
        while self.model.now_ns() < end {
            self.mixer.poll(Nanos(self.model.now_ns()), true);
            let due = Card::<_>::next_due(&self.mixer).map_or(end, |due| due.0.min(end));
            self.model.advance_ns(due.saturating_sub(self.model.now_ns()).max(20_000));
        }
        self.model.refill_access_budget(1_000_000);
    }
}

const S32: StreamParams = StreamParams { rate_hz: 48_000, format: SampleFormat::S32Le, channels: 2 };

#[test]
fn the_published_position_is_what_the_converter_got_then() {
    for (rate_hz, pause_at) in [(48_000, 7), (44_100, 9), (96_000, 11)] {
        let mut rig = Rig::new([Some(rate_hz), None], PortMode::Shared);
        let voice = params(rate_hz, SampleFormat::S32Le, 2);
        let (mut stream, buffer) = rig.open(OUT, &voice, 32_768);
        for frame in 0..32_768u32 {
            // Frame 0 is told from silence.
            let words: Vec<u8> = [frame as i32 + 1, -7].into_iter().flat_map(i32::to_le_bytes).collect();
            buffer.write(frame * 8, &words);
        }
        let (mut other, _) = rig.open(OUT, &params(22_050, SampleFormat::U8, 1), 4_096);
        rig.mixer.note_written(&mut other, 0);
        rig.mixer.start(&mut other).expect("started");
        rig.pass(23 * MILLISECOND);
        assert_eq!(rig.model.audible(0).len(), 1, "the bus is at the pin");
        rig.mixer.start(&mut stream).expect("started");
        let mut told = Vec::new();
        for round in 0..60 {
            if round == pause_at {
                rig.mixer.pause(&mut stream).expect("paused");
                rig.pass(31 * MILLISECOND);
                rig.mixer.resume(&mut stream).expect("resumed");
            }
            let position = rig.mixer.position(&mut stream).expect("a position");
            told.extend(position.link);
            rig.pass(3 * MILLISECOND + round * 7_777);
        }
        let played = rig.model.played(0, 2);
        let heard: Vec<(u64, u64)> = (0..played.len())
            .filter(|index| played.frame(*index)[0] != 0)
            .map(|index| (played.frame(index)[0] as u64 - 1, played.link_frame(index)))
            .collect();
        assert!(heard.len() as u64 > u64::from(rate_hz) / 8);
        assert!(heard.iter().zip(0..).all(|((frame, _), expected)| *frame == expected), "a frame is lost");
        assert_eq!(told.len(), 60);
        for link in &told {
            let Some((_, link_frame)) = heard.get(link.link_frames as usize) else { continue };
            let true_ns = rig.model.ns_of_link_frame(*link_frame);
            let off_ns = true_ns.abs_diff(link.time.0);
            // The straight line of other rates lies within a link frame of the steps.
            let steps_ns = if rate_hz == 48_000 { 100 } else { 1_000_000_000 / 48_000 };
            let allowed_ns = u64::from(link.error_ns) + steps_ns;
            assert!(off_ns <= allowed_ns, "{rate_hz} Hz: {off_ns} of {allowed_ns} ns off: {link:?}");
            assert!(link.error_ns < 200_000, "{link:?}");
        }
        let (_, start_link_frame) = heard[0];
        assert_eq!(told.last().map(|link| link.start_wall_ticks / 500), Some(start_link_frame));
        rig.mixer.close(stream).expect("closed");
        rig.mixer.close(other).expect("closed");
    }
}

#[test]
fn a_hand_over_loses_no_frame_and_positions_hold_on_both_sides() {
    let mut rig = Rig::new([None; 2], PortMode::Auto);
    let (mut stream, buffer) = rig.open(OUT, &S32, 16_384);
    for page in hyper::MappedBuffer::page_addresses(&buffer) {
        rig.model.memory().allow_dma(*page, DmaAccess::Read);
    }
    for frame in 0..16_384u32 {
        let words: Vec<u8> = [frame as i32 + 1, -7].into_iter().flat_map(i32::to_le_bytes).collect();
        buffer.write(frame * 8, &words);
    }
    rig.mixer.start(&mut stream).expect("started");
    let mut told = Vec::new();
    let mut second = None;
    for round in 0..40 {
        if round == 15 {
            let opened_ns = rig.model.now_ns();
            second = Some(rig.open(OUT, &params(44_100, SampleFormat::S16Le, 2), 4_096).0);
            assert!(rig.model.now_ns() - opened_ns < 2 * MILLISECOND, "nobody waits for it");
        }
        if round == 25 {
            // From here on DMA to the guest's page is a violation.
            for page in hyper::MappedBuffer::page_addresses(&buffer) {
                rig.model.memory().forbid_dma(*page);
            }
        }
        told.extend(rig.mixer.position(&mut stream).expect("a position").link);
        rig.pass(3 * MILLISECOND + round * 7_777);
    }
    let played = rig.model.played(0, 2);
    let heard: Vec<(u64, u64)> = (0..played.len())
        .filter(|index| played.frame(*index)[0] != 0)
        .map(|index| (played.frame(index)[0] as u64 - 1, played.link_frame(index)))
        .collect();
    assert!(heard.len() > 5_000);
    assert!(
        heard.iter().zip(0..).all(|((frame, _), expected)| *frame == expected),
        "a frame is lost or repeated"
    );
    assert!(told.windows(2).all(|pair| pair[0].link_frames <= pair[1].link_frames));
    assert_eq!(told.iter().map(|link| link.generation).collect::<std::collections::BTreeSet<_>>().len(), 1);
    for link in &told {
        let Some((_, link_frame)) = heard.get(link.link_frames as usize) else { continue };
        let off_ns = rig.model.ns_of_link_frame(*link_frame).abs_diff(link.time.0);
        assert!(off_ns <= u64::from(link.error_ns) + 100, "{off_ns} ns off: {link:?}");
    }
    rig.mixer.close(second.expect("it was opened")).expect("closed");
}

/// Linked starts of a playback voice and a capture voice, again and again in one run of both buses. No descriptor is started.
///
/// Returns how many were no link frame apart, one, and two.
fn restart_together(profile: Profile, rates: [u32; 2], restarts: u32, expected: LinkedStart) -> [u32; 3] {
    let mut rig = Rig::on(profile, rates.map(Some), PortMode::Shared);
    rig.model.set_source(0, 4, |frame, _| frame.link_frame as i32);
    let of = |rate_hz| params(rate_hz, SampleFormat::S32Le, 2);
    let (mut play, source) = rig.open(OUT, &of(rates[0]), 4_096);
    source.write(0, &[0x55; 4_096 * 8]);
    let (mut record, sink) = rig.open(IN, &of(rates[1]), 4_096);
    let (mut keep_out, _) = rig.open(OUT, &of(rates[0]), 4_096);
    let (mut keep_in, _) = rig.open(IN, &of(rates[1]), 4_096);
    rig.mixer.start(&mut keep_out).expect("started");
    rig.mixer.start(&mut keep_in).expect("started");
    rig.pass(400 * MILLISECOND);
    let mut apart = [0; 3];
    for restart in 0..u64::from(restarts) {
        let heard_before = rig.model.take_played(0, 2).len();
        assert!(heard_before > 0);
        let how = rig.mixer.start_together(&mut [&mut play, &mut record]);
        assert_eq!(how, Ok(expected), "{rates:?}, restart {restart}");
        rig.pass(15 * MILLISECOND);
        let [out, input] = [&mut play, &mut record]
            .map(|stream| rig.mixer.position(stream).expect("a position").link.expect("at the link"));
        let played = rig.model.played(0, 2);
        let first = (0..played.len()).find(|index| played.frame(*index)[0] != 0).expect("it is heard");
        let mut recorded = [0; 4];
        sink.read(0, &mut recorded);
        let recorded = i32::from_le_bytes(recorded) as u64;
        let frames_apart = played.link_frame(first).abs_diff(recorded);
        assert!(frames_apart < 3, "{rates:?}, restart {restart}: {frames_apart}");
        apart[frames_apart as usize] += 1;
        for (link, true_frame) in [(out, played.link_frame(first)), (input, recorded)] {
            let off_ticks = link.start_wall_ticks.abs_diff(true_frame * 500);
            let is_known = expected == LinkedStart::SameFrame;
            assert!(off_ticks <= if is_known { 0 } else { 750 }, "{rates:?}, restart {restart}: {off_ticks}");
        }
        rig.mixer.stop(&mut play).expect("stopped");
        rig.mixer.stop(&mut record).expect("stopped");
        rig.pass((20 + restart % 7) * MILLISECOND + u64::from(noise(1, restart)) % MILLISECOND);
    }
    let starts = rig.model.start_link_frame(0).into_iter().chain(rig.model.start_link_frame(4));
    assert!(starts.clone().count() == 2 && starts.max() < Some(48_000 / 10), "the buses ran all the time");
    apart
}

const RATE_PAIRS: [[u32; 2]; 3] = [[48_000, 48_000], [44_100, 48_000], [96_000, 44_100]];

#[test]
fn a_linked_start_is_one_link_frame_again_and_again() {
    for rates in RATE_PAIRS {
        let restarts = cases(if rates == [48_000; 2] { 1_000 } else { 60 });
        let apart = restart_together(Profile::hardware(), rates, restarts, LinkedStart::SameFrame);
        assert_eq!(apart, [restarts, 0, 0], "{rates:?}");
    }
}

#[test]
fn without_ssync_a_linked_start_is_as_near_as_the_starts_of_the_buses_are_known() {
    let profile = Profile { stream_sync_offset: None, ..Profile::hardware() };
    for rates in RATE_PAIRS {
        let restarts = cases(if rates == [48_000; 2] { 1_000 } else { 60 });
        let apart = restart_together(profile.clone(), rates, restarts, LinkedStart::BackToBack);
        println!("{rates:?}: {apart:?}");
        // The cadence of 44.1 kHz isn't known without its first link frame.
        assert!(rates != [48_000; 2] || apart == [restarts, 0, 0], "{apart:?}");
    }
}

#[test]
fn a_linked_start_of_standing_buses_is_the_hardware_s() {
    let mut rig = Rig::new([Some(48_000); 2], PortMode::Shared);
    let (mut play, _) = rig.open(OUT, &S32, 4_096);
    let (mut record, _) = rig.open(IN, &S32, 4_096);
    let how = rig.mixer.start_together(&mut [&mut play, &mut record]);
    assert_eq!(how, Ok(LinkedStart::SameFrame));
    rig.pass(50 * MILLISECOND);
    let [out, input] = [&mut play, &mut record]
        .map(|stream| rig.mixer.position(stream).expect("a position").link.expect("at the link"));
    assert_eq!(out.start_wall_ticks, input.start_wall_ticks);
}

#[test]
fn the_ring_s_dma_ends_before_the_ring_is_given_back() {
    let mut rig = Rig::new([Some(48_000); 2], PortMode::Shared);
    let (mut play, _) = rig.open(OUT, &S32, 4_096);
    rig.mixer.start(&mut play).expect("started");
    rig.pass(50 * MILLISECOND);
    rig.mixer.close(play).expect("closed");
    assert!(rig.model.dma_running(4), "the bus lingers");
    rig.pass(1_200 * MILLISECOND);
    assert!(!rig.model.dma_running(4), "the bus has stopped");
    assert_eq!(rig.mixer.bus_shape(OUT), None);
    assert!(rig.model.audible(0).is_empty());
}

#[test]
fn after_a_power_loss_voices_report_an_error_until_they_go_on() {
    let mut rig = Rig::new([Some(48_000); 2], PortMode::Shared);
    let (mut play, _) = rig.open(OUT, &S32, 4_096);
    rig.mixer.start(&mut play).expect("started");
    rig.pass(50 * MILLISECOND);
    let before = rig.mixer.position(&mut play).expect("a position");
    rig.mixer.restore().expect("restored");
    assert_eq!(rig.mixer.position(&mut play).expect("a position").descriptor_errors, 1);
    rig.mixer.pause(&mut play).expect("paused");
    rig.mixer.resume(&mut play).expect("resumed");
    rig.pass(50 * MILLISECOND);
    let after = rig.mixer.position(&mut play).expect("a position");
    assert_eq!(after.descriptor_errors, 0);
    assert!(after.bytes > before.bytes);
}
