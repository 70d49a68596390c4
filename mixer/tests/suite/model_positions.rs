//! How far published positions of voices are from the truth, on the model of the hardware.

use audioback::card::{Card, LinkPosition, PortMode, PositionLock};
use hyper::SampleMemory;
use snd_hda_model::{Bench, Codec, Profile};
use sndif::format::SampleFormat;

use crate::link::{LATENESS, OUT, Rig};
use crate::positions::published;
use crate::support::rig::{MILLISECOND, params};
use crate::support::{noise, seeds};

/// The bus's stream descriptor: the first output.
const DESCRIPTOR: usize = 4;

/// Errors in thousandths of a bus's frame.
#[derive(Default)]
struct Errors {
    while_locked: Vec<u64>,
    /// Looks, and those at which the position is locked.
    looks: u32,
    locked: u32,
}

impl Errors {
    /// The error that so many of 1,000 don't exceed.
    fn quantile(&self, per_mille: usize) -> f64 {
        let index = (self.while_locked.len() * per_mille / 1_000).min(self.while_locked.len() - 1);
        self.while_locked[index] as f64 / 1_000.0
    }
}

/// A voice that is looked at at random times.
fn look(profile: Profile, drift_ppm: i32, (rate_hz, bus_hz): (u32, u32), seed: u64, errors: &mut Errors) {
    let random = |number: u64, most: u64| u64::from(noise(seed, number)) % most;
    let bench = Bench::new(profile).codec(0, Codec::any_format(2)).drift_ppm(drift_ppm);
    let mut rig = Rig::of(bench.build(), [Some(bus_hz), None], PortMode::Shared, LATENESS);
    rig.pass(random(0, 3 * MILLISECOND));
    let (mut keeper, _) = rig.open(OUT, &params(bus_hz, SampleFormat::S32Le, 2), 4_096);
    rig.mixer.start(&mut keeper).expect("started");
    rig.pass(random(1, 300 * MILLISECOND));
    let (mut voice, buffer) = rig.open(OUT, &params(rate_hz, SampleFormat::S32Le, 2), 4_096);
    buffer.write(0, &[0x11; 4_096 * 8]);
    rig.mixer.start(&mut voice).expect("started");
    // A position, the bus's true thousandths of frames at a time until the next look, and that time.
    let mut told = Vec::<(LinkPosition, u64, u64)>::new();
    for step in 0..100 {
        let link = rig.mixer.position(&mut voice).expect("a position").link.expect("at the link");
        errors.looks += 1;
        errors.locked += u32::from(link.lock == PositionLock::Locked);
        for part in 0..3 {
            told.push((link, rig.model.true_link_milliframes(DESCRIPTOR), rig.model.now_ns()));
            if part < 2 {
                rig.pass(random(2 + step * 2 + part, 8 * MILLISECOND));
            }
        }
    }
    let played = rig.model.played(0, 2);
    let start = (0..played.len()).find(|index| played.frame(*index)[0] != 0).expect("it is heard") as i128;
    // The frame that is passing counts as heard.
    let unheard = rig.model.true_link_frames(DESCRIPTOR).abs_diff(played.len() as u64);
    assert!(unheard <= 1, "the converter got all frames of the bus");
    for (link, true_milliframes, ns) in told.into_iter().filter(|(link, _, ns)| *ns >= link.time.0) {
        let since_start = (i128::from(true_milliframes) - start * 1_000).max(0);
        let of_bus = published(&link, ns) * i128::from(bus_hz) / i128::from(rate_hz);
        let error = of_bus.abs_diff(since_start) as u64;
        let bound = u64::from(link.error_ns) * u64::from(bus_hz) / 1_000_000;
        assert!(error <= bound + 3, "seed {seed}, {rate_hz} Hz: {error} of {bound} thousandths: {link:?}");
        if link.lock == PositionLock::Locked {
            errors.while_locked.push(error);
        }
    }
    rig.mixer.close(voice).expect("closed");
    rig.mixer.close(keeper).expect("closed");
}

#[test]
fn a_voice_s_position_is_right_within_a_frame_of_its_bus_once_it_is_locked() {
    println!(
        "| SSYNC | late reads, ns | voice, Hz | bus, Hz | positions | locked, % | p50 | p99 | max, frames of the bus |"
    );
    for (stream_sync_offset, slow_read_ns) in [(Some(0x38), 0), (Some(0x38), 2_000), (None, 0), (None, 2_000)]
    {
        for (rate_hz, bus_hz) in [(48_000, 48_000), (44_100, 48_000), (96_000, 48_000), (48_000, 44_100)] {
            let mut errors = Errors::default();
            for seed in seeds(3) {
                let profile = Profile { stream_sync_offset, slow_read_ns, ..Profile::hardware() };
                look(profile, [0, 137, -80][seed as usize % 3], (rate_hz, bus_hz), seed, &mut errors);
            }
            errors.while_locked.sort_unstable();
            let [p50, p99, max] = [500, 990, 1_000].map(|per_mille| errors.quantile(per_mille));
            let (has_sync, locked) = (stream_sync_offset.is_some(), 100 * errors.locked / errors.looks);
            println!(
                "| {has_sync} | {slow_read_ns} | {rate_hz} | {bus_hz} | {} | {locked} | {p50:.3} | {p99:.3} | {max:.3} |",
                errors.looks
            );
            assert!(max <= 1.0 && locked >= 50, "{rate_hz} Hz: {max}, {locked} % locked");
        }
    }
}
