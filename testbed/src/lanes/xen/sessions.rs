//! Guests play and record, alone and together, each exactly; with either IOMMU.

use super::scenario::Scenario;
use super::sounds::{self, heard, ramp, voice};
use crate::harness::{Microphone, Source};
use crate::lanes::qemu::noise;
use crate::rig::Iommu;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "sessions",
    script: include_str!("../../../rig/scenarios/sessions.sh"),
    codec_rates_hz: &[48_000, 44_100],
    microphone: Microphone::Hears(Source::Ramp),
    files: || sounds::files([("voice", voice()?), ("noise-48", noise_48()), ("noise-44.1", noise_44_1())]),
    host_checks: &[
        ("a_voice_comes_out_exactly", |outcome| heard(outcome, 0, &voice()?)),
        ("noise_at_44_1_khz_comes_out_exactly", |outcome| heard(outcome, 1, &noise_44_1())),
        ("a_ramp_has_no_break", |outcome| ramp(outcome, "ramp.wav")),
        ("noise_played_while_recording_comes_out_exactly", |outcome| heard(outcome, 0, &noise_48())),
        ("a_ramp_recorded_while_playing_has_no_break", |outcome| ramp(outcome, "both.wav")),
    ],
    ..Scenario::ONE_CODEC
};

pub(super) const INTEL: Scenario = Scenario { name: "sessions_vtd", iommu: Iommu::Intel, ..AMD };

/// The input hears the output, by a cable.
pub(super) const LOOP_BACK: Scenario = Scenario {
    name: "loop_back",
    script: include_str!("../../../rig/scenarios/loop_back.sh"),
    microphone: Microphone::HearsTheOutput,
    ..Scenario::ONE_CODEC
};

fn noise_48() -> Pcm {
    noise(48_000, 72_000, 1)
}

fn noise_44_1() -> Pcm {
    noise(44_100, 44_100, 2)
}
