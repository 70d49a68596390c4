//! The canceller: WebRTC's AEC3, in its Rust port.

use aec3::api::config::EchoCanceller3Config;
use aec3::api::control::EchoControl;
use aec3::audio_processing::aec3::echo_canceller3::EchoCanceller3;
use aec3::audio_processing::audio_buffer::AudioBuffer;

use crate::RATE_HZ;

/// What the canceller takes at once: 10 ms.
pub(crate) const BLOCK_FRAMES: usize = RATE_HZ as usize / 100;

/// The rate of the canceller's own linear filter, which works on the lowest of three bands: 0 to 8 kHz.
const BAND_RATE_HZ: usize = 16_000;

/// How the canceller learns where the echo is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// It believes that the far end is given to it as it's at the link, and models 50 ms from there on.
    Told,
    /// It looks for itself, as it does where a system's word is worth nothing.
    Estimated,
}

/// Energy before and behind the canceller, over one block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Energy {
    /// What was recorded, in the band of the linear filter.
    pub(crate) near: f64,
    /// What the linear filter leaves of it: what it can't explain by what was played.
    pub(crate) linear: f64,
    /// What the whole canceller leaves of it, in that band: behind the suppressor, which mutes what the filter left.
    pub(crate) output: f64,
}

/// A canceller between two mono streams.
pub(crate) struct Canceller {
    aec3: EchoCanceller3,
    far: AudioBuffer,
    near: AudioBuffer,
    linear: AudioBuffer,
}

impl Canceller {
    pub(crate) fn new(alignment: Alignment) -> Canceller {
        let mut config = EchoCanceller3Config::default();
        config.filter.export_linear_aec_output = true;
        config.delay.use_external_delay_estimator = alignment == Alignment::Told;
        let rate = RATE_HZ as usize;
        let mut aec3 = EchoCanceller3::new(config, RATE_HZ as i32, 1, 1);
        if alignment == Alignment::Told {
            aec3.set_audio_buffer_delay(0);
        }
        let buffer = || AudioBuffer::from_sample_rates(rate, 1, rate, 1, rate);
        let linear = AudioBuffer::from_sample_rates(BAND_RATE_HZ, 1, BAND_RATE_HZ, 1, BAND_RATE_HZ);
        Canceller { aec3, far: buffer(), near: buffer(), linear }
    }

    /// Takes 10 ms of both ends, in steps of 16 bits.
    pub(crate) fn process(&mut self, far: &[f32; BLOCK_FRAMES], near: &[f32; BLOCK_FRAMES]) -> Energy {
        self.far.channel_mut(0).copy_from_slice(far);
        self.near.channel_mut(0).copy_from_slice(near);
        self.far.split_into_frequency_bands();
        self.aec3.analyze_render(&mut self.far);
        self.aec3.analyze_capture(&mut self.near);
        self.near.split_into_frequency_bands();
        let before = energy(self.near.split_band(0, 0));
        self.aec3.process_capture_with_linear_output(&mut self.near, &mut self.linear, false);
        Energy {
            near: before,
            linear: energy(self.linear.split_band(0, 0)),
            output: energy(self.near.split_band(0, 0)),
        }
    }
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum()
}
