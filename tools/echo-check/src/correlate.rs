//! Finds a signal in a recording: the impulse response between them, and its first arrival.
//!
//! The response is the quotient of the two spectra (a Wiener deconvolution). A floor under the
//! divisor covers frequencies without energy in the signal. Unlike a plain cross-correlation it
//! has narrow peaks even for speech.
//!
//! **First arrival, not strongest peak.** A canceller models the whole response, which must lie
//! after the given offset. In a room a reflection may be stronger than the direct way. The first
//! arrival is the earliest peak of at least half the strongest peak's height, at most
//! [`ARRIVAL_WINDOW_FRAMES`] before it. The result includes the strongest peak too.
//!
//! **Fractions of a frame** come from a parabola through a peak and its two neighbours. For whole
//! frames the result is exact to the noise. Between whole frames the parabola errs by up to 0.2
//! frames, as a test shows.
//!
//! **No number without an echo.** Even noise has a highest peak among many lags: 5 times the
//! floor's root mean square, in 2^17 lags. A peak below [`CLEAR_PEAK`] times the floor is an
//! error.

use std::fmt;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use crate::RATE_HZ;

/// Longest time from first arrival to strongest peak: 30 ms.
pub const ARRIVAL_WINDOW_FRAMES: usize = RATE_HZ as usize * 30 / 1000;

/// Least ratio of the strongest peak to the floor. Gaussian noise reaches it once in 10^9
/// searches.
pub const CLEAR_PEAK: f64 = 8.0;

/// Least height of the first arrival, as a part of the strongest peak.
const ARRIVAL_PART: f64 = 0.5;

/// The response, as opposed to the floor: some frames before the first arrival, and the room's
/// tail.
const RESPONSE_LEAD_FRAMES: usize = 48;
const RESPONSE_TAIL_FRAMES: usize = RATE_HZ as usize / 4;

/// A recording below this level is silent: -72 dB of full scale, 8 steps of 16 bits.
const SILENCE: f64 = 8.0;

/// A recording is clipped if this part of its samples is at either end of the scale.
const CLIPPED_PART: f64 = 0.001;

/// The floor under the signal's power spectrum, as a part of its mean.
const SPECTRUM_FLOOR: f64 = 0.01;

/// The shortest signal: 10 ms.
const SHORTEST_FRAMES: usize = RATE_HZ as usize / 100;

/// The place of a signal in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// Lag of the first arrival: the recorded frame of the signal's frame 0, with its fraction.
    pub first_frames: f64,
    /// Lag of the strongest peak. It differs if a reflection is stronger than the direct way.
    pub strongest_frames: f64,
    /// Ratio of the strongest peak to the floor's root mean square, at least [`CLEAR_PEAK`].
    pub peak_to_floor: f64,
    /// Gain of the first arrival.
    pub gain: f64,
}

/// The reason for not finding a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NotFound {
    /// The signal or the recording is silent: its name, and its root mean square.
    Silent(&'static str, f64),
    /// The recording is clipped: the part of its samples at the ends of the scale.
    Clipped(f64),
    /// The signal or the recording is too short: frames of both.
    TooShort(usize, usize),
    /// The recording has sound, but not the signal: the highest peak over the floor.
    NoPeak(f64),
}

impl std::error::Error for NotFound {}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotFound::Silent(what, peak) => {
                write!(
                    f,
                    "{what} is silent (root mean square {peak:.1} of 32768): is the output muted, or the input?"
                )
            }
            NotFound::Clipped(part) => {
                write!(f, "{:.1} % of the recording is clipped: turn the volume down", part * 100.0)
            }
            NotFound::TooShort(signal, recording) => write!(
                f,
                "{signal} frames were played and {recording} recorded: at least {SHORTEST_FRAMES} are needed, and as many \
                 recorded as played"
            ),
            NotFound::NoPeak(peak) => write!(
                f,
                "the signal is not in the recording: the highest peak stands {peak:.1} times above the floor, and \
                 {CLEAR_PEAK} times would be clear of chance"
            ),
        }
    }
}

