//! The echo canceller: the Rust port of WebRTC's AEC3.

use aec3::api::config::EchoCanceller3Config;
use aec3::api::control::EchoControl;
use aec3::audio_processing::aec3::echo_canceller3::EchoCanceller3;
use aec3::audio_processing::audio_buffer::AudioBuffer;

use crate::RATE_HZ;

/// Frames that the canceller processes at once: 10 ms.
pub(crate) const BLOCK_FRAMES: usize = RATE_HZ as usize / 100;

/// Rate of the canceller's linear filter. It works on the lowest of three bands, 0 to 8 kHz.
const BAND_RATE_HZ: usize = 16_000;

/// The canceller's way of finding the echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// It trusts the alignment of the far end with the link, and models 50 ms from there on.
    Told,
    /// It searches for the echo, as it does on systems whose offset is useless.
    Estimated,
}

/// Energy before and after the canceller, over one block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Energy {
    /// The recording, in the band of the linear filter.
    pub(crate) near: f64,
    /// The residue of the linear filter: the part that the played signal doesn't explain.
    pub(crate) linear: f64,
    /// The output of the whole canceller in that band. Its suppressor mutes the filter's residue.
    pub(crate) output: f64,
}

/// A canceller for two mono streams.
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

    /// Processes 10 ms of both ends, in steps of 16 bits.
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
