//! An impossible task ends soon, with a line that says why, and with a bad exit status.

use std::time::Duration;

use super::bench::{Bench, Case, last_stamp, noise, show};
use crate::judge::verdict::{Finding, Verdict, ensure};
use crate::qemu::session::{Outcome, Session, run_machine};
use crate::qemu::{Codec, Controller, Machine, Sound};

pub(super) const CASES: &[(&str, Case)] = &[
    ("shipped_image_without_xen", shipped_image_without_xen),
    ("no_controller", no_controller),
    ("no_codec", no_codec),
    ("no_such_output", no_such_output),
    ("no_such_input", no_such_input),
    ("codec_without_inputs", codec_without_inputs),
    ("controller_that_stops_answering", controller_that_stops_answering),
    ("rate_that_no_converter_has", |bench| {
        bad_word(bench, "play=0,12345,s16_le,2,0,400", &["12345", "rate"])
    }),
    ("module_that_is_too_short", |bench| {
        bad_word(bench, "play=0,48000,s16_le,2,0,99999999", &["module", "play"])
    }),
    ("unknown_word", |bench| bad_word(bench, "volume=11", &["volume=11"])),
    ("unknown_format", |bench| bad_word(bench, "play=0,48000,u8,2,0,400", &["format"])),
    ("fields_missing", |bench| bad_word(bench, "play=0,48000", &["play"])),
    ("number_out_of_range", |bench| bad_word(bench, "period_frames=0", &["period_frames"])),
    ("stray_bytes", |bench| bad_word(bench, "play=0,48000,s16_le,2,\u{e9},400", &["play"])),
];

/// Virtual time within which the image must have ended.
const LIMIT: Duration = Duration::from_secs(5);

/// A line that says nothing more than this is of no help.
const SHORTEST_LINE: usize = 12;

/// Runs a session after its machine was changed; it must fail, soon, and with one of these words in its last line.
fn fails(
    bench: &Bench,
    session: &Session,
    change: impl FnOnce(&mut Machine),
    says: &[&str],
) -> Result<String, Finding> {
    let scratch = bench.scratch()?;
    let mut machine = session.machine(&scratch)?;
    change(&mut machine);
    let outcome = run_machine(machine, session.microphone(), session.duration(), &scratch, |_, _| ())?;
    judge(&outcome, says).inspect_err(|_| show(&outcome))
}

fn judge(outcome: &Outcome, says: &[&str]) -> Result<String, Finding> {
    let line = match outcome.judge() {
        Err(Finding { verdict: Verdict::Failure, detail }) => detail,
        Err(other) => return Err(other),
        Ok(()) => return Err(Finding::failure("the image says that all went well")),
    };
    ensure!(line.len() >= SHORTEST_LINE, "not a clear line: {line:?}");
    let lower = line.to_lowercase();
    ensure!(
        says.iter().any(|word| lower.contains(&word.to_lowercase())),
        "it says {line:?}, nothing of {says:?}"
    );
    let Some(ended) = last_stamp(outcome) else {
        // Before its clock runs the image says nothing and can't wait for anything: the verdict must be all there is.
        ensure!(outcome.log.console.starts_with(b"@verdict"), "no line of the log says when it ended");
        return Ok(format!("{line} (before its clock ran)"));
    };
    ensure!(ended <= LIMIT, "it ended after {} ms of virtual time", ended.as_millis());
    Ok(format!("{line} (after {} ms)", ended.as_millis()))
}

fn playing(bench: &Bench) -> Session {
    Session { playback: vec![noise(48_000, 4_800, 1)], ..bench.session() }
}

fn shipped_image_without_xen(bench: &Bench) -> Result<String, Finding> {
    let session = Session { playback: playing(bench).playback, ..Session::new(&bench.shipped.path) };
    fails(bench, &session, |_| (), &["needs Xen"])
}

fn no_controller(bench: &Bench) -> Result<String, Finding> {
    let session = Session { controller: Controller::Absent, ..playing(bench) };
    fails(bench, &session, |_| (), &["no HD Audio controller", "no controller"])
}

fn no_codec(bench: &Bench) -> Result<String, Finding> {
    fails(bench, &playing(bench), |machine| machine.codecs.clear(), &["codec"])
}

/// One codec, of one output; the second is asked for.
fn no_such_output(bench: &Bench) -> Result<String, Finding> {
    let second = |machine: &mut Machine| machine.words = vec!["play=1,48000,s16_le,2,0,19200".to_owned()];
    fails(bench, &playing(bench), second, &["output", "playback"])
}

fn no_such_input(bench: &Bench) -> Result<String, Finding> {
    let second = |machine: &mut Machine| {
        machine.words = vec!["record=1,48000,s16_le,2,4800".to_owned()];
        machine.codecs = vec![Codec { model: "hda-micro", sound: Sound::Silent }];
    };
    fails(bench, &bench.session(), second, &["input", "capture"])
}

/// The emulator has no codec that can't play, but one that can't record.
fn codec_without_inputs(bench: &Bench) -> Result<String, Finding> {
    let deaf = |machine: &mut Machine| {
        machine.words = vec!["record=0,48000,s16_le,2,4800".to_owned()];
        machine.codecs = vec![Codec { model: "hda-output", sound: Sound::Silent }];
    };
    fails(bench, &bench.session(), deaf, &["input", "capture"])
}

/// Its memory decoding is turned off. From then on its registers read as zeros in this emulator.
fn controller_that_stops_answering(bench: &Bench) -> Result<String, Finding> {
    let mut session = playing(bench);
    session.words.push("fault=hang-controller".to_owned());
    fails(bench, &session, |_| (), &["controller", "register", "0x"])
}

fn bad_word(bench: &Bench, word: &str, says: &[&str]) -> Result<String, Finding> {
    let only = |machine: &mut Machine| machine.words = vec![word.to_owned()];
    fails(bench, &playing(bench), only, says)
}
