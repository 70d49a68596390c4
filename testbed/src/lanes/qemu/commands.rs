//! The commands themselves, as a user calls them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use super::bench::{Bench, Case, noise};
use crate::child::{self, Child, Limits, Stream};
use crate::judge::verdict::{Finding, ensure};
use crate::provision;
use crate::wav;
use crate::workspace::Scratch;

pub(super) const CASES: &[(&str, Case)] = &[
    ("run_writes_what_it_played", run_writes_what_it_played),
    ("run_converts_and_says_so", run_converts_and_says_so),
    ("run_refuses_a_wav_that_is_cut_short", |bench| refuses(bench, &cut_short()?, "cut short")),
    ("run_refuses_an_empty_file", |bench| refuses(bench, b"", "empty")),
    ("run_refuses_a_wav_without_sound", |bench| refuses(bench, &without_sound()?, "empty")),
    ("run_refuses_a_compressed_wav", |bench| refuses(bench, &compressed()?, "compressed")),
    ("run_refuses_what_is_no_wav", |bench| refuses(bench, b"a text, and no sound\n", "no WAV")),
    ("run_refuses_a_file_that_is_not_there", run_refuses_a_file_that_is_not_there),
];

const LIMITS: Limits = Limits { silence: Duration::from_secs(300), total: Duration::from_secs(600) };

/// How a call of ours ended, and what it said.
struct Call {
    code: Option<i32>,
    output: String,
    error: String,
}

/// Calls ourselves.
fn xtask(arguments: &[&Path]) -> Result<Call, Finding> {
    let mut call = Call { code: None, output: String::new(), error: String::new() };
    let child = Child::start(Command::new(child::OURSELVES).args(arguments))?;
    let ending = child.follow(LIMITS, |stream, line| {
        let line = String::from_utf8_lossy(line);
        match stream {
            Stream::Output => call.output.push_str(&line),
            Stream::Error => call.error.push_str(&line),
        }
    })?;
    call.code = ending.status().map_err(Finding::crash)?.code();
    Ok(call)
}

fn voice() -> Result<Vec<u8>, Finding> {
    Ok(std::fs::read(provision::recording()?).context("the default recording")?)
}

fn cut_short() -> Result<Vec<u8>, Finding> {
    let mut file = voice()?;
    file.truncate(file.len() / 2);
    Ok(file)
}

/// The voice's header, announcing nothing.
fn without_sound() -> Result<Vec<u8>, Finding> {
    const HEADER_BYTES: usize = 44;
    const SOUND_BYTES: std::ops::Range<usize> = 40..44;
    let mut file = voice()?;
    file.truncate(HEADER_BYTES);
    file.get_mut(SOUND_BYTES).context("the default recording has another header")?.fill(0);
    Ok(file)
}

/// The voice, with a header that claims mu-law.
fn compressed() -> Result<Vec<u8>, Finding> {
    const FORMAT_TAG: usize = 20;
    let mut file = voice()?;
    if let Some(tag) = file.get_mut(FORMAT_TAG) {
        *tag = 7;
    }
    Ok(file)
}

fn refuses(bench: &Bench, file: &[u8], why: &str) -> Result<String, Finding> {
    let scratch = bench.scratch()?;
    let path = scratch.file("bad.wav");
    std::fs::write(&path, file).context("bad.wav")?;
    refused(&path, why)
}

fn run_refuses_a_file_that_is_not_there(bench: &Bench) -> Result<String, Finding> {
    refused(&bench.scratch()?.file("nothing.wav"), "can't be read")
}

/// Exit code 2, and one line that says why, and nothing else.
fn refused(path: &Path, why: &str) -> Result<String, Finding> {
    let call = xtask(&[Path::new("run"), Path::new("--wav"), path])?;
    ensure!(call.code == Some(2), "exit code {:?}, not 2: {}", call.code, call.error.trim());
    ensure!(call.output.is_empty(), "it says {:?} on standard output", call.output);
    let line = call.error.trim_end();
    ensure!(!line.is_empty() && !line.contains('\n'), "not one line: {line:?}");
    ensure!(line.contains(why), "it says {line:?}, nothing of {why:?}");
    Ok(line.split_once(".wav: ").map_or(line, |(_, why)| why).to_owned())
}

fn paths(scratch: &Scratch) -> [PathBuf; 2] {
    [scratch.file("in.wav"), scratch.file("out.wav")]
}

fn run_writes_what_it_played(bench: &Bench) -> Result<String, Finding> {
    let scratch = bench.scratch()?;
    let [input, output] = paths(&scratch);
    noise(48_000, 60_000, 9).write(&input)?;
    let call = run(&input, &output)?;
    let [input, output] = [wav::load(&input)?, wav::load(&output)?];
    ensure!(input.conversion.is_none(), "a WAV as the card plays it was converted");
    ensure!(output.pcm == input.pcm, "what was written is not what was played");
    ensure!(call.output.contains("bit-exact"), "the summary does not say so: {}", call.output);
    Ok(format!("{} frames", output.pcm.frames()))
}

fn run_converts_and_says_so(bench: &Bench) -> Result<String, Finding> {
    const FRAMES: u32 = 96_000;
    let scratch = bench.scratch()?;
    let [input, output] = paths(&scratch);
    let spec = hound::WavSpec {
        channels: 6,
        sample_rate: 192_000,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let write = || -> Result<(), hound::Error> {
        let mut writer = hound::WavWriter::create(&input, spec)?;
        for sample in 0..FRAMES * 6 {
            // Saw teeth, no two channels alike.
            writer.write_sample((sample.wrapping_mul(7_919) % 8_000_000) as i32 - 4_000_000)?;
        }
        writer.finalize()
    };
    write().context("in.wav")?;
    let call = run(&input, &output)?;
    let said = "6 channels 192000 Hz 24 bit -> stereo 96000 Hz 16 bit";
    ensure!(call.output.contains(said), "it does not say {said:?}: {}", call.output);
    ensure!(call.output.contains("bit-exact"), "the summary says: {}", call.output);
    let frames = wav::load(&output)?.pcm.frames();
    ensure!(frames == u64::from(FRAMES) / 2, "{frames} frames came out");
    Ok(said.to_owned())
}

fn run(input: &Path, output: &Path) -> Result<Call, Finding> {
    let call = xtask(&[Path::new("run"), Path::new("--wav"), input, Path::new("--out"), output])?;
    ensure!(call.code == Some(0), "exit code {:?}: {}", call.code, call.error.trim());
    Ok(call)
}
