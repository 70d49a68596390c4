//! A session: recordings are played and sound is recorded in an emulated machine, and what came out is collected.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::child::{Child, Ending};
use crate::harness::{Harness, Microphone, MonitorSocket, Room, Source, Traffic};
use crate::judge::verdict::Finding;
use crate::qemu::machine_line::{Direction, Done, MachineLine, Position};
use crate::qemu::{self, Codec, Controller, Log, Machine, Pace, Sound};
use crate::wav::{self, FRAME_BYTES, Pcm};
use crate::workspace::Scratch;

/// Streams of an emulated controller in each direction.
pub const STREAMS: usize = 4;

/// The rate at which the emulated machine records.
pub const CAPTURE_RATE_HZ: u32 = 48_000;

/// A recording, and the microphone's signal meanwhile.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Frames to record.
    pub frames: u64,
    /// The harness's signal, unless the session has a room.
    pub source: Source,
}

/// A session to be run.
#[derive(Clone, Debug)]
pub struct Session {
    /// The image.
    pub image: PathBuf,
    /// The controller.
    pub controller: Controller,
    /// Sounds to play, each on a stream and a codec of its own.
    pub playback: Vec<Pcm>,
    /// The recording, on a codec behind those.
    pub capture: Option<Capture>,
    /// The room in which the first stream is played and recorded, on one codec.
    pub room: Option<Room>,
    /// The pace of virtual time.
    pub pace: Pace,
    /// The emulator's driver for the host's sound; `None`: files and the harness.
    pub host_sound: Option<String>,
    /// More words on the image's command line.
    pub words: Vec<String>,
}

impl Session {
    /// A session that plays and records nothing yet, with an ICH9 controller, in virtual time.
    pub fn new(image: &Path) -> Session {
        Session {
            image: image.to_path_buf(),
            controller: Controller::Ich9,
            playback: Vec::new(),
            capture: None,
            room: None,
            pace: Pace::Virtual,
            host_sound: None,
            words: Vec::new(),
        }
    }

    /// The longest that anything plays or is recorded.
    pub fn duration(&self) -> Duration {
        let capture = self.capture.iter().map(|capture| {
            Duration::from_nanos(capture.frames.saturating_mul(1_000_000_000) / u64::from(CAPTURE_RATE_HZ))
        });
        self.playback.iter().map(Pcm::duration).chain(capture).max().unwrap_or_default()
    }

    /// The machine for it. Writes the module into the scratch directory.
    ///
    /// # Errors
    /// When the module can't be written.
    pub fn machine(&self, scratch: &Scratch) -> Result<Machine> {
        let mut words = Vec::new();
        let mut module = Vec::new();
        let mut codecs = Vec::new();
        let tick_us = self.microphone().tick_us();
        let harness = |rate_hz| Sound::Harness { rate_hz, tick_us };
        let or_host = |own: Sound| self.host_sound.clone().map_or(own, Sound::Host);
        let in_a_room = self.room.is_some() && self.host_sound.is_none();
        for (output, pcm) in self.playback.iter().enumerate() {
            words.push(format!(
                "play={output},{},s16_le,2,{},{}",
                pcm.rate_hz,
                module.len(),
                pcm.bytes.len()
            ));
            module.extend_from_slice(&pcm.bytes);
            codecs.push(if in_a_room && output == 0 {
                Codec { model: "hda-duplex", sound: harness(pcm.rate_hz) }
            } else {
                let file = Sound::Wav { path: heard_file(scratch, output), rate_hz: pcm.rate_hz };
                Codec { model: "hda-output", sound: or_host(file) }
            });
        }
        if let Some(capture) = &self.capture {
            words.push(format!("record=0,{CAPTURE_RATE_HZ},s16_le,2,{}", capture.frames));
            // In a room the first codec records, too.
            if !in_a_room {
                codecs.push(Codec { model: "hda-micro", sound: or_host(harness(CAPTURE_RATE_HZ)) });
            }
        }
        words.extend(self.words.iter().cloned());
        let module_path = scratch.file("module.pcm");
        std::fs::write(&module_path, &module)?;
        Ok(Machine {
            image: self.image.clone(),
            words,
            module: (!module.is_empty()).then_some(module_path),
            module_bytes: module.len() as u64,
            controller: self.controller,
            codecs,
            pace: self.pace,
            recorded: scratch.file("recorded.pcm"),
            serial: scratch.file("serial.txt"),
            monitor: None,
        })
    }

    /// Runs it to its end. `on_line` sees every line of the console as it comes.
    ///
    /// # Errors
    /// It can't be run. A failure of the image is an outcome.
    pub fn run(
        &self,
        scratch: &Scratch,
        on_line: impl FnMut(&[u8], Option<&MachineLine>),
    ) -> Result<Outcome> {
        let machine = self.machine(scratch)?;
        let mut outcome = run_machine(machine, self.microphone(), self.duration(), scratch, on_line)?;
        if self.host_sound.is_none() {
            for (output, pcm) in self.playback.iter().enumerate() {
                if output == 0 && self.room.is_some() {
                    let bytes = outcome.traffic.played.clone();
                    outcome.heard.push(Some(Pcm { rate_hz: pcm.rate_hz, bytes }));
                    continue;
                }
                // A machine that ended early may have played nothing: its verdict says so.
                outcome.heard.push(wav::read_emulated(&heard_file(scratch, output)).ok());
            }
        }
        Ok(outcome)
    }

