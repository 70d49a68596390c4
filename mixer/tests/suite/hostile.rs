//! A guest may say and write anything, and it costs nobody a frame.

use audioback::card::{Card, Direction, PortIndex, PortMode};
use hyper::{MappedBuffer, SampleMemory};
use mixer::MixerStream;
use proptest::prelude::*;
use sndif::format::SampleFormat;

use crate::exact::encode;
use crate::support::guest::Guest;
use crate::support::memory::Buffer;
use crate::support::rig::{IN, LIMITS, MILLISECOND, OUT, Rig, params, port};
use crate::support::{noise, property};

fn good(rig: &mut Rig) -> Guest {
    let left = |frame: u64| [noise(1, frame) as i32 / 4, 0].into_iter().flat_map(i32::to_le_bytes).collect();
    Guest::open(rig, OUT, &params(48_000, SampleFormat::S32Le, 2), Box::new(left))
}

fn assert_untouched(rig: &mut Rig) {
    assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns, 0);
    for (frame, words) in rig.played_words(OUT, 2).chunks_exact(2).enumerate() {
        assert_eq!(words[0], noise(1, frame as u64) as i32 / 4, "frame {frame}");
    }
}

#[test]
fn a_float_that_is_no_number_is_silence_and_an_infinite_one_full_scale() {
    for (bits, right) in [(f32::NAN.to_bits(), 0), (0xff80_0000, i32::MIN), (0x7fc0_dead, 0)] {
        let mut rig = Rig::new(PortMode::Shared);
        let mut guest = good(&mut rig);
        let buffer = Buffer::new(480 * 8);
        (0..480).for_each(|frame| buffer.write(frame * 8 + 4, &bits.to_le_bytes()));
        let mut wild = rig.open(OUT, &params(48_000, SampleFormat::F32Le, 2), &buffer);
        rig.mixer.start_together(&mut [&mut guest.stream, &mut wild]).expect("started");
        rig.pass_with(30 * MILLISECOND, &mut [&mut guest]);
        assert!(rig.played_words(OUT, 2).iter().skip(1).step_by(2).all(|word| *word == right));
        assert_untouched(&mut rig);
    }
}

/// Streams of the hostile guest, by the ports that they are opened on.
const PORTS: [PortIndex; 7] = [OUT, OUT, OUT, IN, OTHER_OUT, OTHER_OUT, MONITOR_OF_OUT];
const OTHER_OUT: PortIndex = PortIndex(2);
/// Behind the card's three ports.
const MONITOR_OF_OUT: PortIndex = PortIndex(3);

/// Something that a guest does or brings about.
#[derive(Clone, Debug)]
enum Deed {
    Open {
        which: usize,
        format: usize,
        channels: u8,
        number: u32,
    },
    Start(usize),
    StartTogether(usize, usize),
    Pause(usize),
    Resume(usize),
    Stop(usize),
    Close(usize),
    Written(usize, u64),
    Period(usize, u32),
    Volume(usize, u8, i32),
    Mute(usize, u8),
    /// Many requests at a time.
    Flood(usize, u8),
    Garbage(u64),
    /// Its requests wait so long for the hardware from now on: those that stop, and others.
    Waits(u64, u64),
    /// A stream of another port than the good guests' fails, doesn't start, or doesn't stop.
    Fault(bool, u8),
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let which = 0..PORTS.len();
    prop_oneof![
        4 => (which.clone(), 0usize..25, any::<u8>(), any::<u32>())
            .prop_map(|(which, format, channels, number)| Deed::Open { which, format, channels, number }),
        4 => which.clone().prop_map(Deed::Start),
        1 => (which.clone(), which.clone()).prop_map(|(a, b)| Deed::StartTogether(a, b)),
        1 => which.clone().prop_map(Deed::Pause),
        1 => which.clone().prop_map(Deed::Resume),
        1 => which.clone().prop_map(Deed::Stop),
        1 => which.clone().prop_map(Deed::Close),
        2 => (which.clone(), any::<u64>()).prop_map(|(a, b)| Deed::Written(a, b >> (b % 64))),
        1 => (which.clone(), any::<u32>()).prop_map(|(a, b)| Deed::Period(a, b >> (b % 32))),
        1 => (which.clone(), any::<u8>(), any::<i32>()).prop_map(|(a, b, c)| Deed::Volume(a, b % 10, c)),
        1 => (which.clone(), any::<u8>()).prop_map(|(a, b)| Deed::Mute(a, b % 10)),
        1 => (which, any::<u8>()).prop_map(|(a, b)| Deed::Flood(a, b)),
        1 => any::<u64>().prop_map(Deed::Garbage),
        1 => (0..LONGEST_WAIT_NS, 0..LONGEST_WAIT_NS).prop_map(|(a, b)| Deed::Waits(a, b)),
        1 => (any::<bool>(), 0u8..6).prop_map(|(a, b)| Deed::Fault(a, b)),
        5 => (0u64..8_000_000).prop_map(Deed::Pass),
    ]
}

