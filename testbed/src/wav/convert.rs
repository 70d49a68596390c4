//! Makes any PCM fit for the emulated card: stereo, 16 bits, one of its rates.

#[cfg(feature = "resample")]
use rubato::{Resampler, SincFixedIn, SincInterpolationParameters, SincInterpolationType, WindowFunction};

use super::judge::{Samples, Values};
use super::pcm::{Format, Pcm};

/// The rates of the emulator's codecs: bits 2 to 8 of its supported PCM rates, as the specification numbers them
/// (High Definition Audio Specification 1.0a, 7.3.4.7).
pub const CARD_RATES_HZ: [u32; 7] = [16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000];

/// The rate at which the card plays a recording: its own where the card has it, else one that is an even multiple or
/// fraction of it, else the next higher one.
pub fn card_rate(rate_hz: u32) -> u32 {
    let multiple = |card: &u32| card.is_multiple_of(rate_hz);
    let fraction = |card: &u32| rate_hz.is_multiple_of(*card);
    let highest = CARD_RATES_HZ[CARD_RATES_HZ.len() - 1];
    CARD_RATES_HZ
        .into_iter()
        .find(multiple)
        .or_else(|| CARD_RATES_HZ.into_iter().rev().find(|card| rate_hz > highest && fraction(card)))
        .or_else(|| CARD_RATES_HZ.into_iter().find(|card| *card > rate_hz))
        .unwrap_or(highest)
}

/// Converts to what the card plays; says how in one line when anything changed.
pub fn to_card(samples: Samples) -> (Pcm, Option<String>) {
    let from = samples.format;
    let to = Format { rate_hz: card_rate(from.rate_hz), channels: 2, bits: 16, float: false };
    if let (true, Values::Integer(values)) = (from == to, &samples.values) {
        // Every value fits: the file had 16 bits.
        let bytes = values.iter().flat_map(|value| (*value as i16).to_le_bytes()).collect();
        return (Pcm { rate_hz: to.rate_hz, bytes }, None);
    }
    let stereo = mix(&scaled(&samples), usize::from(from.channels));
    let [left, right] =
        if from.rate_hz == to.rate_hz { stereo } else { resample(stereo, from.rate_hz, to.rate_hz) };
    let mut clipped = 0_u64;
    let bytes = left
        .iter()
        .zip(&right)
        .flat_map(|(left, right)| [*left, *right])
        .flat_map(|value| {
            let value = (value * 32_768.0).round();
            clipped += u64::from(!(-32_768.0..=32_767.0).contains(&value));
            // `as` saturates.
            (value as i16).to_le_bytes()
        })
        .collect();
    let mut reasons = Vec::new();
    if from.channels != to.channels {
        reasons.push("stereo".to_owned());
    }
    if from.rate_hz != to.rate_hz {
        let (lowest, highest) = (CARD_RATES_HZ[0], CARD_RATES_HZ[CARD_RATES_HZ.len() - 1]);
        reasons.push(match from.rate_hz {
            rate if rate < lowest => format!("from {lowest} Hz on"),
            rate if rate > highest => format!("up to {highest} Hz"),
            rate => format!("no {rate} Hz"),
        });
    }
    if from.bits != to.bits || from.float {
        reasons.push("16 bit".to_owned());
    }
    let mut said = format!("{from} -> {to}: the card plays {}", reasons.join(", "));
    if clipped > 0 {
        said.push_str(&format!("; {clipped} samples were too loud and are clipped"));
    }
    (Pcm { rate_hz: to.rate_hz, bytes }, Some(said))
}

/// All samples with full scale at 1. A double holds every integer sample exactly.
fn scaled(samples: &Samples) -> Vec<f64> {
    match &samples.values {
        Values::Float(values) => values.iter().map(|value| f64::from(*value)).collect(),
        Values::Integer(values) => {
            let full_scale = (1_u64 << (samples.format.bits - 1)) as f64;
            values.iter().map(|value| f64::from(*value) / full_scale).collect()
        }
    }
}

