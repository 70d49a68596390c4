//! Promises in numbers.

use super::bench::{Bench, Case, recording};
use crate::image::LIMIT_BYTES;
use crate::image_contents;
use crate::judge::summary::Distance;
use crate::judge::verdict::{Finding, ensure};
use crate::qemu::IMAGE_MEMORY;
use crate::qemu::machine_line::{Direction, Position};
use crate::qemu::session::Session;

pub(super) const CASES: &[(&str, Case)] = &[
    ("image_within_512_kib", image_within_512_kib),
    ("image_holds_no_test_parts", image_holds_no_test_parts),
    ("memory_within_16_mib", memory_within_16_mib),
    ("first_sample_within_100_ms", first_sample_within_100_ms),
    ("positions_are_published", positions_are_published),
];

fn image_within_512_kib(bench: &Bench) -> Result<String, Finding> {
    let (file, loaded) = (bench.shipped.file_bytes, bench.shipped.loaded_bytes);
    ensure!(file <= LIMIT_BYTES, "it has {file} bytes, {LIMIT_BYTES} is the limit");
    Ok(format!("{file} bytes, {loaded} are loaded"))
}

fn image_holds_no_test_parts(bench: &Bench) -> Result<String, Finding> {
    image_contents::check(&bench.shipped).map_err(|error| Finding::failure(format!("{error:#}")))
}

fn voice(bench: &Bench) -> Result<Session, Finding> {
    Ok(Session { playback: vec![recording("Front_Center.wav")?], ..bench.session() })
}

/// The recording lies in those 16 MiB too.
fn memory_within_16_mib(bench: &Bench) -> Result<String, Finding> {
    let outcome = bench.pass(&voice(bench)?)?;
    let memory = outcome.memory_bytes().ok_or_else(|| Finding::failure("there is no @boot line"))?;
    ensure!(memory <= IMAGE_MEMORY, "the image found {memory} bytes; the machine should have {IMAGE_MEMORY}");
    Ok(format!("plays in {memory} bytes"))
}

fn first_sample_within_100_ms(bench: &Bench) -> Result<String, Finding> {
    const LIMIT_NS: u64 = 100_000_000;
    let outcome = bench.pass(&voice(bench)?)?;
    let since_entry_ns =
        outcome.first_sample_ns().ok_or_else(|| Finding::failure("there is no @first_sample line"))?;
    ensure!(since_entry_ns <= LIMIT_NS, "{since_entry_ns} ns after entry, {LIMIT_NS} is the limit");
    Ok(format!("{:.2} ms after entry", since_entry_ns as f64 / 1e6))
}

/// They never go back, come often enough, end at the end, and lie where the emulator's link is.
fn positions_are_published(bench: &Bench) -> Result<String, Finding> {
    // The emulated link settles 30 to 31 ms ahead of the wall clock for playback; with a period of 10 ms on top that is
    // below 50 ms, or 2400 frames at 48 kHz. Exactness is a matter for the model.
    const FARTHEST_FRAMES: i64 = 2400;
    // Silence that the image plays at the end; then two periods until it hears of it.
    const TAIL_FRAMES: u64 = 8192;
    // About every 10 ms; one may be late.
    const SELDOM_NS: u64 = 25_000_000;
    let session = voice(bench)?;
    let frames: u64 = session.playback.iter().map(crate::wav::Pcm::frames).sum();
    let outcome = bench.pass(&session)?;
    let positions: Vec<Position> = outcome.positions(Direction::Playback, 0).copied().collect();
    for pair in positions.windows(2) {
        let [before, after] = pair else { continue };
        ensure!(after.frames >= before.frames, "position goes back: {} to {}", before.frames, after.frames);
        ensure!(after.t_ns > before.t_ns, "time stands still at {} ns", before.t_ns);
        let gap_ns = after.t_ns - before.t_ns;
        ensure!(gap_ns <= SELDOM_NS, "no position for {gap_ns} ns after {} ns", before.t_ns);
    }
    let last = positions.last().ok_or_else(|| Finding::failure("no position was published"))?;
    ensure!(
        (frames..=frames + TAIL_FRAMES + 960).contains(&last.frames),
        "the last position is {}, of {frames} frames and {TAIL_FRAMES} of silence",
        last.frames
    );
    let Distance { min, median, max, count } =
        Distance::of(positions.iter().map(|position| (position.frames, position.expected)))
            .ok_or_else(|| Finding::failure("no position was published"))?;
    let said =
        format!("published minus expected: min {min}, median {median}, max {max} frames, {count} times");
    ensure!(min.abs().max(max.abs()) <= FARTHEST_FRAMES, "{said}; {FARTHEST_FRAMES} is the limit");
    Ok(said)
}