/// Finds `signal` in `recording`, at lags from `-earliest_frames` on.
///
/// # Errors
/// The recording doesn't clearly contain the signal.
pub fn find(signal: &[i16], recording: &[i16], earliest_frames: usize) -> Result<Arrival, NotFound> {
    if signal.len() < SHORTEST_FRAMES || recording.len() < signal.len() {
        return Err(NotFound::TooShort(signal.len(), recording.len()));
    }
    for (what, samples) in [("what was played", signal), ("what was recorded", recording)] {
        let level = root_mean_square(samples.iter().map(|sample| f64::from(*sample)));
        if level < SILENCE {
            return Err(NotFound::Silent(what, level));
        }
    }
    let clipped = recording.iter().filter(|sample| matches!(**sample, i16::MIN..=-32_767 | i16::MAX)).count();
    let clipped = clipped as f64 / recording.len() as f64;
    if clipped > CLIPPED_PART {
        return Err(NotFound::Clipped(clipped));
    }

    let response = response(signal, recording);
    // Negative lags are at the end of the circle, which is long enough for both.
    let lags = recording.len() + earliest_frames.min(signal.len());
    let earliest = lags - recording.len();
    let at = |index: usize| response[(index + response.len() - earliest) % response.len()].abs();
    let Some(strongest) = (0..lags).max_by(|a, b| at(*a).total_cmp(&at(*b))) else {
        return Err(NotFound::TooShort(signal.len(), recording.len()));
    };
    let clear = at(strongest) * ARRIVAL_PART;
    let is_peak = |index: usize| {
        at(index) >= clear
            && (index == 0 || at(index) >= at(index - 1))
            && (index + 1 == lags || at(index) >= at(index + 1))
    };
    let first = (strongest.saturating_sub(ARRIVAL_WINDOW_FRAMES)..strongest)
        .find(|index| is_peak(*index))
        .unwrap_or(strongest);

    let body = first.saturating_sub(RESPONSE_LEAD_FRAMES)..strongest + RESPONSE_TAIL_FRAMES;
    let floor = root_mean_square((0..lags).filter(|index| !body.contains(index)).map(at));
    let peak_to_floor = at(strongest) / floor.max(f64::MIN_POSITIVE);
    if peak_to_floor < CLEAR_PEAK {
        return Err(NotFound::NoPeak(peak_to_floor));
    }
    let lag = |index: usize| {
        let around = [
            index.checked_sub(1).map_or(0.0, at),
            at(index),
            if index + 1 < lags { at(index + 1) } else { 0.0 },
        ];
        index as f64 - earliest as f64 + vertex(around)
    };
    Ok(Arrival { first_frames: lag(first), strongest_frames: lag(strongest), peak_to_floor, gain: at(first) })
}

/// The impulse response from the signal to the recording, on a circle.
fn response(signal: &[i16], recording: &[i16]) -> Vec<f64> {
    let length = (signal.len() + recording.len()).next_power_of_two();
    let mut planner = RealFftPlanner::<f64>::new();
    let forward = planner.plan_fft_forward(length);
    let backward = planner.plan_fft_inverse(length);
    let spectrum = |samples: &[i16]| {
        let mut padded = vec![0.0; length];
        padded.iter_mut().zip(samples).for_each(|(to, from)| *to = f64::from(*from));
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).expect("the buffers have the plan's own lengths");
        spectrum
    };
    let (played, recorded) = (spectrum(signal), spectrum(recording));
    let floor = SPECTRUM_FLOOR * played.iter().map(Complex::norm_sqr).sum::<f64>() / played.len() as f64;
    let mut quotient: Vec<Complex<f64>> =
        played.iter().zip(&recorded).map(|(x, y)| y * x.conj() / (x.norm_sqr() + floor)).collect();
    // Rounding gives the constant part and the half rate an imaginary part. They are real.
    if let [first, .., last] = quotient.as_mut_slice() {
        first.im = 0.0;
        last.im = 0.0;
    }
    let mut response = backward.make_output_vec();
    backward
        .process(&mut quotient, &mut response)
        .expect("the ends are real, and the lengths the plan's own");
    response.iter_mut().for_each(|value| *value /= length as f64);
    response
}

/// The vertex of the parabola through three values, from the middle one: at most half a step away.
fn vertex([before, at, after]: [f64; 3]) -> f64 {
    let bend = before - 2.0 * at + after;
    if bend >= 0.0 { 0.0 } else { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) }
}

fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u64, 0.0), |(count, sum), value| (count + 1, sum + value * value));
    (sum / count.max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::mls;
    use crate::synthetic::{Noise, voice_like};
    use proptest::prelude::*;

    /// A room's answer to a signal: the taps of its response (lag and gain), and noise.
    fn recorded(signal: &[i16], taps: &[(usize, f64)], length: usize, noise: i16) -> Vec<i16> {
        let mut heard: Vec<f64> = Noise::new(7).take(length).map(|value| value * f64::from(noise)).collect();
        for (lag, gain) in taps {
            heard
                .iter_mut()
                .skip(*lag)
                .zip(signal)
                .for_each(|(heard, sample)| *heard += gain * f64::from(*sample));
        }
        heard.iter().map(|value| value.round() as i16).collect()
    }

    #[test]
    fn a_delay_is_found_to_the_frame() {
        for signal in [mls(14).expect("known"), voice_like(30_000)] {
            for delay in [0, 1, 7, 240, 479, 480, 481, 2_400, 9_600] {
                let recording = recorded(&signal, &[(delay, 0.5)], signal.len() + 12_000, 30);
                let arrival = find(&signal, &recording, 4_800).expect("found");
                assert!((arrival.first_frames - delay as f64).abs() < 0.05, "{delay}: {arrival:?}");
                assert!((arrival.gain - 0.5).abs() < 0.3, "{arrival:?}");
            }
        }
    }

    #[test]
    fn a_recording_that_began_late_has_a_lag_below_zero() {
        let signal = mls(14).expect("known");
        let mut recording = recorded(&signal, &[(0, 0.5)], signal.len() + 12_000, 30);
        recording.drain(..700);
        let arrival = find(&signal, &recording, 4_800).expect("found");
        assert!((arrival.first_frames + 700.0).abs() < 0.05, "{arrival:?}");
    }

    #[test]
    fn the_first_arrival_counts_when_a_reflection_is_stronger() {
        let signal = mls(14).expect("known");
        let taps = [(500, 0.4), (620, 0.6), (910, -0.2)];
        let arrival = find(&signal, &recorded(&signal, &taps, 40_000, 30), 0).expect("found");
        assert_eq!((arrival.first_frames.round(), arrival.strongest_frames.round()), (500.0, 620.0));
    }

    #[test]
    fn a_fraction_of_a_frame_is_found_to_a_fifth() {
        // At four times the rate, a whole frame of delay is a quarter frame here.
        let fine: Vec<f64> = mls(16).expect("known").iter().map(|sample| f64::from(*sample)).collect();
        // Stays below the half rate: a mean over 8 of the fine samples.
        let smooth: Vec<f64> = fine.windows(8).map(|window| window.iter().sum::<f64>() / 8.0).collect();
        let sampled = |shift: usize| -> Vec<i16> {
            smooth.iter().skip(16 - shift).step_by(4).map(|value| *value as i16).collect()
        };
        let signal = sampled(0);
        for quarter in 0..8 {
            let mut recording = sampled(quarter);
            recording.resize(signal.len() + 8_000, 0);
            let arrival = find(&signal, &recording, 100).expect("found");
            let off = arrival.first_frames - quarter as f64 / 4.0;
            assert!(off.abs() < 0.2, "{quarter} quarters: {arrival:?}");
        }
    }

    #[test]
    fn silence_noise_clipping_and_short_signals_are_errors() {
        let signal = mls(13).expect("known");
        let silent = find(&signal, &vec![0; 20_000], 0).expect_err("silent");
        assert_eq!(silent, NotFound::Silent("what was recorded", 0.0));
        let nothing = find(&vec![0; 8_000], &vec![1000; 20_000], 0).expect_err("silent");
        assert!(matches!(nothing, NotFound::Silent("what was played", _)));
        let noise: Vec<i16> = Noise::new(3).take(20_000).map(|value| (value * 3_000.0) as i16).collect();
        assert!(matches!(find(&signal, &noise, 0), Err(NotFound::NoPeak(_))));
        let clipped: Vec<i16> = recorded(&signal, &[(100, 5.0)], 20_000, 0)
            .iter()
            .map(|sample| sample.saturating_mul(2))
            .collect();
        assert!(matches!(find(&signal, &clipped, 0), Err(NotFound::Clipped(_))));
        assert!(matches!(find(&signal[..100], &noise, 0), Err(NotFound::TooShort(100, _))));
        assert!(matches!(find(&signal, &noise[..500], 0), Err(NotFound::TooShort(..))));
        for error in [silent, NotFound::Clipped(0.5), NotFound::TooShort(1, 2), NotFound::NoPeak(4.0)] {
            assert!(!error.to_string().is_empty());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Any delay up to 200 ms, any gain, with later reflections and noise 10 dB below.
        #[test]
        fn any_delay_is_found_to_the_frame(
            delay in 0_usize..=9_600,
            gain in 0.1_f64..=0.6,
            reflections in prop::collection::vec((1_usize..4_000, -0.45_f64..0.45), 0..4),
            seed in 0_u64..1000,
        ) {
            let signal = mls(13).expect("known");
            // Reflections are weaker than half the direct way, so it stays first and strongest.
            let taps: Vec<(usize, f64)> = std::iter::once((delay, gain))
                .chain(reflections.iter().map(|(after, part)| (delay + after, gain * part)))
                .collect();
            let mut recording = recorded(&signal, &taps, signal.len() + 16_000, 0);
            let level = gain * 8_192.0 * 0.316;
            recording.iter_mut().zip(Noise::new(seed)).for_each(|(sample, noise)| {
                *sample = sample.saturating_add((noise * level) as i16);
            });
            let arrival = find(&signal, &recording, 100).expect("found");
            prop_assert!((arrival.first_frames - delay as f64).abs() < 0.3, "{:?}", arrival);
        }

        /// No noise contains an echo.
        #[test]
        fn noise_is_never_an_echo(seed in 0_u64..100_000, level in 100.0_f64..8_000.0) {
            let signal = mls(12).expect("known");
            let noise: Vec<i16> = Noise::new(seed).take(30_000).map(|value| (value * level) as i16).collect();
            prop_assert!(find(&signal, &noise, 1_000).is_err());
        }
    }
}