    /// The signal at the input of the harness's codec.
    pub fn microphone(&self) -> Microphone {
        match (&self.room, &self.capture) {
            (Some(room), _) => Microphone::Room(room.clone()),
            (None, Some(capture)) => Microphone::Hears(capture.source.clone()),
            (None, None) => Microphone::Hears(Source::Silence),
        }
    }
}

fn heard_file(scratch: &Scratch, output: usize) -> PathBuf {
    scratch.file(&format!("heard-{output}.wav"))
}

/// Runs a machine to its end, with the harness where one of its codecs has it.
///
/// # Errors
/// When the emulator can't be started, or the harness can't serve it.
pub fn run_machine(
    mut machine: Machine,
    microphone: Microphone,
    duration: Duration,
    scratch: &Scratch,
    on_line: impl FnMut(&[u8], Option<&MachineLine>),
) -> Result<Outcome> {
    let harness_rate_hz = machine.codecs.iter().find_map(|codec| match codec.sound {
        Sound::Harness { rate_hz, .. } => Some(rate_hz),
        _ => None,
    });
    let socket = harness_rate_hz
        .map(|rate_hz| Ok::<_, anyhow::Error>((rate_hz, MonitorSocket::new()?)))
        .transpose()?;
    machine.monitor = socket.as_ref().map(|(_, socket)| socket.path().to_path_buf());

    let child = Child::start(&mut machine.command())?;
    let harness = socket.map(|(rate_hz, socket)| Harness::serve(socket, microphone, rate_hz)).transpose();
    let harness = match harness {
        Ok(harness) => harness,
        Err(error) => return Err(child.failed(error)),
    };
    let (ending, log) = qemu::follow(child, qemu::limits(duration), on_line)?;
    let traffic = harness.map(Harness::finish).unwrap_or_default();
    std::fs::write(scratch.file("console.txt"), &log.console)?;
    // Not there when the emulator did not get that far.
    let recorded = std::fs::read(&machine.recorded).unwrap_or_default();
    Ok(Outcome { ending, log, heard: Vec::new(), recorded, traffic })
}

/// The result of a session.
#[derive(Debug)]
pub struct Outcome {
    /// How the emulator ended.
    pub ending: Ending,
    /// The image's log.
    pub log: Log,
    /// Sound that each playback codec played, with the tail that pushes its last frames out of the emulator.
    pub heard: Vec<Option<Pcm>>,
    /// Sound that the image recorded.
    pub recorded: Vec<u8>,
    /// The harness's traffic.
    pub traffic: Traffic,
}

impl Outcome {
    /// Whether the image says, and the emulator's status confirms, that all went well.
    pub fn judge(&self) -> Result<(), Finding> {
        qemu::judge(&self.ending, &self.log)?;
        match &self.traffic.complaint {
            Some(complaint) => Err(Finding::error(complaint.clone())),
            None => Ok(()),
        }
    }

    /// Sound that a codec played; empty without a file.
    pub fn heard(&self, output: usize) -> &[u8] {
        self.heard.get(output).and_then(Option::as_ref).map_or(&[], |pcm| &pcm.bytes)
    }

    /// Whole frames that were recorded.
    pub fn recorded_frames(&self) -> u64 {
        (self.recorded.len() / FRAME_BYTES) as u64
    }

    /// The published positions of a stream.
    pub fn positions(&self, direction: Direction, stream: u32) -> impl Iterator<Item = &Position> {
        self.log.lines.iter().filter_map(move |line| match line {
            MachineLine::Position(position)
                if (position.direction, position.stream) == (direction, stream) =>
            {
                Some(position)
            }
            _ => None,
        })
    }

    /// The ends of all streams.
    pub fn done(&self) -> impl Iterator<Item = &Done> {
        self.log.lines.iter().filter_map(|line| match line {
            MachineLine::Done(done) => Some(done),
            _ => None,
        })
    }

    /// The end of a stream.
    pub fn done_of(&self, direction: Direction, stream: usize) -> Option<&Done> {
        self.done().find(|done| done.direction == direction && done.stream as usize == stream)
    }

    /// From entry to the answer to the first START: RUN is set by then.
    pub fn first_sample_ns(&self) -> Option<u64> {
        self.log.lines.iter().find_map(|line| match line {
            MachineLine::FirstSample { since_entry_ns } => Some(*since_entry_ns),
            _ => None,
        })
    }

    /// The memory that the image has found, in bytes.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.log.lines.iter().find_map(|line| match line {
            MachineLine::Boot { memory_bytes } => Some(*memory_bytes),
            _ => None,
        })
    }
}