/// Mixes frames of any width down, or up, to left and right.
///
/// The order of channels is the one of WAVE files; the weights are those of ITU-R BS.775 (centre and surround 3 dB down,
/// the low-frequency channel left out), divided by their sum so that nothing can clip.
fn mix(samples: &[f64], channels: usize) -> [Vec<f64>; 2] {
    const L: [f64; 2] = [1.0, 0.0];
    const R: [f64; 2] = [0.0, 1.0];
    const C: [f64; 2] = [std::f64::consts::FRAC_1_SQRT_2; 2];
    const LFE: [f64; 2] = [0.0; 2];
    const LS: [f64; 2] = [std::f64::consts::FRAC_1_SQRT_2, 0.0];
    const RS: [f64; 2] = [0.0, std::f64::consts::FRAC_1_SQRT_2];
    const CS: [f64; 2] = [0.5; 2];
    let weights: &[[f64; 2]] = match channels {
        1 => &[[1.0; 2]],
        2 => &[L, R],
        3 => &[L, R, C],
        4 => &[L, R, LS, RS],
        5 => &[L, R, C, LS, RS],
        6 => &[L, R, C, LFE, LS, RS],
        7 => &[L, R, C, LFE, CS, LS, RS],
        _ => &[L, R, C, LFE, LS, RS, LS, RS],
    };
    [0, 1].map(|side| {
        let sum: f64 = weights.iter().map(|weight| weight[side]).sum();
        let mixed =
            |frame: &[f64]| frame.iter().zip(weights).map(|(value, weight)| value * weight[side] / sum).sum();
        samples.chunks_exact(channels).map(mixed).collect()
    })
}

/// Never called: `cargo xtask` brings the feature along with any recording of the user's.
#[cfg(not(feature = "resample"))]
fn resample(_: [Vec<f64>; 2], _: u32, _: u32) -> [Vec<f64>; 2] {
    panic!("this test bed was built without rates that the card lacks: the feature is called resample")
}

/// Converts the rate with a windowed sinc; as many frames come out as the ratio says, and none are early or late.
#[cfg(feature = "resample")]
fn resample(input: [Vec<f64>; 2], from_hz: u32, to_hz: u32) -> [Vec<f64>; 2] {
    const CHUNK_FRAMES: usize = 1024;
    let parameters = SincInterpolationParameters {
        sinc_len: 256,
        f_cutoff: 0.95,
        oversampling_factor: 160,
        interpolation: SincInterpolationType::Cubic,
        window: WindowFunction::BlackmanHarris2,
    };
    let ratio = f64::from(to_hz) / f64::from(from_hz);
    let mut resampler = SincFixedIn::<f64>::new(ratio, 1.0, parameters, CHUNK_FRAMES, 2)
        .expect("the ratio lies between 1/12 and 12, and is never changed");
    // The resampler's first frame belongs to the time one output frame after, and one input frame before, the first
    // that it's given. So that the true first isn't lost, silence goes ahead: a whole number of frames in both rates.
    let unit = greatest_common_divisor(from_hz, to_hz);
    let silent_frames = (from_hz / unit) as usize - 1;
    let early_frames = (to_hz / unit) as usize - 1;
    let output_frames = (input[0].len() as u64 * u64::from(to_hz)).div_ceil(u64::from(from_hz)) as usize;

    let mut input = input.map(|side| std::iter::repeat_n(0.0, silent_frames).chain(side));
    let mut output = [Vec::new(), Vec::new()];
    while output[0].len() < early_frames + output_frames {
        // Silence behind the end pushes the last frames out of the filter.
        let chunk = input.each_mut().map(|side| {
            let mut chunk: Vec<f64> = side.by_ref().take(CHUNK_FRAMES).collect();
            chunk.resize(CHUNK_FRAMES, 0.0);
            chunk
        });
        let produced =
            resampler.process(&chunk, None).expect("as many frames as it takes at a time, in two channels");
        for (output, produced) in output.iter_mut().zip(produced) {
            output.extend(produced);
        }
    }
    output.map(|side| side.into_iter().skip(early_frames).take(output_frames).collect())
}

