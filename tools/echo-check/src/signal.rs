//! The test signals.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::{Frame, RATE_HZ};

/// The signal to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A maximum-length sequence: all frequencies alike, so that its place is exact to the frame
    Mls,
    /// Speech, from a recording: the signal that a canceller is made for
    Speech,
}

impl Kind {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mls => "maximum-length sequence",
            Kind::Speech => "speech",
        }
    }
}

/// Orders with a known primitive polynomial, for [`mls`].
pub const MLS_ORDERS: std::ops::RangeInclusive<u32> = 2..=20;

/// The default order: 32,767 frames, 0.68 s.
pub const MLS_ORDER: u32 = 15;

/// A quarter of full scale: the echo doesn't clip, and the canceller's detectors take it for loud
/// speech.
const MLS_AMPLITUDE: i16 = 8_192;

/// Feedback taps of a shift register with the longest period, for each order from 2 on.
/// They are the exponents of a primitive polynomial over GF(2).
const TAPS: [&[u32]; 19] = [
    &[2, 1],
    &[3, 2],
    &[4, 3],
    &[5, 3],
    &[6, 5],
    &[7, 6],
    &[8, 6, 5, 4],
    &[9, 5],
    &[10, 7],
    &[11, 9],
    &[12, 6, 4, 1],
    &[13, 4, 3, 1],
    &[14, 5, 3, 1],
    &[15, 14],
    &[16, 15, 13, 4],
    &[17, 14],
    &[18, 11],
    &[19, 6, 2, 1],
    &[20, 17],
];

/// One period of a maximum-length sequence: 2^order - 1 samples of plus or minus a quarter of full
/// scale.
///
/// Its circular autocorrelation is one peak on a flat floor, 2^order - 1 times lower.
///
/// # Errors
/// The order isn't in [`MLS_ORDERS`].
pub fn mls(order: u32) -> Result<Vec<i16>> {
    let taps = order.checked_sub(2).and_then(|index| TAPS.get(index as usize));
    let Some(taps) = taps else {
        bail!("a maximum-length sequence of order {order}: {MLS_ORDERS:?} are known");
    };
    let mut register = 1_u32;
    let samples = (0..(1_u32 << order) - 1).map(|_| {
        let output = register & 1;
        let feedback = taps.iter().fold(0, |bit, tap| bit ^ (register >> (order - tap)) & 1);
        register = register >> 1 | feedback << (order - 1);
        if output == 1 { MLS_AMPLITUDE } else { -MLS_AMPLITUDE }
    });
    Ok(samples.collect())
}

/// The first channel of a WAV file at 48 kHz, as 16 bits.
///
/// # Errors
/// The file can't be read, has another rate, or is empty.
pub fn speech(path: &Path) -> Result<Vec<i16>> {
    let name = path.display();
    let reader = hound::WavReader::open(path).with_context(|| format!("{name}: can't be read as WAV"))?;
    let spec = reader.spec();
    ensure!(
        spec.sample_rate == RATE_HZ,
        "{name}: its rate is {} Hz; the test runs at {RATE_HZ} Hz",
        spec.sample_rate
    );
    let channels = usize::from(spec.channels.max(1));
    let samples: Result<Vec<i16>, hound::Error> = match spec.sample_format {
        hound::SampleFormat::Int => {
            let shift = i32::from(spec.bits_per_sample) - 16;
            let to_16 = |sample: i32| (if shift >= 0 { sample >> shift } else { sample << -shift }) as i16;
            reader.into_samples::<i32>().step_by(channels).map(|sample| sample.map(to_16)).collect()
        }
        hound::SampleFormat::Float => {
            // `as` saturates.
            let to_16 = |sample: f32| (sample * 32_767.0) as i16;
            reader.into_samples::<f32>().step_by(channels).map(|sample| sample.map(to_16)).collect()
        }
    };
    let samples = samples.with_context(|| format!("{name}: breaks off"))?;
    ensure!(samples.iter().any(|sample| *sample != 0), "{name}: there is nothing in it");
    Ok(samples)
}

/// The signal on both channels, with silence before and after it.
#[must_use]
pub fn frames(signal: &[i16], lead_frames: usize, tail_frames: usize) -> Vec<Frame> {
    let silence = |frames| std::iter::repeat_n([0, 0], frames);
    silence(lead_frames).chain(signal.iter().map(|sample| [*sample; 2])).chain(silence(tail_frames)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_order_has_the_longest_period() {
        for order in MLS_ORDERS {
            let sequence = mls(order).expect("known");
            assert_eq!(sequence.len(), (1 << order) - 1);
            // A period visits every nonzero state once, so it has one more one than zeros.
            let sum: i64 = sequence.iter().map(|sample| i64::from(sample.signum())).sum();
            assert_eq!(sum, 1, "order {order}");
            // Windows of `order` bits are states, so all differ.
            let mut seen = vec![false; 1 << order];
            let bits: Vec<u32> = sequence.iter().map(|sample| u32::from(*sample > 0)).collect();
            let mut window = 0;
            for bit in bits.iter().chain(bits.iter().take(order as usize - 1)).enumerate() {
                window = (window << 1 | bit.1) & ((1 << order) - 1);
                if bit.0 + 1 >= order as usize {
                    assert!(!std::mem::replace(&mut seen[window as usize], true), "order {order}");
                }
            }
        }
        assert!(mls(1).is_err() && mls(21).is_err());
    }

    #[test]
    fn the_circular_autocorrelation_is_one_peak() {
        let sequence: Vec<i64> =
            mls(7).expect("known").iter().map(|sample| i64::from(sample.signum())).collect();
        let length = sequence.len();
        for lag in 0..length {
            let sum: i64 = (0..length).map(|at| sequence[at] * sequence[(at + lag) % length]).sum();
            assert_eq!(sum, if lag == 0 { length as i64 } else { -1 });
        }
    }

    #[test]
    fn a_recording_is_read_or_refused_with_a_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, rate_hz, samples: &[i16]| {
            let path = folder.path().join(name);
            let spec = hound::WavSpec {
                channels: 2,
                sample_rate: rate_hz,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut writer = hound::WavWriter::create(&path, spec).expect("made");
            samples.iter().for_each(|sample| writer.write_sample(*sample).expect("written"));
            writer.finalize().expect("written");
            path
        };
        assert_eq!(speech(&write("two.wav", 48_000, &[1, 2, 3, 4])).expect("read"), [1, 3]);
        let refused = |path: &Path| format!("{:#}", speech(path).expect_err("refused"));
        assert!(refused(&write("slow.wav", 44_100, &[1, 1])).contains("44100 Hz"));
        assert!(refused(&write("silent.wav", 48_000, &[0, 0])).contains("nothing in it"));
        assert!(refused(&folder.path().join("absent.wav")).contains("absent.wav"));
    }
}
