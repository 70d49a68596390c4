//! `cargo xtask xen`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use walkdir::WalkDir;

use crate::child::Limits;
use crate::harness::{Microphone, Room, Source};
use crate::image::{Bin, Image};
use crate::judge::mix::{self, Sound};
use crate::judge::summary;
use crate::judge::verdict::Finding;
use crate::qemu::Pace;
use crate::qemu::session::STREAMS;
use crate::rig::{self, Dom0Sound, Files, Outcome, Plan};
use crate::wav::{self, FRAME_BYTES, Pcm};
use crate::{BadInput, provision, tool};

/// Runs the command.
pub fn execute(given: xtask::Xen) -> Result<ExitCode> {
    Xen { given }.execute()
}

struct Xen {
    given: xtask::Xen,
}

// Each guest may play to a stream of its own.
const _: () = assert!(xtask::MOST_GUESTS as usize == STREAMS);

/// The rate behind the codecs, and that of the default recording.
const RATE_HZ: u32 = 48_000;

/// Silence behind the recording: the emulator keeps the last that was played to itself.
const TAIL_FRAMES: usize = RATE_HZ as usize / 4;

/// A command's time limit, in the guest's time.
const COMMAND_SECONDS: u64 = 3600;

/// A command is silent to us, and a busy host slow.
const LIMITS: Limits = Limits { silence: Duration::from_secs(3600), total: Duration::from_secs(4 * 3600) };

impl Xen {
    fn execute(self) -> Result<ExitCode> {
        if let Some(folder) = self.given.guest_files.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(BadInput(format!("--guest-files {}: is no folder", folder.display())).into());
        }
        self.microphone()?;
        provision::qemu()?;
        let recording = match (&self.given.guest_run, &self.given.scenario) {
            (Some(_), _) | (_, Some(_)) => None,
            (None, None) => Some(wav::load(&provision::recording()?)?.pcm),
        };
        let image = Image::build(Bin::Snddom)?;
        let plan = self.plan(image.path, recording.as_ref())?;
        if self.given.keep {
            rig::keep(&plan)?;
            return Ok(ExitCode::SUCCESS);
        }
        let outcome = rig::run(&plan, |progress| println!("{progress}"))?;
        if self.given.log.is_some() {
            print!("{}", outcome.driver_domain());
        }
        self.hand_over(&outcome)?;
        Ok(self.verdict(&outcome, recording.as_ref()))
    }

    fn plan(&self, image: PathBuf, recording: Option<&Pcm>) -> Result<Plan> {
        let programs = tool::build()?;
        let mut files = Files { ours: Vec::new(), programs, theirs: self.given.guest_files.clone() };
        let command = match (&self.given.guest_run, recording) {
            (Some(command), _) => command.clone(),
            (None, None) => "true".to_owned(),
            (None, Some(pcm)) => {
                let mut pcm = self.played(pcm);
                pcm.bytes.resize(pcm.bytes.len() + TAIL_FRAMES * FRAME_BYTES, 0);
                files.ours.push(("recording.wav".to_owned(), pcm.to_wav()?));
                "aplay -D hw:0,0 /rig/recording.wav".to_owned()
            }
        };
        files.ours.push(("command".to_owned(), command.into_bytes()));
        Ok(Plan {
            name: "xen".to_owned(),
            scenario: match &self.given.scenario {
                Some(path) => std::fs::read_to_string(path)
                    .map_err(|error| BadInput(format!("--scenario {}: {error}", path.display())))?,
                None => include_str!("../../rig/scenarios/run.sh").to_owned(),
            },
            variables: vec![
                ("GUESTS", self.given.guests.to_string()),
                ("OUTPUTS", self.outputs().to_string()),
                ("GUEST_DRIVER", self.given.guest_driver.word().to_owned()),
                ("COMMAND_SECONDS", COMMAND_SECONDS.to_string()),
            ],
            image,
            log_level: self.given.log.clone().unwrap_or_else(|| "info".to_owned()),
            iommu: self.given.iommu,
            pace: if self.given.realtime { Pace::Real } else { Pace::Virtual },
            codec_rates_hz: vec![RATE_HZ; usize::from(self.outputs().max(2))],
            microphone: self.microphone()?,
            files,
            dom0_files: Vec::new(),
            dom0_sound: Dom0Sound::None,
            limits: LIMITS,
        })
    }

    /// Outputs that guests play to.
    fn outputs(&self) -> u8 {
        self.given.outputs.unwrap_or(self.given.guests).min(self.given.guests)
    }

    /// The guests that play to an output, by their numbers.
    fn guests_at(&self, output: u8) -> impl Iterator<Item = u8> {
        let outputs = self.outputs();
        (1..=self.given.guests).filter(move |guest| (guest - 1) % outputs == output)
    }

    /// Whether guests share outputs.
    fn is_shared(&self) -> bool {
        self.outputs() < self.given.guests
    }

    /// The recording as each guest has it: so quiet that all who share an output don't clip.
    fn played(&self, recording: &Pcm) -> Pcm {
        if !self.is_shared() {
            return recording.clone();
        }
        let most = self.given.guests.div_ceil(self.outputs().max(1));
        let quiet = |bytes: &[u8; 2]| (i16::from_le_bytes(*bytes) / i16::from(most)).to_le_bytes();
        let bytes = recording.bytes.as_chunks().0.iter().flat_map(quiet).collect();
        Pcm { rate_hz: recording.rate_hz, bytes }
    }

    fn microphone(&self) -> Result<Microphone> {
        Ok(match &self.given.room {
            Some(room) => Microphone::Room(Room::parse(room, RATE_HZ)?),
            None => Microphone::Hears(Source::Ramp),
        })
    }

    /// Puts the results into the user's folder.
    fn hand_over(&self, outcome: &Outcome) -> Result<()> {
        let out = self.given.out.clone().unwrap_or_else(|| outcome.folder.join("out"));
        std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
        if self.given.out.is_some() {
            for (guest, folder) in &outcome.handed_out {
                let Ok(folder) = folder else { continue };
                let into = if self.given.guests == 1 { out.clone() } else { out.join(guest) };
                copy_folder(folder, &into)?;
            }
        }
        for (codec, pcm) in outcome.heard.iter().enumerate() {
            let Some(pcm) = pcm.as_ref().filter(|pcm| !pcm.bytes.is_empty()) else { continue };
            let path = out.join(format!("codec{codec}.wav"));
            pcm.write(&path)?;
            println!("written: {}", path.display());
        }
        Ok(())
    }

    fn verdict(&self, outcome: &Outcome, recording: Option<&Pcm>) -> ExitCode {
        let mut findings: Vec<Finding> = outcome.judge().err().into_iter().collect();
        if let (true, Some(recording)) = (findings.is_empty(), recording) {
            let played = self.played(recording);
            for output in 0..self.outputs() {
                let codec = usize::from(output);
                let guests: Vec<u8> = self.guests_at(output).collect();
                let result = if self.is_shared() {
                    judge_sum(&played, guests.len(), outcome.heard(codec))
                        .map_err(|why| Finding::failure(format!("output {output}: {why}")))
                } else {
                    summary::judge_heard(&played, outcome.heard(codec), codec)
                        .map(|comparison| comparison.to_string())
                };
                let names: Vec<String> = guests.iter().map(|guest| format!("guest{guest}")).collect();
                match result {
                    Ok(what) => println!("{}  came out {what}", names.join(", ")),
                    Err(finding) => findings.push(finding),
                }
            }
        }
        println!("logs: {}", outcome.folder.display());
        if findings.is_empty() {
            return ExitCode::SUCCESS;
        }
        let said = outcome.driver_domain();
        let last: Vec<&str> = said.lines().collect();
        for line in last.iter().skip(last.len().saturating_sub(20)) {
            eprintln!("{line}");
        }
        for finding in &findings {
            eprintln!("{finding}");
        }
        ExitCode::FAILURE
    }
}

