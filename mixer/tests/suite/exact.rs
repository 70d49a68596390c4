//! One voice alone: its samples go through bit for bit.

use audioback::card::{Card, Direction};
use sndif::format::{FormatSet, SampleFormat};

use audioback::card::PortMode;

use crate::support::guest::Guest;
use crate::support::noise;
use crate::support::rig::{LIMITS, MILLISECOND, OUT, Rig, params, port};

/// Encodes a sample of 32 bits whose lower bits the format can't hold are 0.
pub fn encode(format: SampleFormat, sample: i32) -> Vec<u8> {
    use SampleFormat as F;
    let unsigned = (sample as u32) ^ 0x8000_0000;
    let float = f64::from(sample) / 2f64.powi(31);
    match format {
        F::S8 => vec![(sample >> 24) as u8],
        F::U8 => vec![(unsigned >> 24) as u8],
        F::S16Le => ((sample >> 16) as i16).to_le_bytes().into(),
        F::S16Be => ((sample >> 16) as i16).to_be_bytes().into(),
        F::U16Le => ((unsigned >> 16) as u16).to_le_bytes().into(),
        F::U16Be => ((unsigned >> 16) as u16).to_be_bytes().into(),
        F::S24Le => (sample >> 8).to_le_bytes().into(),
        F::S24Be => (sample >> 8).to_be_bytes().into(),
        F::U24Le => (unsigned >> 8).to_le_bytes().into(),
        F::U24Be => (unsigned >> 8).to_be_bytes().into(),
        F::S32Le => sample.to_le_bytes().into(),
        F::S32Be => sample.to_be_bytes().into(),
        F::U32Le => unsigned.to_le_bytes().into(),
        F::U32Be => unsigned.to_be_bytes().into(),
        F::F32Le => (float as f32).to_le_bytes().into(),
        F::F32Be => (float as f32).to_be_bytes().into(),
        F::F64Le => float.to_le_bytes().into(),
        F::F64Be => float.to_be_bytes().into(),
        _ => panic!("{format:?} has no samples"),
    }
}

/// The formats that a bus of 32 bits holds, with the bits that they hold.
pub const FORMATS: [(SampleFormat, u32); 18] = [
    (SampleFormat::S8, 8),
    (SampleFormat::U8, 8),
    (SampleFormat::S16Le, 16),
    (SampleFormat::S16Be, 16),
    (SampleFormat::U16Le, 16),
    (SampleFormat::U16Be, 16),
    (SampleFormat::S24Le, 24),
    (SampleFormat::S24Be, 24),
    (SampleFormat::U24Le, 24),
    (SampleFormat::U24Be, 24),
    (SampleFormat::S32Le, 32),
    (SampleFormat::S32Be, 32),
    (SampleFormat::U32Le, 32),
    (SampleFormat::U32Be, 32),
    (SampleFormat::F32Le, 24),
    (SampleFormat::F32Be, 24),
    (SampleFormat::F64Le, 32),
    (SampleFormat::F64Be, 32),
];

/// The formats of G.711, with bits that hold what they decode to.
pub const G711: [(SampleFormat, u32); 2] = [(SampleFormat::MuLaw, 16), (SampleFormat::ALaw, 16)];

/// The value of a code of G.711, by its tables 1 and 2: eight segments of 16 intervals.
pub fn decoded(format: SampleFormat, code: u8) -> i32 {
    let is_mu = format == SampleFormat::MuLaw;
    let code = code ^ if is_mu { 0xff } else { 0x55 };
    let (segment, twice_interval) = (i32::from(code >> 4 & 7), i32::from(code & 15) * 2);
    let magnitude = match (is_mu, segment) {
        // 13 bits, and 12.
        (true, _) => (((33 + twice_interval) << segment) - 33) << 18,
        (false, 0) => (1 + twice_interval) << 19,
        (false, _) => (33 + twice_interval) << (segment - 1) << 19,
    };
    // The sign bit is that of positive values, once it is inverted for mu-law.
    if (code & 0x80 != 0) == is_mu { -magnitude } else { magnitude }
}

/// A guest's sample of a channel as bytes and as a value.
pub fn written(seed: u64, frame: u64, channel: u8, (format, bits): (SampleFormat, u32)) -> (Vec<u8>, i32) {
    let sample = sample(seed, frame, channel, bits);
    if matches!(format, SampleFormat::MuLaw | SampleFormat::ALaw) {
        let code = (sample >> 24) as u8;
        (vec![code], decoded(format, code))
    } else {
        (encode(format, sample), sample)
    }
}

/// The sample of a channel that a guest plays, cut to `bits`.
pub fn sample(seed: u64, frame: u64, channel: u8, bits: u32) -> i32 {
    (noise(seed, frame * 8 + u64::from(channel)) as i32) >> (32 - bits) << (32 - bits)
}

fn guest_frames(seed: u64, format: SampleFormat, channels: u8, bits: u32) -> Box<dyn Fn(u64) -> Vec<u8>> {
    Box::new(move |frame| {
        (0..channels).flat_map(|channel| written(seed, frame, channel, (format, bits)).0).collect()
    })
}