#[cfg(feature = "resample")]
fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(rate_hz: u32, channels: u16, bits: u16, values: Vec<i32>) -> Samples {
        Samples { format: Format { rate_hz, channels, bits, float: false }, values: Values::Integer(values) }
    }

    fn played(pcm: &Pcm) -> Vec<i16> {
        pcm.bytes.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
    }

    #[test]
    fn what_the_card_plays_is_not_touched() {
        let values = vec![-32_768, 32_767, 0, -1, 1, 12_345];
        for rate_hz in CARD_RATES_HZ {
            let (pcm, said) = to_card(integer(rate_hz, 2, 16, values.clone()));
            assert_eq!(said, None);
            assert_eq!(pcm.rate_hz, rate_hz);
            assert_eq!(played(&pcm), [-32_768, 32_767, 0, -1, 1, 12_345]);
        }
    }

    #[test]
    fn mono_becomes_stereo_and_keeps_its_samples() {
        let (pcm, said) = to_card(integer(48_000, 1, 16, vec![-32_768, 5, 32_767]));
        assert_eq!(played(&pcm), [-32_768, -32_768, 5, 5, 32_767, 32_767]);
        let said = said.expect("it changed");
        assert_eq!(said, "mono 48000 Hz 16 bit -> stereo 48000 Hz 16 bit: the card plays stereo");
    }

    #[test]
    fn widths_are_scaled_to_16_bits() {
        for (bits, low, high) in [(8, -128, 127 << 8), (24, -8_388_608, 32_767), (32, i32::MIN, 32_767)] {
            let full = if bits == 8 { 127 } else { ((1_i64 << (bits - 1)) - 1) as i32 };
            let (pcm, said) = to_card(integer(48_000, 2, bits, vec![low, full, 0, 0]));
            assert_eq!(played(&pcm)[0], -32_768, "{bits} bits");
            assert_eq!(i32::from(played(&pcm)[1]), high, "{bits} bits");
            assert!(said.expect("it changed").contains("the card plays 16 bit"));
        }
    }

    #[test]
    fn floats_are_clipped_and_it_is_said() {
        let format = Format { rate_hz: 48_000, channels: 2, bits: 32, float: true };
        let (pcm, said) = to_card(Samples { format, values: Values::Float(vec![0.5, -0.5, 2.0, -3.0]) });
        assert_eq!(played(&pcm), [16_384, -16_384, 32_767, -32_768]);
        assert!(said.expect("it changed").ends_with("2 samples were too loud and are clipped"));
    }

    #[test]
    fn no_mix_clips() {
        for channels in 3..=8 {
            let (pcm, _) = to_card(integer(48_000, channels, 16, vec![32_767; usize::from(channels) * 4]));
            assert_eq!(pcm.frames(), 4);
            assert!(
                played(&pcm).iter().all(|value| (32_765..=32_767).contains(value)),
                "{channels} channels"
            );
        }
    }

    #[test]
    fn left_stays_left() {
        for channels in 2..=8_usize {
            let mut values = vec![0; channels];
            values[0] = 20_000;
            let (pcm, _) = to_card(integer(48_000, channels as u16, 16, values));
            assert!(played(&pcm)[0] > 1000 && played(&pcm)[1] == 0, "{channels} channels");
        }
    }

    #[test]
    fn rates_go_where_the_least_is_lost() {
        for (rate_hz, card_hz) in [
            (8_000, 16_000),
            (11_025, 22_050),
            (12_000, 48_000),
            (24_000, 48_000),
            (44_100, 44_100),
            (64_000, 88_200),
            (176_400, 88_200),
            (192_000, 96_000),
            (37_800, 44_100),
            (100_000, 96_000),
        ] {
            assert_eq!(card_rate(rate_hz), card_hz, "{rate_hz}");
        }
    }

    #[cfg(feature = "resample")]
    #[test]
    fn a_tone_keeps_its_length_its_place_and_its_height() {
        for (from_hz, to_hz) in [(192_000, 96_000), (8_000, 16_000), (37_800, 44_100)] {
            let frames = from_hz as usize / 4;
            let wave =
                |frame: f64, rate: u32| 0.5 * (std::f64::consts::TAU * 500.0 * frame / f64::from(rate)).sin();
            let tone: Vec<f64> = (0..frames).map(|frame| wave(frame as f64, from_hz)).collect();
            let [left, _] = resample([tone.clone(), tone], from_hz, to_hz);
            assert_eq!(left.len(), (frames as u64 * u64::from(to_hz)).div_ceil(u64::from(from_hz)) as usize);
            // Away from the ends, where the tone isn't a tone.
            let middle = left.iter().enumerate().skip(600).take(left.len() - 1200);
            let worst =
                middle.map(|(frame, value)| (value - wave(frame as f64, to_hz)).abs()).fold(0.0, f64::max);
            // The resampler's table is one of its 160 steps a frame off, which only moves the sound by that much in time.
            let moved = 0.5 * std::f64::consts::TAU * 500.0 / f64::from(from_hz) / 160.0;
            assert!(worst < moved + 1.0 / 32_768.0, "{from_hz} -> {to_hz}: {worst}, {moved}");
        }
    }
}