/// What is mixed ahead covers this, and the turn before.
const LONGEST_WAIT_NS: u64 = 38 * MILLISECOND;

const RATES: [u32; 8] = [0, 5_511, 5_512, 44_100, 48_000, 192_000, 192_001, u32::MAX];

/// Samples of the good guests, each on a side of its own. None is 0.
fn sample(side: u64, frame: u64) -> i32 {
    (noise(side, frame) as i32 / 4) >> 16 << 16 | 1 << 16
}

fn frame_of(side: usize, format: SampleFormat) -> impl Fn(u64) -> Vec<u8> {
    move |frame| {
        let mut sides = [0; 4];
        sides[side] = sample(side as u64, frame);
        sides.into_iter().flat_map(|sample| encode(format, sample)).collect()
    }
}

/// A stream of the hostile guest, with its pages.
struct Held {
    stream: MixerStream,
    buffer: Buffer,
    /// Bytes of a frame, if its left half is silence and its right half may be anything.
    right_of_bytes: Option<u32>,
}

struct Hostile {
    held: [Option<Held>; PORTS.len()],
    garbage: Buffer,
}

impl Hostile {
    fn open(&mut self, rig: &mut Rig, which: usize, format: usize, channels: u8, number: u32) {
        let channels = if channels < 192 { 4 } else { channels % 10 };
        let format = SampleFormat::all().nth(format).expect("a format");
        let params = params(RATES[number as usize % RATES.len()], format, channels);
        let frame_bytes = format.bytes_per_sample().unwrap_or(1) * u32::from(channels);
        let is_heard = PORTS[which] == OUT;
        let buffer = match number % 3 {
            _ if !is_heard && number.is_multiple_of(2) => self.garbage.clone(),
            0 => Buffer::new(number % 40_000),
            _ => Buffer::new(number % 4_000 * frame_bytes),
        };
        // What it plays is silence where the good guests are heard.
        if self.held[which].is_none() && !(is_heard && is_loud(format)) {
            let opened = rig.mixer.open(PORTS[which], &params, buffer.clone());
            let right_of_bytes = (channels == 4 || !is_heard).then_some(frame_bytes.max(1));
            self.held[which] = opened.ok().map(|stream| Held { stream, buffer, right_of_bytes });
        }
    }

    fn write_garbage(&self, seed: u64) {
        let held = self.held.iter().flatten().filter_map(|held| Some((&held.buffer, held.right_of_bytes?)));
        for (buffer, frame_bytes) in held {
            let frames = buffer.size_bytes() / frame_bytes;
            for frame in 0..frames.min(64) {
                let number = u64::from(frame) << 8;
                // Half of them have exponents of floats that aren't numbers.
                let bytes: Vec<u8> = (0..u64::from(frame_bytes / 2))
                    .map(|at| noise(seed, number + at) as u8 | if seed.is_multiple_of(2) { 0x7f } else { 0 })
                    .collect();
                let at = (frame + (seed >> 32) as u32 % frames) % frames;
                buffer.write(at * frame_bytes + frame_bytes / 2, &bytes);
            }
        }
    }

