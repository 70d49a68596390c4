//! Decoding and encoding, format by format and from each to each.

use pcm::{Channels, Encoded, Format, Sample, Wide};
use proptest::prelude::*;

use crate::reference::{
    SAMPLE_ONE, WIDE_ONE, any_format, any_wide, decision, decode, linear, of_sample, of_wide,
};

fn decoded(format: Format, bytes: &[u8]) -> (Vec<Sample>, usize) {
    let mut samples = vec![0; bytes.len() / format.bytes_per_sample()];
    let result = format.decode(bytes, &mut samples);
    assert_eq!(result.samples, samples.len());
    (samples, result.clipped)
}

fn encoded(format: Format, channels: Channels, samples: &[Wide]) -> (Vec<u8>, usize) {
    let mut bytes = vec![0; samples.len() * format.bytes_per_sample()];
    let result = format.encode(channels, samples, &mut bytes);
    assert_eq!(result.samples, samples.len());
    (bytes, result.clipped_frames)
}

fn is_float(format: Format) -> bool {
    matches!(format, Format::F32Le | Format::F32Be | Format::F64Le | Format::F64Be)
}

/// The nearest number of steps, ties up.
fn nearest(value: f64) -> f64 {
    (value + 0.5).floor()
}

#[test]
fn every_16_bit_sample_and_every_code_comes_back() {
    for format in Format::ALL.into_iter().filter(|format| format.bytes_per_sample() <= 2) {
        let mut bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        if format == Format::MuLaw {
            // Its second zero comes back as the first.
            bytes.iter_mut().filter(|byte| **byte == 0x7f).for_each(|byte| *byte = 0xff);
        }
        let (samples, _) = decoded(format, &bytes);
        let mut back = vec![0; bytes.len()];
        let result = format.encode(Channels::STEREO, &samples, &mut back);
        assert_eq!((result.samples, result.clipped_frames), (samples.len(), 0), "{format:?}");
        assert!(back == bytes, "{format:?}");
    }
}

#[test]
fn silence_is_zero_in_every_format() {
    for format in Format::ALL {
        let (bytes, clipped) = encoded(format, Channels::MONO, &[0; 8]);
        assert_eq!(clipped, 0);
        let near = if format == Format::ALaw { 1 << 19 } else { 0 };
        assert!(decoded(format, &bytes).0.iter().all(|sample| *sample == near), "{format:?}");
    }
}