/// Judges what was heard of guests that share an output: the sum of so many of the recording, exactly, whenever each began.
fn judge_sum(recording: &Pcm, guests: usize, heard: &[u8]) -> Result<String, String> {
    // Silence at its beginning doesn't say when it began.
    let frames = mix::frames(&recording.bytes).skip_while(|frame| *frame == [0.0; 2]).collect();
    let sounds = vec![Sound { name: "the recording".to_owned(), frames }; guests];
    let mix = mix::explain(heard, 0, &sounds, 0.0)?;
    let behind: Vec<usize> =
        mix.starts.iter().map(|start| start - mix.starts.iter().min().unwrap_or(&0)).collect();
    if mix::frames(heard).skip(mix.end).any(|frame| frame != [0.0; 2]) {
        return Err(format!("old sound behind the end, at frame {}", mix.end));
    }
    Ok(format!("bit-exact as their sum, {behind:?} frames behind the first of them"))
}

/// Copies the files of a folder into another, with its folders.
fn copy_folder(from: &Path, into: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let to = into.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
        } else {
            std::fs::copy(entry.path(), &to).with_context(|| to.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn xen(words: &[&str]) -> Xen {
        match xtask::Arguments::parse_from(["xtask", "xen"].iter().chain(words)).command {
            xtask::Command::Xen(given) => Xen { given },
            _ => panic!("another command"),
        }
    }

    #[test]
    fn outputs_are_shared_out_in_turn() {
        let guests = |words: &[&str]| -> Vec<Vec<u8>> {
            let xen = xen(words);
            (0..xen.outputs()).map(|output| xen.guests_at(output).collect()).collect()
        };
        assert_eq!(guests(&["--guests", "3"]), [[1], [2], [3]]);
        assert_eq!(guests(&["--guests", "3", "--outputs", "1"]), [[1, 2, 3]]);
        assert_eq!(guests(&["--guests", "3", "--outputs", "2"]), [vec![1, 3], vec![2]]);
        assert_eq!(guests(&["--guests", "1", "--outputs", "4"]), [[1]]);
        assert!(guests(&["--guests", "0", "--outputs", "1"]).is_empty());
    }

    fn recording(samples: &[i16]) -> Pcm {
        Pcm {
            rate_hz: RATE_HZ,
            bytes: samples.iter().flat_map(|sample| [*sample; 2]).flat_map(i16::to_le_bytes).collect(),
        }
    }

    #[test]
    fn a_shared_recording_does_not_clip() {
        let loud = recording(&[i16::MAX, i16::MIN]);
        assert_eq!(xen(&["--guests", "2"]).played(&loud), loud);
        assert_eq!(xen(&["--guests", "3", "--outputs", "2"]).played(&loud), recording(&[16_383, -16_384]));
    }

    #[test]
    fn a_sum_of_recordings_is_judged_to_the_bit() {
        let played = recording(&[0, 5, 7, 0, 9]);
        let judge = |heard: &[i16]| judge_sum(&played, 2, &recording(heard).bytes);
        assert!(judge(&[0, 0, 5, 7, 5, 16, 0, 9, 0]).is_ok());
        assert!(judge(&[0, 0, 5, 7, 5, 16, 0, 9, 1]).is_err());
        assert!(judge(&[0, 0, 5, 7, 5, 15, 0, 9, 0]).is_err());
        assert!(judge(&[0, 0, 5, 7, 0, 9, 0, 0, 0]).is_err());
    }
}
