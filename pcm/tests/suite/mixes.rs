//! Sums of voices.

use pcm::{Channels, Format, Gain, MilliDb, Volume, Wide, mix};
use proptest::prelude::*;

use crate::reference::{any_format, decode, of_wide};

/// A voice: its format, its level and its bytes.
#[derive(Clone, Debug)]
struct Voice {
    format: Format,
    level: i32,
    bytes: Vec<u8>,
}

fn any_voice() -> impl Strategy<Value = Voice> {
    let level = prop_oneof![3 => -100_000..=24_000, 1 => Just(0), 1 => Just(i32::MIN)];
    (any_format(), level, prop::collection::vec(any::<u8>(), 256)).prop_map(|(format, level, bytes)| Voice {
        format,
        level,
        bytes,
    })
}

/// The value that a voice adds, in doubles.
fn heard(voice: &Voice, sample: usize) -> f64 {
    let size = voice.format.bytes_per_sample();
    let value = decode(voice.format, &voice.bytes[sample * size..][..size]);
    let held = if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) };
    if voice.level < MilliDb::MIN.0 { 0.0 } else { held * 10f64.powf(f64::from(voice.level) / 20_000.0) }
}

proptest! {
    #[test]
    fn a_mix_is_the_sum_of_its_voices(voices in prop::collection::vec(any_voice(), 1..12)) {
        const SAMPLES: usize = 32;
        let mut sum: [Wide; SAMPLES] = [0; SAMPLES];
        for voice in &voices {
            let gain = Gain::from(MilliDb(voice.level));
            prop_assert_eq!(mix::add_encoded(voice.format, gain, &voice.bytes, &mut sum).samples, SAMPLES);
        }
        // A product is rounded to 2^-47, and its gain wrong by 2^-46 of it. Decoding a float rounds to 2^-31.
        let bound = |voice: &Voice| {
            let amplitude = 10f64.powf(f64::from(voice.level.max(-193_000)) / 20_000.0);
            let is_float = matches!(voice.format, Format::F32Le | Format::F32Be | Format::F64Le | Format::F64Be);
            2f64.powi(-48) + amplitude * 2f64.powi(-46) + if is_float { amplitude * 2f64.powi(-31) } else { 0.0 }
        };
        let bound: f64 = voices.iter().map(bound).sum();
        for (sample, wide) in sum.iter().enumerate() {
            let expected: f64 = voices.iter().map(|voice| heard(voice, sample)).sum();
            prop_assert!((of_wide(*wide) - expected).abs() <= bound, "{} {expected}", of_wide(*wide));
        }
    }

    #[test]
    fn one_voice_at_0_db_keeps_its_bits(format in any_format(), bytes in prop::collection::vec(any::<u8>(), 640..700)) {
        let count = bytes.len() / format.bytes_per_sample();
        let mut sum = vec![0; count];
        let added = mix::add_encoded(format, Gain::UNITY, &bytes, &mut sum);
        let mut samples = vec![0; count];
        let decoded = format.decode(&bytes, &mut samples);
        prop_assert_eq!(added, decoded);
        prop_assert!(sum.iter().zip(&samples).all(|(wide, sample)| *wide == i64::from(*sample) << 16));
        let mut bus = vec![0; count * 4];
        prop_assert_eq!(Format::S32Le.encode(Channels::STEREO, &sum, &mut bus).clipped_frames, 0);
        prop_assert!(bus.chunks(4).zip(&samples).all(|(bytes, sample)| *bytes == sample.to_le_bytes()));
    }

    #[test]
    fn a_block_is_mixed_as_its_parts(
        format in any_format(),
        level in -50_000..10_000,
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        at in 0usize..3000,
    ) {
        let size = format.bytes_per_sample();
        let (count, gain) = (bytes.len() / size, Gain::from(MilliDb(level)));
        let at = at.min(count);
        let (mut whole, mut parts) = (vec![5; count], vec![5; count]);
        mix::add_encoded(format, gain, &bytes, &mut whole);
        mix::add_encoded(format, gain, &bytes[..at * size], &mut parts[..at]);
        mix::add_encoded(format, gain, &bytes[at * size..], &mut parts[at..]);
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn the_shorter_slice_counts(
        voice in prop::collection::vec(any::<i32>(), 0..20),
        room in 0usize..20,
        channels in 1usize..=8,
    ) {
        let channels = Channels::new(channels).expect("1 to 8");
        let samples = voice.len().min(room);
        let mut sum = vec![0; room];
        prop_assert_eq!(mix::add(&voice, &mut sum), samples);
        prop_assert!(sum[samples..].iter().all(|wide| *wide == 0));
        let mut volume = Volume::new(Gain::UNITY);
        volume.ramp_to(Gain::MUTE, 3);
        prop_assert_eq!(volume.mix(channels, &voice, &mut sum), samples / channels.count());
    }
}

#[test]
fn the_stated_number_of_voices_fits() {
    let mut sum = [0; 1];
    for _ in 0..65_535 {
        mix::add(&[i32::MIN], &mut sum);
    }
    assert_eq!(sum, [-65_535 << 47]);
    let mut loud = [0; 1];
    for _ in 0..4_096 {
        mix::add_scaled(Gain::from(MilliDb::MAX), &[i32::MIN], &mut loud);
    }
    assert!(loud[0] < -(4_096 << 50));
    // More wraps, and doesn't panic.
    mix::add(&[i64::MIN, i64::MIN], &mut [i64::MIN, -1]);
}