proptest! {
    #[test]
    fn decoding_is_the_nearest_sample(format in any_format(), bytes in prop::collection::vec(any::<u8>(), 8..64)) {
        let size = format.bytes_per_sample();
        let (samples, clipped) = decoded(format, &bytes);
        let values: Vec<f64> = bytes.chunks_exact(size).map(|bytes| decode(format, bytes)).collect();
        for (sample, value) in samples.iter().zip(&values) {
            let expected = if value.is_nan() { 0.0 } else { nearest(value * SAMPLE_ONE) };
            prop_assert_eq!(f64::from(*sample), expected.clamp(-SAMPLE_ONE, SAMPLE_ONE - 1.0));
            if !is_float(format) {
                prop_assert_eq!(of_sample(*sample), *value);
            }
        }
        prop_assert_eq!(clipped, values.iter().filter(|value| value.abs() > 1.0).count());
    }

    #[test]
    fn floats_near_full_scale_and_near_nothing_are_the_nearest_sample(
        value in -1.1f64..1.1,
        exponent in 0i32..60,
    ) {
        let value = value * 2f64.powi(-exponent);
        let expected = |value: f64| nearest(value * SAMPLE_ONE).clamp(-SAMPLE_ONE, SAMPLE_ONE - 1.0);
        let (double, _) = decoded(Format::F64Le, &value.to_le_bytes());
        prop_assert_eq!(f64::from(double[0]), expected(value));
        let single = value as f32;
        let (sample, clipped) = decoded(Format::F32Be, &single.to_be_bytes());
        prop_assert_eq!(f64::from(sample[0]), expected(single.into()));
        prop_assert_eq!(clipped, usize::from(single.abs() > 1.0));
    }

    #[test]
    fn linear_samples_come_back(format in any_format(), bytes in prop::collection::vec(any::<u8>(), 8..64)) {
        let Some((bits, is_unsigned, is_big_endian)) = linear(format) else { return Ok(()) };
        let mut bytes = bytes;
        if bits == 24 {
            // The fourth byte extends the sign, or is 0.
            for sample in bytes.chunks_exact_mut(4) {
                let (fourth, top) = if is_big_endian { (0, 1) } else { (3, 2) };
                sample[fourth] = if !is_unsigned && sample[top] >= 0x80 { 0xff } else { 0 };
            }
        }
        let (samples, _) = decoded(format, &bytes);
        let mut back = bytes.clone();
        back.fill(0);
        let result = format.encode(Channels::MONO, &samples, &mut back);
        let whole = result.samples * format.bytes_per_sample();
        prop_assert_eq!(&back[..whole], &bytes[..whole]);
        prop_assert_eq!(result.clipped_frames, 0);
    }

    #[test]
    fn floats_of_whole_steps_come_back(sample in any::<i32>()) {
        let (bytes, _) = encoded(Format::F64Be, Channels::MONO, &[i64::from(sample) << 16]);
        prop_assert_eq!(f64::from_be_bytes(bytes[..].try_into().expect("8 bytes")), of_sample(sample));
        prop_assert_eq!(decoded(Format::F64Be, &bytes).0[0], sample);
        // A single holds 24 bits.
        let single = sample as f32 / SAMPLE_ONE as f32;
        let (samples, _) = decoded(Format::F32Le, &single.to_le_bytes());
        let (bytes, _) = encoded(Format::F32Le, Channels::MONO, &[i64::from(samples[0]) << 16]);
        prop_assert_eq!(f32::from_le_bytes(bytes[..].try_into().expect("4 bytes")), single);
    }

    #[test]
    fn encoding_rounds_and_saturates_once(
        format in any_format(),
        channels in 1usize..=8,
        samples in prop::collection::vec(any_wide(), 1..300),
    ) {
        let channels = Channels::new(channels).expect("1 to 8");
        let (bytes, clipped_frames) = encoded(format, channels, &samples);
        let mut clipped = Vec::new();
        for (bytes, wide) in bytes.chunks_exact(format.bytes_per_sample()).zip(&samples) {
            let (value, result) = (of_wide(*wide), decode(format, bytes));
            if let Some((bits, ..)) = linear(format) {
                let one = 2f64.powi(bits as i32 - 1);
                // In whole numbers: a double can't hold all 64 bits of a sum beyond full scale.
                let shift = 48 - bits;
                let rounded = ((i128::from(*wide) + (1 << (shift - 1))) >> shift) as f64;
                let held = rounded.clamp(-one, one - 1.0);
                prop_assert_eq!(result * one, held);
                clipped.push(held != rounded);
            } else if is_float(format) {
                let held = value.clamp(-1.0, 1.0);
                let expected = if format.bytes_per_sample() == 4 { f64::from(held as f32) } else { held };
                prop_assert_eq!(result, expected);
                clipped.push(wide.unsigned_abs() > 1 << 47);
            } else {
                // The code whose interval begins last, of those that the magnitude reaches.
                let reached = (0..=u8::MAX).filter(|code| decision(format, *code) <= value.abs());
                let nearest = reached.map(|code| decode(format, &[code]).abs()).fold(0.0, f64::max);
                prop_assert_eq!(result, if value < 0.0 { -nearest } else { nearest });
                let end = if format == Format::MuLaw { 8159i128 << 34 } else { 1 << 47 };
                clipped.push(i128::from(*wide).abs() > end);
            }
        }
        let frames = clipped.chunks(channels.count()).filter(|frame| frame.contains(&true)).count();
        prop_assert_eq!(clipped_frames, frames);
    }

    #[test]
    fn each_format_becomes_each_other_within_half_a_step(
        from in any_format(),
        to in any_format(),
        bytes in prop::collection::vec(any::<u8>(), 8..64),
    ) {
        let (samples, _) = decoded(from, &bytes);
        let mut other = vec![0; samples.len() * to.bytes_per_sample()];
        let result: Encoded = to.encode(Channels::MONO, &samples, &mut other);
        prop_assert_eq!(result.samples, samples.len());
        for (bytes, sample) in other.chunks_exact(to.bytes_per_sample()).zip(&samples) {
            let (value, result) = (of_sample(*sample), decode(to, bytes));
            let half_step = match linear(to) {
                Some((bits, ..)) if f64::from(*sample) >= SAMPLE_ONE - 2f64.powi(31 - bits as i32) => {
                    // It saturates a whole step below full scale.
                    2f64.powi(1 - bits as i32)
                }
                Some((bits, ..)) => 2f64.powi(-(bits as i32)),
                None if is_float(to) => 2f64.powi(-25),
                // Half the widest interval, and what mu-law lacks to full scale.
                None => 2f64.powi(-6) + 2f64.powi(-7),
            };
            prop_assert!((value - result).abs() <= half_step, "{value} {result}");
        }
    }

    #[test]
    fn any_lengths_do(
        format in any_format(),
        channels in 1usize..=8,
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        samples in 0usize..20,
    ) {
        let channels = Channels::new(channels).expect("1 to 8");
        let size = format.bytes_per_sample();
        let mut buffer = vec![-7; samples];
        let whole = samples.min(bytes.len() / size);
        prop_assert_eq!(format.decode(&bytes, &mut buffer).samples, whole);
        prop_assert!(buffer[whole..].iter().all(|sample| *sample == -7));
        let mut out = bytes.clone();
        prop_assert_eq!(format.encode(channels, &buffer, &mut out).samples, whole);
        prop_assert_eq!(&out[whole * size..], &bytes[whole * size..]);
    }
}

#[test]
fn sums_beyond_doubles_have_the_scale_of_the_reference() {
    assert_eq!(of_wide(1 << 47), 1.0);
    assert_eq!(WIDE_ONE / SAMPLE_ONE, 65_536.0);
}
