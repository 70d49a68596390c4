//! A program in a guest is the front end: what it plays and records is exact, and the positions that it reads are true to
//! each other.

use anyhow::Context;

use super::scenario::{HostCheck, Scenario};
use super::sounds::{self, RATE_HZ, heard, long, ramp, short, voice};
use crate::harness::{Microphone, Source};
use crate::judge::positions::{self, Reading};
use crate::judge::verdict::{Finding, ensure};
use crate::rig::Outcome;

pub(super) const AMD: Scenario = Scenario {
    name: "user_front",
    script: include_str!("../../../rig/scenarios/user_front.sh"),
    codec_rates_hz: &[RATE_HZ, RATE_HZ, RATE_HZ],
    microphone: Microphone::Hears(Source::Ramp),
    files: || {
        sounds::files([
            ("voice", voice()?),
            ("long", long(10, 9)),
            ("noise-2", short(2)),
            ("noise-3", short(3)),
            ("noise-4", short(4)),
            ("noise-5", short(5)),
            ("noise-6", short(6)),
        ])
    },
    host_checks: HOST_CHECKS,
    ..Scenario::ONE_CODEC
};

const HOST_CHECKS: &[(&str, HostCheck)] = &[
    ("a_voice_comes_out_exactly", |outcome| heard(outcome, 0, &voice()?)),
    ("a_ramp_has_no_break", |outcome| ramp(outcome, "ramp.wav")),
    ("volume_and_mute_touch_no_sample", |outcome| heard(outcome, 0, &short(6))),
    ("after_a_kill_noise_comes_out_exactly", |outcome| heard(outcome, 0, &short(2))),
    ("after_a_kill_without_a_guard_noise_comes_out_exactly", |outcome| heard(outcome, 0, &short(3))),
    ("the_scribbler_is_heard_exactly", |outcome| heard(outcome, 0, &short(4))),
    ("its_neighbour_is_heard_exactly", |outcome| heard(outcome, 1, &short(5))),
    ("playback_positions_advance_as_time_does", |outcome| positions(outcome, "playback")),
    ("capture_positions_advance_as_time_does", |outcome| positions(outcome, "capture")),
];

/// Each two of a stream's positions are as far from each other as the times at which they were read, by the rate of the link,
/// within both bounds and a frame of rounding each.
fn positions(outcome: &Outcome, direction: &str) -> Result<String, Finding> {
    let path = outcome.handed_out("guest1")?.join("positions.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut rows = positions::parse(&text)?;
    rows.retain(|row| row.direction == direction);
    ensure!(rows.len() >= 30, "{} positions, 30 at least of 40 are expected", rows.len());
    let mut worst = 0f64;
    for (index, one) in rows.iter().enumerate() {
        for other in &rows[index + 1..] {
            ensure!(
                other.frames.total_cmp(&one.frames).is_ge(),
                "from frame {} back to {}",
                one.frames,
                other.frames
            );
            // The emulator's clocks are one clock.
            let (off, bound) = one.off(other);
            ensure!(
                off.total_cmp(&bound).is_le(),
                "{off:.1} frames off between frames {} and {}, not {bound:.1}",
                one.frames,
                other.frames
            );
            worst = worst.max(off);
        }
    }
    let bound = rows.iter().map(Reading::error_frames).fold(0f64, f64::max);
    Ok(format!(
        "{} positions, each two within {worst:.1} frames of the time between; bound {bound:.1}",
        rows.len()
    ))
}
