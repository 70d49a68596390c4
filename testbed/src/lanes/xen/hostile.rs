//! A hostile guest beside a good one: whatever it does, what the good one plays and records is exact.

use super::scenario::{GuestFiles, Scenario};
use super::sounds::{self, RATE_HZ, heard, long, ramp_of_seconds, short};
use crate::harness::{Microphone, Source};
use crate::judge::verdict::Finding;
use crate::wav::Pcm;

pub(super) const AMD: Scenario = Scenario {
    name: "hostile",
    script: include_str!("../../../rig/scenarios/hostile.sh"),
    variables: || Ok(vec![(SECONDS, hostile_seconds()?.to_string())]),
    codec_rates_hz: &[RATE_HZ, RATE_HZ],
    microphone: Microphone::Hears(Source::Ramp),
    files,
    host_checks: &[
        ("the_good_one_is_exact", |outcome| heard(outcome, 0, &good()?)),
        ("the_good_one_records_a_ramp_without_a_break", |outcome| {
            ramp_of_seconds(outcome, "guest1", "ramp.wav", RECORDED_SECONDS)
        }),
        ("the_hostile_one_is_exact_once_it_behaves", |outcome| heard(outcome, 1, &behaves())),
    ],
    ..Scenario::ONE_CODEC
};

/// The variable with the length of the hostile guest's first life, in seconds of virtual time: in the environment, and for
/// the script.
const SECONDS: &str = "HOSTILE_SECONDS";

/// That length, if the environment doesn't say it. A second costs the emulator some ten.
const USUAL_SECONDS: usize = 60;

/// What the other lives and the rest take, at most.
const REST_SECONDS: usize = 30;

/// Length of what the good one records.
const RECORDED_SECONDS: u64 = 5;

fn hostile_seconds() -> Result<usize, Finding> {
    match std::env::var(SECONDS) {
        Ok(text) => {
            let seconds = text.parse().ok().filter(|seconds| (1..=3_600).contains(seconds));
            seconds
                .ok_or_else(|| Finding::error(format!("{SECONDS}={text}: a number from 1 to 3600 is wanted")))
        }
        Err(_) => Ok(USUAL_SECONDS),
    }
}

/// It plays longer than the hostile one lives, all its lives together. That one plays zeros to the same output, so this is
/// all of the sum.
fn good() -> Result<Pcm, Finding> {
    Ok(long(hostile_seconds()? + REST_SECONDS, 1))
}

fn behaves() -> Pcm {
    short(2)
}

fn files() -> Result<GuestFiles, Finding> {
    let mut files = sounds::files([("good", good()?), ("behaves", behaves())])?;
    files.push(("villains".to_owned(), include_str!("../../../rig/guest/villains").into()));
    Ok(files)
}
