//! Sums of voices.
//!
//! A sum is a slice of [`Wide`] that starts as zeros. Voices are added to it; then
//! [`Format::encode`](crate::Format::encode) rounds and saturates it, once.

use crate::format::{Decoded, Format};
use crate::gain::Gain;
use crate::signal::{Sample, Signal, Wide};

/// Samples that [`add_encoded`] decodes at a time: a block that stays in the processor's first cache.
const BLOCK_SAMPLES: usize = 128;

/// Adds samples at 0 dB, bit for bit. The shorter slice counts. Returns the samples added.
///
/// Sums wrap beyond the range of [`Wide`]: that takes more than 65,536 voices at full scale.
pub fn add<S: Signal>(samples: &[S], sum: &mut [Wide]) -> usize {
    for (to, from) in sum.iter_mut().zip(samples) {
        *to = to.wrapping_add(from.to_wide());
    }
    samples.len().min(sum.len())
}

/// Adds samples times a gain. The shorter slice counts. Returns the samples added.
///
/// Each product is rounded to 2^-47 of full scale. Sums wrap beyond the range of [`Wide`]: that takes more than 4,096
/// voices at full scale and at the highest gain.
pub fn add_scaled<S: Signal>(gain: Gain, samples: &[S], sum: &mut [Wide]) -> usize {
    match gain {
        Gain::UNITY => add(samples, sum),
        Gain::MUTE => samples.len().min(sum.len()),
        gain => {
            for (to, from) in sum.iter_mut().zip(samples) {
                *to = to.wrapping_add(from.scaled(gain));
            }
            samples.len().min(sum.len())
        }
    }
}

/// Decodes samples and adds them times a gain: [`Format::decode`] and [`add_scaled`] without a buffer between.
///
/// The shorter of `bytes` and `sum` counts; bytes that are no whole sample are left alone.
pub fn add_encoded(format: Format, gain: Gain, bytes: &[u8], sum: &mut [Wide]) -> Decoded {
    if gain == Gain::UNITY && format == Format::S16Le {
        // The most common voice has a loop of its own.
        return add_s16_le(bytes, sum);
    }
    let mut block: [Sample; BLOCK_SAMPLES] = [0; BLOCK_SAMPLES];
    let mut all = Decoded::default();
    for (from, to) in
        bytes.chunks(BLOCK_SAMPLES * format.bytes_per_sample()).zip(sum.chunks_mut(BLOCK_SAMPLES))
    {
        let decoded = format.decode(from, &mut block);
        let samples = block.get(..decoded.samples).unwrap_or_default();
        // Both end at the number of samples.
        all.samples = all.samples.wrapping_add(add_scaled(gain, samples, to));
        all.clipped = all.clipped.wrapping_add(decoded.clipped);
    }
    all
}

/// Adds 16-bit samples at 0 dB.
fn add_s16_le(bytes: &[u8], sum: &mut [Wide]) -> Decoded {
    let (samples, _) = bytes.as_chunks::<2>();
    for (to, from) in sum.iter_mut().zip(samples) {
        // 15 bits and 32 are 47.
        *to = to.wrapping_add(i64::from(i16::from_le_bytes(*from)) << 32);
    }
    Decoded { samples: samples.len().min(sum.len()), clipped: 0 }
}