#[test]
fn one_voice_is_bit_exact_in_every_format_that_fits() {
    for (index, (format, bits)) in FORMATS.into_iter().chain(G711).enumerate() {
        let channels = index as u8 % 8 + 1;
        let rate_hz = [44_100, 48_000, 96_000, 192_000][index % 4];
        let mut rig = Rig::new(PortMode::Shared);
        let seed = index as u64;
        let frames = guest_frames(seed, format, channels, bits);
        let mut guest = Guest::open(&mut rig, OUT, &params(rate_hz, format, channels), frames);
        assert_eq!(rig.mixer.bus_shape(OUT), Some((rate_hz, channels)));
        rig.mixer.start(&mut guest.stream).expect("started");
        rig.pass_with(60 * MILLISECOND, &mut [&mut guest]);
        let played = rig.played_words(OUT, channels.into());
        assert!(played.len() > (rate_hz / 20) as usize * usize::from(channels), "{format:?}");
        for (at, word) in played.iter().enumerate() {
            let (frame, channel) = (at / usize::from(channels), at % usize::from(channels));
            let (_, expected) = written(seed, frame as u64, channel as u8, (format, bits));
            assert_eq!(*word, expected, "{format:?}: frame {frame}");
        }
        assert_eq!(rig.mixer.bus_stats(OUT).expect("a bus").late_turns, 0);
    }
}

#[test]
fn sixteen_bits_are_exact_on_a_port_of_16_bits() {
    let mut formats = FormatSet::EMPTY;
    formats.insert(SampleFormat::S16Le);
    let narrow = audioback::card::Port { formats, ..port(Direction::Playback) };
    for (format, bits) in FORMATS.into_iter().filter(|(_, bits)| *bits <= 16).chain(G711) {
        let mut rig = Rig::on(PortMode::Shared, LIMITS, vec![narrow]);
        let mut guest =
            Guest::open(&mut rig, OUT, &params(48_000, format, 2), guest_frames(5, format, 2, bits));
        rig.mixer.start(&mut guest.stream).expect("started");
        rig.pass_with(30 * MILLISECOND, &mut [&mut guest]);
        let played = rig.played(OUT, 4);
        assert!(played.len() > 4_800);
        for (at, word) in played.chunks_exact(2).enumerate() {
            let (_, expected) = written(5, at as u64 / 2, at as u8 % 2, (format, bits));
            assert_eq!(expected as u16, 0, "{format:?}: it fits");
            assert_eq!(word, ((expected >> 16) as i16).to_le_bytes(), "{format:?}: sample {at}");
        }
    }
}

#[test]
fn what_was_not_announced_is_silence_and_nothing_old_is_heard_again() {
    let mut rig = Rig::new(PortMode::Shared);
    let frames = guest_frames(1, SampleFormat::S32Le, 2, 32);
    let mut guest = Guest::open(&mut rig, OUT, &params(48_000, SampleFormat::S32Le, 2), frames);
    guest.total = 10_000;
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(700 * MILLISECOND, &mut [&mut guest]);
    let played = rig.played_words(OUT, 2);
    for (at, word) in played.iter().enumerate() {
        let frame = at as u64 / 2;
        // The buffer has 8,192 frames, so an old lap would be heard from 10,000 on.
        let expected = if frame < 10_000 { sample(1, frame, at as u8 % 2, 32) } else { 0 };
        assert_eq!(*word, expected, "frame {frame}");
    }
    assert!(played.len() > 60_000);
}

#[test]
fn a_write_that_comes_too_late_is_counted_and_the_end_of_a_stream_is_not() {
    let mut rig = Rig::new(PortMode::Shared);
    let frames = guest_frames(1, SampleFormat::S32Le, 2, 32);
    let voice = params(48_000, SampleFormat::S32Le, 2);
    let mut guest = Guest::with_buffer(&mut rig, OUT, &voice, 4_800, frames);
    let errors = |rig: &mut Rig, guest: &mut Guest| {
        rig.mixer.position(&mut guest.stream).expect("a position").fifo_errors
    };
    guest.total = 4_800;
    rig.mixer.start(&mut guest.stream).expect("started");
    rig.pass_with(150 * MILLISECOND, &mut [&mut guest]);
    assert_eq!(errors(&mut rig, &mut guest), 0);
    guest.total = u64::MAX;
    guest.refill(&mut rig.mixer);
    assert_eq!(errors(&mut rig, &mut guest), 1);
    rig.pass_with(50 * MILLISECOND, &mut [&mut guest]);
    assert_eq!(errors(&mut rig, &mut guest), 1);
    let played = rig.played_words(OUT, 2);
    assert!(played[4_800 * 2..7_000 * 2].iter().all(|word| *word == 0));
    assert_eq!(played[9_000 * 2], sample(1, 9_000, 0, 32), "later frames are where they belong");
}

#[test]
fn a_guest_that_announces_nothing_plays_its_buffer_round_and_round() {
    let mut rig = Rig::new(PortMode::Shared);
    let buffer = crate::support::memory::Buffer::new(480 * 8);
    for frame in 0..480u32 {
        let bytes: Vec<u8> = [frame as i32, -(frame as i32)].into_iter().flat_map(i32::to_le_bytes).collect();
        hyper::SampleMemory::write(&buffer, frame * 8, &bytes);
    }
    let mut stream = rig.open(OUT, &params(48_000, SampleFormat::S32Le, 2), &buffer);
    rig.mixer.start(&mut stream).expect("started");
    rig.pass(100 * MILLISECOND);
    for (frame, words) in rig.played_words(OUT, 2).chunks_exact(2).enumerate() {
        let expected = (frame % 480) as i32;
        assert_eq!(words, [expected, -expected], "frame {frame}");
    }
}
