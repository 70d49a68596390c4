//! A program in a guest is the front end: what it plays and records is exact, and the positions that it reads are true to
//! each other.

use serde_json::Value;

use super::scenario::{GuestFiles, HostCheck, Scenario};
use super::sessions::{heard, ramp, voice, with_silence};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::{Finding, ensure};
use crate::lanes::qemu::noise;
use crate::rig::{Iommu, Outcome};
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "user_front",
    script: include_str!("../../../rig/scenarios/user_front.sh"),
    iommu: Iommu::Amd,
    codec_rates_hz: &[RATE_HZ, RATE_HZ, RATE_HZ],
    microphone: Microphone::Hears(Source::Ramp),
    files,
    host_checks: HOST_CHECKS,
};

const RATE_HZ: u32 = 48_000;

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

fn short(seed: u64) -> Pcm {
    noise(RATE_HZ, RATE_HZ as usize, seed)
}

fn files() -> Result<GuestFiles, Finding> {
    let mut files = vec![
        ("voice.wav".to_owned(), with_silence(voice()?)?),
        ("long.wav".to_owned(), with_silence(noise(RATE_HZ, 10 * RATE_HZ as usize, 9))?),
    ];
    for seed in 2..=6 {
        files.push((format!("noise-{seed}.wav"), with_silence(short(seed))?));
    }
    Ok(files)
}

/// A row of `audiofront position --json`.
struct Row {
    guest_ns: f64,
    frames: f64,
    error_frames: f64,
}

/// Each two of a stream's positions are as far from each other as the times at which they were read, by the rate of the link,
/// within both bounds and a frame of rounding each.
fn positions(outcome: &Outcome, direction: &str) -> Result<String, Finding> {
    let folder = match outcome.handed_out.get("guest1") {
        Some(Ok(folder)) => folder,
        Some(Err(why)) => return Err(Finding::failure(why.clone())),
        None => return Err(Finding::failure("guest1 handed out nothing")),
    };
    let path = folder.join("positions.jsonl");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Finding::failure(format!("{}: {error}", path.display())))?;
    let number = |row: &Value, name: &str| {
        row[name].as_f64().ok_or_else(|| Finding::failure(format!("no {name} in {row}")))
    };
    let mut rows = Vec::new();
    for line in text.lines() {
        let row: Value =
            serde_json::from_str(line).map_err(|error| Finding::failure(format!("{line}: {error}")))?;
        if row["direction"] != direction || row["position"].is_null() {
            continue;
        }
        let frames_a_ns = f64::from(RATE_HZ) / 1e9;
        rows.push(Row {
            guest_ns: number(&row, "guest_ns")?,
            frames: number(&row, "position")?,
            error_frames: number(&row, "error_ns")? * frames_a_ns,
        });
    }
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
            let expected = (other.guest_ns - one.guest_ns) * f64::from(RATE_HZ) / 1e9;
            let off = (other.frames - one.frames - expected).abs();
            let bound = one.error_frames + other.error_frames + 2.0;
            ensure!(
                off.total_cmp(&bound).is_le(),
                "{off:.1} frames off between frames {} and {}, not {bound:.1}",
                one.frames,
                other.frames
            );
            worst = worst.max(off);
        }
    }
    let bound = rows.iter().map(|row| row.error_frames).fold(0f64, f64::max);
    Ok(format!(
        "{} positions, each two within {worst:.1} frames of the time between; bound {bound:.1}",
        rows.len()
    ))
}