    fn request(&mut self, rig: &mut Rig, which: usize, deed: &Deed) {
        let Some(Held { stream, .. }) = &mut self.held[which] else { return };
        let mixer = &mut rig.mixer;
        match *deed {
            Deed::Start(_) => may_be_refused(mixer.start(stream)),
            Deed::Pause(_) => may_be_refused(mixer.pause(stream)),
            Deed::Resume(_) => may_be_refused(mixer.resume(stream)),
            Deed::Stop(_) => may_be_refused(mixer.stop(stream)),
            Deed::Written(_, bytes) => drop(mixer.note_written(stream, bytes)),
            Deed::Period(_, frames) => mixer.set_period(stream, frames),
            Deed::Volume(_, channel, mdb) => may_be_refused(mixer.set_volume(stream, channel, mdb)),
            Deed::Mute(_, channel) => may_be_refused(mixer.set_mute(stream, channel, true)),
            Deed::Flood(_, many) => {
                for number in 0..u64::from(many) {
                    may_be_refused(mixer.position(stream));
                    mixer.note_written(stream, number << (number % 64));
                    mixer.set_period(stream, u32::from(many));
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, rig: &mut Rig, deed: &Deed) {
        match *deed {
            Deed::Open { which, format, channels, number } => self.open(rig, which, format, channels, number),
            Deed::StartTogether(one, two) if one != two => {
                let mut taken = [one, two].map(|which| self.held[which].take());
                if let [Some(one), Some(two)] = &mut taken {
                    may_be_refused(rig.mixer.start_together(&mut [&mut one.stream, &mut two.stream]));
                }
                let [first, second] = taken;
                (self.held[one], self.held[two]) = (first, second);
            }
            Deed::Close(which) => {
                if let Some(Held { stream, buffer, right_of_bytes }) = self.held[which].take() {
                    let stream = rig.mixer.close(stream).err().map(|still| still.0);
                    self.held[which] = stream.map(|stream| Held { stream, buffer, right_of_bytes });
                }
            }
            Deed::Garbage(seed) => self.write_garbage(seed),
            Deed::Waits(stop_ns, other_ns) => {
                rig.mixer.card().stop_wait_ns = stop_ns;
                rig.mixer.card().wait_ns = other_ns;
            }
            Deed::Fault(is_output, kind) => {
                let port = if is_output { OTHER_OUT } else { IN };
                let seen = &rig.mixer.card().seen[usize::from(port.0)];
                let mut seen = seen.borrow_mut();
                (seen.fails, seen.start_fails, seen.sticks) = (kind == 0, kind == 1, kind == 2);
            }
            Deed::Start(which)
            | Deed::Pause(which)
            | Deed::Resume(which)
            | Deed::Stop(which)
            | Deed::Written(which, _)
            | Deed::Period(which, _)
            | Deed::Volume(which, ..)
            | Deed::Mute(which, _)
            | Deed::Flood(which, _) => self.request(rig, which, deed),
            Deed::StartTogether(..) | Deed::Pass(_) => {}
        }
    }
}

/// Two guests play while a third one does what it likes.
fn assert_that_nobody_loses_a_frame(mode: PortMode, deeds: &[Deed]) {
    let ports = [Direction::Playback, Direction::Capture, Direction::Playback].map(port);
    let mut rig = Rig::on(mode, LIMITS, ports.to_vec());
    // The hardware hasn't this format, so both are voices.
    let formats = [SampleFormat::S32Be, SampleFormat::S16Le];
    let [mut one, mut two] = [0, 1].map(|side| {
        let frames = Box::new(frame_of(side, formats[side]));
        Guest::with_buffer(&mut rig, OUT, &params(48_000, formats[side], 4), 8_192, frames)
    });
    rig.mixer.set_period(&mut two.stream, 64);
    rig.mixer.start(&mut one.stream).expect("started");
    rig.mixer.start(&mut two.stream).expect("started");
    let mut hostile = Hostile { held: [const { None }; PORTS.len()], garbage: Buffer::new(65_536) };
    for deed in deeds {
        hostile.act(&mut rig, deed);
        // In the image the loop has a turn between two requests.
        let span_ns = if let Deed::Pass(span_ns) = deed { *span_ns } else { 0 };
        rig.pass_with(span_ns.max(20_000), &mut [&mut one, &mut two]);
    }
    rig.pass_with(20 * MILLISECOND, &mut [&mut one, &mut two]);
    // A late turn may be one for the hostile guest only.
    for guest in [&mut one, &mut two] {
        let position = rig.mixer.position(&mut guest.stream).expect("a position");
        assert_eq!((position.fifo_errors, position.descriptor_errors), (0, 0));
    }
    let words = rig.played_words(OUT, 4);
    for side in 0..2 {
        let heard = words.iter().skip(side).step_by(4);
        for (frame, word) in (0..).zip(heard.skip_while(|word| **word == 0)) {
            assert_eq!(*word, sample(side as u64, frame), "side {side}, frame {frame}");
        }
        assert!(words[side] != 0 || side == 1, "the first guest began with the bus");
    }
}

proptest! {
    #![proptest_config(property(100))]

    #[test]
    fn no_deed_of_a_guest_costs_another_a_frame(
        mode in prop::sample::select(vec![PortMode::Shared, PortMode::Auto]),
        deeds in prop::collection::vec(deed(), 1..60),
    ) {
        assert_that_nobody_loses_a_frame(mode, &deeds);
    }
}

#[test]
fn a_stream_that_waits_for_its_stop_and_for_its_close_costs_nobody_a_frame() {
    let open =
        |which| Deed::Open { which, format: format_of(SampleFormat::S32Le), channels: 0, number: 1_004 };
    // Each is covered, and both together are not.
    let waits = Deed::Waits(20 * MILLISECOND, 30 * MILLISECOND);
    let begin = [open(5), Deed::Start(5), Deed::Pass(5_000_000)];
    let moved = [waits.clone(), open(4)];
    let closed = [waits.clone(), Deed::Close(5)];
    let direct_again =
        [open(4), Deed::Close(4), Deed::Stop(5), Deed::Pass(90_000_000), waits, Deed::Start(5)];
    for then in [&moved[..], &closed[..], &direct_again[..]] {
        assert_that_nobody_loses_a_frame(PortMode::Auto, &[&begin[..], then].concat());
    }
}

#[test]
fn a_bus_that_fails_before_another_request_waits_costs_nobody_a_frame() {
    let open = |which, format| Deed::Open { which, format: format_of(format), channels: 0, number: 1_004 };
    // A voice: the hardware hasn't its format.
    let begin =
        [open(4, SampleFormat::S32Be), Deed::Start(4), Deed::Waits(33 * MILLISECOND, 8 * MILLISECOND)];
    let then = [Deed::Fault(true, 0), open(3, SampleFormat::S32Le)];
    assert_that_nobody_loses_a_frame(PortMode::Auto, &[&begin[..], &then[..]].concat());
}

fn format_of(format: SampleFormat) -> usize {
    SampleFormat::all().position(|other| other == format).expect("a format")
}

/// Whether bytes of 0 are not silence.
fn is_loud(format: SampleFormat) -> bool {
    use SampleFormat as F;
    matches!(
        format,
        F::U8 | F::U16Le | F::U16Be | F::U24Le | F::U24Be | F::U32Le | F::U32Be | F::MuLaw | F::ALaw
    )
}

fn may_be_refused<T>(_: Result<T, audioback::card::CardError>) {}
